/* SPDX-License-Identifier: MIT */
/* The interactive mode of the command. */
#ifndef SHMX_REPL_H
#define SHMX_REPL_H

#include <lua.h>

/* Reads statements and expressions from standard input, runs them and prints their results, until the input ends.
 * Errors are reported and do not end it. */
void shmx_repl_run(lua_State *L);

#endif
