/* SPDX-License-Identifier: MIT */
/*
 * What the files of the type `shmx.task` share, host/bind/task*.c alone.
 */
#ifndef SHMX_BIND_TASK_PARTS_H
#define SHMX_BIND_TASK_PARTS_H

#include <lua.h>

#include "bind/task.h"

/* task_name.c: makes the table of names. */
void shmx_task_open_names(lua_State *L);

/* task_new.c: shmx.task(f, ...) and shmx.task{f, args..., n =, name =, timeout =, retries =} */
int shmx_task_new(lua_State *L);

/* core.task_name(value, place) -> value, which can be a name */
int shmx_task_read_name(lua_State *L);

/* task_fields.c: metamethods; the methods are the first one's upvalue. */
int shmx_task_index(lua_State *L);
int shmx_task_newindex(lua_State *L);
int shmx_task_tostring(lua_State *L);

/* Pushes the value on the top, an argument, as text: a whole number is written as one, though 10^3 is a float. */
void shmx_task_push_argument_text(lua_State *L);

#endif
