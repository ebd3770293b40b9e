/* SPDX-License-Identifier: MIT */
/*
 * Waiting for tasks: the methods of tasks, and waiting for any or all of a list.
 *
 * Who waits for a task of one pool looks at that pool alone, which is what most do. Who waits for tasks of several looks
 * at all that are open: main has one bell, whoever rings it, so it may only sleep when none of them has anything new.
 */
#include <errno.h>
#include <lauxlib.h>
#include <math.h>

#include "bind/array_parts.h"
#include "bind/chain.h"
#include "bind/error.h"
#include "bind/pool.h"
#include "bind/pool_parts.h"
#include "bind/process.h"
#include "bind/task.h"
#include "bind/weak.h"

#define POOLS "shmx.pools" /* in the registry: the open pools, by their address, weakly */

int64_t shmx_luapool_deadline(lua_State *L, int index, const char *function) {
  if (lua_isnoneornil(L, index)) return -1;
  lua_Number seconds = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : (lua_Number)NAN;
  if (isnan(seconds)) {
    const char *got = shmx_array_describe(L, index);
    shmx_bad_argument(L, index, function, lua_pushfstring(L, "a number of seconds expected, got %s", got));
  }
  if (seconds > 1e9) return -1;
  return shmx_os_now() + (seconds > 0 ? (int64_t)(seconds * 1e9) : 0);
}

/* --- sleeping --- */

/* After a signal: a hook that Ctrl-C has set fires in the next Lua function that runs, so one is run, which by its name is a
 * part of this library. Its error is raised again from here, so that this function is not in the traceback. The hook of the
 * main thread counts for the coroutine that waits. */
static void let_signals_speak(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main_thread = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (!lua_gethook(main_thread) && !lua_gethook(L)) return;
  if (main_thread != L && lua_gethook(main_thread) && !lua_gethook(L))
    lua_sethook(L, lua_gethook(main_thread), lua_gethookmask(main_thread), lua_gethookcount(main_thread));
  int top = lua_gettop(L), status = luaL_loadbuffer(L, "return", 6, "=shmx/signal");
  if (status == LUA_OK && lua_pcall(L, 0, 0, 0) != LUA_OK) lua_error(L);
  lua_settop(L, top);
}

/* A worker waits for memory, and main's garbage may have it: results that nobody looks at any more. */
static void give_back_garbage(lua_State *L) {
  static uint32_t asked;
  uint32_t now = shmx_memory_asked(shmx_memory_here());
  if (now == asked) return;
  asked = now;
  lua_gc(L, LUA_GCCOLLECT);
}

bool shmx_luapool_sleep(lua_State *L, struct lua_pool *pool, lua_Integer task, int64_t deadline) {
  give_back_garbage(L);
  if (!pool->core) return true; /* closed by a finalizer, when results were taken in */
  let_signals_speak(L);         /* one that came while results were taken in */
  if (!pool->core) return true;
  int r = shmx_pool_wait(pool->core, (uint64_t)task, deadline);
  if (r == -EINTR) let_signals_speak(L);
  return r != -ETIMEDOUT;
}

void shmx_luapool_note(lua_State *L, struct lua_pool *pool) {
  lua_getfield(L, LUA_REGISTRYINDEX, POOLS);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, pool);
  lua_pop(L, 1);
}

/* Pushes a list of the open pools and returns how many. Taking in can open and close pools, so it walks along a copy. */
static int push_open_pools(lua_State *L) {
  int count = 0;
  lua_newtable(L);
  lua_getfield(L, LUA_REGISTRYINDEX, POOLS);
  for (lua_pushnil(L); lua_next(L, -2);) {
    struct lua_pool *pool = lua_touserdata(L, -1);
    if (pool->core) lua_rawseti(L, -4, ++count);
    else lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return count;
}

/* Takes in what has ended in the pools of the list on the top. */
static int take_in_all(lua_State *L, int count) {
  int taken = 0, list = lua_gettop(L);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, list, i);
    taken += shmx_luapool_take_in(L, list + 1, lua_touserdata(L, -1));
    lua_pop(L, 1);
  }
  return taken;
}

int shmx_luapool_take_in_all(lua_State *L) {
  luaL_checkstack(L, 16, NULL);
  int count = push_open_pools(L), taken = take_in_all(L, count);
  lua_pop(L, 1);
  return taken;
}

/* Sleeps until something is new in one of the pools of the list on the top. False when the deadline has passed. */
static bool sleep_on_all(lua_State *L, int count, int64_t deadline) {
  give_back_garbage(L);
  let_signals_speak(L);
  struct shmx_pool **cores = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *cores, 0);
  uint32_t open = 0;
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, -2, i);
    struct lua_pool *pool = lua_touserdata(L, -1);
    if (pool->core) cores[open++] = pool->core;
    lua_pop(L, 1);
  }
  int r = open > 0 ? shmx_pool_wait_any(cores, open, deadline) : 0;
  lua_pop(L, 1);
  if (r == -EINTR) let_signals_speak(L);
  return r != -ETIMEDOUT;
}

/* Takes in what there is in any pool; if that is nothing, sleeps until there may be something. False when the deadline
 * has passed; an error when no pool is open from which anything could come. */
static bool wait_everywhere(lua_State *L, int64_t deadline) {
  luaL_checkstack(L, 16, NULL);
  int count = push_open_pools(L);
  if (count == 0) return shmx_error(L, "the pool was closed before the task ended");
  bool in_time = take_in_all(L, count) > 0 || sleep_on_all(L, count, deadline);
  lua_pop(L, 1);
  return in_time;
}

/* --- tasks --- */

/* Waits until the task is on the board, or has ended without that. False when the deadline came first. */
static bool wait_for_inputs(lua_State *L, const struct shmx_task *task, int64_t deadline) {
  bool in_time = true;
  if (!task->pending) return shmx_error(L, "the task has not been submitted to a pool");
  while (task->status == SHMX_TASK_NEW && in_time) in_time = wait_everywhere(L, deadline);
  return task->status != SHMX_TASK_NEW;
}

/* Waits until the task, which is at `index`, has ended. False when the deadline came first. */
static bool wait_for_task(lua_State *L, const struct shmx_task *task, int index, int64_t deadline) {
  if (shmx_task_has_ended(task)) return true;
  if (task->status == SHMX_TASK_NEW && !wait_for_inputs(L, task, deadline)) return false;
  if (shmx_task_has_ended(task)) return true;
  lua_getiuservalue(L, index, SHMX_TASK_POOL);
  int at = lua_gettop(L);
  struct lua_pool *pool = lua_touserdata(L, at);
  bool in_time = true;
  while (!shmx_task_has_ended(task)) {
    if (!pool->core) return shmx_error(L, "the pool was closed before the task ended");
    if (shmx_luapool_take_in(L, at, pool) > 0) continue;
    if (!in_time) break;
    in_time = shmx_luapool_sleep(L, pool, task->id, deadline);
  }
  lua_settop(L, at - 1);
  return shmx_task_has_ended(task);
}

/* task:get([seconds]) -> results... */
static int task_get(lua_State *L) {
  struct shmx_task *task = shmx_task_check_self(L, "get");
  shmx_check_end(L, 2, "get");
  shmx_check_process(L);
  if (!wait_for_task(L, task, 1, shmx_luapool_deadline(L, 2, "get"))) {
    lua_getiuservalue(L, 1, SHMX_TASK_NAME);
    const char *name = lua_tostring(L, -1), *seconds = luaL_tolstring(L, 2, NULL);
    return shmx_error(L, "timeout: task %s has not ended after %s seconds", name, seconds);
  }
  task->looked_at = true;
  int count = shmx_task_push_results(L, task, 1);
  if (task->status == SHMX_TASK_DONE) return count;
  if (lua_istable(L, -1)) {
    shmx_push_where(L);
    lua_setfield(L, -2, "where");
  }
  return lua_error(L);
}

/* task:wait([seconds]) -> boolean: has it ended? */
static int task_wait(lua_State *L) {
  const struct shmx_task *task = shmx_task_check_self(L, "wait");
  shmx_check_end(L, 2, "wait");
  shmx_check_process(L);
  lua_pushboolean(L, wait_for_task(L, task, 1, shmx_luapool_deadline(L, 2, "wait")));
  return 1;
}

/* The pool of a task that has been submitted; NULL: it is gone. */
static struct shmx_pool *core_of(lua_State *L, int index) {
  lua_getiuservalue(L, index, SHMX_TASK_POOL);
  struct lua_pool *pool = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return pool ? pool->core : NULL;
}

const char *shmx_task_state_on_board(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  struct shmx_pool *core = core_of(L, index);
  if (!core) return "cancelled";
  return shmx_pool_is_claimed(core, task->ticket) ? "running" : "queued";
}

uint32_t shmx_task_attempt_on_board(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  struct shmx_pool *core = core_of(L, index);
  return core ? shmx_pool_attempt(core, task->ticket) : 0;
}

uint32_t shmx_task_worker_on_board(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  struct shmx_pool *core = core_of(L, index);
  return core ? shmx_pool_worker_of(core, task->ticket) : 0;
}

/* task:done() -> boolean; takes in what has ended, without waiting */
static int task_done(lua_State *L) {
  struct shmx_task *task = shmx_task_check_self(L, "done");
  shmx_check_end(L, 1, "done");
  shmx_check_process(L);
  if (task->status == SHMX_TASK_QUEUED) {
    lua_getiuservalue(L, 1, SHMX_TASK_POOL);
    struct lua_pool *pool = lua_touserdata(L, -1);
    give_back_garbage(L);
    shmx_luapool_take_in(L, lua_gettop(L), pool);
    if (pool->core && !shmx_task_has_ended(task)) shmx_pool_await(pool->core, (uint64_t)task->id);
  } else if (task->pending) {
    wait_everywhere(L, 0);
  }
  lua_pushboolean(L, shmx_task_has_ended(task));
  return 1;
}

/* Takes the task at index 1 back if no worker has begun it; with `running` also if one has. */
static bool take_back(lua_State *L, struct shmx_task *task, bool running) {
  if (task->pending) {
    shmx_chain_cancel(L, 1);
    return true;
  }
  lua_getiuservalue(L, 1, SHMX_TASK_POOL);
  struct lua_pool *pool = lua_touserdata(L, -1);
  bool cancelled =
      task->status == SHMX_TASK_QUEUED && pool->core && shmx_pool_cancel(pool->core, task->ticket, running);
  if (cancelled) shmx_luapool_take_in(L, lua_gettop(L), pool);
  return cancelled;
}

/* task:cancel() -> boolean: false when it had ended. A worker that runs it has its grace to let go of it. */
static int task_cancel(lua_State *L) {
  struct shmx_task *task = shmx_task_check_self(L, "cancel");
  shmx_check_end(L, 1, "cancel");
  shmx_check_process(L);
  lua_pushboolean(L, take_back(L, task, true));
  return 1;
}

/* core.abandon(task): nobody will ask for its results; it is taken back if no worker has begun it */
static int abandon_task(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  task->looked_at = true;
  take_back(L, task, false);
  return 0;
}

/* --- pools --- */

int shmx_luapool_wait(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check(L, 1);
  int64_t deadline = shmx_luapool_deadline(L, 2, "wait");
  bool in_time = shmx_luapool_take_in(L, 1, pool) > 0 || shmx_luapool_sleep(L, pool, 0, deadline);
  shmx_luapool_take_in(L, 1, pool);
  lua_pushboolean(L, in_time);
  return 1;
}

/* The place in the list at index `list`, at least one task, of the first that has ended; 0: none. */
static lua_Integer find_ended(lua_State *L, int list) {
  lua_Integer found = 0;
  for (lua_Integer i = 1; found == 0 && lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
    if (shmx_task_has_ended(shmx_task_check(L, -1))) found = i;
    lua_pop(L, 1);
  }
  if (found == 0) lua_pop(L, 1);
  return found;
}

/* --- lists --- */

/* Refuses what is no list of submitted tasks, and more than a number of seconds behind it. Returns how many. */
static lua_Integer check_list(lua_State *L, const char *name) {
  shmx_check_end(L, 2, name);
  if (!lua_istable(L, 1))
    return shmx_error(L, "bad argument #1 to '%s' (a list of tasks expected, got %s)", name, shmx_push_type(L, 1));
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, i);
    struct shmx_task *task = shmx_task_test(L, -1);
    if (!task)
      return shmx_error(L, "bad argument #1 to '%s' (element %I is not a task but a %s)", name, (LUAI_UACINT)i,
                        shmx_push_type(L, -1));
    if (task->status == SHMX_TASK_NEW && !task->pending)
      return shmx_error(L, "bad argument #1 to '%s' (element %I has not been submitted to a pool)", name,
                        (LUAI_UACINT)i);
    lua_pop(L, 1);
  }
  return count;
}

/* core.wait(tasks [, seconds]) -> boolean: have all of them ended? */
static int wait_for_list(lua_State *L) {
  shmx_check_process(L);
  lua_Integer count = check_list(L, "wait");
  int64_t deadline = shmx_luapool_deadline(L, 2, "wait");
  bool all = true;
  for (lua_Integer i = 1; i <= count && all; i++) {
    lua_rawgeti(L, 1, i);
    all = wait_for_task(L, shmx_task_check(L, -1), lua_gettop(L), deadline);
    lua_pop(L, 1);
  }
  lua_pushboolean(L, all);
  return 1;
}

/* core.first(tasks [, seconds]) -> task, place: one that has ended; nothing when the deadline came first */
static int wait_for_first(lua_State *L) {
  shmx_check_process(L);
  lua_Integer count = check_list(L, "first"), found = 0;
  int64_t deadline = shmx_luapool_deadline(L, 2, "first");
  bool in_time = true;
  while (count > 0 && (found = find_ended(L, 1)) == 0 && in_time) in_time = wait_everywhere(L, deadline);
  if (found == 0) return 0;
  lua_rawgeti(L, 1, found);
  lua_pushinteger(L, found);
  return 2;
}

static const luaL_Reg task_methods[] = {
    {"get", task_get}, {"wait", task_wait}, {"done", task_done}, {"cancel", task_cancel}, {NULL, NULL}};

/* core.wait_everywhere(): sleeps until something has ended in any pool, and takes it in */
static int wait_for_anything(lua_State *L) {
  wait_everywhere(L, -1);
  return 0;
}

static const luaL_Reg functions[] = {{"wait", wait_for_list},
                                     {"first", wait_for_first},
                                     {"abandon", abandon_task},
                                     {"wait_everywhere", wait_for_anything},
                                     {NULL, NULL}};

void shmx_luapool_open_waiting(lua_State *L) {
  lua_newtable(L);
  shmx_make_weak(L, "v");
  lua_setfield(L, LUA_REGISTRYINDEX, POOLS);
  luaL_getmetatable(L, SHMX_TASK_TYPE);
  lua_getfield(L, -1, "methods");
  luaL_setfuncs(L, task_methods, 0);
  lua_pop(L, 2);
  luaL_setfuncs(L, functions, 0);
}
