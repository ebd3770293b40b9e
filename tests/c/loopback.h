/* SPDX-License-Identifier: MIT */
/*
 * The Lua module `loopback`: the codec without processes, for its specs. What is packed is unpacked in the same state,
 * or goes to a second state in the role of a worker and comes back; see the functions in loopback.c.
 */
#ifndef SHMX_TESTS_LOOPBACK_H
#define SHMX_TESTS_LOOPBACK_H

#include <lua.h>

int luaopen_loopback(lua_State *L);

/* Opens Lua's libraries, the arrays as module `shmx`, and makes `loopback` known to require. */
void loopback_open_libs(lua_State *L);

#endif
