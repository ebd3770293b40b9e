/* SPDX-License-Identifier: MIT */
/*
 * Kernels of bits and of logic, and the choice between two values, which goes by the size of an element alone. Compiled
 * once for each level.
 *
 * Shifts are Lua's: bits that are shifted in are 0, a negative distance shifts the other way, and one of the element's
 * width or more leaves nothing. The bits of a bool are those of `true` and `false`.
 */
#include "array/kernel_file.h"
#include "array/op_kernels.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define OF_WORDS(tag, type)                                                                                            \
  SHMX_BINARY(band_##tag, type, type, x &y)                                                                            \
  SHMX_BINARY(bor_##tag, type, type, x | y)                                                                            \
  SHMX_BINARY(bxor_##tag, type, type, x ^ y)                                                                           \
  SHMX_UNARY(bnot_##tag, type, type, ~x)                                                                               \
  SHMX_TERNARY(where_##tag, type, shmx_bool, x != 0 ? y : z)
OF_WORDS(u8, uint8_t)
OF_WORDS(u16, uint16_t)
OF_WORDS(u32, uint32_t)
OF_WORDS(u64, uint64_t)

SHMX_BINARY(band_b8, shmx_bool, shmx_bool, (x != 0) & (y != 0))
SHMX_BINARY(bor_b8, shmx_bool, shmx_bool, (x | y) != 0)
SHMX_BINARY(bxor_b8, shmx_bool, shmx_bool, (x != 0) != (y != 0))
SHMX_UNARY(bnot_b8, shmx_bool, shmx_bool, x == 0)

/* At most one of the two shifts leaves something, unless the distance is 0, and then both leave the same. `back` is 0 for
 * unsigned distances; those of u64 are numbers of a script, which have a sign. */
#define WIDTH(type) (8 * sizeof(type))
#define SHIFTS(tag, type, word, back)                                                                                  \
  static inline type left_##tag(word x, word there) {                                                                  \
    const word mask = WIDTH(word) - 1, here = (word)(0 - there);                                                       \
    word left = there < WIDTH(word) ? (word)(x << (there & mask)) : 0;                                                 \
    word right = (back) && here < WIDTH(word) ? (word)(x >> (here & mask)) : 0;                                        \
    return (type)(left | right);                                                                                       \
  }                                                                                                                    \
  static inline type right_##tag(word x, word there) {                                                                 \
    const word mask = WIDTH(word) - 1, here = (word)(0 - there);                                                       \
    word right = there < WIDTH(word) ? (word)(x >> (there & mask)) : 0;                                                \
    word left = (back) && here < WIDTH(word) ? (word)(x << (here & mask)) : 0;                                         \
    return (type)(right | left);                                                                                       \
  }                                                                                                                    \
  SHMX_BINARY(shl_##tag, type, type, left_##tag((word)x, (word)y))                                                     \
  SHMX_BINARY(shr_##tag, type, type, right_##tag((word)x, (word)y))
SHIFTS(i8, int8_t, uint8_t, 1)
SHIFTS(u8, uint8_t, uint8_t, 0)
SHIFTS(i16, int16_t, uint16_t, 1)
SHIFTS(u16, uint16_t, uint16_t, 0)
SHIFTS(i32, int32_t, uint32_t, 1)
SHIFTS(u32, uint32_t, uint32_t, 0)
SHIFTS(i64, int64_t, uint64_t, 1)
SHIFTS(u64, uint64_t, uint64_t, 1)

#define ENTRY(op, word, constant, tag) SHMX_KERNEL_ENTRY(op, SHMX_BIT_FIRST, word, constant, tag)
#define WORD_ENTRY(op, word)                                                                                           \
  ENTRY(op, word, I8, u8), ENTRY(op, word, U8, u8), ENTRY(op, word, I16, u16), ENTRY(op, word, U16, u16),              \
      ENTRY(op, word, I32, u32), ENTRY(op, word, U32, u32), ENTRY(op, word, I64, u64), ENTRY(op, word, U64, u64)
#define SHIFT_ENTRY(constant, tag, type) ENTRY(SHL, shl, constant, tag), ENTRY(SHR, shr, constant, tag),

const struct shmx_bits SHMX_AT_LEVEL(shmx_bits) = {{
    WORD_ENTRY(BAND, band),
    ENTRY(BAND, band, BOOL, b8),
    WORD_ENTRY(BOR, bor),
    ENTRY(BOR, bor, BOOL, b8),
    WORD_ENTRY(BXOR, bxor),
    ENTRY(BXOR, bxor, BOOL, b8),
    WORD_ENTRY(BNOT, bnot),
    ENTRY(BNOT, bnot, BOOL, b8),
    SHMX_INTEGER_DTYPES(SHIFT_ENTRY) /* ends with a comma */
    ENTRY(LOGICAL_AND, band, BOOL, b8),
    ENTRY(LOGICAL_OR, bor, BOOL, b8),
    ENTRY(LOGICAL_XOR, bxor, BOOL, b8),
    ENTRY(LOGICAL_NOT, bnot, BOOL, b8),
    WORD_ENTRY(WHERE, where),
    ENTRY(WHERE, where, F32, u32),
    ENTRY(WHERE, where, F64, u64),
    ENTRY(WHERE, where, BOOL, u8),
}};

/* NOLINTEND(bugprone-macro-parentheses) */
