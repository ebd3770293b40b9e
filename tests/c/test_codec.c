/* SPDX-License-Identifier: MIT */
/*
 * Runs the codec's specs, tests/spec/codec*_spec.lua, with busted in a Lua state that has the module `loopback`. A
 * program of its own, so that the sanitizers see the codec; options for busted are passed on. The state is closed in
 * the end, though busted exits: what is left then is a leak.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

#include "loopback.h"

static const char *const specs[] = {"codec", "codec_function", "codec_hostile"};

static int exit_code = -1; /* what busted has asked for */

/* In place of os.exit. */
static int leave(lua_State *L) {
  exit_code = lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, 0);
  return luaL_error(L, "the specs are done");
}

static int run(lua_State *L) {
  loopback_open_libs(L);
  lua_getglobal(L, "os");
  lua_pushcfunction(L, leave);
  lua_setfield(L, -2, "exit");
  if (luaL_dofile(L, SHMX_TESTS "/run_specs.lua")) return lua_error(L);
  return 0;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  if (!L) return 1;
  lua_newtable(L);
  lua_pushliteral(L, SHMX_TESTS "/run_specs.lua");
  lua_rawseti(L, -2, 0);
  for (int i = 1; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
    lua_pushfstring(L, SHMX_TESTS "/spec/%s_spec.lua", specs[i]);
    lua_rawseti(L, -2, argc + (lua_Integer)i);
  }
  lua_setglobal(L, "arg");
  lua_pushcfunction(L, run);
  int rc = lua_pcall(L, 0, 0, 0);
  if (rc != LUA_OK && exit_code < 0) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return rc == LUA_OK ? 0 : exit_code < 0 ? 1 : exit_code;
}
