/* SPDX-License-Identifier: MIT */
/*
 * Weak tables: what is noted of values that others own must not keep them alive.
 */
#ifndef SHMX_BIND_WEAK_H
#define SHMX_BIND_WEAK_H

#include <lua.h>

/* Makes the table on the top weak: `mode` as in __mode. */
static inline void shmx_make_weak(lua_State *L, const char *mode) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

#endif
