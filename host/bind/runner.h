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

/* In a worker, after a protected call that ended with `status`: true when that was for want of memory because of the limit
 * of the worker's Lua heap. The worker is then replaced after this task. */
bool shmx_runner_met_limit(int status);

/* In a worker, in a task of several elements: one has failed. */
void shmx_runner_note_failed_element(void);

/* In a worker, in the middle of a task: true when the value on the top can be sent as a result; else pushes why not. */
bool shmx_runner_try_to_send(lua_State *L);

/* The same for an error value, in whose place its text goes when it cannot be sent. */
void shmx_runner_make_sendable(lua_State *L);

/* True in a task that runs in main; its number. */
bool shmx_runner_is_guest(uint32_t *task);
/* True in such a task for what came as an argument, and which main holds therefore. */
bool shmx_runner_was_given(const struct shmx_segment *segment);

#endif
