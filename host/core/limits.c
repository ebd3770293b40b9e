/* SPDX-License-Identifier: MIT */
/*
 * See limits.h.
 */
#include "core/limits.h"

enum { TOLERANCE_NS = 20000000 }; /* by which the supervisor may be late, and what it gives where it does not know */

void shmx_limits_write(struct shmx_pool_map *map, uint32_t slot, uint32_t generation,
                       const struct shmx_limits *limits) {
  map->limits[slot] = (struct shmx_limits_shm){generation, limits->attempts, limits->nanoseconds};
  atomic_store_explicit(&map->shm->limited, 1, memory_order_relaxed);
}

static bool has_limits(const struct shmx_pool_map *map, uint32_t slot, uint64_t word) {
  return map->limits[slot].generation == shmx_word_generation(word);
}

int64_t shmx_limits_of(const struct shmx_pool_map *map, uint32_t slot, uint64_t word) {
  int64_t nanoseconds = has_limits(map, slot, word) ? map->limits[slot].nanoseconds : 0;
  return nanoseconds > 0 && nanoseconds <= SHMX_LIMITS_MAX_NS ? nanoseconds : 0;
}

/* --- worker --- */

static void say(struct shmx_link *link, int64_t deadline) {
  atomic_store_explicit(&link->self->deadline, deadline, memory_order_release);
  atomic_thread_fence(memory_order_seq_cst);
  if (deadline < atomic_load_explicit(&link->domain->looks_at, memory_order_relaxed)) shmx_link_urge(link);
}

void shmx_limits_begin(struct shmx_link *link, uint32_t slot, uint64_t word, int64_t begin) {
  const struct shmx_pool_map *map = link->pool;
  if (!atomic_load_explicit(&map->shm->limited, memory_order_relaxed)) return;
  int64_t nanoseconds = shmx_limits_of(map, slot, word);
  if (nanoseconds == 0) return;
  atomic_store_explicit(&link->self->limited_slot, slot, memory_order_relaxed);
  say(link, begin + nanoseconds);
}

void shmx_limits_end(struct shmx_link *link) {
  if (atomic_load_explicit(&link->self->deadline, memory_order_relaxed) == 0) return;
  atomic_store_explicit(&link->self->deadline, 0, memory_order_release);
}

void shmx_limits_waited(struct shmx_link *link, int64_t nanoseconds) {
  int64_t deadline = atomic_load_explicit(&link->self->deadline, memory_order_relaxed);
  if (deadline > 0) say(link, deadline + nanoseconds);
}

/* --- supervisor --- */

bool shmx_limits_allow_retry(const struct shmx_pool_map *map, uint32_t slot, uint64_t word) {
  return has_limits(map, slot, word) && shmx_word_attempt(word) < map->limits[slot].attempts;
}

void shmx_watch_note(struct shmx_watch *watch, int64_t deadline, int64_t now) {
  if (deadline == watch->deadline) return;
  int64_t over = deadline > 0 && now > deadline ? now - deadline : 0;
  *watch = (struct shmx_watch){.deadline = deadline, .extra = over > 0 ? over + TOLERANCE_NS : 0};
}

bool shmx_watch_is_over(struct shmx_watch *watch, int64_t now, int64_t late) {
  if (watch->deadline <= 0 || watch->judged || now < watch->deadline + watch->extra) return false;
  if (late > TOLERANCE_NS) {
    watch->extra += late;
    return false;
  }
  watch->judged = true;
  return true;
}

int64_t shmx_watch_next(const struct shmx_watch *watch) {
  return watch->deadline > 0 && !watch->judged ? watch->deadline + watch->extra : -1;
}
