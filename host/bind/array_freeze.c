/* SPDX-License-Identifier: MIT */
/* a:freeze(): nobody writes the array any more, wherever it goes (core/memory.h). */
#include <errno.h>
#include <string.h>

#include "bind/array_parts.h"
#include "bind/error.h"
#include "bind/pool.h"
#include "bind/process.h"
#include "bind/runner.h"
#include "core/worker.h"

/* Pushes what a list of holders calls this process. */
static const char *push_own_name(lua_State *L) {
  const struct shmx_worker_task *here = shmx_worker_now();
  return here ? lua_pushfstring(L, "worker %d", (int)here->number) : lua_pushliteral(L, "main");
}

/* Pushes the names in the list on the top that are not `own`, with commas between them. */
static const char *push_others(lua_State *L, const char *own) {
  int holders = lua_gettop(L);
  lua_pushliteral(L, "");
  for (lua_Unsigned i = 1; i <= lua_rawlen(L, holders); i++) {
    const char *before = lua_tostring(L, -1);
    lua_rawgeti(L, holders, (lua_Integer)i);
    const char *name = lua_tostring(L, -1);
    if (strcmp(name, own) != 0) lua_pushfstring(L, before[0] ? "%s, %s" : "%s%s", before, name);
    else lua_pushvalue(L, -2);
    lua_replace(L, holders + 1);
    lua_settop(L, holders + 1);
  }
  return lua_tostring(L, -1);
}

/* Says who else holds the segment. */
static int refuse_to_holders(lua_State *L, const struct shmx_segment *segment) {
  const char *own = push_own_name(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.describe_segment"); /* bind/survey.c */
  lua_pushinteger(L, (lua_Integer)segment->id);
  lua_pushboolean(L, true);
  lua_call(L, 2, 2);
  const char *state = lua_tostring(L, -2), *others = push_others(L, own);
  if (others[0] != 0) return luaL_error(L, "cannot freeze the array: it is also held by %s", others);
  if (strcmp(state, "in transit") == 0) return luaL_error(L, "cannot freeze the array: it is on its way to main");
  return luaL_error(L, "cannot freeze the array: others have held it until now");
}

/* Freezes the array at index 1. What tasks that were cancelled or timed out needed is held until it is taken in that their
 * workers have let go of them. That can run the script's functions, which may close the array. */
static int freeze(lua_State *L) {
  int r;
  do {
    const struct shmx_array *array = shmx_array_check(L, 1);
    r = shmx_memory_freeze(array->segment->memory, array->segment);
  } while (r == -EBUSY && shmx_luapool_take_in_all(L) > 0);
  return r;
}

static int array_freeze(lua_State *L) {
  const struct shmx_array *array = shmx_array_check(L, 1);
  shmx_array_check_end(L, 1);
  shmx_check_process(L);
  /* In a pool without workers the task has main's own segment. */
  if (!array->segment->read_only && shmx_runner_was_given(array->segment))
    return luaL_error(L, "cannot freeze the array: it is also held by main, a task");
  shmx_luapool_take_in_all(L);
  int r = freeze(L);
  if (r == -EBUSY) return refuse_to_holders(L, shmx_array_check(L, 1)->segment);
  if (r == -ETXTBSY)
    return luaL_error(L, "cannot freeze the array: another array has the same memory (shmx.attach); close that first");
  if (r == -EPIPE) return luaL_error(L, "cannot freeze the array: the supervisor process has died");
  if (r < 0) return luaL_error(L, "cannot freeze the array: %s", shmx_explain(r));
  lua_settop(L, 1);
  return 1;
}

const luaL_Reg shmx_array_freeze_methods[] = {{"freeze", array_freeze}, {NULL, NULL}};
