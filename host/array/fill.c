/* SPDX-License-Identifier: MIT */
/* Filling: with one value, by the size of an element alone; and with an arithmetic sequence. */
#include <math.h>
#include <string.h>

#include "array/kernel.h"
#include "array/loop.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

typedef void fill_row(char *data, int64_t stride, int64_t count, const void *element);

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

void shmx_kernel_fill(const struct shmx_view *view, const void *element) {
  static fill_row *const rows[] = {[1] = fill_uint8_t, [2] = fill_uint16_t, [4] = fill_uint32_t, [8] = fill_uint64_t};
  fill_row *row = rows[shmx_dtype_size(view->dtype)];
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, view, NULL)) return;
  do row(loop.data[0], loop.stride[0], loop.count, element);
  while (shmx_loop_next(&loop));
}

#define RANGE_INTEGER(constant, tag, type)                                                                             \
  static void range_##tag(void *data, int64_t count, uint64_t first, uint64_t step) {                                  \
    type *out = data;                                                                                                  \
    for (int64_t i = 0; i < count; i++, first += step) out[i] = (type)first;                                           \
  }
SHMX_INTEGER_DTYPES(RANGE_INTEGER)

void shmx_kernel_range_integer(enum shmx_dtype dtype, void *data, int64_t from, int64_t count, int64_t first,
                               int64_t step) {
  uint64_t start = (uint64_t)first + (uint64_t)from * (uint64_t)step;
#define RANGE_CASE(constant, tag, type)                                                                                \
  case SHMX_##constant: range_##tag(data, count, start, (uint64_t)step); break;
  switch (dtype) {
    SHMX_INTEGER_DTYPES(RANGE_CASE)
  default: break;
  }
}

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

void shmx_kernel_range_float(enum shmx_dtype dtype, void *data, int64_t from, int64_t count, double first,
                             double step) {
  if (dtype == SHMX_F32) {
    range_f32(data, from, count, first, step);
  } else {
    range_f64(data, from, count, first, step);
  }
}

/* The values with the numbers base, base + 1, ... of the `count` from first to last. Where the distance is too small for
 * a double, the index is divided instead. */
static void linspace_block(double *out, int64_t n, int64_t base, int64_t count, double first, double last) {
  double delta = last - first, parts = (double)(count > 1 ? count - 1 : 1), step = delta / parts;
  for (int64_t i = 0; i < n; i++) {
    double index = (double)(base + i);
    out[i] = first + (step != 0 ? index * step : index / parts * delta);
  }
  if (base + n == count && count > 1) out[n - 1] = last;
}

void shmx_kernel_linspace(enum shmx_dtype dtype, void *data, int64_t count, double first, double last) {
  double block[RANGE_BLOCK];
  struct shmx_view from = {.data = block, .dtype = SHMX_F64, .ndim = 1, .strides = {sizeof(double)}};
  struct shmx_view to = {.dtype = dtype, .ndim = 1, .strides = {shmx_dtype_size(dtype)}};
  for (int64_t base = 0; base < count; base += RANGE_BLOCK) {
    int64_t n = count - base < RANGE_BLOCK ? count - base : RANGE_BLOCK;
    linspace_block(block, n, base, count, first, last);
    for (int64_t i = 0; i < n && shmx_dtype_is_integer(dtype); i++) block[i] = floor(block[i]);
    from.shape[0] = to.shape[0] = n;
    to.data = (char *)data + base * to.strides[0];
    shmx_kernel_copy(&to, &from);
  }
}

/* NOLINTEND(bugprone-macro-parentheses) */
