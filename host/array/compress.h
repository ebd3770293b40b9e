/* SPDX-License-Identifier: MIT */
/* The kernels of array/select.c for masks, compiled once for each level. */
#ifndef SHMX_ARRAY_COMPRESS_H
#define SHMX_ARRAY_COMPRESS_H

#include <stdint.h>

#include "array/level.h"

/* Copies the elements whose mask is not 0 one after another, at most `room` of them; returns how many. Nothing is written
 * beyond these. */
typedef int64_t shmx_compress_kernel(char *out, int64_t room, const char *in, int64_t stride, const char *mask,
                                     int64_t mask_stride, int64_t count);

/* Writes first + i for each element i of a mask without gaps that is not 0, at most `room` times; returns how often. */
typedef int64_t shmx_locate_kernel(int64_t *out, int64_t room, const char *mask, int64_t count, int64_t first);

struct shmx_compressors {
  shmx_compress_kernel *compress[9]; /* by the size of an element: 1 2 4 8 */
  shmx_locate_kernel *locate;
};
SHMX_EACH_LEVEL(struct shmx_compressors, shmx_compressors)

#endif
