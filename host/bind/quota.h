/* SPDX-License-Identifier: MIT */
/*
 * A quota for a Lua heap: an allocator in front of the state's own, which refuses what would make the heap larger.
 * Lua then collects all garbage and asks again, and only after that it raises "not enough memory".
 */
#ifndef SHMX_BIND_QUOTA_H
#define SHMX_BIND_QUOTA_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* All zero: none. */
struct shmx_quota {
  size_t most;  /* bytes */
  size_t limit; /* the same while it is in force */
  size_t used;
  bool met; /* something has been refused since it came into force */
  lua_Alloc allocate;
  void *context;
};

/* From now on the state's heap may have `most` bytes; or what it has now, if that is more. The quota outlives the state. */
void shmx_quota_set(lua_State *L, struct shmx_quota *quota, size_t most);

/* It is in force from here on; or it is not. */
void shmx_quota_begin(struct shmx_quota *quota);
void shmx_quota_lift(struct shmx_quota *quota);

#endif
