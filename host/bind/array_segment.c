/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.segment`, which says which segment an array views. It is a description: it keeps nothing alive, and
 * stays true after the segment is gone, since ids are never used again. Who holds it is asked for each time.
 */
#include "bind/array_parts.h"
#include "core/chunk.h"
#include "core/message.h"

#define SEGMENT_TYPE "shmx.segment"

struct description {
  uint64_t id, size, chunk, task;
  bool shared; /* it had been handed over when it was described */
};

enum { ID, BYTES, CHUNK, TASK, STATE, HOLDERS, FIELDS };

static const struct description *test_segment(lua_State *L, int index) {
  const struct description *segment = luaL_testudata(L, index, SEGMENT_TYPE);
  return segment && lua_rawlen(L, index) == sizeof *segment ? segment : NULL;
}

static const struct description *check_segment(lua_State *L, int index) {
  const struct description *segment = test_segment(L, index);
  if (!segment) luaL_typeerror(L, index, SEGMENT_TYPE);
  return segment;
}

/* bind/survey.c has the answer. */
static int ask(lua_State *L, const struct description *segment, lua_Integer field) {
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.describe_segment");
  lua_pushinteger(L, (lua_Integer)segment->id);
  lua_pushboolean(L, segment->shared);
  lua_call(L, 2, 2);
  if (field == STATE) lua_pop(L, 1);
  return 1;
}

static int segment_index(lua_State *L) {
  const struct description *segment = check_segment(L, 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) {
    return luaL_error(L, "a segment has no field %s", shmx_array_describe(L, 2));
  }
  const uint64_t values[] = {segment->id, segment->size, segment->chunk, segment->task};
  lua_Integer field = lua_tointeger(L, -1);
  if (field >= STATE) return ask(L, segment, field);
  if (field == TASK && segment->task == 0) return 0;
  lua_pushinteger(L, (lua_Integer)values[field]);
  return 1;
}

static int segment_eq(lua_State *L) {
  const struct description *a = test_segment(L, 1), *b = test_segment(L, 2);
  lua_pushboolean(L, a && b && a->id == b->id);
  return 1;
}

static int segment_tostring(lua_State *L) {
  const struct description *segment = check_segment(L, 1);
  lua_pushfstring(L, "segment %d:%I (%I bytes)", (int)shmx_id_maker(segment->id),
                  (LUAI_UACINT)(segment->id & ((1ULL << 40) - 1)), (LUAI_UACINT)segment->size);
  return 1;
}

void shmx_array_open_segment(lua_State *L) {
  static const luaL_Reg functions[] = {{"__eq", segment_eq}, {"__tostring", segment_tostring}, {NULL, NULL}};
  static const char *const names[FIELDS] = {"id", "bytes", "chunk", "task", "state", "holders"};
  luaL_newmetatable(L, SEGMENT_TYPE);
  luaL_setfuncs(L, functions, 0);
  lua_newtable(L);
  for (int i = 0; i < FIELDS; i++) {
    lua_pushinteger(L, i);
    lua_setfield(L, -2, names[i]);
  }
  lua_pushcclosure(L, segment_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void shmx_array_push_segment(lua_State *L, const struct shmx_segment *segment) {
  const struct description description = {segment->id, segment->size, segment->chunk->id, segment->task,
                                          segment->shared};
  *(struct description *)lua_newuserdatauv(L, sizeof description, 0) = description;
  luaL_setmetatable(L, SEGMENT_TYPE);
}
