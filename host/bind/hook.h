/* SPDX-License-Identifier: MIT */
/*
 * The hook of the state in which tasks run (debug.sethook). That of `init`, such as one that counts which lines have run, is
 * there for every task; what a task has set ends with it, and so does what has interrupted it (stop.h).
 */
#ifndef SHMX_BIND_HOOK_H
#define SHMX_BIND_HOOK_H

#include <lua.h>

struct shmx_hook {
  lua_Hook function; /* NULL: tasks begin without one */
  int mask, count;
};

/* Tasks are to begin with the hook that there is now. */
void shmx_hook_keep(lua_State *L, struct shmx_hook *hook);

void shmx_hook_restore(lua_State *L, const struct shmx_hook *hook);

/* A task has ended. */
static inline void shmx_hook_end(lua_State *L, const struct shmx_hook *hook) {
  if (lua_gethook(L) || hook->function) shmx_hook_restore(L, hook);
}

#endif
