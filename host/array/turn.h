/* SPDX-License-Identifier: MIT */
/* The kernels of array/copy.c that turn rows into columns, compiled once for each level. */
#ifndef SHMX_ARRAY_TURN_H
#define SHMX_ARRAY_TURN_H

#include <stdint.h>

#include "array/level.h"

/* to[r][c] = from[c][r]. Elements of a row of each lie one after another; `to_step` and `from_step` are the bytes from row
 * to row. */
typedef void shmx_turn_kernel(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t rows,
                              int64_t columns);

struct shmx_turns {
  shmx_turn_kernel *turn[9]; /* by the size of an element: 1 2 4 8 */
};
SHMX_EACH_LEVEL(struct shmx_turns, shmx_turns)

#endif
