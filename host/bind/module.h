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

/* Like lua_pcall, for what must not be cut short by Ctrl-C, because its errors are another's: an interrupt waits until the
 * call is over. The hook that raises it asks whether such a call runs. */
int shmx_call_whole(lua_State *L, int arguments, int results);
bool shmx_is_calling_whole(void);

#endif
