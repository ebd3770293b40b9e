/* SPDX-License-Identifier: MIT */
/*
 * Modules by name: see bind/modules.h.
 *
 * The state is a userdata in the registry, with package.loaded, a table with weak keys (field -> "module\0field"), and a
 * second userdata: the addresses of what package.loaded had, in its order and as a set. Whether it still has the same is
 * one walk without any lookup. An address in the set can be stale, so a hit is looked up in package.loaded, where the
 * name is found too.
 */
#include "bind/modules.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <string.h>

#include "bind/weak.h"

enum { LOADED = 1, FIELDS = 2, ADDRESSES = 3, ORDER_MIN = 64 };

struct shmx_modules {
  const void **order; /* addresses, NULL where a value has none */
  const void **set;   /* those that can be modules; open addressing, twice the capacity */
  size_t count, capacity;
};

static char modules_key, loaded_key; /* their addresses are keys of the registry */

/* Pushes the state, which is made at first use. */
static struct shmx_modules *push_state(lua_State *L) {
  luaL_checkstack(L, 12, "the message is nested too deeply");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key) == LUA_TUSERDATA) return lua_touserdata(L, -1);
  lua_pop(L, 1);
  struct shmx_modules *modules = lua_newuserdatauv(L, sizeof *modules, 3);
  memset(modules, 0, sizeof *modules);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
  lua_setiuservalue(L, -2, LOADED);
  lua_newtable(L);
  shmx_make_weak(L, "k");
  lua_setiuservalue(L, -2, FIELDS);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &modules_key);
  return modules;
}

/* The place of the address in the set, or a free one. */
static const void **find_slot(const struct shmx_modules *modules, const void *address) {
  size_t mask = modules->capacity * 2 - 1;
  size_t i = (size_t)(((uint64_t)(uintptr_t)address * 0x9E3779B97F4A7C15u) >> 32) & mask;
  while (modules->set[i] && modules->set[i] != address) i = (i + 1) & mask;
  return &modules->set[i];
}

/* Pushes package.loaded. */
static void push_loaded(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  push_state(L);
  lua_getiuservalue(L, -1, LOADED);
  lua_replace(L, -2);
}

/* Whether the table on the top has the values that were noted, in the same order. */
static bool is_unchanged(lua_State *L, const struct shmx_modules *modules) {
  size_t i = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    bool same = i < modules->count && lua_topointer(L, -1) == modules->order[i];
    lua_pop(L, 1);
    i++;
    if (same) continue;
    lua_pop(L, 1);
    return false;
  }
  return i == modules->count && modules->capacity > 0;
}

/* Makes room for `count` addresses in the state at `index`, none of which is noted. */
static void make_room(lua_State *L, int index, struct shmx_modules *modules, size_t count) {
  size_t capacity = modules->capacity ? modules->capacity : ORDER_MIN;
  while (capacity <= count) capacity *= 2;
  if (capacity != modules->capacity) {
    const void **addresses = lua_newuserdatauv(L, 3 * capacity * sizeof *addresses, 0);
    lua_setiuservalue(L, index, ADDRESSES);
    modules->order = addresses;
    modules->set = addresses + capacity;
    modules->capacity = capacity;
  }
  memset(modules->set, 0, 2 * modules->capacity * sizeof *modules->set);
  modules->count = 0;
}

/* Notes the values of the table on the top, as far as there is room: it may have grown since they were counted. */
static void note(lua_State *L, struct shmx_modules *modules) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    const void *address = lua_topointer(L, -1);
    bool room = modules->count < modules->capacity;
    if (room) modules->order[modules->count++] = address;
    if (room && (lua_istable(L, -1) || lua_isfunction(L, -1))) *find_slot(modules, address) = address;
    lua_pop(L, 1);
  }
  lua_pushglobaltable(L);
  *find_slot(modules, lua_topointer(L, -1)) = lua_topointer(L, -1);
  lua_pop(L, 1);
}

const struct shmx_modules *shmx_modules_refresh(lua_State *L) {
  struct shmx_modules *modules = push_state(L);
  int index = lua_gettop(L);
  lua_getiuservalue(L, index, LOADED);
  if (!is_unchanged(L, modules)) {
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
    make_room(L, index, modules, count);
    note(L, modules);
  }
  lua_settop(L, index - 1);
  return modules;
}

/* Pushes the name under which package.loaded has the value at `index`. */
static bool find_name(lua_State *L, int index) {
  push_loaded(L);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_rawequal(L, -1, index) && lua_type(L, -2) == LUA_TSTRING) {
      lua_pop(L, 1);
      lua_remove(L, -2);
      return true;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return false;
}

bool shmx_modules_name(lua_State *L, const struct shmx_modules *modules, int index) {
  const void *address = lua_topointer(L, index);
  if (*find_slot(modules, address) != address) return false;
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, "the message is nested too deeply");
  lua_pushglobaltable(L);
  bool globals = lua_rawequal(L, -1, index);
  lua_pop(L, 1);
  if (!globals) return find_name(L, index);
  lua_pushliteral(L, "_G");
  return true;
}

bool shmx_modules_is(lua_State *L, int index, const char *name) {
  if (!strcmp(name, "_G")) {
    lua_pushglobaltable(L);
  } else {
    push_loaded(L);
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_replace(L, -2);
  }
  bool is = lua_rawequal(L, -1, index);
  lua_pop(L, 1);
  return is;
}

/* Whether the module is of Lua's own library, all functions of which are written in C: others in it are the script's. */
static bool is_of_lua(const char *name) {
  static const char *const names[] = {LUA_COLIBNAME,   LUA_TABLIBNAME,  LUA_IOLIBNAME, LUA_OSLIBNAME,  LUA_STRLIBNAME,
                                      LUA_UTF8LIBNAME, LUA_MATHLIBNAME, LUA_DBLIBNAME, LUA_LOADLIBNAME};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (!strcmp(name, names[i])) return true;
  return false;
}

/* Whether the value on the top is of a kind that travels by the name of a field. */
static bool is_wanted(lua_State *L, const char *name, bool globals) {
  if (lua_iscfunction(L, -1)) return true;
  if (lua_type(L, -1) == LUA_TFUNCTION) return !globals && !is_of_lua(name);
  return lua_type(L, -1) == LUA_TTABLE && !globals;
}

/* Notes "name\0key" for the value on the top, whose key lies below, in the table of fields at `fields`. Names that
 * contain a zero byte cannot be written so, and such fields are left out. */
static void add_field(lua_State *L, int fields, const char *name, bool globals) {
  size_t size;
  if (lua_type(L, -2) != LUA_TSTRING || !is_wanted(L, name, globals)) return;
  const char *key = lua_tolstring(L, -2, &size);
  if (strlen(key) != size) return;
  lua_pushvalue(L, -1);
  if (globals) { /* any other module is a better address */
    bool known = lua_rawget(L, fields) != LUA_TNIL;
    lua_pop(L, 1);
    if (known) return;
    lua_pushvalue(L, -1);
  }
  lua_pushstring(L, name);
  lua_pushlstring(L, "", 1);
  lua_pushvalue(L, -5);
  lua_concat(L, 3);
  lua_rawset(L, fields);
}

/* Adds the fields of the module on the top. */
static void add_fields(lua_State *L, int fields, const char *name, bool globals) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    add_field(L, fields, name, globals);
    lua_pop(L, 1);
  }
}

/* Adds the fields of every module but _G. */
static void add_modules(lua_State *L, int fields) {
  lua_pushglobaltable(L);
  int globals = lua_gettop(L);
  push_loaded(L);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    size_t size;
    if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1) && !lua_rawequal(L, -1, globals)) {
      const char *name = lua_tolstring(L, -2, &size);
      if (strlen(name) == size) add_fields(L, fields, name, false);
    }
    lua_pop(L, 1);
  }
  lua_settop(L, globals - 1);
}

void shmx_modules_refresh_fields(lua_State *L) {
  push_state(L);
  int index = lua_gettop(L);
  lua_getiuservalue(L, index, FIELDS);
  int fields = lua_gettop(L);
  add_modules(L, fields);
  lua_pushglobaltable(L);
  add_fields(L, fields, "_G", true);
  lua_settop(L, index - 1);
}

/* Pushes package.loaded[module][field] for "module\0field" without asking anything of metatables; nil if there is none. */
static void push_raw_field(lua_State *L, const char *name) {
  push_loaded(L);
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (!strcmp(name, "_G")) {
    lua_pop(L, 1);
    lua_pushglobaltable(L);
  }
  if (lua_istable(L, -1)) {
    lua_pushstring(L, name + strlen(name) + 1);
    lua_rawget(L, -2);
  } else {
    lua_pushnil(L);
  }
  lua_replace(L, -3);
  lua_pop(L, 1);
}

bool shmx_modules_field(lua_State *L, int index) {
  index = lua_absindex(L, index);
  push_state(L);
  lua_getiuservalue(L, -1, FIELDS);
  lua_replace(L, -2);
  lua_pushvalue(L, index);
  bool found = lua_rawget(L, -2) == LUA_TSTRING;
  if (found) {
    push_raw_field(L, lua_tostring(L, -1));
    found = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
  }
  if (!found) lua_pop(L, 1);
  lua_remove(L, found ? -2 : -1);
  return found;
}

void shmx_modules_push(lua_State *L, const char *name, size_t size) {
  luaL_checkstack(L, 8, "the message is nested too deeply");
  if (size == 2 && !memcmp(name, "_G", 2)) {
    lua_pushglobaltable(L);
    return;
  }
  push_loaded(L);
  lua_pushlstring(L, name, size);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_toboolean(L, -1)) return;
  lua_pop(L, 1);
  lua_pushglobaltable(L);
  lua_pushliteral(L, "require");
  lua_rawget(L, -2);
  lua_remove(L, -2);
  lua_pushlstring(L, name, size);
  lua_call(L, 1, 1);
}

void shmx_modules_push_field(lua_State *L, const char *name, size_t size) {
  const char *zero = memchr(name, 0, size);
  if (!zero) luaL_error(L, "message does not decode: a field without a module");
  size_t length = (size_t)(zero - name);
  shmx_modules_push(L, name, length);
  if (!lua_istable(L, -1)) luaL_error(L, "module '%s' is not a table here", name);
  lua_pushlstring(L, zero + 1, size - length - 1);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

bool shmx_modules_is_powerful(const char *name, size_t size) {
  static const char *const powerful[] = {"_G", "coroutine", "debug", "io", "os", "package"};
  for (size_t i = 0; i < sizeof powerful / sizeof powerful[0]; i++) {
    size_t length = strlen(powerful[i]);
    if (size > length && !memcmp(name, powerful[i], length + 1)) return true;
  }
  return false;
}
