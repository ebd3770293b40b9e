/* SPDX-License-Identifier: MIT */
/*
 * Main's side of a pool, with a board that a worker has scribbled over: main keeps to what it knows.
 */
#include "core/pool_private.h"
#include "domain_kit.h"

enum { SLOTS = 64, LANES = 2, TASKS = 32 };

static struct shmx_pool pool;
static struct shmx_host host;

static void *zeroed(size_t count, size_t size) {
  void *bytes = calloc(count, size);
  CHECK(bytes);
  return bytes;
}

/* A pool with so many tasks on the board. */
static void set_up(void) {
  struct shmx_pool_layout layout;
  kit_open();
  host.link = kit.party[KIT_MAIN].link;
  host.memory = kit_memory(KIT_MAIN);
  CHECK(shmx_pool_layout(SLOTS, LANES, 0, &layout));
  int fd = shmx_os_memfd("test", layout.size);
  CHECK(fd >= 0 && shmx_pool_map_attach(&pool.map, &layout, fd) == 0);
  pool.host = &host;
  pool.found_capacity = 2 * SLOTS;
  pool.slots = zeroed(SLOTS, sizeof *pool.slots);
  pool.free = zeroed(SLOTS, sizeof *pool.free);
  pool.lanes = zeroed(LANES, sizeof *pool.lanes);
  pool.found = zeroed(pool.found_capacity, sizeof *pool.found);
  pool.lingering = zeroed(LANES, sizeof *pool.lingering);
  for (uint32_t i = 0; i < TASKS; i++) {
    struct shmx_outgoing message = {.body = "", .size = 0};
    uint32_t ticket;
    CHECK(shmx_pool_submit(&pool, &message, i + 1, NULL, &ticket) == 0 && ticket == i);
  }
}

/* The state of every slot becomes this one, in the lane of one worker. */
static void scribble(enum shmx_state state) {
  for (uint32_t i = 0; i < TASKS; i++) atomic_store(&pool.map.slots[i].state, shmx_word(1, 1, 0, state));
  atomic_fetch_add(&pool.map.shm->scans, 1);
}

static uint32_t count_ends(enum shmx_end end) {
  struct shmx_outcome outcome;
  uint32_t count = 0;
  while (shmx_pool_next(&pool, &outcome)) {
    count += outcome.end == end;
    shmx_incoming_close(&outcome.message);
  }
  return count;
}

/* One worker cannot have more than one task that it has not let go of. */
static void more_tasks_linger_than_there_are_lanes(void) {
  set_up();
  scribble(SHMX_TIMED_OUT);
  CHECK(count_ends(SHMX_END_TIMED_OUT) == TASKS);
  CHECK(pool.in_flight == 0 && pool.nlingering <= LANES);
  scribble(SHMX_TIMED_OUT_LEFT);
  CHECK(count_ends(SHMX_END_LEFT) == LANES);
  CHECK(pool.nlingering == 0 && pool.nfree == TASKS);
  kit_close();
}

/* Slots know tasks by 32 bits of their numbers, and so do those who compare what is awaited with what runs. */
static void the_task_that_is_awaited_is_known_by_the_number_that_its_slot_has(void) {
  struct shmx_outgoing message = {.body = "", .size = 0};
  uint64_t task = (UINT64_C(1) << 32) + 7;
  uint32_t ticket;
  set_up();
  CHECK(shmx_pool_submit(&pool, &message, (uint32_t)task, NULL, &ticket) == 0);
  shmx_pool_await(&pool, task);
  CHECK(atomic_load(&kit.sup.domain->awaited) == pool.map.slots[ticket].task);
  kit_close();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {TEST(more_tasks_linger_than_there_are_lanes),
                                      TEST(the_task_that_is_awaited_is_known_by_the_number_that_its_slot_has),
                                      {0}};
  return run_tests(tests, argc, argv);
}
