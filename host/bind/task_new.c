/* SPDX-License-Identifier: MIT */
/*
 * shmx.task: makes a task of a function and its arguments, or of a table that has these and options. What is wrong with
 * one is said at the script's line.
 */
#include <lauxlib.h>
#include <string.h>

#include "bind/array_parts.h"
#include "bind/error.h"
#include "bind/task_parts.h"

enum { ARGUMENTS_MAX = 1000000 - 16 }; /* less than what fits on a Lua stack */

static void check_function(lua_State *L, int index, const char *what) {
  if (lua_type(L, index) == LUA_TFUNCTION) return;
  shmx_error(L, "bad %s to 'task' (function expected, got %s)", what, shmx_push_type(L, index));
}

static bool is_known_field(const char *key) {
  static const char *const known[] = {"n", "name", "retries", "timeout"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(key, known[i]) == 0) return true;
  return false;
}

/* Refuses what shmx.task{...} at index 1 does not know. */
static void check_fields(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) continue;
    const char *key = lua_tostring(L, -1);
    if (is_known_field(key)) continue;
    shmx_error(L,
               "bad field '%s' to 'task' (known are: n, name, retries, timeout, and from [1] on the function and its "
               "arguments)",
               key);
  }
}

/* The number of arguments in shmx.task{f, args..., n =}. */
static int check_count(lua_State *L) {
  int number = 1;
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1) - 1;
  if (lua_getfield(L, 1, "n") != LUA_TNIL) count = lua_tointegerx(L, -1, &number);
  if (!number || count < 0 || count > ARGUMENTS_MAX)
    shmx_error(L, "bad field 'n' to 'task' (the number of arguments expected, at most %d, got %s)", ARGUMENTS_MAX,
               shmx_array_describe(L, -1));
  lua_pop(L, 1);
  return (int)count;
}

/* The fields timeout and retries of the table at index 1. */
static void read_limits(lua_State *L, struct shmx_task *task) {
  if (lua_getfield(L, 1, "timeout") != LUA_TNIL) {
    lua_Number seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(seconds > 0))
      shmx_error(L, "bad field 'timeout' to 'task' (a positive number of seconds expected, got %s)",
                 shmx_array_describe(L, -1));
    task->nanoseconds = shmx_task_timeout(seconds);
  }
  if (lua_getfield(L, 1, "retries") != LUA_TNIL) {
    int whole;
    lua_Integer retries = lua_tointegerx(L, -1, &whole);
    if (!whole || lua_type(L, -1) != LUA_TNUMBER || retries < 0 || retries > SHMX_TASK_RETRIES_MAX)
      shmx_error(L, "bad field 'retries' to 'task' (a whole number from 0 to %d expected, got %s)",
                 SHMX_TASK_RETRIES_MAX, shmx_array_describe(L, -1));
    task->attempt = (uint8_t)(retries + 1);
  }
}

/* shmx.task{f, args..., n =, name =, timeout =, retries =} */
static int task_from_table(lua_State *L) {
  check_fields(L);
  lua_rawgeti(L, 1, 1);
  check_function(L, 2, "field [1]");
  int count = check_count(L);
  luaL_checkstack(L, count + 8, "too many arguments");
  for (int i = 1; i <= count; i++) lua_rawgeti(L, 1, i + 1);
  shmx_task_push(L);
  shmx_task_push_name(L, 2);
  lua_setiuservalue(L, -2, SHMX_TASK_NAME);
  int task = lua_gettop(L);
  shmx_task_keep(L, task, 2, count + 1);
  if (lua_getfield(L, 1, "name") != LUA_TNIL) {
    shmx_task_check_name(L, -1, "field 'name' to 'task'");
    shmx_task_check(L, task)->named = true;
    lua_setiuservalue(L, task, SHMX_TASK_NAME);
  }
  read_limits(L, shmx_task_check(L, task));
  lua_settop(L, task);
  return 1;
}

int shmx_task_read_name(lua_State *L) {
  shmx_task_check_name(L, 1, luaL_checkstring(L, 2));
  lua_settop(L, 1);
  return 1;
}

int shmx_task_new(lua_State *L) {
  if (lua_type(L, 1) == LUA_TTABLE && lua_gettop(L) == 1) return task_from_table(L);
  check_function(L, 1, "argument #1");
  int count = lua_gettop(L);
  shmx_task_push(L);
  shmx_task_push_name(L, 1);
  lua_setiuservalue(L, -2, SHMX_TASK_NAME);
  shmx_task_keep(L, count + 1, 1, count);
  return 1;
}
