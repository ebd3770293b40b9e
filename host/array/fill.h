/* SPDX-License-Identifier: MIT */
/* The kernels of array/fill.c, compiled once for each level (array/filler.c). */
#ifndef SHMX_ARRAY_FILL_H
#define SHMX_ARRAY_FILL_H

#include "array/dtype.h"
#include "array/level.h"

/* Copies of one element. */
typedef void shmx_fill_row(char *data, int64_t stride, int64_t count, const void *element);
/* first, first + step, ...: in 64 bits that wrap, and are cut to the dtype. */
typedef void shmx_range_integers(void *data, int64_t count, uint64_t first, uint64_t step);
/* The elements from index `from` on of first + i * step, in double. */
typedef void shmx_range_floats(void *data, int64_t from, int64_t count, double first, double step);

struct shmx_fills {
  shmx_fill_row *row[9];                           /* by the size of an element: 1 2 4 8 */
  shmx_range_integers *integers[SHMX_DTYPE_COUNT]; /* NULL for what is no integer */
  shmx_range_floats *f32, *f64;
};
SHMX_EACH_LEVEL(struct shmx_fills, shmx_fills)

#endif
