/* SPDX-License-Identifier: MIT */
/*
 * Kernels of sums, differences, products, quotients and extremes. Compiled once for each level.
 *
 * Integers wrap: they are computed without a sign, which gives the same bits, so signed and unsigned ones share kernels
 * where the result does not depend on it. Of bools `+` is or and `*` is and, as in NumPy. A product is rounded before
 * something is added to it, so that `muladd` gives what the two operations give.
 */
#include "array/kernel_file.h"
#include "array/op_kernels.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define WRAPPING(tag, type, wide)                                                                                      \
  SHMX_BINARY(add_##tag, type, type, (wide)x + (wide)y)                                                                \
  SHMX_BINARY(sub_##tag, type, type, (wide)x - (wide)y)                                                                \
  SHMX_BINARY(mul_##tag, type, type, (wide)x *(wide)y)                                                                 \
  SHMX_TERNARY(muladd_##tag, type, type, (wide)x *(wide)y + (wide)z)
WRAPPING(u8, uint8_t, uint32_t)
WRAPPING(u16, uint16_t, uint32_t)
WRAPPING(u32, uint32_t, uint32_t)
WRAPPING(u64, uint64_t, uint64_t)

#define OF_FLOATS(constant, tag, type)                                                                                 \
  SHMX_BINARY(add_##tag, type, type, x + y)                                                                            \
  SHMX_BINARY(sub_##tag, type, type, x - y)                                                                            \
  SHMX_BINARY(mul_##tag, type, type, x *y)                                                                             \
  SHMX_TERNARY(muladd_##tag, type, type, x *y + z)                                                                     \
  SHMX_BINARY(div_##tag, type, type, x / y)
SHMX_FLOAT_DTYPES(OF_FLOATS)

SHMX_BINARY(add_b8, shmx_bool, shmx_bool, (x | y) != 0)
SHMX_BINARY(mul_b8, shmx_bool, shmx_bool, (x != 0) & (y != 0))
SHMX_TERNARY(muladd_b8, shmx_bool, shmx_bool, ((x != 0) & (y != 0)) | (z != 0))

/* A NaN wins, on either side. For integers the second test is always false. */
#define LESS(x, y)    (((x) < (y)) | ((x) != (x)) ? (x) : (y))
#define GREATER(x, y) (((x) > (y)) | ((x) != (x)) ? (x) : (y))
#define EXTREMES(constant, tag, type)                                                                                  \
  SHMX_BINARY(minimum_##tag, type, type, LESS(x, y))                                                                   \
  SHMX_BINARY(maximum_##tag, type, type, GREATER(x, y))                                                                \
  SHMX_TERNARY(clip_##tag, type, type, LESS(GREATER(x, y), z))
SHMX_INTEGER_DTYPES(EXTREMES)
SHMX_FLOAT_DTYPES(EXTREMES)
SHMX_BINARY(minimum_b8, shmx_bool, shmx_bool, (x != 0) & (y != 0))
SHMX_BINARY(maximum_b8, shmx_bool, shmx_bool, (x | y) != 0)

#define ENTRY(op, word, constant, tag) SHMX_KERNEL_ENTRY(op, SHMX_ARITHMETIC_FIRST, word, constant, tag)
#define WRAPPING_ENTRY(op, word)                                                                                       \
  ENTRY(op, word, I8, u8), ENTRY(op, word, U8, u8), ENTRY(op, word, I16, u16), ENTRY(op, word, U16, u16),              \
      ENTRY(op, word, I32, u32), ENTRY(op, word, U32, u32), ENTRY(op, word, I64, u64), ENTRY(op, word, U64, u64),      \
      ENTRY(op, word, F32, f32), ENTRY(op, word, F64, f64)
#define EXTREME_ENTRY(constant, tag, type)                                                                             \
  ENTRY(MINIMUM, minimum, constant, tag), ENTRY(MAXIMUM, maximum, constant, tag), ENTRY(CLIP, clip, constant, tag),

const struct shmx_arithmetic SHMX_AT_LEVEL(shmx_arithmetic) = {{
    WRAPPING_ENTRY(ADD, add),
    ENTRY(ADD, add, BOOL, b8),
    WRAPPING_ENTRY(SUB, sub),
    WRAPPING_ENTRY(MUL, mul),
    ENTRY(MUL, mul, BOOL, b8),
    WRAPPING_ENTRY(MULADD, muladd),
    ENTRY(MULADD, muladd, BOOL, b8),
    ENTRY(DIV, div, F32, f32),
    ENTRY(DIV, div, F64, f64),
    SHMX_INTEGER_DTYPES(EXTREME_ENTRY) SHMX_FLOAT_DTYPES(EXTREME_ENTRY) /* each ends with a comma */
    ENTRY(MINIMUM, minimum, BOOL, b8),
    ENTRY(MAXIMUM, maximum, BOOL, b8),
}};

/* NOLINTEND(bugprone-macro-parentheses) */
