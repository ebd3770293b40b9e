/* SPDX-License-Identifier: MIT */
/*
 * What a task says of itself: its fields, and its text, as in "work(1000) --> Result: ...". Nothing here waits. Who reads
 * the error has looked at it, and is not warned of it any more (see shmx_task_guard).
 */
#include <lauxlib.h>
#include <string.h>

#include "bind/error.h"
#include "bind/output.h"
#include "bind/pool.h"
#include "bind/scalar.h"
#include "bind/task_parts.h"

/* --- fields --- */

static const char *const status_names[] = {"waiting", "queued",    "done",    "failed",
                                           "crashed", "cancelled", "refused", "timeout"};

const char *shmx_task_status_name(int status) {
  bool known = status >= 0 && (size_t)status < sizeof status_names / sizeof *status_names;
  return known ? status_names[status] : NULL;
}

static const char *status_of(lua_State *L, const struct shmx_task *task) {
  return task->status == SHMX_TASK_QUEUED ? shmx_task_state_on_board(L, 1) : status_names[task->status];
}

static int push_result(lua_State *L, struct shmx_task *task) {
  if (task->status != SHMX_TASK_DONE || task->results == 0) return 0;
  int n = shmx_task_push_results(L, task, 1);
  lua_pop(L, n - 1);
  return 1;
}

static int push_result_list(lua_State *L, struct shmx_task *task) {
  if (task->status != SHMX_TASK_DONE) return 0;
  int n = shmx_task_push_results(L, task, 1);
  lua_createtable(L, n, 1);
  lua_insert(L, -n - 1);
  int table = lua_gettop(L) - n;
  for (int i = n; i >= 1; i--) lua_rawseti(L, table, i);
  lua_pushinteger(L, n);
  lua_setfield(L, table, "n");
  return 1;
}

/* lua/shmx/seeing.lua finds them. */
static int push_handovers(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.handovers");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static lua_Integer attempt_of(lua_State *L, const struct shmx_task *task) {
  if (task->status == SHMX_TASK_NEW) return 0;
  return task->status == SHMX_TASK_QUEUED ? shmx_task_attempt_on_board(L, 1) : task->attempt;
}

/* Without one that has or had it, nothing. */
static int push_worker(lua_State *L, const struct shmx_task *task) {
  uint32_t worker = task->status == SHMX_TASK_QUEUED ? shmx_task_worker_on_board(L, 1) : task->worker;
  if (worker == 0) return 0;
  lua_pushinteger(L, worker);
  return 1;
}

static int push_seconds(lua_State *L, const struct shmx_task *task) {
  if (!shmx_task_has_ended(task) || task->nanoseconds == 0) return 0;
  lua_pushnumber(L, (double)task->nanoseconds * 1e-9);
  return 1;
}

static int push_error(lua_State *L, struct shmx_task *task) {
  if (task->status <= SHMX_TASK_DONE) return 0;
  task->looked_at = true;
  lua_getiuservalue(L, 1, SHMX_TASK_RESULTS);
  return 1;
}

static int push_field(lua_State *L, struct shmx_task *task, const char *key) {
  if (strcmp(key, "result") == 0) return push_result(L, task);
  else if (strcmp(key, "id") == 0) lua_pushinteger(L, task->id);
  else if (strcmp(key, "status") == 0) lua_pushstring(L, status_of(L, task));
  else if (strcmp(key, "results") == 0) return push_result_list(L, task);
  else if (strcmp(key, "name") == 0) lua_getiuservalue(L, 1, SHMX_TASK_NAME);
  else if (strcmp(key, "skipped") == 0) lua_pushboolean(L, task->skipped);
  else if (strcmp(key, "output") == 0) shmx_output_push_taken(L, 1);
  else if (strcmp(key, "handovers") == 0) return push_handovers(L);
  else if (strcmp(key, "attempt") == 0) lua_pushinteger(L, attempt_of(L, task));
  else if (strcmp(key, "worker") == 0) return push_worker(L, task);
  else if (strcmp(key, "seconds") == 0) return push_seconds(L, task);
  else if (strcmp(key, "error") == 0) return push_error(L, task);
  else return shmx_error(L, "a task has no field or method \"%s\"", key);
  return 1;
}

int shmx_task_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  struct shmx_task *task = shmx_task_check(L, 1);
  if (lua_type(L, 2) == LUA_TSTRING) return push_field(L, task, lua_tostring(L, 2));
  return shmx_error(L, "a task has no field or method [%s]", luaL_tolstring(L, 2, NULL));
}

/* --- text --- */

/* Appends the kept values, as people write them, to the buffer. */
static void add_values(lua_State *L, luaL_Buffer *text, int place, int count) {
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addstring(text, ", ");
    lua_getiuservalue(L, 1, place);
    if (count != 1) {
      lua_rawgeti(L, -1, i);
      lua_remove(L, -2);
    }
    if (place == SHMX_TASK_ARGUMENTS) shmx_task_push_argument_text(L);
    else luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    luaL_addvalue(text);
  }
}

static void add_arguments(lua_State *L, luaL_Buffer *text, const struct shmx_task *task) {
  const char *at = task->scalars, *end = at + task->shown;
  if (at == end) add_values(L, text, SHMX_TASK_ARGUMENTS, task->arguments);
  while (at && at < end) {
    if (at > task->scalars) luaL_addstring(text, ", ");
    at = shmx_scalar_take_any(L, at, end);
    shmx_task_push_argument_text(L);
    lua_remove(L, -2);
    luaL_addvalue(text);
  }
}

/* Appends what the failure says, without name and traceback. */
static void add_failure(lua_State *L, luaL_Buffer *text) {
  lua_getiuservalue(L, 1, SHMX_TASK_RESULTS);
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "message");
    lua_remove(L, -2);
  }
  luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
  luaL_addvalue(text);
}

int shmx_task_newindex(lua_State *L) {
  return shmx_error(L, "field \"%s\" of a task cannot be set", luaL_tolstring(L, 2, NULL));
}

int shmx_task_tostring(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  lua_getiuservalue(L, 1, SHMX_TASK_NAME);
  luaL_addvalue(&text);
  luaL_addchar(&text, '(');
  add_arguments(L, &text, task);
  luaL_addchar(&text, ')');
  if (task->skipped) {
    luaL_addstring(&text, " --> done before");
  } else if (task->status == SHMX_TASK_DONE) {
    luaL_addstring(&text, " --> Result: ");
    add_values(L, &text, SHMX_TASK_RESULTS, task->results);
  } else if (shmx_task_has_ended(task)) {
    task->looked_at = true;
    luaL_addstring(&text, " --> Error: ");
    add_failure(L, &text);
  } else {
    luaL_addstring(&text, " --> ");
    luaL_addstring(&text, status_of(L, task));
  }
  luaL_pushresult(&text);
  return 1;
}
