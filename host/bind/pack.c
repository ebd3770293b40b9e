/* SPDX-License-Identifier: MIT */
/*
 * Lua values -> messages: see bind/codec.h for the interface and bind/format.h for the format.
 *
 * One recursive walk. Tables are read raw, so that no metamethod runs; the only Lua code that does is __shmx_pack, whose
 * results are kept alive until the end, because what has been met is known by its address. Nothing here owns memory but
 * the packet, so an error can be raised anywhere.
 *
 * Tables are walked twice, first to count and to see whether they are sequences, since MessagePack wants to know
 * beforehand; a table that changes between (a finalizer, __shmx_pack) is an error.
 */
#include "bind/format.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/array.h"
#include "bind/code.h"
#include "bind/codec.h"
#include "bind/modules.h"
#include "bind/packet.h"
#include "bind/path.h"
#include "bind/scalar.h"

struct packer {
  lua_State *L;
  struct shmx_packet *packet;
  unsigned flags;
  int depth;
  int anchor;       /* stack index of nil, or of a table of values that exist only for this message */
  uint32_t objects; /* numbered so far */
  uint32_t cells;
  bool references;                    /* one was written */
  bool fields_known;                  /* refreshed in this message */
  const struct shmx_modules *modules; /* NULL until they are needed */
  mpack_tokbuf_t tokbuf;
};

/* In a number of `seen`: the object is being packed by its __shmx_pack and cannot be referred to. */
enum { OPEN = 1u << 31 };

static void pack_value(struct packer *p, int index, const struct shmx_path *path);

/* Errors. */

static _Noreturn void refuse(struct packer *p, const struct shmx_path *path, const char *what) {
  shmx_path_push(p->L, path);
  luaL_error(p->L, "%s: %s", lua_tostring(p->L, -1), what);
  __builtin_unreachable();
}

/* "WHAT cannot be sent to a worker", or "from" one. */
static _Noreturn void refuse_travel(struct packer *p, const struct shmx_path *path, const char *what) {
  const char *way = p->flags & SHMX_PACK_FUNCTIONS ? "to" : "from";
  refuse(p, path, lua_pushfstring(p->L, "%s cannot be sent %s a worker", what, way));
}

static _Noreturn void out_of_memory(struct packer *p) {
  luaL_error(p->L, "not enough memory for a message");
  __builtin_unreachable();
}

/* Writing. */

static char *room(struct packer *p, size_t size) {
  if (shmx_packet_reserve(p->packet, size) != 0) out_of_memory(p);
  return p->packet->body + p->packet->size;
}

static void put(struct packer *p, mpack_token_t token) {
  char *at = room(p, MPACK_MAX_TOKEN_LEN);
  size_t left = MPACK_MAX_TOKEN_LEN;
  mpack_write(&p->tokbuf, &at, &left, &token);
  p->packet->size += MPACK_MAX_TOKEN_LEN - left;
}

static void put_bytes(struct packer *p, const void *data, size_t size) {
  char *at = room(p, size);
  if (size > 0) memcpy(at, data, size);
  p->packet->size += size;
}

static void put_ext(struct packer *p, enum shmx_format_ext type, const void *data, size_t size) {
  put(p, mpack_pack_ext(type, (mpack_uint32_t)size));
  put_bytes(p, data, size);
}

static void put_ext_number(struct packer *p, enum shmx_format_ext type, uint32_t number) {
  char bytes[4];
  shmx_format_put(bytes, number, 4);
  put_ext(p, type, bytes, sizeof bytes);
}

static void put_string(struct packer *p, int index, const struct shmx_path *path) {
  size_t size;
  const char *s = lua_tolstring(p->L, index, &size);
  if (size > UINT32_MAX) {
    refuse(p, path,
           lua_pushfstring(p->L, "a string of %I bytes is longer than a message can carry (4294967295)",
                           (lua_Integer)size));
  }
  room(p, MPACK_MAX_TOKEN_LEN + size);
  put(p, mpack_pack_str((mpack_uint32_t)size));
  put_bytes(p, s, size);
}

/* What has been met. */

/* Refers to the object at `index` if it has a number. */
static bool put_reference(struct packer *p, int index, const struct shmx_path *path) {
  uint32_t number = shmx_packet_find(p->packet, lua_topointer(p->L, index));
  if (number == 0) return false;
  if (number & OPEN) refuse(p, path, "what __shmx_pack returns for an object cannot contain the object itself");
  put_ext_number(p, SHMX_EXT_REFERENCE, number);
  p->references = true;
  return true;
}

static void number_object(struct packer *p, int index, const struct shmx_path *path) {
  uint32_t *number;
  if (p->objects >= OPEN - 1) refuse(p, path, "a message cannot carry so many tables");
  if (shmx_packet_number(p->packet, lua_topointer(p->L, index), &number) != 0) out_of_memory(p);
  *number = ++p->objects;
}

/* The object at `index` can be referred to from now on, or for now it cannot. */
static void set_open(struct packer *p, int index, bool open) {
  uint32_t *number;
  if (shmx_packet_number(p->packet, lua_topointer(p->L, index), &number) != 0) out_of_memory(p);
  *number = open ? *number | OPEN : *number & ~(uint32_t)OPEN;
}

static void descend(struct packer *p, const struct shmx_path *path) {
  if (++p->depth > SHMX_FORMAT_DEPTH) {
    refuse(p, path, lua_pushfstring(p->L, "values nest more than %d levels deep", (int)SHMX_FORMAT_DEPTH));
  }
  luaL_checkstack(p->L, 20, "values nest too deeply");
}

/* Names. */

/* Writes the value at `index` by the name of a loaded module, if it is one. */
static bool put_module(struct packer *p, int index) {
  size_t size;
  if (!p->modules) p->modules = shmx_modules_refresh(p->L);
  if (!shmx_modules_name(p->L, p->modules, index)) return false;
  const char *name = lua_tolstring(p->L, -1, &size);
  put_ext(p, SHMX_EXT_MODULE, name, size);
  lua_pop(p->L, 1);
  return true;
}

/* Pushes "module\0field" if the value at `index` is a field of a loaded module. */
static bool find_field(struct packer *p, int index, bool thorough) {
  if (shmx_modules_field(p->L, index)) return true;
  if (p->fields_known || !thorough) return false;
  shmx_modules_refresh_fields(p->L);
  p->fields_known = true;
  return shmx_modules_field(p->L, index);
}

static bool put_field(struct packer *p, int index, bool thorough) {
  size_t size;
  if (!find_field(p, index, thorough)) return false;
  const char *name = lua_tolstring(p->L, -1, &size);
  put_ext(p, SHMX_EXT_FIELD, name, size);
  lua_pop(p->L, 1);
  return true;
}

/* Arrays. */

static void pack_array(struct packer *p, const struct shmx_array *array, const struct shmx_path *path) {
  const struct shmx_view *view = &array->view;
  char bytes[SHMX_FORMAT_ARRAY + SHMX_FORMAT_DIMENSION * SHMX_MAX_NDIM], *at = bytes + SHMX_FORMAT_ARRAY;
  uint32_t segment;
  if (!array->segment) refuse_travel(p, path, "a closed array");
  if (shmx_packet_segment(p->packet, array->segment, &segment) != 0) out_of_memory(p);
  shmx_format_put(bytes, segment, 4);
  shmx_format_put(bytes + 4, (uint64_t)view->dtype, 2);
  shmx_format_put(bytes + 6, (uint64_t)view->ndim, 2);
  shmx_format_put(bytes + 8, (uint64_t)((uintptr_t)view->data - (uintptr_t)array->segment->data), 8);
  for (int d = 0; d < view->ndim; d++, at += SHMX_FORMAT_DIMENSION) {
    shmx_format_put(at, (uint64_t)view->shape[d], 8);
    shmx_format_put(at + 8, (uint64_t)view->strides[d], 8);
  }
  put_ext(p, SHMX_EXT_ARRAY, bytes, (size_t)(at - bytes));
}

/* Tables. */

/* Counts the pairs of the table at `index` and says whether its keys are 1..n. */
static bool is_sequence(struct packer *p, int index, const struct shmx_path *path, uint32_t *count) {
  lua_State *L = p->L;
  lua_Unsigned border = lua_rawlen(L, index), pairs = 0;
  bool sequence = true;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    pairs++;
    if (sequence) sequence = lua_isinteger(L, -1) && (lua_Unsigned)lua_tointeger(L, -1) - 1 < border;
  }
  if (pairs > UINT32_MAX) refuse(p, path, "a table of more than 4294967295 entries");
  *count = (uint32_t)pairs;
  return sequence && pairs == border;
}

static void pack_sequence(struct packer *p, int index, uint32_t count, const struct shmx_path *path) {
  struct shmx_path item = {.up = path, .step = SHMX_STEP_ITEM};
  put(p, mpack_pack_array(count));
  for (uint32_t i = 1; i <= count; i++) {
    lua_rawgeti(p->L, index, i);
    item.number = i;
    pack_value(p, lua_gettop(p->L), &item);
    lua_pop(p->L, 1);
  }
}

static void pack_map(struct packer *p, int index, uint32_t count, const struct shmx_path *path) {
  lua_State *L = p->L;
  int key = lua_gettop(L) + 1;
  struct shmx_path in_key = {.up = path, .step = SHMX_STEP_KEY, .key = key};
  struct shmx_path field = {.up = path, .step = SHMX_STEP_FIELD, .key = key};
  uint32_t pairs = 0;
  put(p, mpack_pack_map(count));
  lua_pushnil(L);
  while (lua_next(L, index)) {
    pack_value(p, key, &in_key);
    pack_value(p, key + 1, &field);
    lua_pop(L, 1);
    pairs++;
  }
  if (pairs != count) refuse(p, path, "the table has changed while it was packed");
}

static void pack_contents(struct packer *p, int index, const struct shmx_path *path) {
  uint32_t count;
  if (is_sequence(p, index, path, &count)) {
    pack_sequence(p, index, count, path);
  } else {
    pack_map(p, index, count, path);
  }
}

/* Objects that say themselves how they are to be made again: __shmx_pack. */

/* Keeps a value until the end of the message, so that no other gets its address. */
static void anchor(struct packer *p, int index) {
  lua_State *L = p->L;
  if (lua_isnil(L, p->anchor)) {
    lua_newtable(L);
    lua_replace(L, p->anchor);
  }
  lua_pushvalue(L, index);
  lua_rawseti(L, p->anchor, (lua_Integer)lua_rawlen(L, p->anchor) + 1);
}

/* Refuses the function at `index` if the receiver would not call it. */
static void check_remake(struct packer *p, int index, const struct shmx_path *path) {
  size_t size;
  if (!lua_isfunction(p->L, index)) refuse(p, path, "__shmx_pack must return a function and its arguments");
  if (p->flags & SHMX_PACK_FUNCTIONS) return;
  if (!find_field(p, index, true)) {
    refuse(p, path, "in a result, __shmx_pack must return a function that is a field of a loaded module");
  }
  const char *name = lua_tolstring(p->L, -1, &size);
  if (shmx_modules_is_powerful(name, size)) {
    refuse(p, path, "in a result, __shmx_pack must not return a function of Lua's own library");
  }
  lua_pop(p->L, 1);
}

/* Packs the object at `index`, whose __shmx_pack is on the top. */
static void pack_remake(struct packer *p, int index, const struct shmx_path *path) {
  lua_State *L = p->L;
  struct shmx_path packed = {.up = path, .step = SHMX_STEP_PACKED};
  int first = lua_gettop(L);
  set_open(p, index, true);
  lua_pushvalue(L, index);
  lua_call(L, 1, LUA_MULTRET);
  int count = lua_gettop(L) - first + 1;
  if (count > SHMX_FORMAT_REMAKE) refuse(p, path, "__shmx_pack returns too many values");
  luaL_checkstack(L, 20, "values nest too deeply");
  lua_settop(L, first + (count ? count : 1) - 1);
  check_remake(p, first, path);
  put(p, mpack_pack_array((mpack_uint32_t)count + 1));
  put_ext(p, SHMX_EXT_REMAKE, NULL, 0);
  for (int i = 0; i < count; i++) {
    anchor(p, first + i);
    packed.number = i + 1;
    pack_value(p, first + i, &packed);
  }
  set_open(p, index, false);
  lua_settop(L, first - 1);
}

/* Refuses the __shmx_pack on the top if it cannot be called. */
static void check_pack(struct packer *p, const struct shmx_path *path) {
  if (lua_isfunction(p->L, -1)) return;
  if (luaL_getmetafield(p->L, -1, "__call") == LUA_TNIL)
    refuse(p, path, lua_pushfstring(p->L, "__shmx_pack must be a function, not a %s", luaL_typename(p->L, -1)));
  lua_pop(p->L, 1);
}

/* If the metatable on the top has __shmx_pack, packs the object at `index` with it. */
static bool try_remake(struct packer *p, int index, const struct shmx_path *path) {
  lua_pushliteral(p->L, "__shmx_pack");
  if (lua_rawget(p->L, -2) == LUA_TNIL) {
    lua_pop(p->L, 1);
    return false;
  }
  check_pack(p, path);
  pack_remake(p, index, path);
  return true;
}

/* `kind`, with the name that the metatable on the top gives the type, if it does. */
static const char *describe(lua_State *L, const char *kind) {
  lua_pushliteral(L, "__name");
  if (lua_rawget(L, -2) != LUA_TSTRING) return kind;
  return lua_pushfstring(L, "%s '%s'", kind, lua_tostring(L, -1));
}

/* Packs the table at `index`, whose metatable is on the top. */
static void pack_with_meta(struct packer *p, int index, const struct shmx_path *path) {
  int meta = lua_gettop(p->L);
  size_t start = p->packet->size;
  put(p, mpack_pack_array(3));
  put_ext(p, SHMX_EXT_WITH_META, NULL, 0);
  if (!put_module(p, meta) && !put_field(p, meta, true)) {
    p->packet->size = start;
    refuse(p, path,
           lua_pushfstring(p->L,
                           "%s with a metatable that is in no loaded module and has no __shmx_pack cannot be sent %s "
                           "a worker",
                           describe(p->L, "table"), p->flags & SHMX_PACK_FUNCTIONS ? "to" : "from"));
  }
  pack_contents(p, index, path);
}

static void pack_table(struct packer *p, int index, const struct shmx_path *path) {
  if (put_module(p, index) || put_reference(p, index, path)) return;
  number_object(p, index, path);
  descend(p, path);
  if (lua_getmetatable(p->L, index)) {
    if (!try_remake(p, index, path)) pack_with_meta(p, index, path);
    lua_pop(p->L, 1);
  } else {
    pack_contents(p, index, path);
  }
  p->depth--;
}

static void pack_userdata(struct packer *p, int index, const struct shmx_path *path) {
  struct shmx_array *array = shmx_array_test(p->L, index);
  if (put_reference(p, index, path)) return;
  number_object(p, index, path);
  if (array) {
    pack_array(p, array, path);
    return;
  }
  descend(p, path);
  if (!lua_getmetatable(p->L, index)) refuse_travel(p, path, "userdata");
  if (!try_remake(p, index, path)) refuse_travel(p, path, describe(p->L, "userdata"));
  lua_pop(p->L, 1);
  p->depth--;
}

/* Functions. */

/* Packs the upvalue on the top, number `i` of the function at `function`. A variable that was met before becomes a
 * CELL, unless it is an _ENV: these are the receiver's globals, each on its own, so that closures can be kept. */
static void pack_upvalue(struct packer *p, int function, int i, const char *name, const struct shmx_path *path) {
  struct shmx_path upvalue = {.up = path, .step = SHMX_STEP_UPVALUE, .name = name};
  int top = lua_gettop(p->L);
  uint32_t *cell;
  if (!strcmp(name, "_ENV")) {
    lua_pushglobaltable(p->L);
    if (!lua_rawequal(p->L, -1, -2)) refuse_travel(p, &upvalue, "an environment other than the globals");
    lua_pop(p->L, 1);
    put_ext(p, SHMX_EXT_MODULE, "_G", 2);
    p->cells++;
    return;
  }
  if (shmx_packet_number(p->packet, lua_upvalueid(p->L, function, i), &cell) != 0) out_of_memory(p);
  if (*cell != 0) {
    put_ext_number(p, SHMX_EXT_CELL, *cell);
    p->references = true;
    return;
  }
  *cell = ++p->cells;
  pack_value(p, top, &upvalue);
}

static void pack_closure(struct packer *p, int index, struct shmx_code *code, const struct shmx_path *path) {
  uint32_t number;
  int upvalues = shmx_code_count_upvalues(p->L, index);
  if (shmx_packet_code(p->packet, code, &number) != 0) out_of_memory(p);
  put(p, mpack_pack_array((mpack_uint32_t)upvalues + 1));
  put_ext_number(p, SHMX_EXT_FUNCTION, number);
  for (int i = 1; i <= upvalues; i++) {
    const char *name = lua_getupvalue(p->L, index, i);
    pack_upvalue(p, index, i, name, path);
    lua_pop(p->L, 1);
  }
}

/* Finds the code of the Lua function at `index`; NULL: it has been written by a name instead. Looking through all modules
 * is left out for a prototype that is known not to be one's. */
static struct shmx_code *find_code(struct packer *p, int index) {
  bool known;
  struct shmx_code *code = shmx_code_find(p->L, index);
  if (code) return code;
  if (put_field(p, index, false) || put_module(p, index)) return NULL;
  code = shmx_code_dump(p->L, index, &known);
  if (known || !put_field(p, index, true)) return code;
  shmx_code_forget(p->L, index);
  return NULL;
}

static void pack_function(struct packer *p, int index, const struct shmx_path *path) {
  luaL_checkstack(p->L, 20, "values nest too deeply");
  if (lua_iscfunction(p->L, index) || !(p->flags & SHMX_PACK_FUNCTIONS)) {
    if (put_field(p, index, false) || put_module(p, index) || put_field(p, index, true)) return;
    if (lua_iscfunction(p->L, index)) refuse_travel(p, path, "a C function that is no field of a loaded module");
    refuse(p, path, "functions travel from main to workers only");
  }
  if (put_reference(p, index, path)) return;
  struct shmx_code *code = find_code(p, index);
  if (!code) return;
  number_object(p, index, path);
  descend(p, path);
  pack_closure(p, index, code, path);
  p->depth--;
}

static void put_integer(struct packer *p, lua_Integer n) {
  char *at = room(p, SHMX_SCALAR_MAX);
  p->packet->size += (size_t)(shmx_scalar_put_integer(at, n) - at);
}

static bool put_scalar(struct packer *p, int index) {
  char *at = room(p, SHMX_SCALAR_MAX + SHMX_SCALAR_STRING);
  char *after = shmx_scalar_put(p->L, index, at, at + SHMX_SCALAR_MAX + SHMX_SCALAR_STRING);
  if (after) p->packet->size += (size_t)(after - at);
  return after;
}

/* `index` is an absolute index. */
static void pack_value(struct packer *p, int index, const struct shmx_path *path) {
  if (put_scalar(p, index)) return;
  switch (lua_type(p->L, index)) {
  case LUA_TSTRING: put_string(p, index, path); break;
  case LUA_TTABLE: pack_table(p, index, path); break;
  case LUA_TFUNCTION: pack_function(p, index, path); break;
  case LUA_TUSERDATA: pack_userdata(p, index, path); break;
  case LUA_TTHREAD: refuse_travel(p, path, "a coroutine"); break;
  default: refuse_travel(p, path, "light userdata"); break;
  }
}

/* A message of a few scalars and nothing else, as most results are. False: it has to go the long way. */
static bool pack_scalars(lua_State *L, struct shmx_packet *packet, int first, int count) {
  enum { ROOM = 2 + SHMX_SCALARS * (SHMX_SCALAR_MAX + SHMX_SCALAR_STRING) };
  if (count > SHMX_SCALARS || shmx_packet_reserve(packet, ROOM) != 0) return false;
  char *at = packet->body, *end = at + ROOM;
  *at++ = 0; /* the flags */
  *at++ = (char)count;
  for (int i = 0; i < count && at; i++) at = shmx_scalar_put(L, first + i, at, end);
  if (at) packet->size = (size_t)(at - packet->body);
  return at;
}

void shmx_codec_pack(lua_State *L, struct shmx_packet *packet, int first, int count, unsigned flags,
                     const struct shmx_pack_names *names) {
  if (pack_scalars(L, packet, first, count)) return;
  struct packer p = {.L = L, .packet = packet, .flags = flags, .tokbuf = MPACK_TOKBUF_INITIAL_VALUE};
  luaL_checkstack(L, 20, "too many values");
  first = lua_absindex(L, first);
  lua_pushnil(L);
  p.anchor = lua_gettop(L);
  put_integer(&p, 0); /* the flags */
  put_integer(&p, count);
  for (int i = 1; i <= count; i++) {
    bool function = i == names->function;
    bool counted = !names->function || i < names->function;
    struct shmx_path path = {.name = names->noun, .number = counted ? i : i - 1};
    path.step = function ? SHMX_STEP_FUNCTION : SHMX_STEP_VALUE;
    pack_value(&p, first + i - 1, &path);
  }
  if (p.references) packet->body[0] = SHMX_FORMAT_REFERENCES;
  lua_settop(L, p.anchor - 1);
}
