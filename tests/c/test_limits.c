/* SPDX-License-Identifier: MIT */
/*
 * Time limits: what a worker says of its deadline, and when the supervisor believes it. A worker and a supervisor that is
 * stopped now and then are run in virtual time; what the supervisor does is checked against what is true.
 */
#include "check.h"
#include "core/limits.h"

enum { SLOTS = 64, RUNS = 200, TASKS = 20 };

static const int64_t MS = 1000000;

/* --- the judge --- */

static void a_deadline_is_over_once(void) {
  struct shmx_watch watch = {0};
  CHECK(shmx_watch_next(&watch) == -1);
  shmx_watch_note(&watch, 500, 100);
  CHECK(shmx_watch_next(&watch) == 500 && !shmx_watch_is_over(&watch, 499, 0));
  CHECK(shmx_watch_is_over(&watch, 500, 0) && !shmx_watch_is_over(&watch, 501, 0));
  CHECK(shmx_watch_next(&watch) == -1);
  shmx_watch_note(&watch, 500, 600); /* the same one */
  CHECK(!shmx_watch_is_over(&watch, 700, 0));
  shmx_watch_note(&watch, 0, 700); /* the worker has let go */
  shmx_watch_note(&watch, 900, 800);
  CHECK(shmx_watch_is_over(&watch, 900, 0));
}

static void a_deadline_that_was_missed_is_seen_first_and_judged_later(void) {
  struct shmx_watch watch = {0};
  shmx_watch_note(&watch, 1000, 5000);
  CHECK(!shmx_watch_is_over(&watch, 5000, 0));
  CHECK(shmx_watch_next(&watch) > 5000 && shmx_watch_is_over(&watch, shmx_watch_next(&watch), 0));
}

static void what_the_supervisor_is_late_by_is_added(void) {
  struct shmx_watch watch = {0};
  shmx_watch_note(&watch, 1000 * MS, 0);
  CHECK(!shmx_watch_is_over(&watch, 61000 * MS, 60000 * MS));
  CHECK(shmx_watch_next(&watch) == 61000 * MS);
  CHECK(shmx_watch_is_over(&watch, 61001 * MS, MS));
}

struct world {
  int64_t now;
  int64_t deadline;    /* as the worker says */
  int64_t needs;       /* nanoseconds of its own that the task still needs; INT64_MAX: it hangs */
  int64_t stalled;     /* until then the supervisor does not run, and the task waits for it */
  int64_t planned;     /* when the supervisor looks */
  int64_t waits_since; /* if it waits */
  bool waits;          /* the task needs the supervisor before it can go on */
  struct shmx_watch watch;
};

static int64_t draw(int64_t most) { return rand() % (most / MS + 1) * MS; }

/* The task has what it waited for, and says for how long. */
static void answer(struct world *w) {
  w->waits = false;
  w->deadline += w->now - w->waits_since;
}

/* The supervisor looks. True when it takes the task for one that has used up its time. */
static bool look(struct world *w) {
  int64_t late = w->now > w->planned ? w->now - w->planned : 0;
  shmx_watch_note(&w->watch, w->deadline, w->now);
  bool over = !w->waits && shmx_watch_is_over(&w->watch, w->now, late);
  if (w->waits) answer(w);
  shmx_watch_note(&w->watch, w->deadline, w->now);
  int64_t next = shmx_watch_next(&w->watch);
  w->planned = next < 0 ? w->now + 1000 * MS : next;
  return over;
}

/* Runs a task with a limit to its end. It hangs, or needs at most half of its limit but for the times in which the supervisor
 * is stopped. */
static void run_task(struct world *w, bool hangs) {
  int64_t limit = (100 + rand() % 400) * MS, begin = w->now, stops = 0;
  w->deadline = begin + limit;
  w->needs = hangs ? INT64_MAX : draw(limit / 2);
  if (w->deadline < w->planned) w->planned = w->now; /* the worker rouses it */
  while (w->needs > 0) {
    int64_t step = 10 * MS;
    bool stopped = w->now < w->stalled;
    if (!stopped && rand() % 40 == 0) {
      w->stalled = w->now + draw(3000 * MS);
      w->waits = rand() % 2;
      w->waits_since = w->now;
      stops++;
    }
    w->now += step;
    if (w->now >= w->stalled && w->waits && w->now < w->planned) answer(w);
    if (!hangs && !w->waits) w->needs -= step;
    if (w->now < w->stalled || w->now < w->planned) continue;
    bool over = look(w);
    if (over) {
      CHECK(hangs && w->now >= begin + limit);
      break;
    }
    CHECK(w->now - begin < limit + (stops + 1) * 3200 * MS); /* it ends, however often that happens */
  }
  w->deadline = 0;
}

static void only_tasks_that_hang_time_out_whatever_stops_the_supervisor(void) {
  for (unsigned run = 0; run < RUNS; run++) {
    struct world w = {.now = 1000 * MS, .planned = 1000 * MS};
    srand(run);
    for (int i = 0; i < TASKS; i++) run_task(&w, rand() % 3 == 0);
  }
}

/* --- the worker --- */

static struct shmx_pool_map map;
static struct shmx_domain_shm *domain;
static struct shmx_link line;

static void open_pool(void) {
  struct shmx_pool_layout layout;
  CHECK(shmx_pool_layout(SLOTS, 2, 100, &layout));
  int fd = shmx_os_memfd("shmx", layout.size);
  CHECK(fd >= 0 && shmx_pool_map_attach(&map, &layout, fd) == 0);
  domain = aligned_alloc(64, (sizeof *domain + 63) / 64 * 64);
  memset(domain, 0, sizeof *domain);
  shmx_link_init(&line, domain, &map.lanes[0].process);
  line.pool = &map;
  line.supervisor_bell = shmx_os_eventfd();
}

static uint64_t claim(const struct shmx_limits *limits, uint32_t slot, uint32_t generation) {
  uint32_t claimed;
  uint64_t word;
  if (limits) shmx_limits_write(&map, slot, generation, limits);
  CHECK(shmx_board_publish(&map, slot, generation));
  CHECK(shmx_board_claim(&map, 0, &claimed, &word) && claimed == slot);
  return word;
}

static int64_t said(void) { return atomic_load(&map.lanes[0].process.deadline); }

static void a_worker_says_when_its_task_has_used_up_its_time(void) {
  struct shmx_limits limits = {2, 500};
  open_pool();
  uint64_t word = claim(&limits, 3, 1);
  shmx_limits_begin(&line, 3, word, 1000);
  CHECK(said() == 1500 && atomic_load(&map.lanes[0].process.limited_slot) == 3);
  shmx_limits_waited(&line, 200);
  CHECK(said() == 1700);
  shmx_limits_end(&line);
  shmx_limits_waited(&line, 200);
  CHECK(said() == 0);
}

static void limits_of_the_slots_last_task_do_not_count(void) {
  struct shmx_limits limits = {2, 500};
  open_pool();
  uint64_t first = claim(&limits, 3, 1), second;
  CHECK(shmx_limits_allow_retry(&map, 3, first));
  CHECK(shmx_board_decide(&map, 3, first, SHMX_DONE));
  second = claim(NULL, 3, 2);
  shmx_limits_begin(&line, 3, second, 1000);
  CHECK(said() == 0 && !shmx_limits_allow_retry(&map, 3, second) && shmx_limits_of(&map, 3, second) == 0);
}

static void the_supervisor_is_roused_only_when_it_would_look_too_late(void) {
  struct shmx_limits limits = {1, 500};
  open_pool();
  uint64_t word = claim(&limits, 0, 1);
  atomic_store(&domain->looks_at, 1400);
  shmx_limits_begin(&line, 0, word, 1000);
  CHECK(atomic_load(&domain->urges) == 0);
  atomic_store(&domain->looks_at, INT64_MAX);
  shmx_limits_begin(&line, 0, word, 1000);
  CHECK(atomic_load(&domain->urges) == 1);
}

static void attempts_are_counted(void) {
  struct shmx_limits limits = {3, 0};
  uint32_t slot;
  open_pool();
  uint64_t word = claim(&limits, 5, 9);
  for (uint32_t attempt = 1; attempt < 3; attempt++) {
    CHECK(shmx_word_attempt(word) == attempt && shmx_limits_allow_retry(&map, 5, word));
    CHECK(shmx_board_retry(&map, 5, word) && !shmx_board_retry(&map, 5, word));
    CHECK(shmx_board_claim(&map, 1, &slot, &word) && slot == 5);
  }
  CHECK(shmx_word_attempt(word) == 3 && !shmx_limits_allow_retry(&map, 5, word));
}

static const struct test tests[] = {
    {"a_deadline_is_over_once", a_deadline_is_over_once},
    {"a_deadline_that_was_missed_is_seen_first_and_judged_later",
     a_deadline_that_was_missed_is_seen_first_and_judged_later},
    {"what_the_supervisor_is_late_by_is_added", what_the_supervisor_is_late_by_is_added},
    {"only_tasks_that_hang_time_out_whatever_stops_the_supervisor",
     only_tasks_that_hang_time_out_whatever_stops_the_supervisor},
    {"a_worker_says_when_its_task_has_used_up_its_time", a_worker_says_when_its_task_has_used_up_its_time},
    {"limits_of_the_slots_last_task_do_not_count", limits_of_the_slots_last_task_do_not_count},
    {"the_supervisor_is_roused_only_when_it_would_look_too_late",
     the_supervisor_is_roused_only_when_it_would_look_too_late},
    {"attempts_are_counted", attempts_are_counted},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
