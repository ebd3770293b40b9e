/* SPDX-License-Identifier: MIT */
/*
 * Messages -> Lua values: see bind/codec.h for the interface and bind/format.h for the format.
 *
 * The body is input from another process. Every length is compared with what is left of it before anything is read or
 * allocated, and all tables together may announce no more elements than the body has bytes, so that a message cannot
 * make its reader allocate more than a small multiple of its size. Nothing here owns memory, so an error can be raised
 * anywhere; the values made until then are garbage.
 */
#include "bind/format.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/array.h"
#include "bind/code.h"
#include "bind/codec.h"
#include "bind/modules.h"
#include "bind/scalar.h"

struct unpacker {
  lua_State *L;
  const struct shmx_delivery *delivery;
  unsigned flags;
  bool first; /* the first value is being read */
  int depth;
  const char *at;
  size_t left;
  size_t announced;     /* elements of tables, so far */
  int objects;          /* stack index of the objects by number, and of the cells by negative number; 0: not needed */
  lua_Integer numbered; /* objects so far */
  lua_Integer cells;
  mpack_tokbuf_t tokbuf;
};

static void unpack_value(struct unpacker *u);

/* Reading. */

static _Noreturn void bad(struct unpacker *u, const char *why) {
  luaL_error(u->L, "message does not decode: %s", why);
  __builtin_unreachable();
}

static const char *payload(struct unpacker *u, size_t size) {
  const char *bytes = u->at;
  u->at += size;
  u->left -= size;
  return bytes;
}

/* Reads one of the tokens that every message of a task has: a small number, the head of a short list, of a function. */
static bool read_common(struct unpacker *u, mpack_token_t *token) {
  unsigned tag = (unsigned char)*u->at;
  size_t size = tag == 0xd6 ? 2 : 1; /* an extension of four bytes has its type behind the tag */
  if (u->left < size) return false;
  if (tag < 0x80) *token = mpack_pack_uint(tag);
  else if (tag >> 4 == 9) *token = mpack_pack_array(tag & 15);
  else if (size == 2 && u->left >= 6) *token = mpack_pack_ext((unsigned char)u->at[1], 4);
  else return false;
  payload(u, size);
  return true;
}

/* Reads a token. The payload of a str or ext is what `at` then points to, and is there in full. */
static mpack_token_t next_token(struct unpacker *u) {
  mpack_token_t token;
  if (u->left > 0 && read_common(u, &token)) return token;
  if (u->left == 0 || mpack_read(&u->tokbuf, &u->at, &u->left, &token) != MPACK_OK) bad(u, "it ends early");
  u->tokbuf.passthrough = 0;
  if (token.type >= MPACK_TOKEN_BIN && token.length > u->left) bad(u, "it ends early");
  return token;
}

static uint32_t payload_number(struct unpacker *u, const mpack_token_t *token) {
  if (token->length != 4) bad(u, "a number of the wrong size");
  return (uint32_t)shmx_format_get(payload(u, 4), 4);
}

/* Reads the next token if it is an extension from `first` to `last`. */
static bool accept_ext(struct unpacker *u, int first, int last, mpack_token_t *token) {
  const char *at = u->at;
  size_t left = u->left;
  if (left == 0) return false;
  *token = next_token(u);
  if (token->type == MPACK_TOKEN_EXT && token->data.ext_type >= first && token->data.ext_type <= last) return true;
  u->at = at;
  u->left = left;
  return false;
}

static void descend(struct unpacker *u) {
  if (++u->depth > SHMX_FORMAT_DEPTH) bad(u, "values nest too deeply");
  luaL_checkstack(u->L, 20, "message does not decode");
}

/* Accounts for that many elements, which are still to come and take a byte each at least. */
static int announce(struct unpacker *u, uint32_t elements) {
  if (elements > u->left || u->announced > u->delivery->size - elements) bad(u, "a table is longer than the message");
  u->announced += elements;
  return elements < INT32_MAX ? (int)elements : INT32_MAX;
}

/* Objects and cells. */

/* Remembers the value on the top as object `number`. */
static void remember(struct unpacker *u, lua_Integer number) {
  if (!u->objects) return;
  lua_pushvalue(u->L, -1);
  lua_rawseti(u->L, u->objects, number);
}

static void unpack_reference(struct unpacker *u, const mpack_token_t *token) {
  uint32_t number = payload_number(u, token);
  if (!u->objects || number == 0 || number > u->numbered) bad(u, "a reference to nothing");
  if (lua_rawgeti(u->L, u->objects, number) == LUA_TNIL) bad(u, "a reference to what is not there yet");
}

/* Arrays. */

static void read_view(struct unpacker *u, const mpack_token_t *token, struct shmx_view *view, uint32_t *segment) {
  const char *bytes = payload(u, token->length);
  if (token->length < SHMX_FORMAT_ARRAY) bad(u, "an array of the wrong size");
  uint64_t dtype = shmx_format_get(bytes + 4, 2), ndim = shmx_format_get(bytes + 6, 2);
  if (dtype >= SHMX_DTYPE_COUNT || ndim < 1 || ndim > SHMX_MAX_NDIM) bad(u, "an array of an unknown type");
  if (token->length != SHMX_FORMAT_ARRAY + ndim * SHMX_FORMAT_DIMENSION) bad(u, "an array of the wrong size");
  *segment = (uint32_t)shmx_format_get(bytes, 4);
  view->dtype = (enum shmx_dtype)dtype;
  view->ndim = (int32_t)ndim;
  bytes += SHMX_FORMAT_ARRAY;
  for (uint64_t d = 0; d < ndim; d++, bytes += SHMX_FORMAT_DIMENSION) {
    view->shape[d] = (int64_t)shmx_format_get(bytes, 8);
    view->strides[d] = (int64_t)shmx_format_get(bytes + 8, 8);
  }
}

static void unpack_array(struct unpacker *u, const mpack_token_t *token) {
  struct shmx_view view = {0};
  uint32_t number;
  const char *head = u->at;
  read_view(u, token, &view, &number);
  if (number >= u->delivery->nsegments) bad(u, "an array in a segment that is not in the message");
  struct shmx_segment *segment = u->delivery->segments[number];
  if (!segment) bad(u, "the memory of an array could not be mapped");
  view.data = (void *)((uintptr_t)segment->data + (uintptr_t)shmx_format_get(head + 8, 8));
  if (!shmx_view_within(&view, segment->data, segment->size)) bad(u, "an array that exceeds its segment");
  struct shmx_array *array = shmx_array_push(u->L);
  shmx_segment_retain(segment);
  array->view = view;
  array->segment = segment;
  remember(u, ++u->numbered);
  shmx_array_charge(u->L, (uint64_t)shmx_view_nbytes(&view));
}

/* Functions. */

/* Makes upvalue `i` of the function at `function` the same variable as one that came before. */
static void join_upvalue(struct unpacker *u, int function, int i, const mpack_token_t *token) {
  lua_State *L = u->L;
  uint32_t cell = payload_number(u, token);
  if (!u->objects || cell == 0 || cell > u->cells) bad(u, "a reference to no upvalue");
  lua_rawgeti(L, u->objects, -(lua_Integer)cell);
  lua_Integer where = lua_tointeger(L, -1);
  lua_rawgeti(L, u->objects, where >> 8);
  lua_upvaluejoin(L, function, i, -1, (int)(where & 0xff));
  lua_pop(L, 2);
}

static void unpack_upvalue(struct unpacker *u, int function, lua_Integer number, int i) {
  mpack_token_t token;
  if (accept_ext(u, SHMX_EXT_CELL, SHMX_EXT_CELL, &token)) {
    join_upvalue(u, function, i, &token);
    return;
  }
  u->cells++;
  if (u->objects) { /* before the value, which may contain closures over this very variable */
    lua_pushinteger(u->L, number << 8 | i);
    lua_rawseti(u->L, u->objects, -u->cells);
  }
  unpack_value(u);
  lua_setupvalue(u->L, function, i);
}

static void unpack_function(struct unpacker *u, const mpack_token_t *token, uint32_t operands) {
  uint32_t code = payload_number(u, token);
  if (!(u->flags & SHMX_PACK_FUNCTIONS)) bad(u, "it carries a function");
  if (code >= u->delivery->ncodes) bad(u, "a function that is not in the message");
  bool task = u->first && u->depth == 1 && !u->objects;
  const struct shmx_code_view *view = &u->delivery->codes[code];
  int upvalues = task ? shmx_code_push_task(u->L, view) : shmx_code_push(u->L, view);
  if (operands != (uint32_t)upvalues) bad(u, "a function with the wrong number of upvalues");
  int function = lua_gettop(u->L);
  lua_Integer number = ++u->numbered;
  remember(u, number);
  for (int i = 1; i <= upvalues; i++) unpack_upvalue(u, function, number, i);
}

/* Tables, and what is made of one. */

static void unpack_sequence(struct unpacker *u, uint32_t count) {
  lua_createtable(u->L, announce(u, count), 0);
  remember(u, ++u->numbered);
  for (uint32_t i = 1; i <= count; i++) {
    unpack_value(u);
    lua_rawseti(u->L, -2, i);
  }
}

static void unpack_map(struct unpacker *u, uint32_t count) {
  if (count > u->left / 2) bad(u, "a table is longer than the message");
  lua_createtable(u->L, 0, announce(u, count));
  remember(u, ++u->numbered);
  for (uint32_t i = 0; i < count; i++) {
    unpack_value(u);
    if (lua_isnil(u->L, -1) ||
        (lua_type(u->L, -1) == LUA_TNUMBER && lua_tonumber(u->L, -1) != lua_tonumber(u->L, -1))) {
      bad(u, "a table with a key that cannot be one");
    }
    unpack_value(u);
    lua_rawset(u->L, -3);
  }
}

/* The table must be a new one: a message cannot change what is there already. */
static void unpack_with_meta(struct unpacker *u, uint32_t operands) {
  if (operands != 2) bad(u, "a table with a metatable of the wrong form");
  unpack_value(u);
  if (!lua_istable(u->L, -1)) bad(u, "a metatable that is not a table here");
  mpack_token_t token = next_token(u);
  if (token.type != MPACK_TOKEN_ARRAY && token.type != MPACK_TOKEN_MAP) bad(u, "a metatable without a table");
  if (token.type == MPACK_TOKEN_ARRAY) {
    unpack_sequence(u, token.length);
  } else {
    unpack_map(u, token.length);
  }
  lua_insert(u->L, -2);
  lua_setmetatable(u->L, -2);
}

/* From a worker, a function by name only, and none that could end main: see shmx_modules_is_powerful. */
static void check_remake(struct unpacker *u) {
  mpack_token_t token;
  const char *at = u->at;
  size_t left = u->left;
  if (u->flags & SHMX_PACK_FUNCTIONS) return;
  if (!accept_ext(u, SHMX_EXT_FIELD, SHMX_EXT_FIELD, &token) || shmx_modules_is_powerful(u->at, token.length)) {
    bad(u, "an object that cannot be remade from a result");
  }
  u->at = at;
  u->left = left;
}

static void unpack_remake(struct unpacker *u, uint32_t operands) {
  if (operands < 1 || operands > SHMX_FORMAT_REMAKE) bad(u, "an object of the wrong form");
  lua_Integer number = ++u->numbered;
  luaL_checkstack(u->L, (int)operands + 20, "message does not decode");
  check_remake(u);
  for (uint32_t i = 0; i < operands; i++) unpack_value(u);
  lua_call(u->L, (int)operands - 1, 1);
  remember(u, number);
}

static void unpack_list(struct unpacker *u, uint32_t count) {
  mpack_token_t token;
  if (count == 0 || !accept_ext(u, SHMX_EXT_FUNCTION, SHMX_EXT_REMAKE, &token)) {
    unpack_sequence(u, count);
  } else if (token.data.ext_type == SHMX_EXT_FUNCTION) {
    unpack_function(u, &token, count - 1);
  } else {
    payload(u, token.length);
    if (token.data.ext_type == SHMX_EXT_WITH_META) unpack_with_meta(u, count - 1);
    if (token.data.ext_type == SHMX_EXT_REMAKE) unpack_remake(u, count - 1);
  }
}

static void unpack_field(struct unpacker *u, const mpack_token_t *token) {
  const char *name = payload(u, token->length);
  shmx_modules_push_field(u->L, name, token->length);
  if (!lua_isnil(u->L, -1)) return;
  luaL_error(u->L, "module '%s' has no field '%s' here", name,
             lua_pushlstring(u->L, name + strlen(name) + 1, token->length - strlen(name) - 1));
}

static void unpack_ext(struct unpacker *u, const mpack_token_t *token) {
  switch (token->data.ext_type) {
  case SHMX_EXT_REFERENCE: unpack_reference(u, token); break;
  case SHMX_EXT_ARRAY: unpack_array(u, token); break;
  case SHMX_EXT_MODULE: shmx_modules_push(u->L, payload(u, token->length), token->length); break;
  case SHMX_EXT_FIELD: unpack_field(u, token); break;
  default: bad(u, "an unknown kind of value");
  }
}

static void unpack_integer(struct unpacker *u, const mpack_token_t *token) {
  if (token->type == MPACK_TOKEN_SINT) {
    lua_pushinteger(u->L, mpack_unpack_sint(*token));
    return;
  }
  uint64_t n = mpack_unpack_uint(*token);
  if (n > INT64_MAX) bad(u, "an integer that Lua does not have");
  lua_pushinteger(u->L, (lua_Integer)n);
}

/* Pushes the next value. */
static void unpack_value(struct unpacker *u) {
  const char *after = shmx_scalar_take(u->L, u->at, u->at + u->left);
  if (after) {
    u->left -= (size_t)(after - u->at);
    u->at = after;
    return;
  }
  mpack_token_t token = next_token(u);
  switch (token.type) {
  case MPACK_TOKEN_NIL: lua_pushnil(u->L); break;
  case MPACK_TOKEN_BOOLEAN: lua_pushboolean(u->L, (int)mpack_unpack_boolean(token)); break;
  case MPACK_TOKEN_UINT:
  case MPACK_TOKEN_SINT: unpack_integer(u, &token); break;
  case MPACK_TOKEN_FLOAT: lua_pushnumber(u->L, mpack_unpack_float(token)); break;
  case MPACK_TOKEN_STR: lua_pushlstring(u->L, payload(u, token.length), token.length); break;
  case MPACK_TOKEN_ARRAY:
    descend(u);
    unpack_list(u, token.length);
    u->depth--;
    break;
  case MPACK_TOKEN_MAP:
    descend(u);
    unpack_map(u, token.length);
    u->depth--;
    break;
  case MPACK_TOKEN_EXT: unpack_ext(u, &token); break;
  default: bad(u, "an unknown kind of value");
  }
}

static uint32_t read_count(struct unpacker *u, uint32_t limit) {
  mpack_token_t token = next_token(u);
  if (token.type != MPACK_TOKEN_UINT || mpack_unpack_uint(token) > limit) bad(u, "its head is wrong");
  return (uint32_t)mpack_unpack_uint(token);
}

/* At most so many of the values. */
static int unpack_values(lua_State *L, const struct shmx_delivery *delivery, unsigned flags, uint32_t most) {
  struct unpacker u = {.L = L, .delivery = delivery, .flags = flags, .at = delivery->body, .left = delivery->size};
  mpack_tokbuf_init(&u.tokbuf);
  uint32_t features = read_count(&u, SHMX_FORMAT_FLAGS), count = read_count(&u, INT32_MAX);
  if (count > u.left) bad(&u, "more values than the message has bytes");
  if (count > 1000000 || !lua_checkstack(L, (int)count + 20)) bad(&u, "too many values");
  if (features & SHMX_FORMAT_REFERENCES) {
    lua_newtable(L);
    u.objects = lua_gettop(L);
  }
  for (uint32_t i = 0; i < count && i < most; i++) {
    u.first = i == 0;
    unpack_value(&u);
  }
  if (u.left > 0 && count <= most) bad(&u, "there is more than its values");
  if (u.objects) lua_remove(L, u.objects);
  return count < most ? (int)count : (int)most;
}

int shmx_codec_unpack(lua_State *L, const struct shmx_delivery *delivery, unsigned flags) {
  return unpack_values(L, delivery, flags, INT32_MAX);
}

int shmx_codec_unpack_first(lua_State *L, const struct shmx_delivery *delivery, unsigned flags) {
  return unpack_values(L, delivery, flags, 1);
}
