/* SPDX-License-Identifier: MIT */
/* See plain.h. The pool's table has the functions at 1, 2, ..., and their names at -1, -2, ... */
#include "bind/plain.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/code.h"
#include "bind/format.h"
#include "bind/modules.h"
#include "bind/scalar.h"

enum { POOL = 1, FUNCTION = 2, ARGUMENTS = 3 }; /* stack indexes */
enum { HEAD = 9 };                              /* bytes before the upvalues */

void shmx_plains_init(lua_State *L, struct shmx_plains *plains, int value) {
  plains->value = value;
  lua_createtable(L, SHMX_PLAINS, SHMX_PLAINS);
  lua_setiuservalue(L, -2, value);
}

static int place_of(const void *function) {
  _Static_assert(SHMX_PLAINS == 8, "three bits");
  return (int)((uint64_t)(uintptr_t)function * 0x9E3779B97F4A7C15u >> 61);
}

const struct shmx_plain *shmx_plain_find(lua_State *L, const struct shmx_plains *plains) {
  const void *function = lua_topointer(L, FUNCTION);
  const struct shmx_plain *plain = &plains->plain[place_of(function)];
  return function && plain->function == function ? plain : NULL;
}

void shmx_plain_push_name(lua_State *L, const struct shmx_plains *plains, const struct shmx_plain *plain) {
  lua_getiuservalue(L, POOL, plains->value);
  lua_rawgeti(L, -1, -1 - (plain - plains->plain));
  lua_replace(L, -2);
}

/* Notes what the upvalue on the top is. False when that is nothing plain. */
static bool learn_upvalue(lua_State *L, struct shmx_plain_upvalue *upvalue) {
  char scratch[SHMX_SCALAR_MAX + SHMX_SCALAR_STRING];
  upvalue->module[0] = 0;
  if (shmx_scalar_put(L, lua_gettop(L), scratch, scratch + sizeof scratch)) return true;
  bool may_be_module = lua_istable(L, -1) || lua_iscfunction(L, -1);
  if (!may_be_module || !shmx_modules_name(L, shmx_modules_refresh(L), lua_gettop(L))) return false;
  size_t size;
  const char *name = lua_tolstring(L, -1, &size);
  bool fits = size > 0 && size <= SHMX_PLAIN_NAME && strlen(name) == size;
  if (fits) memcpy(upvalue->module, name, size + 1);
  lua_pop(L, 1);
  return fits;
}

static bool learn_upvalues(lua_State *L, struct shmx_plain *plain) {
  bool plain_so_far = true;
  while (plain_so_far && lua_getupvalue(L, FUNCTION, plain->upvalues + 1)) {
    plain_so_far = plain->upvalues < SHMX_PLAIN_UPVALUES && learn_upvalue(L, &plain->upvalue[plain->upvalues]);
    plain->upvalues++;
    lua_pop(L, 1);
  }
  return plain_so_far;
}

void shmx_plain_learn(lua_State *L, struct shmx_plains *plains) {
  const void *function = lua_topointer(L, FUNCTION);
  bool again = plains->last == function;
  struct shmx_plain learnt = {.function = function};
  plains->last = function;
  if (!again || lua_iscfunction(L, FUNCTION) || !learn_upvalues(L, &learnt)) return;
  learnt.code = shmx_code_find(L, FUNCTION);
  if (!learnt.code) return;
  int place = place_of(function);
  shmx_code_use(learnt.code);
  if (plains->plain[place].code) shmx_code_unuse(plains->plain[place].code);
  plains->plain[place] = learnt;
  lua_getiuservalue(L, POOL, plains->value);
  lua_pushvalue(L, FUNCTION);
  lua_rawseti(L, -2, place + 1);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, -1 - place);
  lua_pop(L, 1);
}

/* Writes the upvalue on the top; NULL: it is not, or no longer, plain. */
static char *write_upvalue(lua_State *L, const struct shmx_plain_upvalue *upvalue, char *at, const char *end) {
  if (!upvalue->module[0]) return shmx_scalar_put(L, lua_gettop(L), at, end);
  size_t size = strlen(upvalue->module);
  if ((size_t)(end - at) < size + 3 || !shmx_modules_is(L, lua_gettop(L), upvalue->module)) return NULL;
  *at++ = (char)0xc7; /* an extension of `size` bytes */
  *at++ = (char)size;
  *at++ = SHMX_EXT_MODULE;
  memcpy(at, upvalue->module, size);
  return at + size;
}

/* How a message of `count` values begins whose first is a function with so many upvalues: see bind/format.h. */
static void write_head(char *at, int count, int upvalues) {
  const char head[HEAD] = {0, (char)count, (char)(0x91 + upvalues), (char)0xd6, SHMX_EXT_FUNCTION, 0, 0, 0, 0};
  memcpy(at, head, HEAD);
}

static char *write_function(lua_State *L, const struct shmx_plain *plain, int count, char *at, const char *end) {
  write_head(at, count, plain->upvalues);
  at += HEAD;
  for (int i = 0; i < plain->upvalues && at; i++) {
    lua_getupvalue(L, FUNCTION, i + 1);
    at = write_upvalue(L, &plain->upvalue[i], at, end);
    lua_pop(L, 1);
  }
  return at;
}

uint32_t shmx_plain_write(lua_State *L, const struct shmx_plain *plain, int count, char *body, uint32_t room,
                          uint32_t *head) {
  const char *end = body + room;
  if (room < HEAD || count > 100) return 0;
  char *at = write_function(L, plain, count, body, end);
  *head = at ? (uint32_t)(at - body) : 0;
  for (int i = 1; i < count && at; i++) at = shmx_scalar_put(L, ARGUMENTS + i - 1, at, end);
  return at ? (uint32_t)(at - body) : 0;
}

int shmx_plain_read(lua_State *L, const struct shmx_delivery *delivery) {
  char head[HEAD];
  const char *at = delivery->body, *end = at + delivery->size;
  int top = lua_gettop(L);
  if (delivery->size < HEAD || delivery->nsegments > 0 || delivery->ncodes != 1) return 0;
  int count = at[1];
  write_head(head, count, 0);
  if (count < 1 || count > SHMX_SCALARS || memcmp(at, head, HEAD) != 0) return 0;
  at = shmx_code_push_task(L, delivery->codes) == 0 ? at + HEAD : NULL;
  for (int i = 1; i < count && at; i++) at = shmx_scalar_take_any(L, at, end);
  if (at == end) return count;
  lua_settop(L, top);
  return 0;
}

void shmx_plains_drop(struct shmx_plains *plains) {
  for (int i = 0; i < SHMX_PLAINS; i++)
    if (plains->plain[i].code) shmx_code_unuse(plains->plain[i].code);
  memset(plains->plain, 0, sizeof plains->plain);
  plains->last = NULL;
}
