/* SPDX-License-Identifier: MIT */
/* See quota.h. */
#include "bind/quota.h"

#include <stdint.h>

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  struct shmx_quota *quota = context;
  size_t old = block ? old_size : 0; /* without a block it is a kind of object */
  if (size > old && size - old > quota->limit - quota->used) {
    quota->met = true;
    return NULL;
  }
  void *new = quota->allocate(quota->context, block, old_size, size);
  if (new || size == 0) quota->used += size - old;
  return new;
}

void shmx_quota_set(lua_State *L, struct shmx_quota *quota, size_t most) {
  size_t used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
  *quota = (struct shmx_quota){.most = most, .used = used};
  quota->allocate = lua_getallocf(L, &quota->context);
  shmx_quota_begin(quota);
  lua_setallocf(L, allocate, quota);
}

void shmx_quota_begin(struct shmx_quota *quota) {
  quota->limit = quota->most > quota->used ? quota->most : quota->used;
  quota->met = false;
}

void shmx_quota_lift(struct shmx_quota *quota) { quota->limit = SIZE_MAX; }
