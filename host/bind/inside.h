/* SPDX-License-Identifier: MIT */
/*
 * What a task can ask and tell: which worker runs it, whether it is to stop.
 */
#ifndef SHMX_BIND_INSIDE_H
#define SHMX_BIND_INSIDE_H

#include <lua.h>

/* Adds to the module on the top: worker() -> number, task, attempt; cancelled() -> boolean; progress(done, total). */
void shmx_inside_open(lua_State *L);

#endif
