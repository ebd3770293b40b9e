/* SPDX-License-Identifier: MIT */
/* The kernels of array/select.c for positions, compiled once for each level. */
#ifndef SHMX_ARRAY_GATHER_H
#define SHMX_ARRAY_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "array/level.h"

/* Elements to choose from by positions, which are 1-based, or negative from the end. */
struct shmx_source {
  const char *data;
  int64_t step; /* bytes from one element to the next */
  int64_t size; /* how many there are; not 0 */
};

/* Copies elements one after another to `out`. The nearest one, the first or the last, stands
 * for what is no position; false when there was such. */
typedef bool shmx_gather_kernel(char *out, const struct shmx_source *in, const int64_t *positions, int64_t count);

struct shmx_gathers {
  /* Whether all are positions among `size` elements. */
  bool (*are_positions)(const int64_t *positions, int64_t count, int64_t size);
  /* Makes them 0-based; what is no position becomes the nearest, and false is returned. Both may be the same. */
  bool (*to_offsets)(int64_t *offsets, const int64_t *positions, int64_t count, int64_t size);
  shmx_gather_kernel *gather[9]; /* by the size of an element: 1 2 4 8 */
};
SHMX_EACH_LEVEL(struct shmx_gathers, shmx_gathers)

#endif
