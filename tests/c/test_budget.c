/* SPDX-License-Identifier: MIT */
/*
 * The memory budget: what it lets a process make, and who gets the last of it.
 */
#include <errno.h>

#include "memory_kit.h"

/* --- alone --- */

static void the_budget_refuses_before_anything_is_made(void) {
  struct shmx_segment *first, *second;
  shmx_memory_set_budget(&alone, 32 * MIB);
  CHECK(alloc(&alone, 33 * MIB, &first) == -E2BIG && alloc(&alone, UINT64_MAX, &first) == -E2BIG);
  CHECK(alloc(&alone, INT64_MAX, &first) == -E2BIG && mapped_chunks() == 0);
  CHECK(alloc(&alone, 20 * MIB, &first) == 0);
  CHECK(alloc(&alone, 20 * MIB, &second) == -EDQUOT && alone.charged == 20 * MIB && mapped_chunks() == 1);
  shmx_segment_release(first);
  CHECK(alloc(&alone, 30 * MIB, &second) == 0); /* what was only warm makes room */
  CHECK(alone.charged <= 32 * MIB);
  shmx_segment_release(second);
}

/* Chunks for small segments double, but the last ones are no larger than what is left. */
static void small_segments_fill_the_budget(void) {
  static struct shmx_segment *segments[40];
  int count = 0, r;
  shmx_memory_set_budget(&alone, 32 * MIB);
  while ((r = alloc(&alone, MIB, &segments[count])) == 0) count++;
  CHECK(r == -EDQUOT && alone.charged <= 32 * MIB);
  CHECK(alone.charged + shmx_warehouse_need(MIB) > 32 * MIB);
  while (count > 0) shmx_segment_release(segments[--count]);
  shmx_memory_trim(&alone);
  shmx_memory_set_budget(&alone, 12 * MIB); /* less than the next chunk would be */
  CHECK(alloc(&alone, MIB, &segments[0]) == 0 && alloc(&alone, 4 * MIB - 1, &segments[1]) == 0);
  CHECK(alloc(&alone, 4 * MIB - 1, &segments[2]) == 0 && alone.charged <= 12 * MIB);
  for (int i = 0; i < 3; i++) shmx_segment_release(segments[i]);
}

/* --- with a supervisor --- */

/* The worker waits for memory; it is there when another lets go of its own. */
static void *release_later(void *segment) {
  usleep(50000);
  shmx_segment_release(segment);
  shmx_memory_trim(kit_memory(KIT_OTHER));
  return NULL;
}

static void who_waits_for_memory_gets_what_another_gives_back(void) {
  struct shmx_segment *first, *second;
  pthread_t thread;
  kit_open();
  atomic_store(&kit.sup.domain->budget, 32 * MIB);
  CHECK(alloc(kit_memory(KIT_OTHER), 20 * MIB, &first) == 0);
  CHECK(shmx_memory_alloc_wait(kit_memory(KIT_MAIN), 20 * MIB, 0, &second) == -EDQUOT); /* main is not kept waiting */
  pthread_create(&thread, NULL, release_later, first);
  shmx_memory_set_order(kit_memory(KIT_WORKER), 1);
  CHECK(shmx_memory_alloc_wait(kit_memory(KIT_WORKER), 20 * MIB, 0, &second) == 0);
  pthread_join(thread, NULL);
  shmx_segment_release(second);
  CHECK(shmx_memory_alloc_wait(kit_memory(KIT_WORKER), 33 * MIB, 0, &second) == -E2BIG);
  kit_close();
}

/* An older task runs in a lane of the pool for which the worker works. */
static void run_older_task(struct shmx_memory *worker) {
  struct shmx_pool_map *map = &kit.pool.map;
  map->lanes = kit_zeroed(sizeof *map->lanes);
  map->layout.lanes = 1;
  atomic_store(&map->lanes[0].state, SHMX_LANE_READY);
  atomic_store(&map->lanes[0].process.runs, 5);
  atomic_store(&map->shm->lanes_used, 1);
  worker->link->pool = map;
  shmx_memory_set_order(worker, 7);
}

/* Between the answer and what it does about it, others take some. */
static void who_is_told_of_room_leaves_the_last_seat_for_an_older_task(void) {
  struct shmx_memory *worker = kit_memory(KIT_WORKER);
  struct shmx_segment *first, *second, *own;
  kit_open();
  run_older_task(worker);
  atomic_store(&kit.sup.domain->budget, 24 * MIB);
  CHECK(shmx_memory_wait(worker, 8 * MIB)); /* there are three seats */
  CHECK(alloc(kit_memory(KIT_OTHER), 8 * MIB, &first) == 0 && alloc(kit_memory(KIT_OTHER), 8 * MIB, &second) == 0);
  CHECK(alloc(worker, 8 * MIB, &own) == -EDQUOT);
  shmx_bell_prepare(&kit.sup.domain->main.bell); /* main waits, and not for that task */
  CHECK(shmx_memory_wait(worker, 8 * MIB) && alloc(worker, 8 * MIB, &own) == 0);
  shmx_memory_end_wait(worker);
  kit_close();
}

static const struct test tests[] = {
    {"the_budget_refuses_before_anything_is_made", the_budget_refuses_before_anything_is_made},
    {"small_segments_fill_the_budget", small_segments_fill_the_budget},
    {"who_waits_for_memory_gets_what_another_gives_back", who_waits_for_memory_gets_what_another_gives_back},
    {"who_is_told_of_room_leaves_the_last_seat_for_an_older_task",
     who_is_told_of_room_leaves_the_last_seat_for_an_older_task},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
