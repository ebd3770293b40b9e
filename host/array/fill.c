/* SPDX-License-Identifier: MIT */
/* Filling: with one value, by the size of an element alone; and with an arithmetic sequence. */
#include <math.h>
#include <string.h>

#include "array/fill.h"
#include "array/kernel.h"
#include "array/loop.h"
#include "array/stream.h"

enum { BLOCK = 1024 };

void shmx_kernel_fill(const struct shmx_view *view, const void *element) {
  const int64_t size = shmx_dtype_size(view->dtype);
  shmx_fill_row *fill = shmx_fills()->row[size];
  _Alignas(SHMX_STREAM_LINE) char piece[SHMX_STREAM_PIECE];
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, view, NULL)) return;
  do {
    if (loop.stride[0] == size && shmx_stream_suits(loop.data[0], loop.count, size, 0)) {
      fill(piece, size, SHMX_STREAM_PIECE / size, element);
      shmx_stream_repeat(loop.data[0], loop.count, size, piece);
    } else {
      fill(loop.data[0], loop.stride[0], loop.count, element);
    }
  } while (shmx_loop_next(&loop));
}

void shmx_kernel_range_integer(enum shmx_dtype dtype, void *data, int64_t from, int64_t count, int64_t first,
                               int64_t step) {
  shmx_fills()->integers[dtype](data, count, (uint64_t)first + (uint64_t)from * (uint64_t)step, (uint64_t)step);
}

void shmx_kernel_range_float(enum shmx_dtype dtype, void *data, int64_t from, int64_t count, double first,
                             double step) {
  (dtype == SHMX_F32 ? shmx_fills()->f32 : shmx_fills()->f64)(data, from, count, first, step);
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
  double block[BLOCK];
  struct shmx_view from = {.data = block, .dtype = SHMX_F64, .ndim = 1, .strides = {sizeof(double)}};
  struct shmx_view to = {.dtype = dtype, .ndim = 1, .strides = {shmx_dtype_size(dtype)}};
  for (int64_t base = 0; base < count; base += BLOCK) {
    int64_t n = count - base < BLOCK ? count - base : BLOCK;
    linspace_block(block, n, base, count, first, last);
    for (int64_t i = 0; i < n && shmx_dtype_is_integer(dtype); i++) block[i] = floor(block[i]);
    from.shape[0] = to.shape[0] = n;
    to.data = (char *)data + base * to.strides[0];
    shmx_kernel_copy(&to, &from);
  }
}
