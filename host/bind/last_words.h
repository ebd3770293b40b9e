/* SPDX-License-Identifier: MIT */
/*
 * What a worker says when it crashes: which C module was running, and which line of Lua called it.
 */
#ifndef SHMX_BIND_LAST_WORDS_H
#define SHMX_BIND_LAST_WORDS_H

#include <lua.h>
#include <stddef.h>

/* Writes "in /path/module.so, called at script.lua:12", or what of it can be found out. `place`: the instruction that
 * crashed, or NULL. Runs in a signal handler, so the state may be in the middle of anything; the process ends after it. */
void shmx_last_words(lua_State *L, const void *place, char *out, size_t room);

#endif
