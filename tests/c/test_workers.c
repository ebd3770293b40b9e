/* SPDX-License-Identifier: MIT */
/*
 * The worker table under random orders of events, beside a plain account of who is alive.
 */
#include "check.h"
#include "core/workers.h"

enum { WANTED = 5, LANES = 14, STEPS = 200000, RUNS = 20 };

enum fate { NOBODY, STARTING, READY, DEAD, UNREAD };

struct account {
  struct shmx_workers *table;
  enum fate fate[LANES];
  uint32_t number[LANES];
  int64_t now;
  int failures; /* one after another, since a worker was last ready; not in a pool that was complete and has one */
  bool complete;
  int trial;             /* failures in all */
  int started_in[LANES]; /* trial */
};

static uint32_t alive(const struct account *a) {
  uint32_t count = 0;
  for (int i = 0; i < LANES; i++) count += a->fate[i] == STARTING || a->fate[i] == READY;
  return count;
}

static void count_failure(struct account *a) {
  bool ready = false;
  for (int i = 0; i < LANES; i++) ready = ready || a->fate[i] == READY;
  a->failures += !(a->complete && ready);
  a->trial++;
}

static void start(struct account *a) {
  uint32_t lane, number;
  if (!shmx_workers_next(a->table, a->now, &lane, &number)) return;
  CHECK(lane < LANES && a->fate[lane] == NOBODY);
  CHECK(number >= 1 && number <= WANTED);
  for (int i = 0; i < LANES; i++) CHECK((a->fate[i] != STARTING && a->fate[i] != READY) || a->number[i] != number);
  bool fails = rand() % 10 == 0;
  CHECK(shmx_workers_event(a->table, lane, fails ? SHMX_WORKER_FORK_FAILED : SHMX_WORKER_FORKED, a->now));
  if (fails) {
    count_failure(a);
    return;
  }
  a->started_in[lane] = a->trial;
  a->fate[lane] = STARTING;
  a->number[lane] = number;
}

/* What the event should do to the lane; -1: it makes no sense. */
static int after(enum fate fate, enum shmx_worker_event event) {
  switch (event) {
  case SHMX_WORKER_READY: return fate == STARTING ? READY : -1;
  case SHMX_WORKER_DIED: return fate == STARTING || fate == READY ? DEAD : -1;
  case SHMX_WORKER_DRAINED: return fate == DEAD ? UNREAD : -1;
  case SHMX_WORKER_READ_TO_END: return fate == UNREAD ? NOBODY : -1;
  default: return -1;
  }
}

static void random_event(struct account *a) {
  uint32_t lane = (uint32_t)rand() % LANES;
  enum shmx_worker_event event = SHMX_WORKER_READY + (unsigned)rand() % (SHMX_WORKER_EVENTS - SHMX_WORKER_READY);
  int next = after(a->fate[lane], event);
  CHECK(shmx_workers_event(a->table, lane, event, a->now) == (next >= 0));
  if (next < 0) return;
  if (event == SHMX_WORKER_READY) a->failures = 0;
  if (event == SHMX_WORKER_DIED && a->fate[lane] == STARTING && a->started_in[lane] == a->trial) count_failure(a);
  a->fate[lane] = (enum fate)next;
}

static void never_more_than_wanted_and_numbers_are_unique(void) {
  int became_full = 0;
  for (unsigned run = 0; run < RUNS; run++) {
    struct account a = {.table = shmx_workers_create(WANTED, LANES, WANTED)};
    srand(run);
    for (int step = 0; step < STEPS / RUNS && !shmx_workers_hopeless(a.table); step++) {
      a.now += rand() % 4000000;
      if (rand() % 3) random_event(&a);
      else start(&a);
      CHECK(alive(&a) <= WANTED && shmx_workers_alive(a.table) == alive(&a));
      became_full += shmx_workers_all_ready(a.table);
      a.complete = a.complete || shmx_workers_all_ready(a.table);
    }
    CHECK(shmx_workers_hopeless(a.table) == (a.failures >= 5));
    shmx_workers_destroy(a.table);
  }
  CHECK(became_full > 0);
}

static uint32_t start_one(struct shmx_workers *table, int64_t now) {
  uint32_t lane, number;
  CHECK(shmx_workers_next(table, now, &lane, &number));
  CHECK(shmx_workers_event(table, lane, SHMX_WORKER_FORKED, now));
  return lane;
}

static void a_lane_is_used_again_only_after_it_was_read_to_the_end(void) {
  struct shmx_workers *table = shmx_workers_create(1, 2, 1);
  uint32_t first = start_one(table, 0), lane, number;
  shmx_workers_event(table, first, SHMX_WORKER_READY, 0);
  shmx_workers_event(table, first, SHMX_WORKER_DIED, 0);
  uint32_t second = start_one(table, 0);
  CHECK(second != first);
  shmx_workers_event(table, second, SHMX_WORKER_READY, 0);
  shmx_workers_event(table, second, SHMX_WORKER_DIED, 0);
  CHECK(!shmx_workers_next(table, 0, &lane, &number)); /* no lane is free */
  CHECK(shmx_workers_deadline(table) == -1);
  CHECK(!shmx_workers_event(table, first, SHMX_WORKER_READ_TO_END, 0)); /* not drained */
  CHECK(shmx_workers_event(table, first, SHMX_WORKER_DRAINED, 0));
  CHECK(!shmx_workers_next(table, 0, &lane, &number));
  CHECK(shmx_workers_event(table, first, SHMX_WORKER_READ_TO_END, 0));
  CHECK(start_one(table, 0) == first);
  shmx_workers_destroy(table);
}

static void failed_starts_wait_longer_each_time_and_are_hopeless_in_the_end(void) {
  struct shmx_workers *table = shmx_workers_create(1, 8, 1);
  uint32_t lane, number;
  int64_t now = 0, waited = 0;
  for (int i = 0; i < 5; i++) {
    CHECK(!shmx_workers_hopeless(table));
    lane = start_one(table, now);
    shmx_workers_event(table, lane, SHMX_WORKER_DIED, now);
    if (shmx_workers_hopeless(table)) break;
    int64_t until = shmx_workers_deadline(table);
    CHECK(until - now > waited);
    CHECK(!shmx_workers_next(table, until - 1, &lane, &number));
    waited = until - now;
    now = until;
  }
  CHECK(shmx_workers_hopeless(table));
  CHECK(!shmx_workers_next(table, INT64_MAX, &lane, &number) && shmx_workers_deadline(table) == -1);
  shmx_workers_destroy(table);
}

static void workers_that_die_together_while_they_start_are_one_failure(void) {
  struct shmx_workers *table = shmx_workers_create(8, 32, 8);
  uint32_t lanes[8];
  int64_t now = 0;
  for (int i = 0; i < 8; i++) lanes[i] = start_one(table, now);
  for (int i = 0; i < 8; i++) shmx_workers_event(table, lanes[i], SHMX_WORKER_DIED, now);
  CHECK(!shmx_workers_hopeless(table));
  for (int i = 1; i < 5; i++) {
    CHECK(!shmx_workers_hopeless(table));
    now = shmx_workers_deadline(table);
    shmx_workers_event(table, start_one(table, now), SHMX_WORKER_DIED, now);
  }
  CHECK(shmx_workers_hopeless(table));
  shmx_workers_destroy(table);
}

static void a_worker_that_becomes_ready_forgives_what_failed(void) {
  struct shmx_workers *table = shmx_workers_create(1, 8, 1);
  int64_t now = 0;
  for (int i = 0; i < 20; i++) {
    uint32_t lane = start_one(table, now);
    if (i % 4 == 3) shmx_workers_event(table, lane, SHMX_WORKER_READY, now);
    shmx_workers_event(table, lane, SHMX_WORKER_DIED, now);
    shmx_workers_event(table, lane, SHMX_WORKER_DRAINED, now);
    shmx_workers_event(table, lane, SHMX_WORKER_READ_TO_END, now);
    if (shmx_workers_deadline(table) > now) now = shmx_workers_deadline(table);
  }
  CHECK(!shmx_workers_hopeless(table));
  shmx_workers_destroy(table);
}

static int64_t fail_to_fork(struct shmx_workers *table) {
  uint32_t lane, number;
  int64_t now = shmx_workers_deadline(table);
  CHECK(shmx_workers_next(table, now < 0 ? 0 : now, &lane, &number));
  CHECK(shmx_workers_event(table, lane, SHMX_WORKER_FORK_FAILED, now < 0 ? 0 : now));
  return now;
}

static void a_pool_that_was_complete_goes_on_with_those_that_it_has(void) {
  struct shmx_workers *table = shmx_workers_create(2, 8, 2);
  uint32_t first = start_one(table, 0), second = start_one(table, 0);
  shmx_workers_event(table, first, SHMX_WORKER_READY, 0);
  shmx_workers_event(table, second, SHMX_WORKER_READY, 0);
  shmx_workers_event(table, first, SHMX_WORKER_DIED, 0);
  int64_t longest = 0, now = 0;
  for (int i = 0; i < 30; i++) {
    int64_t then = fail_to_fork(table);
    longest = then - now > longest ? then - now : longest;
    now = then;
    CHECK(!shmx_workers_hopeless(table));
  }
  CHECK(longest > 5000000000 && longest < 20000000000);
  shmx_workers_event(table, second, SHMX_WORKER_DIED, now);
  for (int i = 0; i < 5; i++) {
    CHECK(!shmx_workers_hopeless(table));
    fail_to_fork(table);
  }
  CHECK(shmx_workers_hopeless(table));
  shmx_workers_destroy(table);
}

static void no_more_than_so_many_start_together_unless_they_take_long(void) {
  struct shmx_workers *table = shmx_workers_create(4, 8, 2);
  uint32_t lane, number, first = start_one(table, 5);
  start_one(table, 5);
  CHECK(!shmx_workers_next(table, 5, &lane, &number));
  int64_t until = shmx_workers_deadline(table);
  CHECK(until > 5 && !shmx_workers_next(table, until - 1, &lane, &number));
  shmx_workers_event(table, first, SHMX_WORKER_READY, 6);
  CHECK(shmx_workers_deadline(table) == -1);
  start_one(table, 6);
  CHECK(!shmx_workers_next(table, 6, &lane, &number));
  start_one(table, shmx_workers_deadline(table));
  CHECK(shmx_workers_alive(table) == 4);
  shmx_workers_destroy(table);
}

static void a_closed_table_starts_nobody(void) {
  struct shmx_workers *table = shmx_workers_create(2, 4, 2);
  uint32_t lane = start_one(table, 0), number;
  shmx_workers_close(table);
  CHECK(!shmx_workers_next(table, 0, &lane, &number) && shmx_workers_alive(table) == 1);
  CHECK(!shmx_workers_event(table, 4, SHMX_WORKER_READY, 0));
  CHECK(!shmx_workers_event(table, 0, SHMX_WORKER_EVENTS, 0));
  shmx_workers_destroy(table);
}

static const struct test tests[] = {
    {"never_more_than_wanted_and_numbers_are_unique", never_more_than_wanted_and_numbers_are_unique},
    {"a_lane_is_used_again_only_after_it_was_read_to_the_end", a_lane_is_used_again_only_after_it_was_read_to_the_end},
    {"workers_that_die_together_while_they_start_are_one_failure",
     workers_that_die_together_while_they_start_are_one_failure},
    {"failed_starts_wait_longer_each_time_and_are_hopeless_in_the_end",
     failed_starts_wait_longer_each_time_and_are_hopeless_in_the_end},
    {"a_worker_that_becomes_ready_forgives_what_failed", a_worker_that_becomes_ready_forgives_what_failed},
    {"a_pool_that_was_complete_goes_on_with_those_that_it_has",
     a_pool_that_was_complete_goes_on_with_those_that_it_has},
    {"no_more_than_so_many_start_together_unless_they_take_long",
     no_more_than_so_many_start_together_unless_they_take_long},
    {"a_closed_table_starts_nobody", a_closed_table_starts_nobody},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
