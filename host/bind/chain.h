/* SPDX-License-Identifier: MIT */
/*
 * Tasks as arguments of tasks: the part that is written in C. A task with an input that has not ended is *pending*: it has
 * its function and arguments, and is submitted when its inputs are there (lua/shmx/chain.lua). An input that somebody
 * waits for is *awaited*: its end is noted, and lua/shmx/chain.lua looks at it as soon as tasks may be submitted.
 */
#ifndef SHMX_BIND_CHAIN_H
#define SHMX_BIND_CHAIN_H

#include <lua.h>
#include <stdbool.h>

#include "bind/task.h"

/* True when one of the `count` values from stack index `first` on is a task. */
bool shmx_chain_has_input(lua_State *L, int first, int count);

/* Puts first results in the place of the tasks among these values. False, and nothing is changed: one is not done. */
bool shmx_chain_fill_in(lua_State *L, int first, int count);

/* The task at `index`, which has its function and arguments, waits for its inputs, or is submitted to the pool at index 1
 * if they are there. */
void shmx_chain_defer(lua_State *L, int index);

/* The awaited task at `index` has ended. */
void shmx_chain_note(lua_State *L, int index);

/* Submits what has its inputs now, as far as that is possible. False, and quick, when nothing awaited has ended. */
bool shmx_chain_resolve(lua_State *L);

/* The pending task at `index` is cancelled. */
void shmx_chain_cancel(lua_State *L, int index);

/* Adds to the module on the top what lua/shmx/chain.lua needs. */
void shmx_chain_open(lua_State *L);

#endif
