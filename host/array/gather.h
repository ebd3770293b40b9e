/* SPDX-License-Identifier: MIT */
/* The kernels of array/select.c, compiled once for each level. */
#ifndef SHMX_ARRAY_GATHER_H
#define SHMX_ARRAY_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "array/level.h"

/* out[i] = in[offsets[i]], contiguous in `out`, and `step` bytes from one element to the next in `in`. */
typedef void shmx_gather_kernel(char *out, const char *in, int64_t step, const int64_t *offsets, int64_t count);

/* Copies the elements whose mask is not 0 one after another, at most `room` of them; returns how many. */
typedef int64_t shmx_compress_kernel(char *out, int64_t room, const char *in, int64_t stride, const char *mask,
                                     int64_t mask_stride, int64_t count);

struct shmx_gathers {
  /* Whether all are positions among `size` elements: 1-based, or negative from the end. */
  bool (*are_positions)(const int64_t *positions, int64_t count, int64_t size);
  /* Makes them 0-based; what is no position becomes 0. Both may be the same. */
  void (*to_offsets)(int64_t *offsets, const int64_t *positions, int64_t count, int64_t size);
  shmx_gather_kernel *gather[9];     /* by the size of an element: 1 2 4 8 */
  shmx_compress_kernel *compress[9]; /* the same */
};
SHMX_EACH_LEVEL(struct shmx_gathers, shmx_gathers)

#endif
