/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.array`: its life. It is made closed, and the segment is acquired into it afterwards, so that an
 * error in between leaves something that the collector cleans up. Closing is idempotent and serves close, __close and
 * __gc alike.
 *
 * An array is recognised by its size and a tag in it, not by its metatable: that is quicker, and it holds when a script
 * gives the metatable to something else with the debug library.
 */
#include "bind/array.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "bind/array_parts.h"
#include "bind/error.h"
#include "bind/process.h"

const char shmx_array_tag;

/* The value at `index` is no array. Functions of others than ours have no name as upvalue. */
static int refuse_other(lua_State *L, int index) {
  if (lua_type(L, lua_upvalueindex(1)) != LUA_TSTRING) return luaL_typeerror(L, index, SHMX_ARRAY_TYPE);
  return shmx_array_bad_argument(L, index, "%s expected, got %s", SHMX_ARRAY_TYPE, shmx_push_type(L, index));
}

struct shmx_array *shmx_array_check(lua_State *L, int index) {
  struct shmx_array *array = shmx_array_test(L, index);
  shmx_check_process(L);
  if (!array) refuse_other(L, index);
  if (!array->segment || !array->view.data) luaL_error(L, "array is closed");
  return array;
}

struct shmx_array *shmx_array_check_writable(lua_State *L, int index) {
  struct shmx_array *array = shmx_array_check(L, index);
  if (!array->segment->read_only) return array;
  if (lua_type(L, lua_upvalueindex(1)) != LUA_TSTRING)
    luaL_error(L, "cannot set an element: the array is %s", SHMX_ARRAY_FROZEN);
  luaL_error(L, "bad array for '%s' (it is %s)", lua_tostring(L, lua_upvalueindex(1)), SHMX_ARRAY_FROZEN);
  return array;
}

struct shmx_array *shmx_array_push(lua_State *L) {
  struct shmx_array *array = lua_newuserdatauv(L, sizeof *array, 0);
  memset(array, 0, sizeof *array);
  array->tag = &shmx_array_tag;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &shmx_array_tag); /* quicker than by its name */
  lua_setmetatable(L, -2);
  return array;
}

/*
 * The collector makes a cycle for every so many bytes as the Lua heap has (by default). It sees 200 bytes of an array,
 * so the rest is put to its account here, but not byte for byte: with a small heap, every array would start a cycle.
 * Scaled by heap / (heap + CHARGE_FLOOR), a cycle comes for about every heap + CHARGE_FLOOR bytes of arrays.
 *
 * An array that is being made is no garbage: it is put to account when the next one comes, unless it is closed by then;
 * and before that one gets its memory, which is then what the last garbage has just left in the cache.
 */
enum { CHARGE_STEP = 256 * 1024, CHARGE_FLOOR = 4 * 1024 * 1024 };

static uint64_t uncharged; /* bytes, in this process; small arrays do not each run a step */

static void collect_if_due(lua_State *L) {
  if (uncharged < CHARGE_STEP || !lua_gc(L, LUA_GCISRUNNING)) return;
  double heap = (double)lua_gc(L, LUA_GCCOUNT) * 1024;
  double kib = (double)uncharged / 1024 * (heap / (heap + CHARGE_FLOOR));
  uncharged = 0;
  lua_gc(L, LUA_GCSTEP, kib < 1 ? 1 : kib > INT_MAX ? INT_MAX : (int)kib);
}

void shmx_array_charge(lua_State *L, uint64_t size) {
  collect_if_due(L);
  uncharged += size;
}

void shmx_array_charge_nothing(void) { uncharged = 0; }

static void uncharge(const struct shmx_segment *segment) {
  if (segment && segment->refs == 1) uncharged -= segment->size < uncharged ? segment->size : uncharged;
}

void shmx_array_close(struct shmx_array *array) {
  struct shmx_segment *segment = array->segment;
  array->segment = NULL;
  memset(&array->view, 0, sizeof array->view);
  uncharge(segment);
  shmx_segment_release(segment);
}

struct shmx_array *shmx_array_share(lua_State *L, int index) {
  index = lua_absindex(L, index);
  struct shmx_array *share = shmx_array_push(L);
  struct shmx_array *array = shmx_array_check(L, index);
  shmx_segment_retain(array->segment);
  share->segment = array->segment;
  share->view = array->view;
  return share;
}

#define REFUSAL "shmx.refusal" /* in the registry */

bool shmx_array_is_refusal(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, REFUSAL);
  bool is = lua_isstring(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  return is;
}

/* The message is remembered: a task that ends with just this error has been refused, it has not failed (runner.c). */
static int refuse_by_limit(lua_State *L, lua_Integer bytes, const char *why) {
  luaL_where(L, 1);
  lua_pushfstring(L, "cannot allocate %I bytes: %s", (LUAI_UACINT)bytes, why);
  lua_concat(L, 2);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, REFUSAL);
  return lua_error(L);
}

#define OR_RAISE "or raise the budget (--memory, shmx.memory, or memory = of the pool)"

static int refuse(lua_State *L, uint64_t size, int code) {
  lua_Integer bytes = size > INT64_MAX ? INT64_MAX : (lua_Integer)size;
  switch (code) {
  case -E2BIG: return refuse_by_limit(L, bytes, "the memory budget is smaller than that; make less, " OR_RAISE);
  case -EDQUOT:
    return refuse_by_limit(L, bytes, "the memory budget is used up; close arrays you need no more, " OR_RAISE);
  case -EFBIG: return refuse_by_limit(L, bytes, shmx_explain(code));
  default: return luaL_error(L, "cannot allocate %I bytes: %s", (LUAI_UACINT)bytes, shmx_explain(code));
  }
}

void shmx_array_alloc(lua_State *L, uint64_t size, unsigned flags, struct shmx_segment **slot) {
  struct shmx_memory *memory = shmx_memory_here();
  shmx_check_process(L);
  collect_if_due(L);
  int code = memory ? shmx_memory_alloc(memory, size, flags, slot) : -ENOMEM;
  if (memory && (code == -ENOMEM || code == -EDQUOT)) {
    lua_gc(L, LUA_GCCOLLECT);
    code = shmx_memory_alloc(memory, size, flags, slot);
    if (code == -ENOMEM || code == -EDQUOT) code = shmx_memory_alloc_wait(memory, size, flags, slot);
  }
  if (code != 0) refuse(L, size, code);
  uncharged += size;
}

struct shmx_array *shmx_array_new(lua_State *L, const struct shmx_view *shape, unsigned flags) {
  struct shmx_array *array = shmx_array_push(L);
  shmx_array_alloc(L, (uint64_t)shmx_view_nbytes(shape), flags, &array->segment);
  array->view = *shape;
  array->view.data = array->segment->data;
  return array;
}

struct shmx_array *shmx_array_produce(lua_State *L, const struct shmx_view *shape, shmx_producer *make, void *context) {
  struct shmx_array *array = shmx_array_new(L, shape, SHMX_ALLOC_PRODUCED);
  int code = shmx_segment_produce(array->segment, make, context);
  if (code < 0) {
    shmx_array_close(array);
    refuse(L, (uint64_t)shmx_view_nbytes(shape), code);
  }
  return array;
}

int shmx_array_bad_argument(lua_State *L, int arg, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = lua_pushvfstring(L, format, args);
  va_end(args);
  return shmx_bad_argument(L, arg, lua_tostring(L, lua_upvalueindex(1)), message);
}

const char *shmx_array_describe(lua_State *L, int index) {
  enum { SHOWN = 40 };
  int type = lua_type(L, index);
  if (type == LUA_TNONE) return lua_pushliteral(L, "nothing");
  if (type == LUA_TNUMBER) {
    lua_Number x = lua_tonumber(L, index);
    return x != x ? lua_pushliteral(L, "nan") : luaL_tolstring(L, index, NULL);
  }
  if (type == LUA_TSTRING) {
    const char *text = lua_tostring(L, index);
    if (lua_rawlen(L, index) <= SHOWN) return lua_pushfstring(L, "\"%s\"", text);
    return lua_pushfstring(L, "a string of %I bytes", (LUAI_UACINT)lua_rawlen(L, index));
  }
  if (shmx_array_test(L, index)) return lua_pushliteral(L, "an array");
  return lua_pushstring(L, lua_typename(L, type));
}

static int array_close(lua_State *L) {
  struct shmx_array *array = shmx_array_test(L, 1);
  if (!array) return refuse_other(L, 1);
  shmx_array_close(array);
  return 0;
}

static int array_close_by_name(lua_State *L) {
  if (shmx_array_test(L, 1)) shmx_array_check_end(L, 1); /* __close gets an error too */
  return array_close(L);
}

static int array_len(lua_State *L) {
  lua_pushinteger(L, shmx_array_check(L, 1)->view.shape[0]);
  return 1;
}

/* Adds functions to the table on the top, each with its name as an upvalue. */
static void add_functions(lua_State *L, const luaL_Reg *functions) {
  for (; functions->name; functions++) {
    lua_pushstring(L, functions->name);
    lua_pushcclosure(L, functions->func, 1);
    lua_setfield(L, -2, functions->name);
  }
}

static void push_methods(lua_State *L) {
  static const luaL_Reg close[] = {{"close", array_close_by_name}, {NULL, NULL}};
  lua_newtable(L);
  shmx_array_add_fields(L);
  add_functions(L, close);
  add_functions(L, shmx_array_index_methods);
  add_functions(L, shmx_array_bulk_methods);
  add_functions(L, shmx_array_equal_methods);
  add_functions(L, shmx_array_map_methods);
  add_functions(L, shmx_array_order_methods);
  add_functions(L, shmx_array_combine_methods);
  add_functions(L, shmx_array_product_methods);
  add_functions(L, shmx_array_random_methods);
  add_functions(L, shmx_array_select_methods);
  add_functions(L, shmx_array_view_methods);
  add_functions(L, shmx_array_text_methods);
  add_functions(L, shmx_array_bins_methods);
  add_functions(L, shmx_array_file_methods);
  add_functions(L, shmx_array_freeze_methods);
  add_functions(L, shmx_array_named_methods);
  add_functions(L, shmx_array_unique_methods);
  shmx_array_add_ops(L);
  shmx_array_add_reductions(L);
}

static void make_metatable(lua_State *L) {
  enum { ROOM = 64 };
  static const luaL_Reg plain[] = {{"__gc", array_close},
                                   {"__close", array_close},
                                   {"__len", array_len},
                                   {"__tostring", shmx_array_tostring},
                                   {NULL, NULL}};
  lua_createtable(L, 0, ROOM);
  push_methods(L);
  shmx_array_add_indexing(L);
  lua_pushliteral(L, SHMX_ARRAY_TYPE);
  lua_setfield(L, -2, "__name");
  add_functions(L, plain);
  shmx_array_add_operators(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &shmx_array_tag);
  lua_setfield(L, LUA_REGISTRYINDEX, SHMX_ARRAY_TYPE);
}

void shmx_array_open(lua_State *L) {
  make_metatable(L);
  shmx_array_open_segment(L);
  add_functions(L, shmx_array_constructors);
  add_functions(L, shmx_array_from_constructors);
  add_functions(L, shmx_array_combine_constructors);
  add_functions(L, shmx_array_file_constructors);
  add_functions(L, shmx_array_named_constructors);
  lua_newtable(L);
  shmx_array_add_ops(L);
  lua_setfield(L, -2, "elementwise");
}
