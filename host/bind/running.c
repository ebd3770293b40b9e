/* SPDX-License-Identifier: MIT */
/*
 * See running.h. The functions of Lua's own library do the work: they are called as C functions, in the frames and with
 * the upvalue that they expect, so that nothing else about coroutines changes.
 *
 * When an error leaves a coroutine by a function of coroutine.wrap, the note stays as it was: of a coroutine that has
 * ended. What is noted is kept in the registry, too, unless it is the main thread, so that it exists all the same.
 */
#include "bind/running.h"

#include <lauxlib.h>
#include <lualib.h>

#include "bind/stop.h"

static lua_State *main_thread, *volatile running;
static lua_State *kept; /* the one in the registry */
static lua_CFunction resume_of_lua, wrap_of_lua, wrapped_of_lua;
static const char key; /* of the registry, where it has a place already, so that keeping needs no memory */

/* The coroutine at `index` runs from here on. */
static void note(lua_State *L, int index, lua_State *coroutine) {
  if (coroutine != kept) {
    lua_pushvalue(L, index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    kept = coroutine;
  }
  running = coroutine;
}

/* The one that had resumed it does. Without room on its stack for a moment it is the main thread that counts. */
static void note_return(lua_State *L) {
  running = main_thread;
  if (L == main_thread || !lua_checkstack(L, 2)) return;
  lua_pushthread(L);
  note(L, -1, L);
  lua_pop(L, 1);
}

/* The coroutine at `index`, if it is one, runs in `resume`. */
static int run(lua_State *L, int index, lua_CFunction resume) {
  lua_State *coroutine = lua_tothread(L, index);
  if (!coroutine) return resume(L);
  luaL_checkstack(L, 1, NULL);
  note(L, index, coroutine);
  int results = resume(L);
  note_return(L);
  shmx_stop_look();
  return results;
}

static int resume(lua_State *L) { return run(L, 1, resume_of_lua); }

/* Its upvalue is the coroutine, as that of Lua's own. */
static int resume_wrapped(lua_State *L) { return run(L, lua_upvalueindex(1), wrapped_of_lua); }

/* Of the function that Lua's own has made, another one takes over the coroutine. */
static int wrap(lua_State *L) {
  wrap_of_lua(L);
  wrapped_of_lua = lua_tocfunction(L, -1);
  lua_getupvalue(L, -1, 1);
  lua_pushcclosure(L, resume_wrapped, 1);
  return 1;
}

/* The function that the table on the top had before. */
static lua_CFunction replace(lua_State *L, const char *name, lua_CFunction function) {
  lua_getfield(L, -1, name);
  lua_CFunction before = lua_tocfunction(L, -1);
  lua_pop(L, 1);
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
  return before;
}

void shmx_running_open(lua_State *L) {
  lua_pushboolean(L, true);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  lua_getglobal(L, LUA_COLIBNAME);
  resume_of_lua = replace(L, "resume", resume);
  wrap_of_lua = replace(L, "wrap", wrap);
  lua_pop(L, 1);
}

void shmx_running_begin(lua_State *L) { running = main_thread = L; }

lua_State *shmx_running(void) { return running; }
