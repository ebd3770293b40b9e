/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: the process that starts, watches, replaces and reaps the workers, and keeps the ledger. It runs no
 * Lua, waits for nobody, and ends when main does.
 */
#ifndef SHMX_CORE_SUPERVISOR_H
#define SHMX_CORE_SUPERVISOR_H

#include "core/worker.h"

/* The descriptors that main leaves the supervisor, see shmx_host_start. */
enum { SHMX_FD_SOCKET = 3, SHMX_FD_DOMAIN, SHMX_FD_SUPERVISOR_BELL, SHMX_FD_MAIN_BELL, SHMX_FD_COUNT = 4 };

/* Runs the supervisor on these descriptors until main is gone; returns the exit status. In the workers that it forks,
 * `runner` runs the tasks. */
int shmx_supervisor_main(pid_t main_pid, const struct shmx_runner *runner);

#endif
