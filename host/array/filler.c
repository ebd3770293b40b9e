/* SPDX-License-Identifier: MIT */
/* The kernels of array/fill.h. Compiled once for each level. */
#include "array/fill.h"

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

/* In blocks, because a 32-bit counter converts to double in vector code and a 64-bit one does not. The index is exact,
 * and so each element has the error of one multiplication and one addition, however long the array. */
enum { RANGE_BLOCK = 1024 };

#define RANGE_FLOAT(constant, tag, type)                                                                               \
  static void range_##tag(void *data, int64_t from, int64_t count, double first, double step) {                        \
    for (int64_t base = 0; base < count; base += RANGE_BLOCK) {                                                        \
      type *out = (type *)data + base;                                                                                 \
      int32_t n = (int32_t)(count - base < RANGE_BLOCK ? count - base : RANGE_BLOCK);                                  \
      double start = (double)(from + base);                                                                            \
      for (int32_t i = 0; i < n; i++) out[i] = (type)(first + (start + i) * step);                                     \
    }                                                                                                                  \
  }
SHMX_FLOAT_DTYPES(RANGE_FLOAT)

#define INTEGER_ENTRY(constant, tag, type) [SHMX_##constant] = range_##tag,

const struct shmx_fills SHMX_AT_LEVEL(shmx_fills) = {
    .row = {[1] = fill_uint8_t, [2] = fill_uint16_t, [4] = fill_uint32_t, [8] = fill_uint64_t},
    .integers = {SHMX_INTEGER_DTYPES(INTEGER_ENTRY)},
    .f32 = range_f32,
    .f64 = range_f64};

/* NOLINTEND(bugprone-macro-parentheses) */
