/* SPDX-License-Identifier: MIT */
/*
 * The whole path of a handover with a thread for each party: two workers that make and give, main that receives, passes
 * on and lets go, and the supervisor that reads their rings and keeps the ledger. Every byte is checked against its
 * writer's pattern, and in the end the ledger has nothing.
 */
#include <sched.h>
#include <sys/resource.h>

#include "core/envelope.h"
#include "domain_kit.h"

enum { ROUNDS = 15000, PLACES = 16, KEPT = 64 };

/* A board of the simplest kind: places that the worker fills and main empties. */
struct place {
  _Atomic uint32_t full;
  struct shmx_segment_ref ref;
  unsigned char pattern;
};

static struct place places[KIT_PARTIES][PLACES];

static struct shmx_segment *make(struct shmx_memory *memory, unsigned *seed, unsigned char *pattern) {
  struct shmx_segment *segment;
  uint64_t size = rand_r(seed) % 64 == 0 ? 5 << 20 : (uint64_t)rand_r(seed) % 5000 + 1;
  *pattern = (unsigned char)rand_r(seed);
  CHECK(shmx_memory_alloc(memory, size, 0, &segment) == 0);
  memset(segment->data, *pattern, size);
  return segment;
}

static void *give(void *argument) {
  int index = (int)(intptr_t)argument;
  unsigned seed = (unsigned)index;
  struct shmx_memory *memory = kit_memory(index);
  for (int i = 0; i < ROUNDS; i++) {
    struct place *place = &places[index][i % PLACES];
    while (atomic_load_explicit(&place->full, memory_order_acquire)) {
      shmx_memory_attend(memory);
      sched_yield();
    }
    struct shmx_segment *segment = make(memory, &seed, &place->pattern);
    CHECK(shmx_memory_notify(memory, segment, SHMX_PEER_MAIN, &place->ref) == 0);
    atomic_store_explicit(&place->full, 1, memory_order_release);
    shmx_segment_release(segment);
    if (i % 8 == 0) shmx_memory_attend(memory);
  }
  while (shmx_memory_settle(memory)) CHECK(shmx_link_wait_read(&kit.party[index].link) == 0);
  return NULL;
}

static void check_bytes(const struct shmx_segment *segment, unsigned char pattern) {
  const unsigned char *bytes = segment->data;
  CHECK(bytes[0] == pattern && bytes[segment->size / 2] == pattern && bytes[segment->size - 1] == pattern);
}

static struct shmx_segment *kept[KEPT];
static unsigned char patterns[KEPT];

/* Main keeps a few segments for a while, and drops every fourth message unread. */
static void take(struct place *place, unsigned *seed) {
  struct shmx_memory *memory = kit_memory(KIT_MAIN);
  unsigned k = (unsigned)rand_r(seed) % KEPT;
  if (kept[k]) check_bytes(kept[k], patterns[k]);
  shmx_segment_release(kept[k]);
  kept[k] = NULL;
  if (rand_r(seed) % 4 == 0) {
    shmx_memory_discard(memory, &place->ref);
  } else {
    CHECK(shmx_memory_adopt(memory, &place->ref, &kept[k]) == 0);
    patterns[k] = place->pattern;
    check_bytes(kept[k], patterns[k]);
  }
  atomic_store_explicit(&place->full, 0, memory_order_release);
}

static void let_go_of_all(void) {
  for (int k = 0; k < KEPT; k++) shmx_segment_release(kept[k]);
}

static void every_byte_arrives_and_nothing_is_left(void) {
  pthread_t threads[KIT_PARTIES];
  unsigned seed = 9;
  kit_open();
  for (intptr_t i = KIT_WORKER; i < KIT_PARTIES; i++) pthread_create(&threads[i], NULL, give, (void *)i);
  for (int taken = 0; taken < 2 * ROUNDS;) {
    int before = taken;
    for (int i = KIT_WORKER; i < KIT_PARTIES; i++)
      for (int k = 0; k < PLACES; k++)
        if (atomic_load_explicit(&places[i][k].full, memory_order_acquire)) take(&places[i][k], &seed), taken++;
    shmx_memory_attend(kit_memory(KIT_MAIN));
    if (taken == before) sched_yield();
  }
  for (int i = KIT_WORKER; i < KIT_PARTIES; i++) pthread_join(threads[i], NULL);
  let_go_of_all();
  kit_await_segments(0);
  CHECK(kit_all_honest() && kit_stats().transit_bytes == 0);
  kit_close();
}

static struct shmx_segment *fresh(uint64_t size) {
  struct shmx_segment *segment;
  CHECK(shmx_memory_alloc(kit_memory(KIT_WORKER), size, 0, &segment) == 0);
  return segment;
}

static struct shmx_segment_ref hand_over(struct shmx_segment *segment) {
  struct shmx_segment_ref ref;
  CHECK(shmx_memory_notify(kit_memory(KIT_WORKER), segment, SHMX_PEER_MAIN, &ref) == 0);
  shmx_segment_release(segment);
  return ref;
}

/* This process can open no file more while the supervisor takes in what has been sent to it. */
static void run_round_without_files(void) {
  struct rlimit before, none;
  int next = dup(STDIN_FILENO);
  CHECK(next >= 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
  close(next);
  none = before;
  none.rlim_cur = (rlim_t)next;
  CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
  kit_round(&kit.sup);
  CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/* The supervisor ends a worker when it cannot have a descriptor that this has sent. What the worker has handed over before is
 * still to be read then. */
static void what_was_given_before_a_chunk_was_lost_is_there(void) {
  kit_open();
  kit.pool.map.lanes = kit_zeroed(sizeof *kit.pool.map.lanes);
  struct shmx_segment *large = fresh(5 << 20), *second = fresh(1000), *taken;
  memset(second->data, 7, 1000);
  hand_over(fresh(1000)); /* the chunk of the second is known then */
  kit_await_segments(1);
  pthread_mutex_lock(&kit.lock);
  struct shmx_segment_ref ref = hand_over(second);
  hand_over(large);
  run_round_without_files();
  pthread_mutex_unlock(&kit.lock);
  CHECK(kit.sup.files_ran_out && strstr(kit.pool.map.lanes[0].text, "limit of open files"));
  CHECK(shmx_memory_adopt(kit_memory(KIT_MAIN), &ref, &taken) == 0);
  kit_bury(KIT_WORKER);
  kit_await_segments(1);
  check_bytes(taken, 7);
  CHECK(kit_stats().bytes == 1000 && kit_all_honest());
  shmx_segment_release(taken);
  kit_await_segments(0);
  kit_close();
}

static const struct test tests[] = {
    {"every_byte_arrives_and_nothing_is_left", every_byte_arrives_and_nothing_is_left},
    {"what_was_given_before_a_chunk_was_lost_is_there", what_was_given_before_a_chunk_was_lost_is_there},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
