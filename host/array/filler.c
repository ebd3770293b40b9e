/* SPDX-License-Identifier: MIT */
/* The kernels of array/fill.h. Compiled once for each level. */
#include "array/fill.h"

#include <math.h>
#include <string.h>

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define FILL(type)                                                                                                     \
  static void fill_##type(char *data, int64_t stride, int64_t count, const void *element) {                            \
    type value;                                                                                                        \
    memcpy(&value, element, sizeof value);                                                                             \
    if (stride == (int64_t)sizeof(type)) {                                                                             \
      type *out = (type *)(void *)data;                                                                                \
      for (int64_t i = 0; i < count; i++) out[i] = value;                                                              \
    } else {                                                                                                           \
      for (int64_t i = 0; i < count; i++) *(type *)(void *)(data + i * stride) = value;                                \
    }                                                                                                                  \
  }
FILL(uint8_t)
FILL(uint16_t)
FILL(uint32_t)
FILL(uint64_t)

#define RANGE_INTEGER(constant, tag, type)                                                                             \
  static void range_##tag(void *data, int64_t count, uint64_t first, uint64_t step) {                                  \
    type *out = data;                                                                                                  \
    for (int64_t i = 0; i < count; i++, first += step) out[i] = (type)first;                                           \
  }
SHMX_INTEGER_DTYPES(RANGE_INTEGER)

/* Whole numbers that a float type holds are added without rounding, in any order: so the compiler gets a plain sum. */
enum { LANES = 64 };

#define RANGE_OF_WHOLE(tag, type)                                                                                      \
  static void whole_##tag(type *out, int64_t count, type first, type step) {                                           \
    type lane[LANES];                                                                                                  \
    int64_t i = 0;                                                                                                     \
    for (int k = 0; k < LANES; k++) lane[k] = (type)k * step;                                                          \
    for (; i + LANES <= count; i += LANES) {                                                                           \
      const type start = first + (type)i * step;                                                                       \
      for (int k = 0; k < LANES; k++) out[i + k] = start + lane[k];                                                    \
    }                                                                                                                  \
    for (; i < count; i++) out[i] = first + (type)i * step;                                                            \
  }
RANGE_OF_WHOLE(f32, float)
RANGE_OF_WHOLE(f64, double)

/* Whether the values up to number `end` are whole, and less than `limit`. */
static bool are_whole(double first, double step, int64_t end, double limit) {
  return first == rint(first) && step == rint(step) && fabs(first) + fabs(step) * (double)end < limit;
}

/* Others in blocks, because a 32-bit counter converts to double in vector code and a 64-bit one does not. The index is
 * exact, and so each element has the error of one multiplication and one addition, however long the array. */
enum { RANGE_BLOCK = 1024 };

#define RANGE_FLOAT(tag, type, limit)                                                                                  \
  static void range_##tag(void *data, int64_t from, int64_t count, double first, double step) {                        \
    if (are_whole(first, step, from + count, limit)) {                                                                 \
      whole_##tag(data, count, (type)(first + (double)from * step), (type)step);                                       \
      return;                                                                                                          \
    }                                                                                                                  \
    for (int64_t base = 0; base < count; base += RANGE_BLOCK) {                                                        \
      type *out = (type *)data + base;                                                                                 \
      int32_t n = (int32_t)(count - base < RANGE_BLOCK ? count - base : RANGE_BLOCK);                                  \
      double start = (double)(from + base);                                                                            \
      for (int32_t i = 0; i < n; i++) out[i] = (type)(first + (start + i) * step);                                     \
    }                                                                                                                  \
  }
RANGE_FLOAT(f32, float, 0x1p24)
RANGE_FLOAT(f64, double, 0x1p53)

#define INTEGER_ENTRY(constant, tag, type) [SHMX_##constant] = range_##tag,

const struct shmx_fills SHMX_AT_LEVEL(shmx_fills) = {
    .row = {[1] = fill_uint8_t, [2] = fill_uint16_t, [4] = fill_uint32_t, [8] = fill_uint64_t},
    .integers = {SHMX_INTEGER_DTYPES(INTEGER_ENTRY)},
    .f32 = range_f32,
    .f64 = range_f64};

/* NOLINTEND(bugprone-macro-parentheses) */
