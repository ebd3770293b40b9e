/* SPDX-License-Identifier: MIT */
/*
 * The board: one task is claimed by one worker, whatever else happens at the same time, and the queue survives claimers
 * that die halfway and words that somebody scribbled over.
 */
#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "core/board.h"

enum { SLOTS = 64, LANES = 70, ENTRIES = 2 * SLOTS };

static struct shmx_pool_map map;

static void open_board(void) {
  struct shmx_pool_layout layout;
  CHECK(shmx_pool_layout(SLOTS, LANES, 100, &layout));
  int fd = shmx_os_memfd("shmx", layout.size);
  CHECK(fd >= 0 && shmx_pool_map_attach(&map, &layout, fd) == 0);
  close(fd);
}

static uint64_t state_of(uint32_t slot) { return atomic_load(&map.slots[slot].state); }

static bool cancel(uint32_t slot, uint32_t generation) {
  return shmx_board_decide(&map, slot, shmx_word(generation, 1, SHMX_LANE_NONE, SHMX_QUEUED), SHMX_CANCELLED);
}

static void tasks_are_claimed_in_order_and_committed_once(void) {
  uint32_t slot;
  uint64_t word;
  open_board();
  for (uint32_t i = 0; i < SLOTS; i++) CHECK(shmx_board_publish(&map, SLOTS - 1 - i, 7));
  for (uint32_t i = 0; i < SLOTS; i++) {
    CHECK(shmx_board_claim(&map, i % LANES, &slot, &word) && slot == SLOTS - 1 - i);
    CHECK(word == state_of(slot) && shmx_word_state(word) == SHMX_CLAIMED && shmx_word_lane(word) == i % LANES);
    CHECK(shmx_word_generation(word) == 7 && shmx_word_attempt(word) == 1);
    CHECK(!cancel(slot, 7));
    CHECK(shmx_board_decide(&map, slot, word, SHMX_DONE) && !shmx_board_decide(&map, slot, word, SHMX_CRASHED));
    CHECK(shmx_word_state(state_of(slot)) == SHMX_DONE);
  }
  CHECK(!shmx_board_has_work(&map) && !shmx_board_claim(&map, 0, &slot, &word));
}

static void what_was_cancelled_is_not_claimed(void) {
  uint32_t slot;
  uint64_t word;
  open_board();
  for (uint32_t i = 0; i < SLOTS; i++) CHECK(shmx_board_publish(&map, i, 1));
  for (uint32_t i = 0; i < SLOTS; i += 2) CHECK(cancel(i, 1) && !cancel(i, 1));
  for (uint32_t i = 1; i < SLOTS; i += 2) CHECK(shmx_board_claim(&map, 3, &slot, &word) && slot == i);
  CHECK(!shmx_board_claim(&map, 3, &slot, &word));
}

static void stale_entries_make_room(void) {
  open_board();
  for (uint32_t generation = 1; generation < 10 * ENTRIES; generation++) {
    CHECK(shmx_board_publish(&map, 5, generation));
    CHECK(cancel(5, generation));
  }
  CHECK(!shmx_board_has_work(&map));
}

/* The oldest entry can still be claimed, and stale ones fill the queue behind it. */
static void a_full_queue_refuses_and_leaves_the_slot_alone(void) {
  uint32_t slot;
  uint64_t word;
  open_board();
  CHECK(shmx_board_publish(&map, 0, 1));
  uint32_t generation = 1;
  for (; shmx_board_publish(&map, 1, generation); generation++) CHECK(cancel(1, generation));
  CHECK(generation == ENTRIES);
  CHECK(shmx_word_state(state_of(1)) == SHMX_CANCELLED);
  CHECK(shmx_board_claim(&map, 0, &slot, &word) && slot == 0);
  CHECK(shmx_board_publish(&map, 1, generation));
  CHECK(shmx_board_claim(&map, 0, &slot, &word) && slot == 1 && shmx_word_generation(word) == generation);
}

/* The first half of a claim: the slot is ours, and `head` has not been moved on. */
static bool claim_and_die(uint32_t lane, uint32_t *slot, uint64_t *word) {
  uint64_t head = atomic_load(&map.shm->todo.head);
  if (head == atomic_load(&map.shm->todo.tail)) return false;
  uint64_t entry = atomic_load(&map.entries[head % ENTRIES]);
  *slot = (uint32_t)entry;
  uint64_t queued = shmx_word((uint32_t)(entry >> 32), 1, SHMX_LANE_NONE, SHMX_QUEUED);
  *word = shmx_word((uint32_t)(entry >> 32), 1, lane, SHMX_CLAIMED);
  return atomic_compare_exchange_strong(&map.slots[*slot].state, &queued, *word);
}

static void a_claimer_that_dies_halfway_loses_only_its_task(void) {
  uint32_t slot;
  uint64_t word;
  open_board();
  for (uint32_t i = 0; i < 4; i++) CHECK(shmx_board_publish(&map, i, 1));
  CHECK(claim_and_die(9, &slot, &word) && slot == 0 && shmx_word_lane(word) == 9);
  CHECK(shmx_board_has_work(&map));
  for (uint32_t i = 1; i < 4; i++) CHECK(shmx_board_claim(&map, 1, &slot, &word) && slot == i);
  CHECK(!shmx_board_claim(&map, 1, &slot, &word));
  CHECK(shmx_board_decide(&map, 0, shmx_word(1, 1, 9, SHMX_CLAIMED), SHMX_CRASHED)); /* its verdict */
}

static void what_is_tried_again_comes_first_and_is_claimed_once(void) {
  uint32_t slot;
  uint64_t word, first;
  open_board();
  CHECK(shmx_board_publish(&map, 0, 1) && shmx_board_publish(&map, 1, 1));
  CHECK(claim_and_die(9, &slot, &first) && slot == 0); /* its old entry is still in the queue */
  CHECK(shmx_board_retry(&map, 0, first) && shmx_board_has_work(&map));
  CHECK(!shmx_board_retry(&map, 0, first));
  CHECK(shmx_board_claim(&map, 2, &slot, &word) && slot == 0);
  CHECK(shmx_word_attempt(word) == 2 && shmx_word_lane(word) == 2 && shmx_word_generation(word) == 1);
  CHECK(!shmx_board_decide(&map, 0, first, SHMX_DONE)); /* the first attempt cannot commit any more */
  CHECK(shmx_board_claim(&map, 2, &slot, &word) && slot == 1);
  CHECK(!shmx_board_claim(&map, 2, &slot, &word) && !shmx_board_has_work(&map));
}

static void what_is_tried_again_can_be_cancelled(void) {
  uint32_t slot;
  uint64_t word;
  open_board();
  CHECK(shmx_board_publish(&map, 7, 3) && shmx_board_claim(&map, 0, &slot, &word) && shmx_board_retry(&map, 7, word));
  CHECK(shmx_board_decide(&map, 7, shmx_word(3, 2, SHMX_LANE_NONE, SHMX_QUEUED), SHMX_CANCELLED));
  CHECK(!shmx_board_has_work(&map) && !shmx_board_claim(&map, 0, &slot, &word));
}

/* Wild stores of native code: the looks at the queue come to an end, and stay inside of the board. */
/* The worker in the lane says that it runs this task. */
static void run(uint32_t lane, enum shmx_lane_state state, uint64_t task) {
  atomic_store(&map.shm->lanes_used, LANES);
  atomic_store(&map.lanes[lane].state, state);
  atomic_store(&map.lanes[lane].process.runs, task);
}

static void an_older_task_is_seen_while_a_living_worker_may_have_it(void) {
  open_board();
  CHECK(!shmx_board_has_older(&map, 5) && !shmx_board_may_run(&map, 5));
  run(3, SHMX_LANE_READY, 5);
  CHECK(shmx_board_may_run(&map, 5) && !shmx_board_may_run(&map, 4));
  CHECK(!shmx_board_has_older(&map, 5) && shmx_board_has_older(&map, 6));
  run(LANES - 1, SHMX_LANE_READY, SHMX_RUNS_ANY);
  CHECK(shmx_board_may_run(&map, 4) && shmx_board_has_older(&map, 5));
  run(LANES - 1, SHMX_LANE_DEAD, SHMX_RUNS_ANY);
  CHECK(!shmx_board_may_run(&map, 4) && !shmx_board_has_older(&map, 5));
}

static void what_is_tried_again_counts_as_older(void) {
  uint32_t slot;
  uint64_t word;
  open_board();
  CHECK(shmx_board_publish(&map, 5, 1) && shmx_board_claim(&map, 0, &slot, &word));
  CHECK(!shmx_board_has_older(&map, 9) && shmx_board_retry(&map, 5, word) && shmx_board_has_older(&map, 9) &&
        shmx_board_may_run(&map, 9));
  CHECK(shmx_board_claim(&map, 1, &slot, &word) && !shmx_board_has_older(&map, 9));
}

static void scribbled_words_do_not_hang_or_crash(void) {
  const uint64_t lies[] = {1, ENTRIES, ENTRIES + 1, UINT64_C(1) << 40, UINT64_MAX - 3, UINT64_MAX};
  uint32_t slot;
  uint64_t word;
  open_board();
  alarm(10);
  CHECK(shmx_board_publish(&map, 0, 1) && cancel(0, 1));
  for (size_t i = 0; i < ENTRIES; i++) atomic_store(&map.entries[i], UINT64_MAX - i);
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    atomic_store(&map.shm->todo.head, lies[i]);
    atomic_store(&map.shm->again.head, lies[i]);
    CHECK(!shmx_board_has_work(&map) && !shmx_board_claim(&map, 0, &slot, &word));
    shmx_board_publish(&map, 3, 1);
    cancel(3, 1);
    shmx_board_has_work(&map);
  }
  memset(map.shm->waiting, 0x0F, sizeof map.shm->waiting);
  for (int i = 0; i < 100; i++) shmx_board_wake_one(&map);
}

static bool is_awake(uint32_t lane) { return atomic_load(&map.lanes[lane].process.bell.word) == SHMX_BELL_AWAKE; }

static void lie_down(uint32_t lane) {
  shmx_bell_prepare(&map.lanes[lane].process.bell);
  shmx_board_lie_down(&map, lane);
}

static void waking_one_takes_one_sleeper(void) {
  open_board();
  lie_down(3);
  lie_down(68);
  shmx_board_wake_one(&map);
  CHECK(is_awake(3) && !shmx_board_is_idle(&map, 3) && !is_awake(68));
  shmx_board_stop_search(&map, 3); /* it has found a task */
  shmx_board_wake_one(&map);
  CHECK(is_awake(68) && !shmx_board_is_idle(&map, 68));
  shmx_board_wake_one(&map);
}

static void nobody_is_woken_while_one_searches(void) {
  open_board();
  lie_down(3);
  CHECK(shmx_board_search(&map, 68, 1));
  shmx_board_wake_one(&map);
  CHECK(!is_awake(3) && shmx_board_is_idle(&map, 3));
  shmx_board_stop_search(&map, 68);
  shmx_board_wake_one(&map);
  CHECK(is_awake(3));
  lie_down(4);
  shmx_board_wake_one(&map); /* lane 3 counts as searching, though it may not have run yet */
  CHECK(!is_awake(4));
  shmx_board_forget(&map, 3); /* it died */
  shmx_board_wake_one(&map);
  CHECK(is_awake(4));
}

static void only_so_many_search(void) {
  open_board();
  CHECK(shmx_board_search(&map, 0, 2) && shmx_board_search(&map, 40, 2) && !shmx_board_search(&map, 1, 2));
  shmx_board_stop_search(&map, 40);
  CHECK(shmx_board_search(&map, 1, 2));
  lie_down(5);
  shmx_board_get_up(&map, 5); /* who was woken by others is up, whatever the limit */
  CHECK(!shmx_board_is_idle(&map, 5) && !shmx_board_search(&map, 6, 3));
}

/* --- threads --- */

enum { CLAIMERS = 3, TASKS = 150000 };

static _Atomic unsigned char ends[TASKS];
static _Atomic bool over;

static void end_task(uint32_t slot) { atomic_fetch_add(&ends[map.slots[slot].task], 1); }

static void *claim_many(void *argument) {
  uint32_t lane = (uint32_t)(uintptr_t)argument, slot;
  uint64_t word;
  for (unsigned n = 0; !atomic_load(&over) || shmx_board_has_work(&map); n++) {
    bool halfway = n % 7 == lane;
    if (!(halfway ? claim_and_die(lane, &slot, &word) : shmx_board_claim(&map, lane, &slot, &word))) {
      sched_yield();
      continue;
    }
    CHECK(map.slots[slot].args_size == map.slots[slot].task + 1);
    end_task(slot);
    CHECK(shmx_board_decide(&map, slot, word, halfway ? SHMX_CRASHED : SHMX_DONE));
  }
  return NULL;
}

/* Publishes a task in a slot whose last one has ended. Now and then it takes one back. */
static void publish_many(void) {
  static uint32_t generations[SLOTS];
  for (uint32_t task = 0; task < TASKS;) {
    uint32_t slot = (uint32_t)rand() % SLOTS;
    enum shmx_state state = shmx_word_state(state_of(slot));
    if (state == SHMX_QUEUED && rand() % 4 == 0 && cancel(slot, generations[slot])) {
      end_task(slot);
      continue;
    }
    if (state == SHMX_QUEUED || state == SHMX_CLAIMED) {
      if (rand() % 64 == 0) sched_yield();
      continue;
    }
    map.slots[slot].task = task;
    map.slots[slot].args_size = task + 1;
    if (shmx_board_publish(&map, slot, generations[slot] + 1)) generations[slot]++, task++;
    else sched_yield();
  }
}

static void every_task_has_exactly_one_end(void) {
  pthread_t threads[CLAIMERS];
  open_board();
  for (uintptr_t i = 0; i < CLAIMERS; i++) pthread_create(&threads[i], NULL, claim_many, (void *)i);
  publish_many();
  atomic_store(&over, true);
  for (int i = 0; i < CLAIMERS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < TASKS; i++) CHECK(ends[i] == 1);
}

static const struct test tests[] = {
    {"tasks_are_claimed_in_order_and_committed_once", tasks_are_claimed_in_order_and_committed_once},
    {"what_was_cancelled_is_not_claimed", what_was_cancelled_is_not_claimed},
    {"stale_entries_make_room", stale_entries_make_room},
    {"a_full_queue_refuses_and_leaves_the_slot_alone", a_full_queue_refuses_and_leaves_the_slot_alone},
    {"a_claimer_that_dies_halfway_loses_only_its_task", a_claimer_that_dies_halfway_loses_only_its_task},
    {"what_is_tried_again_comes_first_and_is_claimed_once", what_is_tried_again_comes_first_and_is_claimed_once},
    {"what_is_tried_again_can_be_cancelled", what_is_tried_again_can_be_cancelled},
    {"an_older_task_is_seen_while_a_living_worker_may_have_it",
     an_older_task_is_seen_while_a_living_worker_may_have_it},
    {"what_is_tried_again_counts_as_older", what_is_tried_again_counts_as_older},
    {"scribbled_words_do_not_hang_or_crash", scribbled_words_do_not_hang_or_crash},
    {"waking_one_takes_one_sleeper", waking_one_takes_one_sleeper},
    {"nobody_is_woken_while_one_searches", nobody_is_woken_while_one_searches},
    {"only_so_many_search", only_so_many_search},
    {"every_task_has_exactly_one_end", every_task_has_exactly_one_end},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
