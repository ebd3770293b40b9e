/* SPDX-License-Identifier: MIT */
/*
 * What a pool remembers of the tasks that have ended, for pool:stats(): how many of each status, how long they ran and
 * waited. Counting costs a few nanoseconds and is always on.
 */
#ifndef SHMX_BIND_POOL_STATS_H
#define SHMX_BIND_POOL_STATS_H

#include <lua.h>

#include "bind/task.h"
#include "core/histogram.h"
#include "core/pool.h"
#include "core/pool_view.h"

enum { SHMX_TALLY_STATUSES = 16 };

struct shmx_tally {
  uint64_t ended[SHMX_TALLY_STATUSES]; /* by enum shmx_task_status */
  struct shmx_histogram run, wait;
};

/* A task has ended. Its times count when its wait was measured; the longest run is that of all. */
static inline void shmx_tally_add(struct shmx_tally *tally, const struct shmx_task *task,
                                  const struct shmx_outcome *outcome) {
  tally->ended[task->status % SHMX_TALLY_STATUSES]++;
  if (outcome->waited) {
    shmx_histogram_add(&tally->run, outcome->nanoseconds);
    shmx_histogram_add(&tally->wait, outcome->waited);
  } else if (outcome->nanoseconds > tally->run.most) tally->run.most = outcome->nanoseconds;
}

/* Pushes the numbers of pool:stats() as a table. */
void shmx_tally_push(lua_State *L, const struct shmx_tally *tally, const struct shmx_pool_view *view,
                     const struct shmx_histogram *handovers);

/* pool:tally() -> table, running: numbers for pool:stats(), and a table of the tasks that run, by the number of their
 * worker */
int shmx_luapool_tally(lua_State *L);

#endif
