/* SPDX-License-Identifier: MIT */
/*
 * What C modules of others get of the library: the functions behind <shmx/shmx.h>.
 */
#ifndef SHMX_BIND_API_H
#define SHMX_BIND_API_H

#include <lua.h>

/* Puts the table of functions into the registry, where shmx_open looks for it. */
void shmx_api_open(lua_State *L);

#endif
