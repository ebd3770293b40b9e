/* SPDX-License-Identifier: MIT */
/* See error.h. */
#include "bind/error.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

#include "bind/array_parts.h"
#include "os/os.h"

/* The parts that are written in Lua lie in one folder, whose name on_failure keeps. */
bool shmx_is_own_source(lua_State *L, const char *source) {
  size_t size;
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.folder");
  const char *folder = lua_tolstring(L, -1, &size);
  bool own = folder && strncmp(source, folder, size) == 0;
  lua_pop(L, 1);
  return own;
}

void shmx_push_where(lua_State *L) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0 || shmx_is_own_source(L, frame.source)) continue;
    lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

int shmx_error(lua_State *L, const char *format, ...) {
  va_list values;
  shmx_push_where(L);
  va_start(values, format);
  lua_pushvfstring(L, format, values);
  va_end(values);
  lua_concat(L, 2);
  return lua_error(L);
}

int shmx_bad_argument(lua_State *L, int index, const char *function, const char *problem) {
  lua_Debug frame;
  lua_getstack(L, 0, &frame);
  lua_getinfo(L, "n", &frame);
  if (strcmp(frame.namewhat, "method") == 0) index--;
  if (index == 0) return shmx_error(L, "calling '%s' on bad self (%s)", function, problem);
  return shmx_error(L, "bad argument #%d to '%s' (%s)", index, function, problem);
}

void shmx_refuse_end(lua_State *L, int last, const char *function) {
  for (int index = last + 1, top = lua_gettop(L); index <= top; index++) {
    if (lua_isnil(L, index)) continue;
    const char *got = shmx_array_describe(L, index);
    shmx_bad_argument(L, index, function, lua_pushfstring(L, "nothing is expected here, got %s", got));
  }
}

int shmx_error_without(lua_State *L, const char *what, const char *method) {
  return shmx_error(L, "calling '%s' without a %s: write %s:%s(...), with a colon", method, what, what, method);
}

const char *shmx_explain(int code) {
  switch (code) {
  case -EDQUOT: return "the memory budget is used up (--memory, shmx.memory)";
  case -E2BIG: return "it is larger than the memory budget (--memory, shmx.memory)";
  case -ENODATA: return "another program has cut short the memory that has a name";
  case -EFBIG: return "shared memory counts as a file, and " SHMX_OS_FILE_TOO_LARGE;
  default: return shmx_os_explain(code);
  }
}

const char *shmx_push_type(lua_State *L, int index) {
  int named = luaL_getmetafield(L, index, "__name");
  if (named == LUA_TSTRING) return lua_tostring(L, -1);
  if (named != LUA_TNIL) lua_pop(L, 1);
  return lua_pushstring(L, luaL_typename(L, index));
}
