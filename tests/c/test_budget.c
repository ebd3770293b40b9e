/* SPDX-License-Identifier: MIT */
/*
 * The memory budget: what it lets a process make, what is set aside beside it, and who gets the last of it.
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
  CHECK(alone.charged + shmx_warehouse_need(&alone, MIB) > 32 * MIB);
  while (count > 0) shmx_segment_release(segments[--count]);
  shmx_memory_trim(&alone);
  shmx_memory_set_budget(&alone, 12 * MIB); /* less than the next chunk would be */
  CHECK(alloc(&alone, MIB, &segments[0]) == 0 && alloc(&alone, 4 * MIB - 1, &segments[1]) == 0);
  CHECK(alloc(&alone, 4 * MIB - 1, &segments[2]) == 0 && alone.charged <= 12 * MIB);
  for (int i = 0; i < 3; i++) shmx_segment_release(segments[i]);
}

/* Bytes of segments of this size that the budget lets be made: as many as there is room for, and no more. */
static uint64_t fill_budget(uint64_t budget, uint64_t size) {
  static struct shmx_segment *segments[4096];
  uint64_t count = 0;
  shmx_memory_set_budget(&alone, budget);
  while (count < 4096 && alloc(&alone, size, &segments[count]) == 0) {
    CHECK(alone.charged <= budget);
    count++;
  }
  uint64_t bytes = count * size;
  while (count > 0) shmx_segment_release(segments[--count]);
  shmx_memory_trim(&alone);
  CHECK(alone.charged == 0 && mapped_chunks() == 0);
  return bytes;
}

static void the_budget_holds_for_segments_of_every_size(void) {
  const uint64_t budgets[] = {5000, 100 << 10, MIB, 3 * MIB}, sizes[] = {1000, 10000, 100000, 1000000};
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 4; k++) {
      uint64_t bytes = fill_budget(budgets[i], sizes[k]), most = budgets[i] / sizes[k] * sizes[k];
      CHECK(bytes <= most && bytes >= most * 3 / 4);
    }
  }
  struct shmx_segment *segment;
  shmx_memory_set_budget(&alone, 10);
  CHECK(alloc(&alone, 100, &segment) == -E2BIG);
}

/* What is set aside is neither used by others nor charged, and has an end. */
static void what_has_to_arrive_does_so_when_the_budget_is_used_up(void) {
  enum { COUNT = 64, SIZE = 5000 };
  struct shmx_segment *array, *messages[COUNT], *other;
  int count = 0;
  shmx_memory_set_budget(&alone, 64 << 10);
  CHECK(alloc(&alone, 64 << 10, &array) == 0 && alloc(&alone, 1, &other) == -EDQUOT);
  for (int round = 0; round < 2; round++) {
    while (shmx_memory_alloc(&alone, SIZE, SHMX_ALLOC_URGENT, &messages[count]) == 0) {
      memset(messages[count++]->data, round, SIZE);
      CHECK(count < COUNT && alloc(&alone, 1, &other) == -EDQUOT && alone.charged == 64 << 10);
    }
    CHECK(count > 40);
    CHECK(shmx_memory_alloc(&alone, SIZE, SHMX_ALLOC_URGENT, &other) == -EDQUOT);
    CHECK(shmx_memory_alloc(&alone, MIB, SHMX_ALLOC_URGENT, &other) == -E2BIG);
    while (count > 0) shmx_segment_release(messages[--count]);
  }
  shmx_segment_release(array);
  CHECK(shmx_memory_alloc(&alone, SIZE, SHMX_ALLOC_URGENT, &other) == 0 && alone.charged > 0); /* there is room */
  shmx_segment_release(other);
  shmx_memory_trim(&alone);
  CHECK(alone.charged == 0 && mapped_chunks() == 0);
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
  shmx_segment_release(first);
  shmx_segment_release(second);
  shmx_segment_release(own);
  kit_close();
}

/* An urgent message is handed over and freed as any other. */
static void what_was_set_aside_comes_back_from_its_receiver(void) {
  struct shmx_memory *worker = kit_memory(KIT_WORKER);
  struct shmx_segment *message, *received;
  kit_open();
  atomic_store(&kit.sup.domain->budget, 1);
  for (int i = 0; i < 200; i++) {
    CHECK(shmx_memory_alloc_wait(worker, 3000, SHMX_ALLOC_URGENT, &message) == 0);
    memset(message->data, i, 3000);
    received = hand_over(KIT_WORKER, message);
    shmx_segment_release(message);
    CHECK(is_filled(received, (char)i));
    shmx_segment_release(received);
    kit_await_segments(0);
    await_freed(worker);
  }
  CHECK(worker->charged == 0 && kit_all_honest());
  message = NULL;
  CHECK(shmx_memory_alloc(worker, 3000, SHMX_ALLOC_URGENT, &message) == 0);
  memset(message->data, 1, 3000);
  received = hand_over(KIT_WORKER, message);
  shmx_memory_leave(worker);
  shmx_memory_leave(kit_memory(KIT_MAIN));
  CHECK(is_filled(message, 1) && is_filled(received, 1));
  shmx_memory_set_budget(worker, 1);
  struct shmx_segment *next; /* not where nothing can be handed over from */
  CHECK(shmx_memory_alloc(worker, 3000, SHMX_ALLOC_URGENT, &next) == 0 && next->chunk != message->chunk);
  shmx_segment_release(message);
  shmx_segment_release(received);
  shmx_segment_release(next);
  shmx_memory_trim(worker);
  CHECK(worker->charged == 0 && mapped_chunks() == 0);
}

static const struct test tests[] = {
    {"the_budget_refuses_before_anything_is_made", the_budget_refuses_before_anything_is_made},
    {"small_segments_fill_the_budget", small_segments_fill_the_budget},
    {"the_budget_holds_for_segments_of_every_size", the_budget_holds_for_segments_of_every_size},
    {"what_has_to_arrive_does_so_when_the_budget_is_used_up", what_has_to_arrive_does_so_when_the_budget_is_used_up},
    {"who_waits_for_memory_gets_what_another_gives_back", who_waits_for_memory_gets_what_another_gives_back},
    {"who_is_told_of_room_leaves_the_last_seat_for_an_older_task",
     who_is_told_of_room_leaves_the_last_seat_for_an_older_task},
    {"what_was_set_aside_comes_back_from_its_receiver", what_was_set_aside_comes_back_from_its_receiver},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
