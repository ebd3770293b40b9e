/* SPDX-License-Identifier: MIT */
/* See inside.h. In main there is no task: nothing is the answer, and false. */
#include "bind/inside.h"

#include <lauxlib.h>

#include "bind/runner.h"
#include "core/worker.h"

/* core.worker() -> number, task, attempt; only the first in `init` */
static int get_worker(lua_State *L) {
  const struct shmx_worker_task *now = shmx_worker_now();
  if (!now) return 0;
  lua_pushinteger(L, now->number);
  if (now->task == 0) return 1;
  lua_pushinteger(L, now->task);
  lua_pushinteger(L, now->attempt);
  return 3;
}

/* core.cancelled() -> boolean: is the task to stop, because it was cancelled or has used up its time? */
static int is_cancelled(lua_State *L) {
  bool stop = shmx_worker_is_to_stop();
  if (stop) shmx_runner_knows_of_stop();
  lua_pushboolean(L, stop);
  return 1;
}

static const luaL_Reg functions[] = {{"worker", get_worker}, {"cancelled", is_cancelled}, {NULL, NULL}};

void shmx_inside_open(lua_State *L) { luaL_setfuncs(L, functions, 0); }
