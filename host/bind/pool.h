/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.pool`: main's end of a pool for Lua.
 */
#ifndef SHMX_BIND_POOL_H
#define SHMX_BIND_POOL_H

#include <lua.h>

#define SHMX_POOL_TYPE "shmx.pool"

/* What has become of the task at `index`, which has been submitted: "queued", "running", or "cancelled" when its pool is
 * gone. */
const char *shmx_task_state_on_board(lua_State *L, int index);

/* Which attempt it is that runs, or is to run next; 0 when its pool is gone. */
uint32_t shmx_task_attempt_on_board(lua_State *L, int index);

/* The number of the worker that has it; 0: none. */
uint32_t shmx_task_worker_on_board(lua_State *L, int index);

/* Takes in, without waiting, what is new in any open pool. Returns how much that was. */
int shmx_luapool_take_in_all(lua_State *L);

/* Registers the type, adds its functions to the module on the top and methods to tasks (which must be open). */
void shmx_pool_open_type(lua_State *L);

/* The supervisor of this process, started if need be; raises an error when there can be none. */
struct shmx_host *shmx_luapool_start_host(lua_State *L);

#endif
