/* SPDX-License-Identifier: MIT */
/*
 * Where values belong among sorted elements. NaN comes after all numbers, 0.0 and -0.0 are equal. If the elements are not
 * sorted, the positions mean nothing, but they are in range all the same.
 */
#ifndef SHMX_ARRAY_SEARCH_H
#define SHMX_ARRAY_SEARCH_H

#include "array/view.h"

struct shmx_search {
  const struct shmx_view *sorted; /* a contiguous vector */
  const struct shmx_view *values; /* of any dtype and shape; compared in the dtype of `sorted` */
  bool right;                     /* behind equal elements, not before them */
};

/* Writes for each value how many elements come before it, and `first` more. `out` has room for all of them. */
void shmx_search_run(const struct shmx_search *search, int64_t first, int64_t *out);

/* The same for at most SHMX_BLOCK values that are of the dtype of `sorted` and lie one after another. */
void shmx_search_block(const struct shmx_view *sorted, bool right, const void *values, int64_t count, int64_t *out);

/* Whether no element of a contiguous vector is less than the one before it, and none is NaN. */
bool shmx_search_is_sorted(const struct shmx_view *vector);

#endif
