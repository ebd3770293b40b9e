/* SPDX-License-Identifier: MIT */
/*
 * The worker's standard streams (core/output.h has what becomes of them), and main's side of captured text.
 */
#ifndef SHMX_BIND_OUTPUT_H
#define SHMX_BIND_OUTPUT_H

#include <lua.h>
#include <stdbool.h>

#include "core/pool.h"

/* What is to become of prints, by the name that people give it; of nil they are passed on. */
enum shmx_output_mode shmx_output_check_mode(lua_State *L, int index);

/* Worker: prints of C and of Lua go through core/output.h from now on. */
void shmx_output_open(lua_State *L);
/* Main: the same in a state in which tasks run in main, if the table of options at index 1 says that something is to become
 * of what they print. The streams of C are ours then, and to be put back. False: it does not. */
bool shmx_output_open_guest(lua_State *L);
/* Worker: tasks come now, whose output is treated as the table of options at index 1 says. */
void shmx_output_begin(lua_State *L);

/* Worker: the task has ended; flushes what it has printed, and ends its last line. */
void shmx_output_finish(void);

/* Worker: pushes what the task has printed, if it is captured and there is some. */
bool shmx_output_push(lua_State *L);
/* Worker: it is in the result, or nobody wants it. */
void shmx_output_drop(void);

/* Main: the first of the `count` values on the top is what the task at `index` has printed. Returns how many are left. */
int shmx_output_take(lua_State *L, int index, int count);
/* Main: what the task had printed when its worker died. */
void shmx_output_take_kept(lua_State *L, int index, const struct shmx_outcome *outcome);
/* Main: pushes what the task at `index` has printed, or nil. */
void shmx_output_push_taken(lua_State *L, int index);

#endif
