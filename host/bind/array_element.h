/* SPDX-License-Identifier: MIT */
/* One element between memory and the Lua stack. Inline, because a[i] is what scripts spend their time in. */
#ifndef SHMX_BIND_ARRAY_ELEMENT_H
#define SHMX_BIND_ARRAY_ELEMENT_H

#include <float.h>

#include "bind/array_parts.h"

static inline void shmx_element_push(lua_State *L, enum shmx_dtype dtype, const void *p) {
  switch (dtype) {
  case SHMX_I8: lua_pushinteger(L, *(const int8_t *)p); break;
  case SHMX_U8: lua_pushinteger(L, *(const uint8_t *)p); break;
  case SHMX_I16: lua_pushinteger(L, *(const int16_t *)p); break;
  case SHMX_U16: lua_pushinteger(L, *(const uint16_t *)p); break;
  case SHMX_I32: lua_pushinteger(L, *(const int32_t *)p); break;
  case SHMX_U32: lua_pushinteger(L, *(const uint32_t *)p); break;
  case SHMX_I64:
  case SHMX_U64: lua_pushinteger(L, *(const int64_t *)p); break;
  case SHMX_F32: lua_pushnumber(L, (lua_Number) * (const float *)p); break;
  case SHMX_F64: lua_pushnumber(L, *(const double *)p); break;
  default: lua_pushboolean(L, *(const shmx_bool *)p != 0); break;
  }
}

/* A float from 2^63 up to 2^64 has an exact value as u64, though none as a Lua integer. */
static inline bool shmx_element_store_big(lua_State *L, int index, uint64_t *out) {
  lua_Number x = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : 0;
  if (!(x >= 0x1p63 && x < 0x1p64)) return false;
  *out = (uint64_t)x;
  return true;
}

/* Stores the value at `index`; false, with nothing changed, when the dtype cannot hold it. */
static inline bool shmx_element_store(lua_State *L, int index, enum shmx_dtype dtype, void *p) {
#define STORE_INTEGER(constant, tag, type)                                                                             \
  case SHMX_##constant:                                                                                                \
    if (!shmx_array_to_integer(L, index, &value) || value != (lua_Integer)(type)value) break;                          \
    *(type *)p = (type)value;                                                                                          \
    return true;
  lua_Integer value;
  switch (dtype) {
    SHMX_NARROW_DTYPES(STORE_INTEGER)
  case SHMX_I64:
  case SHMX_U64:
    if (!shmx_array_to_integer(L, index, &value)) return dtype == SHMX_U64 && shmx_element_store_big(L, index, p);
    *(int64_t *)p = value;
    return true;
  case SHMX_F32:
    if (lua_type(L, index) != LUA_TNUMBER) break;
    *(float *)p = (float)lua_tonumber(L, index);
    return true;
  case SHMX_F64:
    if (lua_type(L, index) != LUA_TNUMBER) break;
    *(double *)p = lua_tonumber(L, index);
    return true;
  default:
    if (!lua_isboolean(L, index)) break;
    *(shmx_bool *)p = (shmx_bool)lua_toboolean(L, index);
    return true;
  }
  return false;
#undef STORE_INTEGER
}

/* Whether the number at `index` is surely what it was when it has been made a float: integers up to 2^53 are. */
static inline bool shmx_element_is_exact(lua_State *L, int index) {
  const lua_Integer most = (lua_Integer)1 << DBL_MANT_DIG;
  lua_Integer value = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
  return -most <= value && value <= most;
}

/* Pushes why shmx_element_store refused a value: "256 is not between 0 and 255". */
const char *shmx_element_problem(lua_State *L, int index, enum shmx_dtype dtype);

#endif
