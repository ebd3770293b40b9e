/* SPDX-License-Identifier: MIT */
/* See seed.h. The function math.randomseed is kept in the registry, whatever tasks do to the table math. */
#include "bind/seed.h"

#include <lualib.h>
#include <unistd.h>

#include "os/os.h"

#define RANDOMSEED "shmx.randomseed"

static void push_randomseed(lua_State *L) {
  lua_getglobal(L, LUA_MATHLIBNAME);
  lua_getfield(L, -1, "randomseed");
  lua_remove(L, -2);
}

void shmx_seed_differ(lua_State *L) {
  push_randomseed(L);
  lua_pushinteger(L, shmx_os_now());
  lua_pushinteger(L, getpid());
  lua_call(L, 2, 0);
}

void shmx_seed_read(lua_State *L, struct shmx_seed *seed) {
  seed->is_set = lua_getfield(L, 1, "seed") == LUA_TNUMBER;
  seed->seed = lua_tointeger(L, -1);
  lua_getfield(L, 1, "task_before");
  seed->before = lua_tointeger(L, -1);
  lua_pop(L, 2);
  push_randomseed(L);
  lua_setfield(L, LUA_REGISTRYINDEX, RANDOMSEED);
}

/* In a protected call: the seed, the number beyond it */
static int seed_task(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, RANDOMSEED);
  lua_insert(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

void shmx_seed_begin(lua_State *L, const struct shmx_seed *seed, uint32_t number) {
  lua_pushcfunction(L, seed_task);
  lua_pushinteger(L, seed->seed);
  lua_pushinteger(L, (lua_Integer)number - seed->before);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
}
