/* SPDX-License-Identifier: MIT */
/*
 * Kernels of `//` and `%`, with Lua's meaning: the quotient is rounded down, and the rest has the divisor's sign.
 * Compiled once for each level.
 *
 * Vector units have no division of integers. Narrow ones are divided as floats, which is exact: the quotient of two
 * integers of at most 32 (16) bits is no integer by at least 1 / divisor, and a double (float) is nearer to it than that.
 * A divisor of 0 is refused before; but the memory is shared, and one that turns up nevertheless counts as 1.
 */
#include <math.h>

#include "array/divider.h"
#include "array/kernel_file.h"
#include "array/op_kernels.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

/* -1 is left out because the lowest integer has no negative. */
#define NARROW(tag, type, real, step)                                                                                  \
  static inline type cut_##tag(type x, type y) {                                                                       \
    type d = y == 0 || y == (type)-1 ? 1 : y;                                                                          \
    return (type)(step)((real)x / (real)d);                                                                            \
  }
#define NARROW_SIGNED(tag, type, real)                                                                                 \
  NARROW(tag, type, real, int32_t)                                                                                     \
  static inline type quotient_##tag(type x, type y) {                                                                  \
    type q = cut_##tag(x, y), r = (type)((uint32_t)x - (uint32_t)q * (uint32_t)y);                                     \
    type down = (type)(q - ((r != 0) & ((r ^ y) < 0)));                                                                \
    return y == -1 ? (type)(0U - (uint32_t)x) : down;                                                                  \
  }                                                                                                                    \
  static inline type rest_##tag(type x, type y) {                                                                      \
    type r = (type)((uint32_t)x - (uint32_t)cut_##tag(x, y) * (uint32_t)y);                                            \
    type up = (type)((uint32_t)r + ((r != 0) & ((r ^ y) < 0) ? (uint32_t)y : 0U));                                     \
    return y == -1 || y == 0 ? 0 : up;                                                                                 \
  }
#define NARROW_UNSIGNED(tag, type, real, step)                                                                         \
  static inline type quotient_##tag(type x, type y) { return (type)(step)((real)x / (real)(y == 0 ? 1 : y)); }         \
  static inline type rest_##tag(type x, type y) {                                                                      \
    return y == 0 ? 0 : (type)((uint32_t)x - (uint32_t)quotient_##tag(x, y) * (uint32_t)y);                            \
  }
NARROW_SIGNED(i8, int8_t, float)
NARROW_SIGNED(i16, int16_t, float)
NARROW_SIGNED(i32, int32_t, double)
NARROW_UNSIGNED(u8, uint8_t, float, int32_t)
NARROW_UNSIGNED(u16, uint16_t, float, int32_t)
NARROW_UNSIGNED(u32, uint32_t, double, uint32_t)

static inline int64_t quotient_i64(int64_t x, int64_t y) {
  if ((uint64_t)y + 1 <= 1) return y == 0 ? x : (int64_t)(0 - (uint64_t)x);
  int64_t q = x / y;
  return q - ((q * y != x) & ((x ^ y) < 0));
}
static inline int64_t rest_i64(int64_t x, int64_t y) {
  if ((uint64_t)y + 1 <= 1) return 0;
  int64_t r = x % y;
  return r + ((r != 0) & ((r ^ y) < 0) ? y : 0);
}
static inline uint64_t quotient_u64(uint64_t x, uint64_t y) { return x / (y == 0 ? 1 : y); }
static inline uint64_t rest_u64(uint64_t x, uint64_t y) { return y == 0 ? 0 : x % y; }

#define OF_INTEGERS(constant, tag, type)                                                                               \
  SHMX_BINARY(idiv_##tag, type, type, quotient_##tag(x, y))                                                            \
  SHMX_BINARY(mod_##tag, type, type, rest_##tag(x, y))
SHMX_INTEGER_DTYPES(OF_INTEGERS)

#ifdef SHMX_HAS_DIVIDER
/* By one number, the usual case of 64-bit integers goes through reciprocals. */
#define DIVIDED(word, rest)                                                                                            \
  static void word##_by_i64(void *out, const void *const *in, int64_t count, unsigned uniform) {                       \
    int64_t y = *(const int64_t *)in[1];                                                                               \
    if (uniform == 2 && (uint64_t)y + 1 > 1 && count > 1) shmx_divide_i64(out, in[0], y, count, rest);                 \
    else word##_i64(out, in, count, uniform);                                                                          \
  }
DIVIDED(idiv, false)
DIVIDED(mod, true)
#else
#define idiv_by_i64 idiv_i64
#define mod_by_i64  mod_i64
#endif

static inline double rest_f64(double x, double y) {
  double r = fmod(x, y);
  return (r > 0 && y < 0) || (r < 0 && y > 0) ? r + y : r;
}
static inline float rest_f32(float x, float y) {
  float r = fmodf(x, y);
  return (r > 0 && y < 0) || (r < 0 && y > 0) ? r + y : r;
}
SHMX_BINARY(idiv_f64, double, double, floor(x / y))
SHMX_BINARY(idiv_f32, float, float, floorf(x / y))
SHMX_BINARY(mod_f64, double, double, rest_f64(x, y))
SHMX_BINARY(mod_f32, float, float, rest_f32(x, y))

#define ENTRIES(constant, tag, type)                                                                                   \
  SHMX_KERNEL_ENTRY(IDIV, SHMX_DIVISION_FIRST, idiv, constant, tag),                                                   \
      SHMX_KERNEL_ENTRY(MOD, SHMX_DIVISION_FIRST, mod, constant, tag),
const struct shmx_division SHMX_AT_LEVEL(shmx_division) = {{SHMX_NARROW_DTYPES(ENTRIES)
                                                                SHMX_FLOAT_DTYPES(ENTRIES) /* each ends with a comma */
                                                            ENTRIES(I64, by_i64, int64_t) ENTRIES(U64, u64, uint64_t)}};

/* NOLINTEND(bugprone-macro-parentheses) */
