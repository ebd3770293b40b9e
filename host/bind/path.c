/* SPDX-License-Identifier: MIT */
/* Paths in words: see bind/path.h. A name is shown as it is, except that what a terminal might act on is not. */
#include "bind/path.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

enum { PATH_MAX_SHOWN = 200, NAME_MAX_SHOWN = 100 };

static void add_name(luaL_Buffer *b, const char *name, size_t size) {
  for (size_t i = 0; i < size && i < NAME_MAX_SHOWN; i++) {
    luaL_addchar(b, (char)(iscntrl((unsigned char)name[i]) ? '?' : name[i]));
  }
  if (size > NAME_MAX_SHOWN) luaL_addstring(b, "...");
}

/* A key in a field's name: .name, [3], [true], [table]. */
static void add_key(lua_State *L, luaL_Buffer *b, int key, bool first) {
  size_t size;
  char text[64];
  if (lua_type(L, key) == LUA_TSTRING) {
    const char *name = lua_tolstring(L, key, &size);
    if (!first) luaL_addchar(b, '.');
    add_name(b, name, size);
    return;
  }
  if (lua_isinteger(L, key)) {
    lua_Integer n = lua_tointeger(L, key);
    snprintf(text, sizeof text, "[%lld]", (long long)n);
  } else if (lua_type(L, key) == LUA_TNUMBER) {
    snprintf(text, sizeof text, "[%.14g]", (double)lua_tonumber(L, key));
  } else if (lua_type(L, key) == LUA_TBOOLEAN) {
    snprintf(text, sizeof text, "[%s]", lua_toboolean(L, key) ? "true" : "false");
  } else {
    snprintf(text, sizeof text, "[%s]", lua_typename(L, lua_type(L, key)));
  }
  luaL_addstring(b, text);
}

static bool is_field(const struct shmx_path *path) {
  return path && (path->step == SHMX_STEP_ITEM || path->step == SHMX_STEP_FIELD);
}

static void add_step(lua_State *L, luaL_Buffer *b, const struct shmx_path *path, bool last) {
  char text[64];
  bool first = !is_field(path->up);
  if (is_field(path) && first) luaL_addstring(b, ", field \"");
  switch (path->step) {
  case SHMX_STEP_VALUE:
    snprintf(text, sizeof text, "%s %lld", path->name, (long long)path->number);
    luaL_addstring(b, text);
    break;
  case SHMX_STEP_FUNCTION: luaL_addstring(b, "function"); break;
  case SHMX_STEP_ITEM:
    snprintf(text, sizeof text, "[%lld]", (long long)path->number);
    luaL_addstring(b, text);
    break;
  case SHMX_STEP_FIELD: add_key(L, b, path->key, first); break;
  case SHMX_STEP_KEY: luaL_addstring(b, ", a key"); break;
  case SHMX_STEP_UPVALUE:
    luaL_addstring(b, ", upvalue \"");
    add_name(b, path->name, strlen(path->name));
    luaL_addchar(b, '"');
    break;
  case SHMX_STEP_PACKED:
    snprintf(text, sizeof text, ", result %lld of __shmx_pack", (long long)path->number);
    luaL_addstring(b, text);
    break;
  }
  if (is_field(path) && last) luaL_addchar(b, '"');
}

/* Adds the steps from the first down to `path`; the next one, if any, decides whether a field's name goes on. */
static void add_steps(lua_State *L, luaL_Buffer *b, const struct shmx_path *path, const struct shmx_path *next) {
  if (path->up) add_steps(L, b, path->up, path);
  add_step(L, b, path, !is_field(next));
}

void shmx_path_push(lua_State *L, const struct shmx_path *path) {
  luaL_Buffer b;
  size_t size;
  luaL_checkstack(L, 8, "a path is too long");
  luaL_buffinit(L, &b);
  add_steps(L, &b, path, NULL);
  luaL_pushresult(&b);
  const char *text = lua_tolstring(L, -1, &size);
  if (size <= PATH_MAX_SHOWN) return;
  size_t half = (PATH_MAX_SHOWN - 5) / 2;
  luaL_buffinit(L, &b);
  luaL_addlstring(&b, text, half);
  luaL_addstring(&b, " ... ");
  luaL_addlstring(&b, text + size - half, half);
  luaL_pushresult(&b);
  lua_remove(L, -2);
}
