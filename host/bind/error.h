/* SPDX-License-Identifier: MIT */
/*
 * Errors that scripts see: they point at the script's own line, and say what was wrong and what was expected.
 */
#ifndef SHMX_BIND_ERROR_H
#define SHMX_BIND_ERROR_H

#include <lua.h>
#include <stdbool.h>

/* Pushes "script.lua:12: ": where the innermost function is that is Lua's and not of this library; "" without one. */
void shmx_push_where(lua_State *L);

/* True when the chunk with this source (lua_Debug) is a part of this library. */
bool shmx_is_own_source(lua_State *L, const char *source);

/* Like luaL_error, with the position of shmx_push_where: whoever calls through a Lua part of the library is not blamed. */
int shmx_error(lua_State *L, const char *format, ...);
/* The error "bad argument #1 to 'function' (problem)" for the value at a stack index of the C function that runs. People do
 * not count the object before a colon. */
int shmx_bad_argument(lua_State *L, int index, const char *function, const char *problem);
/* Refuses what the function of this name was given behind stack index `last`: an argument that nobody reads is better an
 * error than ignored. Nil is none. */
void shmx_refuse_end(lua_State *L, int last, const char *function);
static inline void shmx_check_end(lua_State *L, int last, const char *function) {
  if (lua_gettop(L) > last) shmx_refuse_end(L, last, function);
}
/* The error of a method that was called with a dot, and so without `what` it belongs to: "pool", "task". */
int shmx_error_without(lua_State *L, const char *what, const char *method);

/* What a negative code means that came of making, mapping or sending shared memory. */
const char *shmx_explain(int code);

/* Pushes the type of a value as people read it: "shmx.task" and not "userdata". */
const char *shmx_push_type(lua_State *L, int index);

#endif
