/* SPDX-License-Identifier: MIT */
/*
 * The random numbers of tasks. With a seed, those of a task depend on it and on the task's number, and not on who runs it.
 */
#ifndef SHMX_BIND_SEED_H
#define SHMX_BIND_SEED_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct shmx_seed {
  bool is_set;        /* each task draws its own numbers */
  lua_Integer seed;   /* by this, */
  lua_Integer before; /* and by its number beyond this one */
};

/* Workers are born with the same state, and are not to draw the same numbers. */
void shmx_seed_differ(lua_State *L);

/* Reads what the settings at index 1 say. */
void shmx_seed_read(lua_State *L, struct shmx_seed *seed);

/* A task with this number begins, and there is a seed. */
void shmx_seed_begin(lua_State *L, const struct shmx_seed *seed, uint32_t number);

#endif
