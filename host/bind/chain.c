/* SPDX-License-Identifier: MIT */
/* See chain.h. */
#include "bind/chain.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/joblog.h"
#include "bind/module.h"
#include "bind/pool_parts.h"

#define ENDED   "shmx.chain.ended" /* in the registry: awaited tasks that have ended */
#define DEFER   "shmx.chain.defer" /* functions of lua/shmx/chain.lua */
#define RESOLVE "shmx.chain.resolve"

static bool something_ended; /* since the last time that everything was resolved */

bool shmx_chain_has_input(lua_State *L, int first, int count) {
  for (int i = 0; i < count; i++)
    if (shmx_task_test(L, first + i)) return true;
  return false;
}

bool shmx_chain_fill_in(lua_State *L, int first, int count) {
  for (int i = 0; i < count; i++) {
    const struct shmx_task *input = shmx_task_test(L, first + i);
    if (input && input->status != SHMX_TASK_DONE) return false;
  }
  for (int i = 0; i < count; i++) {
    const struct shmx_task *input = shmx_task_test(L, first + i);
    if (!input) continue;
    int results = shmx_task_push_results(L, input, first + i);
    if (results == 0) lua_pushnil(L);
    else lua_pop(L, results - 1);
    lua_replace(L, first + i);
  }
  return true;
}

void shmx_chain_defer(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lua_getfield(L, LUA_REGISTRYINDEX, DEFER);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, index);
  lua_call(L, 2, 0);
}

void shmx_chain_note(lua_State *L, int index) {
  index = lua_absindex(L, index);
  something_ended = true;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, ENDED);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

bool shmx_chain_resolve(lua_State *L) {
  if (!something_ended) return false;
  something_ended = false;
  lua_getfield(L, LUA_REGISTRYINDEX, RESOLVE);
  if (shmx_call_whole(L, 0, 1) != LUA_OK) lua_error(L);
  something_ended = something_ended || lua_toboolean(L, -1);
  lua_pop(L, 1);
  return true;
}

/* The pending task at `index` (positive) ends without having begun, for the reason on the top. It lets go of its inputs. */
static void end_pending(lua_State *L, int index, enum shmx_task_status status) {
  struct shmx_task *task = lua_touserdata(L, index);
  int top = lua_gettop(L), count = shmx_task_push_kept(L, index);
  task->pending = false;
  task->nanoseconds = task->attempt = 0; /* they were limits until now */
  shmx_task_describe_arguments(L, index, top + 1, count);
  lua_settop(L, top);
  shmx_luapool_fail(L, index, status, 1);
  if (shmx_joblog_is_open) shmx_joblog_write(L, index);
}

void shmx_chain_cancel(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  lua_pushliteral(L, "it was cancelled before it began");
  end_pending(L, lua_absindex(L, index), SHMX_TASK_CANCELLED);
  if (task->awaited) shmx_chain_note(L, index);
  shmx_chain_resolve(L);
}

/* core.inputs(task) -> {task, ...}: the tasks among the arguments of one that has not been submitted */
static int get_inputs(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  lua_Integer found = 0;
  lua_settop(L, 1);
  lua_newtable(L);
  if (task->status != SHMX_TASK_NEW) return 1;
  int count = shmx_task_push_kept(L, 1);
  for (int i = 1; i < count; i++) {
    if (!shmx_task_test(L, 3 + i)) continue;
    lua_pushvalue(L, 3 + i);
    lua_rawseti(L, 2, ++found);
  }
  lua_settop(L, 2);
  return 1;
}

/* core.await(task): its end is to be noted; if it has ended, at once */
static int await(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  task->awaited = true;
  if (shmx_task_has_ended(task)) shmx_chain_note(L, 1);
  return 0;
}

/* core.set_pending(task, boolean) */
static int set_pending(lua_State *L) {
  shmx_task_check(L, 1)->pending = lua_toboolean(L, 2);
  return 0;
}

/* core.is_submitted(task) -> boolean: or is it to be, when its inputs are there? */
static int is_submitted(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  lua_pushboolean(L, task->status != SHMX_TASK_NEW || task->pending);
  return 1;
}

/* core.fail(task, cancelled, value): a pending task ends without having begun */
static int fail_pending(lua_State *L) {
  shmx_task_check(L, 1);
  bool cancelled = lua_toboolean(L, 2);
  lua_settop(L, 3);
  end_pending(L, 1, cancelled ? SHMX_TASK_CANCELLED : SHMX_TASK_FAILED);
  return 0;
}

/* core.can_submit(pool) -> boolean, or nil when it is closed */
static int can_submit(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_test(L, 1);
  if (!pool || !pool->core || pool->closing) return 0;
  lua_pushboolean(L, !pool->packing);
  return 1;
}

/* core.take_ended() -> {task, ...}: awaited tasks that have ended since the last time */
static int take_ended(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, ENDED);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, ENDED);
  return 1;
}

/* core.on_chain(defer, resolve): the functions of lua/shmx/chain.lua */
static int on_chain(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, RESOLVE);
  lua_setfield(L, LUA_REGISTRYINDEX, DEFER);
  return 0;
}

static const luaL_Reg functions[] = {
    {"inputs", get_inputs},         {"await", await},       {"set_pending", set_pending},
    {"is_submitted", is_submitted}, {"fail", fail_pending}, {"can_submit", can_submit},
    {"take_ended", take_ended},     {"on_chain", on_chain}, {NULL, NULL}};

void shmx_chain_open(lua_State *L) { luaL_setfuncs(L, functions, 0); }
