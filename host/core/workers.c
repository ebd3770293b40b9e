/* SPDX-License-Identifier: MIT */
/*
 * See workers.h. The transitions are a table; counters follow from entering and leaving states. After a death during
 * the start, the next start waits, each time longer; a worker that becomes ready forgives everything. Workers that were
 * started together and die together are one failure: only who was started after the last one proves that it goes on.
 *
 * A pool that cannot have all of its workers gives up. One that has had them, and has lost some to a shortage that may pass,
 * goes on with those that it has, and only gives up when none is left.
 */
#include "core/workers.h"

#include <stdlib.h>

enum state { EMPTY, STARTING, READY, DRAINING, UNREAD, STATES, NEVER = -1 };

enum {
  HOPELESS = 5,               /* starts that failed one after another */
  BACK_OFF_NS = 10 * 1000000, /* before the second of them; doubles */
  LONG_START_NS = 1000000     /* others need not wait for it */
};

static const signed char next_state[STATES][SHMX_WORKER_EVENTS] = {
    /*            FORKED    FORK_FAILED  READY  DIED      DRAINED  READ_TO_END */
    [EMPTY] = {STARTING, EMPTY, NEVER, NEVER, NEVER, NEVER}, [STARTING] = {NEVER, NEVER, READY, DRAINING, NEVER, NEVER},
    [READY] = {NEVER, NEVER, NEVER, DRAINING, NEVER, NEVER}, [DRAINING] = {NEVER, NEVER, NEVER, NEVER, UNREAD, NEVER},
    [UNREAD] = {NEVER, NEVER, NEVER, NEVER, NEVER, EMPTY},
};

struct lane {
  enum state state;
  uint32_t number; /* of the worker in it, 0: none */
  uint32_t trial;  /* in which its worker was started */
};

struct shmx_workers {
  uint32_t wanted, lanes, together;
  uint32_t count[STATES];
  uint32_t failures;  /* starts that failed and count, one after another, since a worker was last ready */
  uint32_t waits;     /* of these and those that do not count, how many have made the wait longer */
  bool complete;      /* all have been ready at some time */
  uint32_t trial;     /* counts failures, for ever */
  int64_t not_before; /* the next start, after a failure */
  int64_t forked;     /* when the last one was */
  bool closing;
  bool *taken; /* by number - 1: some living worker has this number */
  struct lane *lane;
};

struct shmx_workers *shmx_workers_create(uint32_t wanted, uint32_t lanes, uint32_t together) {
  struct shmx_workers *table = calloc(1, sizeof *table);
  if (!table) return NULL;
  *table = (struct shmx_workers){.wanted = wanted, .lanes = lanes, .together = together, .count[EMPTY] = lanes};
  table->taken = calloc(wanted, sizeof *table->taken);
  table->lane = calloc(lanes, sizeof *table->lane);
  if (table->taken && table->lane) return table;
  shmx_workers_destroy(table);
  return NULL;
}

void shmx_workers_destroy(struct shmx_workers *table) {
  if (!table) return;
  free(table->taken);
  free(table->lane);
  free(table);
}

static void start_failed(struct shmx_workers *table, int64_t now) {
  uint32_t doublings = table->waits < 10 ? table->waits : 10;
  bool goes_on = table->complete && table->count[READY] > 0;
  if (!goes_on) table->failures++;
  table->waits++;
  table->trial++;
  table->not_before = now + ((int64_t)BACK_OFF_NS << doublings);
}

/* The next start need not wait. */
static void forget_waits(struct shmx_workers *table) {
  table->waits = 0;
  table->not_before = 0;
}

static void count_events(struct shmx_workers *table, struct lane *lane, enum shmx_worker_event event, int64_t now) {
  if (event == SHMX_WORKER_FORKED) lane->trial = table->trial, table->forked = now;
  if (event == SHMX_WORKER_FORK_FAILED) start_failed(table, now);
  if (event == SHMX_WORKER_DIED && lane->state == STARTING && lane->trial == table->trial) start_failed(table, now);
  if (event == SHMX_WORKER_READY) table->failures = 0, forget_waits(table);
  if (event == SHMX_WORKER_DIED && lane->state == READY && table->count[READY] == 1) forget_waits(table);
  if (event == SHMX_WORKER_DIED || event == SHMX_WORKER_FORK_FAILED) {
    if (lane->number) table->taken[lane->number - 1] = false;
    lane->number = 0;
  }
}

bool shmx_workers_event(struct shmx_workers *table, uint32_t index, enum shmx_worker_event event, int64_t now) {
  if (index >= table->lanes || event >= SHMX_WORKER_EVENTS) return false;
  struct lane *lane = &table->lane[index];
  int state = next_state[lane->state][event];
  if (state == NEVER) return false;
  count_events(table, lane, event, now);
  table->count[lane->state]--;
  table->count[state]++;
  lane->state = (enum state)state;
  table->complete |= table->count[READY] == table->wanted;
  return true;
}

void shmx_workers_close(struct shmx_workers *table) { table->closing = true; }

static bool wants_more(const struct shmx_workers *table) {
  return !table->closing && !shmx_workers_hopeless(table) && shmx_workers_alive(table) < table->wanted &&
         table->count[EMPTY] > 0;
}

/* When the next may be started; 0: now. */
static int64_t next_start(const struct shmx_workers *table) {
  int64_t room = table->count[STARTING] < table->together ? 0 : table->forked + LONG_START_NS;
  return room > table->not_before ? room : table->not_before;
}

bool shmx_workers_next(struct shmx_workers *table, int64_t now, uint32_t *lane, uint32_t *number) {
  if (!wants_more(table) || now < next_start(table)) return false;
  for (*lane = 0; table->lane[*lane].state != EMPTY;) ++*lane;
  for (*number = 1; table->taken[*number - 1];) ++*number;
  table->taken[*number - 1] = true;
  table->lane[*lane].number = *number;
  return true;
}

int64_t shmx_workers_deadline(const struct shmx_workers *table) {
  int64_t start = wants_more(table) ? next_start(table) : 0;
  return start > 0 ? start : -1;
}

bool shmx_workers_is_starting(const struct shmx_workers *table, uint32_t lane) {
  return lane < table->lanes && table->lane[lane].state == STARTING;
}
uint32_t shmx_workers_ready(const struct shmx_workers *table) { return table->count[READY]; }
uint32_t shmx_workers_alive(const struct shmx_workers *table) { return table->count[STARTING] + table->count[READY]; }
bool shmx_workers_all_ready(const struct shmx_workers *table) { return table->count[READY] == table->wanted; }
bool shmx_workers_hopeless(const struct shmx_workers *table) { return table->failures >= HOPELESS; }
