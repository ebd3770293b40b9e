/* SPDX-License-Identifier: MIT */
/*
 * Kernels of one operand that need no mathematics: signs, roundings, square roots, tests. Compiled once for each level.
 *
 * Integers are whole, so rounding copies them. The lowest integer is its own negative and absolute value, as in C.
 */
#include <math.h>

#include "array/kernel_file.h"
#include "array/op_kernels.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define WRAPPING(tag, type, wide)                                                                                      \
  SHMX_UNARY(unm_##tag, type, type, 0 - (wide)x)                                                                       \
  SHMX_UNARY(square_##tag, type, type, (wide)x *(wide)x)                                                               \
  SHMX_UNARY(same_##tag, type, type, x)
WRAPPING(u8, uint8_t, uint32_t)
WRAPPING(u16, uint16_t, uint32_t)
WRAPPING(u32, uint32_t, uint32_t)
WRAPPING(u64, uint64_t, uint64_t)

#define OF_SIGNED(tag, type, wide)                                                                                     \
  SHMX_UNARY(abs_##tag, type, type, x < 0 ? 0 - (wide)x : (wide)x)                                                     \
  SHMX_UNARY(sign_##tag, type, type, (x > 0) - (x < 0))
OF_SIGNED(i8, int8_t, uint32_t)
OF_SIGNED(i16, int16_t, uint32_t)
OF_SIGNED(i32, int32_t, uint32_t)
OF_SIGNED(i64, int64_t, uint64_t)

#define OF_UNSIGNED(tag, type) SHMX_UNARY(sign_##tag, type, type, x != 0)
OF_UNSIGNED(u8, uint8_t)
OF_UNSIGNED(u16, uint16_t)
OF_UNSIGNED(u32, uint32_t)
OF_UNSIGNED(u64, uint64_t)

#define OF_FLOATS(tag, type, suffix, huge)                                                                             \
  SHMX_UNARY(unm_##tag, type, type, -x)                                                                                \
  SHMX_UNARY(abs_##tag, type, type, fabs##suffix(x))                                                                   \
  SHMX_UNARY(sign_##tag, type, type, x > 0 ? (type)1 : x < 0 ? (type)-1 : x != x ? x : (type)0)                        \
  SHMX_UNARY(square_##tag, type, type, x *x)                                                                           \
  SHMX_UNARY(floor_##tag, type, type, floor##suffix(x))                                                                \
  SHMX_UNARY(ceil_##tag, type, type, ceil##suffix(x))                                                                  \
  SHMX_UNARY(trunc_##tag, type, type, trunc##suffix(x))                                                                \
  SHMX_UNARY(round_##tag, type, type, rint##suffix(x))                                                                 \
  SHMX_UNARY(sqrt_##tag, type, type, sqrt##suffix(x))                                                                  \
  SHMX_UNARY(isnan_##tag, shmx_bool, type, x != x)                                                                     \
  SHMX_UNARY(isinf_##tag, shmx_bool, type, fabs##suffix(x) > (huge))                                                   \
  SHMX_UNARY(isfinite_##tag, shmx_bool, type, fabs##suffix(x) <= (huge))
OF_FLOATS(f32, float, f, 0x1.fffffep127F)
OF_FLOATS(f64, double, , 0x1.fffffffffffffp1023)

#define ENTRY(op, word, constant, tag) SHMX_KERNEL_ENTRY(op, SHMX_UNARY_FIRST, word, constant, tag)
#define SIGNED_ENTRY(constant, tag, word)                                                                              \
  ENTRY(UNM, unm, constant, word), ENTRY(SQUARE, square, constant, word), ENTRY(FLOOR, same, constant, word),          \
      ENTRY(CEIL, same, constant, word), ENTRY(TRUNC, same, constant, word), ENTRY(ROUND, same, constant, word),       \
      ENTRY(ABS, abs, constant, tag), ENTRY(SIGN, sign, constant, tag)
#define UNSIGNED_ENTRY(constant, tag)                                                                                  \
  ENTRY(UNM, unm, constant, tag), ENTRY(SQUARE, square, constant, tag), ENTRY(FLOOR, same, constant, tag),             \
      ENTRY(CEIL, same, constant, tag), ENTRY(TRUNC, same, constant, tag), ENTRY(ROUND, same, constant, tag),          \
      ENTRY(ABS, same, constant, tag), ENTRY(SIGN, sign, constant, tag)
#define FLOAT_ENTRY(constant, tag, type)                                                                               \
  ENTRY(UNM, unm, constant, tag), ENTRY(SQUARE, square, constant, tag), ENTRY(FLOOR, floor, constant, tag),            \
      ENTRY(CEIL, ceil, constant, tag), ENTRY(TRUNC, trunc, constant, tag), ENTRY(ROUND, round, constant, tag),        \
      ENTRY(ABS, abs, constant, tag), ENTRY(SIGN, sign, constant, tag), ENTRY(SQRT, sqrt, constant, tag),              \
      ENTRY(ISNAN, isnan, constant, tag), ENTRY(ISINF, isinf, constant, tag),                                          \
      ENTRY(ISFINITE, isfinite, constant, tag),

const struct shmx_unary SHMX_AT_LEVEL(shmx_unary) = {
    {SIGNED_ENTRY(I8, i8, u8), UNSIGNED_ENTRY(U8, u8), SIGNED_ENTRY(I16, i16, u16), UNSIGNED_ENTRY(U16, u16),
     SIGNED_ENTRY(I32, i32, u32), UNSIGNED_ENTRY(U32, u32), SIGNED_ENTRY(I64, i64, u64), UNSIGNED_ENTRY(U64, u64),
     SHMX_FLOAT_DTYPES(FLOAT_ENTRY)}};

/* NOLINTEND(bugprone-macro-parentheses) */
