/* SPDX-License-Identifier: MIT */
/*
 * See last_words.h. Lua is only asked what it can tell without allocating or running anything: which functions are being
 * called, and in which line. Should even that crash, the process ends with the signal it would have ended with anyway,
 * and without words.
 *
 * The module is the one whose function Lua has called, and so it is named also when the crash happens in a library that
 * it uses. Lua's own library and this program are not named: they do what the line says.
 */
#include "bind/last_words.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "os/os.h"

enum { COROUTINES = 200 }; /* that are inside one another, at most */

/* The coroutine that the innermost function of L has resumed, or NULL: it is the function's argument, or, in one that
 * coroutine.wrap made, its upvalue. */
static lua_State *resumed(lua_State *L, lua_Debug *frame) {
  lua_Debug other;
  lua_State *inner = lua_getlocal(L, frame, 1) ? lua_tothread(L, -1) : NULL;
  lua_getinfo(L, "f", frame);
  if (!inner && lua_getupvalue(L, -1, 1)) inner = lua_tothread(L, -1);
  return inner && inner != L && lua_status(inner) == LUA_OK && lua_getstack(inner, 0, &other) ? inner : NULL;
}

/* The thread that runs, given the main one, and its innermost C function, if it is in one. */
static lua_State *innermost(lua_State *L, lua_CFunction *function) {
  lua_Debug frame;
  *function = NULL;
  for (int depth = 0; depth < COROUTINES && lua_getstack(L, 0, &frame); depth++) {
    lua_getinfo(L, "S", &frame);
    if (*frame.what != 'C') break;
    lua_State *inner = resumed(L, &frame);
    if (!inner) {
      lua_getinfo(L, "f", &frame);
      *function = lua_tocfunction(L, -1);
      break;
    }
    L = inner;
  }
  return L;
}

/* The file that the instruction is in, unless that is Lua's library or this program. */
static bool find_module(const void *place, char *file) {
  const void *known[] = {(const void *)lua_getstack, (const void *)shmx_last_words};
  char other[PATH_MAX];
  if (!place || !shmx_os_file_at(place, file, PATH_MAX)) return false;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (shmx_os_file_at(known[i], other, sizeof other) && strcmp(file, other) == 0) return false;
  return true;
}

/* The innermost line of Lua in the thread, 0: none. */
static int find_line(lua_State *L, lua_Debug *frame) {
  for (int level = 0; lua_getstack(L, level, frame); level++) {
    lua_getinfo(L, "Sl", frame);
    if (frame->currentline > 0) return frame->currentline;
  }
  return 0;
}

void shmx_last_words(lua_State *L, const void *place, char *out, size_t room) {
  char file[PATH_MAX];
  lua_CFunction function;
  lua_Debug frame;
  lua_State *running = innermost(L, &function);
  bool module = find_module((const void *)function, file) || find_module(place, file);
  int line = find_line(running, &frame);
  if (module && line) snprintf(out, room, "in %s, called at %s:%d", file, frame.short_src, line);
  else if (module) snprintf(out, room, "in %s", file);
  else if (line) snprintf(out, room, "at %s:%d", frame.short_src, line);
  else if (room > 0) out[0] = 0;
}
