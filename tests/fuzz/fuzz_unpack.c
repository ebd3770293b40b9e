/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the decoder of messages. The first byte says how the message is read (bit 0: functions may come, as in a
 * worker), the rest is the body. The message's tables hold two segments, one that could not be mapped, and two
 * prototypes. Each input gets a fresh state, because what a message calls may change the old one, with a limit on its
 * memory, because a lying length must not make the decoder ask for much.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* as host/bind/code.c does */
#include <xxhash.h>

#include "bind/array.h"
#include "bind/codec.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_LIMIT = 64 << 20, CODES = 2, SEGMENTS = 3, CODE_MAX = 4096 };

static size_t used;

static void *allocate(void *context, void *block, size_t old, size_t new) {
  (void)context;
  if (!block) old = 0;
  if (new == 0) {
    free(block);
    used -= old;
    return NULL;
  }
  if (new > old && used + (new - old) > MEMORY_LIMIT) return NULL;
  void *moved = realloc(block, new);
  if (moved) used = used - old + new;
  return moved;
}

static struct shmx_code_view codes[CODES];
static char code_bytes[CODES][CODE_MAX];

static int write_code(lua_State *L, const void *data, size_t size, void *context) {
  struct shmx_code_view *code = context;
  (void)L;
  if (code->size + size > CODE_MAX) return 1;
  memcpy((char *)(uintptr_t)code->bytes + code->size, data, size);
  code->size += size;
  return 0;
}

/* Two prototypes: one that a receiver keeps as a closure, and one with three upvalues. */
static void make_codes(void) {
  static const char *const sources[CODES] = {"return function(...) return ... end",
                                             "local a, b, c return function() a = b return c, a end"};
  lua_State *L = luaL_newstate();
  for (int i = 0; i < CODES; i++) {
    codes[i].bytes = code_bytes[i];
    if (luaL_dostring(L, sources[i]) || lua_dump(L, write_code, &codes[i], 0)) abort();
    XXH128_hash_t hash = XXH3_128bits(codes[i].bytes, codes[i].size);
    codes[i].hash[0] = hash.low64;
    codes[i].hash[1] = hash.high64;
  }
  lua_close(L);
}

static struct shmx_segment *segments[SEGMENTS];

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  make_codes();
  if (shmx_memory_alloc(shmx_memory_here(), 64, SHMX_ALLOC_ZERO, &segments[0])) abort();
  if (shmx_memory_alloc(shmx_memory_here(), 0, SHMX_ALLOC_ZERO, &segments[1])) abort();
  return 0;
}

/* A module with what a message can name. */
static int make_point(lua_State *L) {
  lua_settop(L, 1);
  lua_createtable(L, 1, 0);
  lua_insert(L, 1);
  lua_rawseti(L, 1, 1);
  return 1;
}

static int open_point(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, make_point);
  lua_setfield(L, -2, "new");
  luaL_newmetatable(L, "point");
  lua_setfield(L, -2, "meta");
  return 1;
}

static int open_arrays(lua_State *L) {
  lua_newtable(L);
  shmx_array_open(L);
  return 1;
}

static int decode(lua_State *L) {
  const struct shmx_delivery *delivery = lua_touserdata(L, 1);
  unsigned flags = (unsigned)lua_tointeger(L, 2);
  lua_settop(L, 0);
  int count = shmx_codec_unpack(L, delivery, flags);
  if (count != lua_gettop(L)) abort();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  struct shmx_delivery delivery = {(const char *)data + 1, size - 1, segments, SEGMENTS, codes, CODES};
  lua_State *L = lua_newstate(allocate, NULL);
  luaL_requiref(L, "string", luaopen_string, 0);
  luaL_requiref(L, "shmx", open_arrays, 0);
  luaL_requiref(L, "p", open_point, 0);
  lua_settop(L, 0);
  lua_pushcfunction(L, decode);
  lua_pushlightuserdata(L, &delivery);
  lua_pushinteger(L, data[0] & SHMX_PACK_FUNCTIONS);
  lua_pcall(L, 2, 0, 0);
  lua_close(L);
  if (used != 0) abort();
  return 0;
}
