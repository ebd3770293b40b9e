/* SPDX-License-Identifier: MIT */
/*
 * Tasks that have to stop: those that have used up their time, and those that main has withdrawn.
 *
 * The verdict comes first, by the slot's state word. The worker is then told by a signal, upon which a task in Lua ends
 * with an error; it lets go of the slot and goes on with the next task. A task that does not react, in C code or
 * because it swallows the error, has some time; then its worker is killed, and another takes its place.
 *
 * A task that has attempts left is not ended but marked (SHMX_EXPIRED); it is published again when its worker is buried
 * (supervisor_pool.c): a worker that reacts leaves by itself then, so that there is always a death to wait for.
 */
#include "core/fault.h"
#include "core/supervisor_private.h"

enum { REACTION_NS = 250000000 }; /* that a task has after its time, if the pool's grace is not shorter */

/* The state of the slot that this worker still has though its task has been decided; else 0. */
static uint64_t lingering(const struct sup_pool *pool, const struct sup_peer *peer, uint32_t slot) {
  if (slot >= pool->map.layout.slots) return 0;
  uint64_t word = atomic_load(&pool->map.slots[slot].state);
  enum shmx_state state = shmx_word_state(word);
  bool decided = state == SHMX_EXPIRED || state == SHMX_TIMED_OUT || state == SHMX_WITHDRAWN;
  return decided && shmx_word_lane(word) == peer->lane ? word : 0;
}

static void tell_to_stop(struct sup *s, struct sup_peer *peer, uint32_t slot, int64_t time) {
  peer->stopping = (struct sup_stopping){.slot = slot, .kill_at = s->now + time};
  shmx_os_pidfd_kill(peer->pidfd, SHMX_OS_STOP_SIGNAL);
}

static void follow_main(struct sup *s, struct sup_pool *pool, struct sup_peer *peer) {
  uint32_t withdrawn = atomic_exchange(&pool->map.lanes[peer->lane].withdrawn, 0);
  if (withdrawn == 0 || !lingering(pool, peer, withdrawn - 1)) return;
  tell_to_stop(s, peer, withdrawn - 1, atomic_load(&pool->map.shm->grace));
}

/* The task in the slot has used up its time, if that is still the one with this deadline: the worker names the slot before
 * it writes the deadline. */
static void judge(struct sup *s, struct sup_pool *pool, struct sup_peer *peer, int64_t deadline) {
  struct shmx_pool_map *map = &pool->map;
  uint32_t slot = atomic_load(&peer->shm->limited_slot);
  if (slot >= map->layout.slots) return;
  uint64_t word = atomic_load(&map->slots[slot].state);
  if (atomic_load(&peer->shm->deadline) != deadline) return;
  if (shmx_word_state(word) != SHMX_CLAIMED || shmx_word_lane(word) != peer->lane) return;
  bool again = sup_pool_may_retry(pool, slot, word);
  if (!shmx_board_decide(map, slot, word, again ? SHMX_EXPIRED : SHMX_TIMED_OUT)) return;
  SHMX_FAULT("s9");
  int64_t grace = atomic_load(&map->shm->grace);
  tell_to_stop(s, peer, slot, grace < REACTION_NS ? grace : REACTION_NS);
  if (!again) sup_pool_ask_to_scan(s, pool);
}

static void kill_if_late(struct sup *s, struct sup_pool *pool, struct sup_peer *peer) {
  if (peer->stopping.kill_at == 0) return;
  bool gone = !lingering(pool, peer, peer->stopping.slot);
  if (!gone && s->now < peer->stopping.kill_at) return;
  peer->stopping.kill_at = 0;
  if (!gone) shmx_os_pidfd_kill(peer->pidfd, SIGKILL);
}

/* Who waits for memory, or for us, is not judged: that time does not count. Who is stopped waits for nothing of ours. */
static bool waits(const struct sup_peer *peer) {
  if (peer->stopped) return false;
  return atomic_load(&peer->shm->wants_bytes) > 0 || (atomic_load(&peer->shm->wants) & SHMX_WANTS_READ);
}

static void tend_worker(struct sup *s, struct sup_pool *pool, struct sup_peer *peer) {
  int64_t deadline = atomic_load(&peer->shm->deadline);
  follow_main(s, pool, peer);
  shmx_watch_note(&peer->watch, deadline, s->now);
  if (!waits(peer) && shmx_watch_is_over(&peer->watch, s->now, s->late)) judge(s, pool, peer, deadline);
  kill_if_late(s, pool, peer);
}

void sup_limits_tend(struct sup *s, struct sup_pool *pool) {
  if (!atomic_load(&pool->map.shm->limited)) return;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (peer->pool == pool && !peer->dead) tend_worker(s, pool, peer);
}

static int64_t deadline_of(const struct sup *s, struct sup_peer *peer) {
  int64_t kill_at = peer->stopping.kill_at > 0 ? peer->stopping.kill_at : -1;
  shmx_watch_note(&peer->watch, atomic_load(&peer->shm->deadline), s->now);
  if (waits(peer)) return kill_at;
  return sup_sooner(shmx_watch_next(&peer->watch), kill_at);
}

int64_t sup_limits_deadline(struct sup *s, struct sup_pool *pool) {
  int64_t deadline = -1;
  if (!atomic_load(&pool->map.shm->limited)) return -1;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (peer->pool == pool && !peer->dead) deadline = sup_sooner(deadline, deadline_of(s, peer));
  return deadline;
}

/* It may have been stopped after its claim and before it wrote the deadline, or while it waited, which it has not added to
 * its deadline yet: either way its task has all of its time from now on. */
void sup_limits_stopped(struct sup *s, struct sup_peer *peer) {
  struct shmx_pool_map *map = &peer->pool->map;
  uint32_t used = atomic_load(&map->shm->slots_used);
  bool waited = atomic_load(&peer->shm->wants_bytes) > 0;
  if (!atomic_load(&map->shm->limited) || (atomic_load(&peer->shm->deadline) > 0 && !waited)) return;
  for (uint32_t slot = 0; slot < used && slot < map->layout.slots; slot++) {
    uint64_t word = atomic_load(&map->slots[slot].state);
    if (shmx_word_state(word) != SHMX_CLAIMED || shmx_word_lane(word) != peer->lane) continue;
    int64_t nanoseconds = shmx_limits_of(map, slot, word);
    if (nanoseconds == 0) return;
    atomic_store(&peer->shm->limited_slot, slot);
    atomic_store(&peer->shm->deadline, s->now + nanoseconds);
    return;
  }
}
