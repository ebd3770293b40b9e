/* SPDX-License-Identifier: MIT */
/*
 * Running pieces of Lua for the command: files, strings, libraries, the script and its arguments.
 *
 * All calls go through shmx_run_call, so an error anywhere has a traceback and Ctrl-C interrupts it. Functions return
 * the status of the Lua API, LUA_OK or an error, which they have reported on standard error already.
 */
#ifndef SHMX_RUN_H
#define SHMX_RUN_H

#include <lua.h>

/* What stands before messages on standard error; NULL: nothing. The string is the caller's. Returns the one before. */
const char *shmx_run_prefix(const char *prefix);

/* Prints a line on standard error, behind the prefix. */
void shmx_run_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Calls the function below `nargs` arguments. An error leaves its message, with a traceback, and is not reported.
 * The first SIGINT in the call raises "interrupted!" in it, the next one ends the process. */
int shmx_run_call(lua_State *L, int nargs, int nresults);

/* Prints and pops the error message if `status` is not LUA_OK; returns `status`. */
int shmx_run_report(lua_State *L, int status);

int shmx_run_file(lua_State *L, const char *path); /* NULL: standard input */
int shmx_run_string(lua_State *L, const char *code, const char *name);
int shmx_run_library(lua_State *L, const char *spec); /* "mod" or "global=mod" */
int shmx_run_script(lua_State *L, const char *path);  /* NULL: standard input; with the arguments in the global `arg` */

#endif
