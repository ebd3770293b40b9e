/* SPDX-License-Identifier: MIT */
/*
 * See hook.h. Lua's own library has one hook for all functions, which finds the one to call in a table of its own: that one
 * is put back by the function that had put it there.
 */
#include "bind/hook.h"

#include <lauxlib.h>
#include <lualib.h>

#define SET_AGAIN "shmx.hook"

/* Upvalues: debug.sethook and its three arguments */
static int set_again(lua_State *L) {
  for (int i = 1; i <= 4; i++) lua_pushvalue(L, lua_upvalueindex(i));
  lua_call(L, 3, 0);
  return 0;
}

void shmx_hook_keep(lua_State *L, struct shmx_hook *hook) {
  *hook = (struct shmx_hook){lua_gethook(L), lua_gethookmask(L), lua_gethookcount(L)};
  if (!hook->function) return;
  lua_pushcfunction(L, luaopen_debug);
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "sethook");
  lua_getfield(L, -2, "gethook");
  lua_call(L, 0, 3);
  lua_pushcclosure(L, set_again, 4);
  lua_setfield(L, LUA_REGISTRYINDEX, SET_AGAIN);
  lua_pop(L, 1);
}

/* One that is written in C is none for debug.sethook, which says so in vain. */
void shmx_hook_restore(lua_State *L, const struct shmx_hook *hook) {
  lua_sethook(L, NULL, 0, 0);
  if (!hook->function) return;
  lua_getfield(L, LUA_REGISTRYINDEX, SET_AGAIN);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
  lua_sethook(L, hook->function, hook->mask, hook->count);
}
