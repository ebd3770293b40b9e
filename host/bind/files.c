/* SPDX-License-Identifier: MIT */
/* See files.h. The file name is the module's name, so luaopen_NAME of a C module is found as Lua finds it otherwise. */
#include "bind/files.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <string.h>

#include "bind/task.h"

static bool ends_with(const char *text, size_t size, const char *end) {
  size_t length = strlen(end);
  return size > length && strcmp(text + size - length, end) == 0;
}

/* Pushes the name of the function that opens /path/NAME.so, by Lua's rules: what stands before a hyphen does not count,
 * and a dot becomes an underscore. */
static const char *push_opener(lua_State *L, const char *path, size_t size) {
  const char *slash = strrchr(path, '/'), *name = slash + 1, *hyphen = strchr(name, '-');
  if (hyphen) name = hyphen + 1;
  lua_pushlstring(L, name, size - strlen(".so") - (size_t)(name - path));
  luaL_gsub(L, lua_tostring(L, -1), ".", "_");
  return lua_pushfstring(L, "luaopen_%s", lua_tostring(L, -1));
}

/* Pushes the loader of a C module. */
static void load_c(lua_State *L, const char *path, size_t size) {
  const char *opener = push_opener(L, path, size);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "loadlib");
  lua_pushstring(L, path);
  lua_pushstring(L, opener);
  lua_call(L, 2, 3);
  if (!lua_isnil(L, -3)) {
    lua_pop(L, 2);
    return;
  }
  const char *message = lua_tostring(L, -2), *where = lua_tostring(L, -1);
  if (where && strcmp(where, "init") == 0) luaL_error(L, "%s: there is no function %s in it", path, opener);
  luaL_error(L, "%s", message);
}

/* The searcher: name -> loader, path; nothing when it is not for such a name. */
static int search(lua_State *L) {
  size_t size;
  const char *path = luaL_checklstring(L, 1, &size);
  bool is_c = ends_with(path, size, ".so");
  if (*path != '/' || strlen(path) != size || (!is_c && !ends_with(path, size, ".lua"))) return 0;
  if (is_c) load_c(L, path, size);
  else if (luaL_loadfile(L, path) != LUA_OK) return lua_error(L);
  lua_pushvalue(L, 1);
  return 2;
}

/* core.name_function(f, name): tasks of f are called so, if that can be a name */
static int name_function(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (!shmx_task_is_name(L, 2)) return 0;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "shmx.names");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, -3);
  return 0;
}

void shmx_files_open(lua_State *L) {
  int module = lua_gettop(L);
  lua_pushcfunction(L, name_function);
  lua_setfield(L, -2, "name_function");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE && lua_getfield(L, -1, "searchers") == LUA_TTABLE) {
    lua_pushcfunction(L, search);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
  }
  lua_settop(L, module);
}
