/* SPDX-License-Identifier: MIT */
/*
 * Sorting lines of elements. It is stable; NaN comes after all numbers, 0.0 and -0.0 are equal.
 */
#ifndef SHMX_ARRAY_SORT_H
#define SHMX_ARRAY_SORT_H

#include "array/view.h"

struct shmx_sort {
  const struct shmx_view *in;
  const struct shmx_view *out; /* of the same shape; shares no bytes with `in` or is the very same view */
  int axis;
  bool descending; /* equal elements keep their order all the same, and NaN comes first */
  bool positions;  /* `out` is of i64 and gets the 1-based positions of the elements instead, in sorted order */
};

/* Sorts all lines along the axis. 0, or -ENOMEM with nothing written. */
int shmx_sort_run(const struct shmx_sort *sort);

#endif
