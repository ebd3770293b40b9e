/* SPDX-License-Identifier: MIT */
/*
 * The task runner: a worker's Lua state, and how a task runs in it (see core/worker.h).
 */
#ifndef SHMX_BIND_RUNNER_H
#define SHMX_BIND_RUNNER_H

#include <stdbool.h>

#include "core/worker.h"

extern const struct shmx_runner shmx_lua_runner;

/* True in a worker. */
bool shmx_runner_is_here(void);

#endif
