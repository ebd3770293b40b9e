/* SPDX-License-Identifier: MIT */
/*
 * Which coroutine runs. Lua does not tell a signal handler, which needs to know in order to stop a task, since a hook is a
 * coroutine's own. So what resumes coroutines in tasks is led through here, and notes it on its way. A C module that
 * resumes by itself goes unnoticed: then it is the coroutine around it that is known.
 */
#ifndef SHMX_BIND_RUNNING_H
#define SHMX_BIND_RUNNING_H

#include <lua.h>

/* Leads coroutine.resume, and what coroutine.wrap makes, through here. */
void shmx_running_open(lua_State *L);

/* This is the main thread, and it is what runs. */
void shmx_running_begin(lua_State *L);

/* What runs, as far as it is known. May be called in a signal handler: what it returns exists, even if it has ended. */
lua_State *shmx_running(void);

#endif
