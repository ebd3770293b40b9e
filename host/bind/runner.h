/* SPDX-License-Identifier: MIT */
/*
 * The task runner: a worker's Lua state, and how a task runs in it (see core/worker.h).
 */
#ifndef SHMX_BIND_RUNNER_H
#define SHMX_BIND_RUNNER_H

#include <lua.h>
#include <stdbool.h>

#include "core/worker.h"

extern const struct shmx_runner shmx_lua_runner;

/* True in a worker. */
bool shmx_runner_is_here(void);

/* The worker's Lua state is being closed. */
void shmx_runner_closes(void);

/* In a worker, in the middle of a task: true when the value on the top can be sent as a result; else pushes why not. */
bool shmx_runner_try_to_send(lua_State *L);

/* The same for an error value, in whose place its text goes when it cannot be sent. */
void shmx_runner_make_sendable(lua_State *L);

#endif
