/* SPDX-License-Identifier: MIT */
/*
 * The job log (--joblog): a line for each task that has ended; and what an earlier one lists as done (--resume).
 *
 *     ended <tab> seconds <tab> worker <tab> attempt <tab> status <tab> name
 *
 * A line is written at once, by one write, so that a run that is killed has lost none but the last. lua/shmx/joblog.lua
 * reads it.
 */
#ifndef SHMX_BIND_JOBLOG_H
#define SHMX_BIND_JOBLOG_H

#include <lua.h>
#include <stdbool.h>

extern bool shmx_joblog_is_open;

/* The task at `index` has ended. */
void shmx_joblog_write(lua_State *L, int index);

/* Adds `joblog`, `resume` and `skip` to the module on the top. */
void shmx_joblog_register(lua_State *L);

#endif
