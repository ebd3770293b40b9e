/* SPDX-License-Identifier: MIT */
/* See inside.h. In main there is no task: nothing is the answer, and false. */
#include "bind/inside.h"

#include <lauxlib.h>

#include "bind/error.h"
#include "bind/process.h"
#include "bind/runner.h"
#include "bind/stop.h"
#include "core/worker.h"

/* core.worker() -> number, task, attempt; only the first in `init` */
static int get_worker(lua_State *L) {
  shmx_check_end(L, 0, "worker");
  const struct shmx_worker_task *now = shmx_worker_now();
  struct shmx_worker_task alone = {.attempt = 1};
  if (shmx_runner_is_guest(&alone.task)) now = &alone;
  if (!now) return 0;
  lua_pushinteger(L, now->number);
  if (now->task == 0) return 1;
  lua_pushinteger(L, now->task);
  lua_pushinteger(L, now->attempt);
  return 3;
}

/* core.cancelled() -> boolean: is the task to stop, because it was cancelled or has used up its time? */
static int is_cancelled(lua_State *L) {
  shmx_check_end(L, 0, "cancelled");
  shmx_check_process(L);
  lua_pushboolean(L, shmx_stop_ask());
  return 1;
}

/* core.progress(done, total): so much of the task is done */
static int tell_progress(lua_State *L) {
  lua_Number done = luaL_checknumber(L, 1), total = luaL_checknumber(L, 2);
  shmx_check_end(L, 2, "progress");
  shmx_check_process(L);
  if (!(total > 0)) return shmx_error(L, "bad argument #2 to 'progress' (a number above 0 expected)");
  shmx_worker_progress(done / total);
  return 0;
}

static const luaL_Reg functions[] = {
    {"worker", get_worker}, {"cancelled", is_cancelled}, {"progress", tell_progress}, {NULL, NULL}};

void shmx_inside_open(lua_State *L) { luaL_setfuncs(L, functions, 0); }
