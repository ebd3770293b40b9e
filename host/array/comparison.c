/* SPDX-License-Identifier: MIT */
/*
 * Kernels of comparisons. Compiled once for each level. Every bool but 0 is true, and true is more than false.
 *
 * A pair of dtypes is compared by the values, without rounding one to the other. Of two pairs that are the same but for
 * their order, one has kernels, and the other has those of the opposite comparisons.
 */
#include <math.h>
#include <string.h>

#include "array/kernel_file.h"
#include "array/op_kernels.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define COMPARISONS(tag, type, value)                                                                                  \
  SHMX_BINARY(eq_##tag, shmx_bool, type, value(x) == value(y))                                                         \
  SHMX_BINARY(ne_##tag, shmx_bool, type, value(x) != value(y))                                                         \
  SHMX_BINARY(lt_##tag, shmx_bool, type, value(x) < value(y))                                                          \
  SHMX_BINARY(le_##tag, shmx_bool, type, value(x) <= value(y))                                                         \
  SHMX_BINARY(gt_##tag, shmx_bool, type, value(x) > value(y))                                                          \
  SHMX_BINARY(ge_##tag, shmx_bool, type, value(x) >= value(y))
#define ITSELF(x)                       (x)
#define TRUTH(x)                        ((x) != 0)
#define OF_NUMBERS(constant, tag, type) COMPARISONS(tag, type, ITSELF)
SHMX_INTEGER_DTYPES(OF_NUMBERS)
SHMX_FLOAT_DTYPES(OF_NUMBERS)
COMPARISONS(b8, shmx_bool, TRUTH)

/* A negative number is less than all without a sign; of others the bits tell. */
SHMX_BINARY_OF_TWO(eq_i64_u64, shmx_bool, int64_t, uint64_t, (x >= 0) & ((uint64_t)x == y))
SHMX_BINARY_OF_TWO(ne_i64_u64, shmx_bool, int64_t, uint64_t, (x < 0) | ((uint64_t)x != y))
SHMX_BINARY_OF_TWO(lt_i64_u64, shmx_bool, int64_t, uint64_t, (x < 0) | ((uint64_t)x < y))
SHMX_BINARY_OF_TWO(le_i64_u64, shmx_bool, int64_t, uint64_t, (x < 0) | ((uint64_t)x <= y))
SHMX_BINARY_OF_TWO(gt_i64_u64, shmx_bool, int64_t, uint64_t, (x >= 0) & ((uint64_t)x > y))
SHMX_BINARY_OF_TWO(ge_i64_u64, shmx_bool, int64_t, uint64_t, (x >= 0) & ((uint64_t)x >= y))

/* By how much an integer is more than a double: rounded, but its sign is right. The halves of the integer are exact, and so
 * is what their sum has lost by rounding, which is less than its distance to the next double: it decides only where the
 * sum is `y`. */
static inline double add_exactly(double high, double low, double y) {
  double sum = high + low, lost = low - (sum - high);
  return (sum - y) + lost;
}

/* The halves are made of their bits, as vectors can do it: behind those of 2^52 and of 2^84, which are then taken off. */
static inline double from_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
#define LOW_HALF(x)    (from_bits(((uint64_t)(x)&UINT32_MAX) | 0x433ULL << 52) - 0x1p52)
#define HIGH_HALF(x)   (from_bits((x) >> 32 | 0x453ULL << 52) - 0x1p84)
#define LEAD_U64(x, y) add_exactly(HIGH_HALF(x), LOW_HALF(x), y)
#define LEAD_I64(x, y) add_exactly(HIGH_HALF((uint64_t)(x) + (1ULL << 63)) - 0x1p63, LOW_HALF(x), y)

static inline double whole(double x) { return x == trunc(x) ? x : NAN; }

/* A double that goes with all integers is rounded to an integer with which the comparison gives the same, if there is one;
 * otherwise it gives the same for all integers. */
#define WITH_FLOAT(name, tag, type, sign, lead, low, high, rounded)                                                    \
  SHMX_BINARY_OF_TWO(name##_each_##tag##_f64, shmx_bool, type, double, lead(x, y) sign 0)                              \
  static void name##_##tag##_f64(void *out, const void *const *in, int64_t count, unsigned uniform) {                  \
    const double y = uniform == 2 ? rounded(*(const double *)in[1]) : 0;                                               \
    const type bound = y >= (low) && y < (high) ? (type)y : 0;                                                         \
    if (uniform != 2) name##_each_##tag##_f64(out, in, count, uniform);                                                \
    else if ((double)bound == y) name##_##tag(out, (const void *const[]){in[0], &bound}, count, uniform);              \
    else memset(out, 0 sign y, (size_t)count);                                                                         \
  }
#define WITH_FLOATS(tag, type, lead, low, high)                                                                        \
  WITH_FLOAT(eq, tag, type, ==, lead, low, high, whole)                                                                \
  WITH_FLOAT(ne, tag, type, !=, lead, low, high, whole)                                                                \
  WITH_FLOAT(lt, tag, type, <, lead, low, high, ceil)                                                                  \
  WITH_FLOAT(le, tag, type, <=, lead, low, high, floor)                                                                \
  WITH_FLOAT(gt, tag, type, >, lead, low, high, floor)                                                                 \
  WITH_FLOAT(ge, tag, type, >=, lead, low, high, ceil)
WITH_FLOATS(i64, int64_t, LEAD_I64, -0x1p63, 0x1p63)
WITH_FLOATS(u64, uint64_t, LEAD_U64, 0, 0x1p64)

#define TURNED(name, kernel)                                                                                           \
  static void name(void *out, const void *const *in, int64_t count, unsigned uniform) {                                \
    kernel(out, (const void *const[]){in[1], in[0]}, count, (uniform & 1) << 1 | uniform >> 1);                        \
  }
#define ALL_TURNED(tag, other)                                                                                         \
  TURNED(eq_##tag##_##other, eq_##other##_##tag)                                                                       \
  TURNED(ne_##tag##_##other, ne_##other##_##tag)                                                                       \
  TURNED(lt_##tag##_##other, gt_##other##_##tag)                                                                       \
  TURNED(le_##tag##_##other, ge_##other##_##tag)                                                                       \
  TURNED(gt_##tag##_##other, lt_##other##_##tag)                                                                       \
  TURNED(ge_##tag##_##other, le_##other##_##tag)
ALL_TURNED(u64, i64)
ALL_TURNED(f64, i64)
ALL_TURNED(f64, u64)

#define ENTRY(op, word, constant, tag) SHMX_KERNEL_ENTRY(op, SHMX_COMPARISON_FIRST, word, constant, tag)
#define ENTRIES(constant, tag, type)                                                                                   \
  ENTRY(EQ, eq, constant, tag), ENTRY(NE, ne, constant, tag), ENTRY(LT, lt, constant, tag),                            \
      ENTRY(LE, le, constant, tag), ENTRY(GT, gt, constant, tag), ENTRY(GE, ge, constant, tag),
#define PAIR_ENTRIES(first, second, tag, other) ENTRIES(first##_##second, tag##_##other, )
const struct shmx_comparison SHMX_AT_LEVEL(shmx_comparison) = {{SHMX_DTYPES(ENTRIES) SHMX_PAIRS(PAIR_ENTRIES)}};

/* NOLINTEND(bugprone-macro-parentheses) */
