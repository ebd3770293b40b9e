/* SPDX-License-Identifier: MIT */
/*
 * Names for functions, which have none of their own in Lua: that of a variable, a global or a module that has or is the
 * function, a field of a module, or else where it was defined. What has been found is remembered in a weak table, so that
 * a script that submits one function many times has it looked for once.
 *
 * A name is text: it goes into slots, logs and messages, where a zero byte would end it. So nothing with one is a name.
 */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "bind/error.h"
#include "bind/task_parts.h"
#include "bind/weak.h"

bool shmx_task_is_name(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING && strlen(lua_tostring(L, index)) == lua_rawlen(L, index);
}

void shmx_task_check_name(lua_State *L, int index, const char *place) {
  if (shmx_task_is_name(L, index)) return;
  if (lua_type(L, index) != LUA_TSTRING)
    shmx_error(L, "bad %s (string expected, got %s)", place, shmx_push_type(L, index));
  shmx_error(L, "bad %s (a string without zero bytes expected, got one whose byte %I is zero)", place,
             (LUAI_UACINT)strlen(lua_tostring(L, index)) + 1);
}

/* A local variable of the frame that has the function at `f`. Parameters do not count: they say nothing about it. */
static const char *find_local(lua_State *L, lua_Debug *frame, int f) {
  const char *name;
  for (int i = frame->nparams + 1; (name = lua_getlocal(L, frame, i)) != NULL; i++) {
    bool found = lua_rawequal(L, -1, f) && name[0] != '(';
    lua_pop(L, 1);
    if (found) return name;
  }
  return NULL;
}

/* An upvalue, that has the function at `f`, of the function on the top, which is popped. */
static const char *find_upvalue(lua_State *L, int f) {
  const char *name;
  bool found = false;
  for (int i = 1; !found && (name = lua_getupvalue(L, -1, i)) != NULL; i++) {
    found = lua_rawequal(L, -1, f) && name[0] != 0;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return found ? name : NULL;
}

/* Looks for a variable of the innermost functions on the call stack that are not of this library. */
static const char *find_variable(lua_State *L, int f) {
  lua_Debug frame;
  for (int level = 1, seen = 0; seen < 3 && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "fSu", &frame);
    if (*frame.what == 'C' || shmx_is_own_source(L, frame.source)) {
      lua_pop(L, 1);
      continue;
    }
    seen++;
    const char *name = find_upvalue(L, f);
    if (!name) name = find_local(L, &frame, f);
    if (name) return name;
  }
  return NULL;
}

/* Pushes the key of the function at `f` in the table on the top, in whose place it goes; or false. */
static bool find_key(lua_State *L, int f) {
  int table = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    if (lua_rawequal(L, -1, f) && shmx_task_is_name(L, -2)) {
      lua_pop(L, 1);
      lua_replace(L, table);
      return true;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return false;
}

static bool find_global(lua_State *L, int f) {
  lua_pushglobaltable(L);
  return find_key(L, f);
}

/* Pushes the name of a loaded module that is the function, as require gives it. */
static bool find_module(lua_State *L, int f) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  return find_key(L, f);
}

/* Pushes "module.field" of a loaded module that has the function, or nothing. */
static bool find_field(lua_State *L, int f) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  int modules = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, modules)) {
    bool module = lua_istable(L, -1) && lua_type(L, -2) == LUA_TSTRING;
    if (!module) lua_pop(L, 1);
    else if (find_key(L, f)) {
      lua_pushfstring(L, "%s.%s", lua_tostring(L, -2), lua_tostring(L, -1));
      lua_replace(L, modules);
      lua_settop(L, modules);
      return true;
    }
  }
  lua_pop(L, 1);
  return false;
}

/* "function <script.lua:12>", or what there is to say about one that is written in C. */
static void push_origin(lua_State *L, int f) {
  lua_Debug info;
  lua_pushvalue(L, f);
  lua_getinfo(L, ">S", &info);
  if (*info.what == 'C') lua_pushliteral(L, "C function");
  else lua_pushfstring(L, "function <%s:%d>", info.short_src, info.linedefined);
}

/* Pushes the name of a global, a module or its field that has the function, or where it was defined. Scripts with many
 * globals make new closures again and again: for those of a definition for which nothing was found, nothing is sought.
 * The table of names is on the top. */
static void push_lasting_name(lua_State *L, int f) {
  int names = lua_gettop(L);
  push_origin(L, f);
  lua_pushvalue(L, -1);
  bool anonymous = lua_rawget(L, names) != LUA_TNIL;
  lua_pop(L, 1);
  bool written_in_c = lua_iscfunction(L, f);
  bool found = (written_in_c || !anonymous) && (find_global(L, f) || find_module(L, f));
  if (found || (written_in_c && find_field(L, f))) {
    lua_remove(L, names + 1);
  } else if (!anonymous) {
    lua_pushvalue(L, -1);
    lua_pushboolean(L, true);
    lua_rawset(L, names);
  }
}

void shmx_task_push_name(lua_State *L, int f) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "shmx.names");
  lua_pushvalue(L, f);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    const char *variable = find_variable(L, f);
    if (variable) lua_pushstring(L, variable);
    else push_lasting_name(L, f);
    lua_pushvalue(L, f);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

void shmx_task_open_names(lua_State *L) {
  lua_newtable(L);
  shmx_make_weak(L, "k");
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.names");
}
