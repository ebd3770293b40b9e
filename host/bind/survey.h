/* SPDX-License-Identifier: MIT */
/*
 * What lives and who holds it, as Lua tables: for pool:segments() and for the fields of a segment.
 */
#ifndef SHMX_BIND_SURVEY_H
#define SHMX_BIND_SURVEY_H

#include <lua.h>

/* Adds `survey` to the module on the top, and makes the answerer that segments ask (bind/array_segment.c). */
void shmx_survey_register(lua_State *L);

#endif
