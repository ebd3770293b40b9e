/* SPDX-License-Identifier: MIT */
/*
 * How the task that runs in this worker is stopped, when it was cancelled or has used up its time.
 *
 * Its end is decided by then (core/supervisor_limits.c). What is left is that the worker lets go of it, in good order and
 * soon, since it is killed otherwise. Two ways lead there. A task in Lua is interrupted: the supervisor sends a signal, the
 * handler sets a hook, and the hook raises an error, so that variables to be closed are closed. In a coroutine that error
 * ends the coroutine, and then what had resumed it is interrupted. A task that asks by itself, in Lua or in C, knows what
 * to do when the answer is yes, and is not interrupted from then on.
 */
#ifndef SHMX_BIND_STOP_H
#define SHMX_BIND_STOP_H

#include <lua.h>
#include <stdbool.h>

/* From here on the signal reaches what runs in the state, which is this worker's. */
void shmx_stop_listen(lua_State *L);

/* A task begins. */
void shmx_stop_begin(void);

/* If it is to stop, what runs now is interrupted; for when that has changed. In a worker. */
void shmx_stop_look(void);

/* Is it to stop? Whoever has been told so sees to it. Any thread may ask. */
bool shmx_stop_ask(void);

/* Asks, and raises the error of an interrupted task if it is. */
void shmx_stop_obey(lua_State *L);

#endif
