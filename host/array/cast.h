/* SPDX-License-Identifier: MIT */
/*
 * Rows of elements from one dtype to another, or from one distance between elements to another. Integers are cut to the
 * width of the target; floats lose their fraction and are clamped to its range (NaN becomes 0); everything but 0 is true.
 */
#ifndef SHMX_ARRAY_CAST_H
#define SHMX_ARRAY_CAST_H

#include "array/dtype.h"
#include "array/level.h"

/* The rows do not overlap. Strides are in bytes. */
typedef void shmx_cast_row(char *to, int64_t to_stride, const char *from, int64_t from_stride, int64_t count);

struct shmx_casts {
  shmx_cast_row *row[SHMX_DTYPE_COUNT][SHMX_DTYPE_COUNT]; /* [to][from] */
};
SHMX_EACH_LEVEL(struct shmx_casts, shmx_casts)

#endif
