/* SPDX-License-Identifier: MIT */
/*
 * Pools without workers, for debugging: tasks run in main, at once when they are submitted, through the same messages and
 * with globals of their own. lua/shmx/alone.lua makes a pool of it.
 */
#ifndef SHMX_BIND_ALONE_H
#define SHMX_BIND_ALONE_H

#include <lua.h>

/* Adds to the module on the top: room(configuration) -> a userdata with the methods run(task) and close(). */
void shmx_alone_open(lua_State *L);

#endif
