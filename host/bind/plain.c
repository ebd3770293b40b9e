/* SPDX-License-Identifier: MIT */
/* See plain.h. */
#include "bind/plain.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/code.h"
#include "bind/format.h"
#include "bind/scalar.h"

enum { POOL = 1, FUNCTION = 2, ARGUMENTS = 3 }; /* stack indexes */
enum { HEAD = 13 };                             /* bytes before the arguments, at most */

static uint32_t place_of(const void *function) {
  _Static_assert(SHMX_PLAINS == 8, "three bits");
  return (uint32_t)((uint64_t)(uintptr_t)function * 0x9E3779B97F4A7C15u >> 61);
}

/* How many upvalues the function has, if these are none or the globals; else -1. */
static int count_upvalues(lua_State *L) {
  const char *name = lua_getupvalue(L, FUNCTION, 1);
  if (!name) return 0;
  lua_pushglobaltable(L);
  bool globals = lua_rawequal(L, -1, -2) && !strcmp(name, "_ENV");
  lua_pop(L, 2);
  if (!globals) return -1;
  if (!lua_getupvalue(L, FUNCTION, 2)) return 1;
  lua_pop(L, 1);
  return -1;
}

const struct shmx_plain *shmx_plain_find(lua_State *L, const struct shmx_plains *plains) {
  const void *function = lua_topointer(L, FUNCTION);
  const struct shmx_plain *plain = &plains->plain[place_of(function)];
  if (!function || plain->function != function) return NULL;
  return plain->globals && count_upvalues(L) != 1 ? NULL : plain; /* the debug library may have changed it */
}

static int place_in_values(const struct shmx_plains *plains, const struct shmx_plain *plain) {
  return plains->first + 2 * (int)(plain - plains->plain);
}

void shmx_plain_push_name(lua_State *L, const struct shmx_plains *plains, const struct shmx_plain *plain) {
  lua_getiuservalue(L, POOL, place_in_values(plains, plain) + 1);
}

void shmx_plain_learn(lua_State *L, struct shmx_plains *plains) {
  const void *function = lua_topointer(L, FUNCTION);
  bool again = plains->last == function;
  plains->last = function;
  int upvalues = again && !lua_iscfunction(L, FUNCTION) ? count_upvalues(L) : -1;
  struct shmx_code *code = upvalues >= 0 ? shmx_code_find(L, FUNCTION) : NULL;
  if (!code) return;
  struct shmx_plain *plain = &plains->plain[place_of(function)];
  if (plain->code) shmx_code_unuse(plain->code);
  shmx_code_use(code);
  *plain = (struct shmx_plain){.function = function, .code = code, .globals = upvalues == 1};
  lua_pushvalue(L, FUNCTION);
  lua_setiuservalue(L, POOL, place_in_values(plains, plain));
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, POOL, place_in_values(plains, plain) + 1);
}

/* What bind/format.h says of a message with the function as its first value. */
static char *write_head(char *at, const struct shmx_plain *plain, int count) {
  const char head[] = {0, (char)count, (char)(plain->globals ? 0x92 : 0x91), (char)0xd6, SHMX_EXT_FUNCTION, 0, 0, 0, 0};
  const char globals[] = {(char)0xd5, SHMX_EXT_MODULE, '_', 'G'};
  _Static_assert(sizeof head + sizeof globals == HEAD, "HEAD bytes");
  memcpy(at, head, sizeof head);
  if (plain->globals) memcpy(at + sizeof head, globals, sizeof globals);
  return at + sizeof head + (plain->globals ? sizeof globals : 0);
}

uint32_t shmx_plain_write(lua_State *L, const struct shmx_plain *plain, int count, char *body, uint32_t room) {
  const char *end = body + room;
  if (room < HEAD || count > 100) return 0;
  char *at = write_head(body, plain, count);
  for (int i = 1; i < count && at; i++) at = shmx_scalar_put(L, ARGUMENTS + i - 1, at, end);
  return at ? (uint32_t)(at - body) : 0;
}

void shmx_plains_drop(struct shmx_plains *plains) {
  for (int i = 0; i < SHMX_PLAINS; i++)
    if (plains->plain[i].code) shmx_code_unuse(plains->plain[i].code);
  memset(plains->plain, 0, sizeof plains->plain);
  plains->last = NULL;
}
