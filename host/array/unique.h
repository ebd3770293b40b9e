/* SPDX-License-Identifier: MIT */
/* The distinct elements of a sorted vector. NaN equals NaN here, and 0.0 -0.0. */
#ifndef SHMX_ARRAY_UNIQUE_H
#define SHMX_ARRAY_UNIQUE_H

#include "array/view.h"

struct shmx_unique {
  const struct shmx_view *sorted; /* a contiguous vector, which nobody else writes */
  const int64_t *order;           /* the 1-based positions that its elements had before; NULL if nobody asks for them */
  /* Results, as many as there are distinct elements; but `inverse` has as many as there are elements. */
  void *values;
  int64_t *index;   /* NULL, or where the first of each was */
  int64_t *counts;  /* NULL, or how many there are of each */
  int64_t *inverse; /* NULL, or for each place that an element had the 1-based number of the one that it equals */
};

int64_t shmx_unique_count(const struct shmx_view *sorted);

/* `order` is needed for `index` and `inverse`. */
void shmx_unique_run(const struct shmx_unique *unique);

#endif
