/* SPDX-License-Identifier: MIT */
/*
 * Who may use the library: a child that was forked from a process that uses it may not. It shares the bytes with its
 * parent, but not the parent's knowledge of which of them are in use.
 */
#ifndef SHMX_BIND_PROCESS_H
#define SHMX_BIND_PROCESS_H

#include <lauxlib.h>

#include "os/os.h"

/* Raises an error in such a child. */
static inline void shmx_check_process(lua_State *L) {
  if (shmx_os_forked()) luaL_error(L, "shmx cannot be used in a forked child");
}

#endif
