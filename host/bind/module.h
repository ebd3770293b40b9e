/* SPDX-License-Identifier: MIT */
/*
 * How Lua comes by the library: `shmx.core`, which is all of it that is written in C, and the preload entries by which
 * `require "shmx"` works in shmx-lua and in workers without a search path.
 */
#ifndef SHMX_BIND_MODULE_H
#define SHMX_BIND_MODULE_H

#include <lua.h>
#include <stdbool.h>

/* Makes package.preload entries for "shmx" and its parts. */
void shmx_open_preload(lua_State *L);

/* The module `shmx.core`. */
int luaopen_shmx_core(lua_State *L);

/* The path of a file of this installation, given from its root ("libexec/shmx/shmx-host"), as a new string on the stack;
 * raises an error when the installation cannot be found. */
const char *shmx_push_path(lua_State *L, const char *file);

/* Pushes "script.lua:12: ": where the innermost function is that is Lua's and not of this library; "" without one. */
void shmx_push_where(lua_State *L);

/* True when the chunk with this source (lua_Debug) is a part of this library. */
bool shmx_is_own_source(lua_State *L, const char *source);

/* Like luaL_error, with the position of shmx_push_where: whoever calls through a Lua part of the library is not blamed. */
int shmx_error(lua_State *L, const char *format, ...);
/* The error of a method that was called with a dot, and so without `what` it belongs to: "pool", "task". */
int shmx_error_without(lua_State *L, const char *what, const char *method);

/* Pushes the type of a value as people read it: "shmx.task" and not "userdata". */
const char *shmx_push_type(lua_State *L, int index);

/* Like lua_pcall, for what must not be cut short by Ctrl-C, because its errors are another's: an interrupt waits until the
 * call is over. The hook that raises it asks whether such a call runs. */
int shmx_call_whole(lua_State *L, int arguments, int results);
bool shmx_is_calling_whole(void);

#endif
