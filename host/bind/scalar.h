/* SPDX-License-Identifier: MIT */
/*
 * Scalars in a message's body, the quick way: nil, booleans, numbers and short strings, written and read without a parser's
 * state. The bytes are the MessagePack that pack.c and unpack.c write and read by the library, whose forms are more than
 * those here; what is not here is left to them.
 */
#ifndef SHMX_BIND_SCALAR_H
#define SHMX_BIND_SCALAR_H

#include <endian.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SHMX_SCALAR_MAX = 9, SHMX_SCALAR_STRING = 31 }; /* bytes of the longest number; length of the longest string */
enum { SHMX_SCALARS = 8 };                             /* values of a message that are written and read so */

/* Writes `size` bytes of the number behind a tag, the most significant first. */
static inline char *shmx_scalar_put_number(char *at, unsigned tag, uint64_t bits, int size) {
  uint64_t swapped = htobe64(bits << (64 - 8 * size));
  *at = (char)tag;
  memcpy(at + 1, &swapped, (size_t)size);
  return at + 1 + size;
}

static inline char *shmx_scalar_put_integer(char *at, lua_Integer n) {
  if (n >= -32 && n < 128) {
    *at = (char)n;
    return at + 1;
  }
  if (n >= 0) {
    int exponent = n <= UINT8_MAX ? 0 : n <= UINT16_MAX ? 1 : n <= UINT32_MAX ? 2 : 3;
    return shmx_scalar_put_number(at, 0xccu + (unsigned)exponent, (uint64_t)n, 1 << exponent);
  }
  int exponent = n >= INT8_MIN ? 0 : n >= INT16_MIN ? 1 : n >= INT32_MIN ? 2 : 3;
  return shmx_scalar_put_number(at, 0xd0u + (unsigned)exponent, (uint64_t)n, 1 << exponent);
}

/* Writes the value at `index`, and returns where it ends; NULL if it is none of these, or there is no room. */
static inline char *shmx_scalar_put(lua_State *L, int index, char *at, const char *end) {
  if (end - at < SHMX_SCALAR_MAX) return NULL;
  switch (lua_type(L, index)) {
  case LUA_TNIL: *at = (char)0xc0; return at + 1;
  case LUA_TBOOLEAN: *at = (char)(0xc2 | lua_toboolean(L, index)); return at + 1;
  case LUA_TNUMBER: {
    if (lua_isinteger(L, index)) return shmx_scalar_put_integer(at, lua_tointeger(L, index));
    double x = lua_tonumber(L, index);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return shmx_scalar_put_number(at, 0xcb, bits, 8);
  }
  case LUA_TSTRING: {
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    if (size > SHMX_SCALAR_STRING || size >= (size_t)(end - at)) return NULL;
    *at = (char)(0xa0 | size);
    memcpy(at + 1, text, size);
    return at + 1 + size;
  }
  default: return NULL;
  }
}

static inline uint64_t shmx_scalar_number(const char *at, int size) {
  uint64_t bits = 0;
  memcpy((char *)&bits + 8 - size, at, (size_t)size);
  return be64toh(bits);
}

/* Pushes the integer behind the tag. An unsigned one beyond Lua's is none. */
static inline const char *shmx_scalar_take_integer(lua_State *L, unsigned tag, const char *at, const char *end) {
  int size = 1 << (tag & 3), spare = 64 - 8 * size;
  bool is_signed = tag >= 0xd0;
  if (end - at < size) return NULL;
  uint64_t bits = shmx_scalar_number(at, size) << spare;
  lua_Integer n = (lua_Integer)bits;
  if (!is_signed && size == 8 && n < 0) return NULL;
  lua_pushinteger(L, is_signed ? n >> spare : (lua_Integer)(bits >> spare));
  return at + size;
}

/* Pushes the number, boolean or nil at `at`, and returns where it ends; NULL, with nothing pushed, if there is none of
 * these. Never raises. */
static inline const char *shmx_scalar_take(lua_State *L, const char *at, const char *end) {
  if (at == end) return NULL;
  unsigned tag = (unsigned char)*at++;
  if (tag < 0x80 || tag >= 0xe0) {
    lua_pushinteger(L, (signed char)tag);
    return at;
  }
  switch (tag) {
  case 0xc0: lua_pushnil(L); return at;
  case 0xc2:
  case 0xc3: lua_pushboolean(L, tag & 1); return at;
  case 0xcc:
  case 0xcd:
  case 0xce:
  case 0xcf:
  case 0xd0:
  case 0xd1:
  case 0xd2:
  case 0xd3: return shmx_scalar_take_integer(L, tag, at, end);
  case 0xcb: {
    double x;
    if (end - at < 8) return NULL;
    uint64_t bits = shmx_scalar_number(at, 8);
    memcpy(&x, &bits, sizeof x);
    lua_pushnumber(L, x);
    return at + 8;
  }
  default: return NULL;
  }
}

/* The same for strings too, which can raise for want of memory. */
static inline const char *shmx_scalar_take_any(lua_State *L, const char *at, const char *end) {
  if (at < end && ((unsigned char)*at & 0xe0) == 0xa0) {
    size_t size = (unsigned char)*at++ & 0x1f;
    if ((size_t)(end - at) < size) return NULL;
    lua_pushlstring(L, at, size);
    return at + size;
  }
  return shmx_scalar_take(L, at, end);
}

#endif
