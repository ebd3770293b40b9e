/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's program, shmx-host: the command's own file by another name.
 *
 * Main and its workers run much of the same code, Lua's and ours. As one file it is in memory once, and a worker that wakes
 * up beside main finds it in the caches.
 */
#ifndef SHMX_HOST_H
#define SHMX_HOST_H

#include <stdbool.h>

/* True when a program that was started by this name is to be the supervisor. */
bool shmx_host_is_meant(const char *program);

/* The supervisor, and by fork its workers: what the process does. Returns its exit status. */
int shmx_host_main(int argc, char **argv);

#endif
