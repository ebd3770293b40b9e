/* SPDX-License-Identifier: MIT */
/* See batch.h. */
#include "bind/batch.h"

#include <lauxlib.h>

#include "bind/array.h"
#include "bind/code.h"
#include "bind/modules.h"
#include "bind/runner.h"
#include "bind/task.h"
#include "os/os.h"

enum {
  DEPTH = 8,               /* functions that are upvalues of functions */
  DURATION = 10 * 1000000, /* nanoseconds after which a batch ends */
  LIST_MAX = 1 << 24
};

bool shmx_batch_takes(lua_State *L) {
  int type = lua_type(L, -1);
  return type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING;
}

/* --- main --- */

static bool is_batchable(lua_State *L, int index, int depth);

/* The upvalue on the top, of the function at `index`, is the same in every call. */
static bool is_constant(lua_State *L, int index, int depth) {
  if (shmx_batch_takes(L)) return true;
  if (lua_isfunction(L, -1)) return lua_rawequal(L, -1, index) || is_batchable(L, lua_gettop(L), depth + 1);
  if (!lua_istable(L, -1) || !shmx_modules_name(L, shmx_modules_refresh(L), lua_gettop(L))) return false;
  lua_pop(L, 1);
  return true;
}

static bool is_batchable(lua_State *L, int index, int depth) {
  if (lua_iscfunction(L, index)) return true;
  if (depth > DEPTH) return false;
  luaL_checkstack(L, 8, NULL);
  bool constant = true;
  int i = 1;
  for (; constant && lua_getupvalue(L, index, i); i++) {
    constant = is_constant(L, index, depth);
    lua_pop(L, 1);
  }
  return constant && (i == 1 || shmx_code_keeps_upvalues(L, index));
}

static int batch_is_batchable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushboolean(L, is_batchable(L, 1, 0));
  return 1;
}

/* new_list(n) -> {}, with room for n values: growing to it would cost more than filling it */
static int batch_new_list(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  lua_createtable(L, n > 0 && n < LIST_MAX ? (int)n : 0, 1);
  return 1;
}

static int batch_take(lua_State *L) {
  enum { TASK = 1, RESULTS = 2, FIRST = 3, VALUES = 4 };
  struct shmx_task *task = shmx_task_check(L, TASK);
  luaL_checktype(L, RESULTS, LUA_TTABLE);
  lua_Integer first = luaL_checkinteger(L, FIRST), count = -1;
  lua_settop(L, FIRST);
  if (task->status == SHMX_TASK_DONE && task->results > 1) {
    lua_getiuservalue(L, TASK, SHMX_TASK_RESULTS);
    lua_rawgeti(L, VALUES, 1);
    count = lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  if (count < 0 || count > task->results - 1) return luaL_error(L, "the result of a batch makes no sense");
  for (lua_Integer i = 0; i < count; i++) {
    lua_rawgeti(L, VALUES, 2 + i);
    lua_rawseti(L, RESULTS, first + i);
  }
  lua_pushinteger(L, count);
  for (lua_Integer i = count + 2; i <= task->results; i++) lua_rawgeti(L, VALUES, i); /* how it ended */
  return lua_gettop(L) - VALUES;
}

/* --- workers --- */

enum { HANDLER = 1, FUNCTION = 2, ELEMENTS = 3 }; /* on the stack; results take the place of elements */

/* The message handler, whose upvalue the traceback becomes. */
static int keep_traceback(lua_State *L) {
  luaL_traceback(L, L, NULL, 1);
  lua_replace(L, lua_upvalueindex(1));
  return 1;
}

/* An element has failed with the error on the top: pushes how, and the value or its text in its place. */
static void push_error(lua_State *L, bool met_limit) {
  bool refused = met_limit || shmx_array_is_refusal(L);
  shmx_runner_note_failed_element();
  lua_pushstring(L, refused ? "refused" : "failed");
  lua_insert(L, -2);
  shmx_runner_make_sendable(L);
}

/* The same, with the traceback. */
static void push_failure(lua_State *L, int status) {
  push_error(L, shmx_runner_met_limit(status));
  lua_getupvalue(L, HANDLER, 1);
}

static int batch_fail_element(lua_State *L) {
  lua_settop(L, 1);
  push_error(L, false);
  return 2;
}

/* The result on the top is no scalar: pushes how and the value in its place. One that cannot be sent is the failure of its
 * element, not of the batch. */
static void push_value(lua_State *L) {
  bool sendable = shmx_runner_try_to_send(L);
  if (!sendable) {
    lua_remove(L, -2); /* by what is wrong with it */
    shmx_runner_note_failed_element();
  }
  lua_pushstring(L, sendable ? "value" : "failed");
  lua_insert(L, -2);
}

/* Calls the function with the element at `at`, where the result goes. False: the batch ends with what is on the top. */
static bool run_element(lua_State *L, int at) {
  lua_pushvalue(L, FUNCTION);
  lua_pushvalue(L, at);
  int status = lua_pcall(L, 1, 1, HANDLER);
  if (status == LUA_OK && shmx_batch_takes(L)) {
    lua_replace(L, at);
    return true;
  }
  if (status != LUA_OK) push_failure(L, status);
  else push_value(L);
  return false;
}

static size_t size_of(lua_State *L, int at) { return lua_type(L, at) == LUA_TSTRING ? lua_rawlen(L, at) : 0; }

static int batch_run(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushnil(L);
  lua_pushcclosure(L, keep_traceback, 1);
  lua_insert(L, HANDLER);
  int last = lua_gettop(L), at = ELEMENTS;
  luaL_checkstack(L, 8, NULL);
  int64_t end = shmx_os_now_about() + DURATION;
  size_t bytes = 0;
  while (at <= last && run_element(L, at)) {
    bytes += size_of(L, at++);
    if (bytes >= SHMX_BATCH_BYTES || shmx_os_now_about() >= end) break;
  }
  int extra = lua_gettop(L) - last;
  lua_pushinteger(L, at - ELEMENTS);
  lua_replace(L, FUNCTION);
  for (int i = 0; i < extra; i++) lua_copy(L, last + 1 + i, at + i);
  lua_settop(L, at - 1 + extra);
  return lua_gettop(L) - HANDLER;
}

static const luaL_Reg functions[] = {
    {"run_batch", batch_run},   {"is_batchable", batch_is_batchable}, {"fail_element", batch_fail_element},
    {"take_batch", batch_take}, {"new_list", batch_new_list},         {NULL, NULL}};

void shmx_batch_open(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, "run_batch");
  lua_setfield(L, LUA_REGISTRYINDEX, SHMX_BATCH_RUN);
}
