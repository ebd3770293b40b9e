/* SPDX-License-Identifier: MIT */
/*
 * Reductions: of a whole array to one element, or of each line along an axis.
 *
 * Sums of floats are computed in double and in pairs: each element passes through few additions, so the error stays small
 * however long the array and however it lies. Integers wrap at 64 bits. None of this fails or allocates.
 */
#ifndef SHMX_ARRAY_REDUCE_H
#define SHMX_ARRAY_REDUCE_H

#include "array/view.h"

enum shmx_reduction {
  SHMX_REDUCE_SUM,
  SHMX_REDUCE_PROD,
  SHMX_REDUCE_MIN, /* NaN wins over numbers */
  SHMX_REDUCE_MAX,
  SHMX_REDUCE_ANY,
  SHMX_REDUCE_ALL,
  SHMX_REDUCE_MEAN,
  SHMX_REDUCE_VAR,
  SHMX_REDUCE_STD,
  SHMX_REDUCE_ARGMIN, /* the 1-based position of the first of the best, in index order */
  SHMX_REDUCE_ARGMAX,
  SHMX_REDUCE_COUNT
};

struct shmx_reduce {
  enum shmx_reduction reduction;
  int axis;            /* that goes; -1 for all of them */
  double ddof;         /* of variances: they are divided by the number of elements less this */
  struct shmx_view in; /* of any dtype; ARGMIN, ARGMAX, MIN and MAX want an element to choose from */
  struct shmx_view
      out; /* of any dtype; the shape of `in` without the axis, or one element; shares no bytes with `in` */
};

/* The dtype of the results: sums and products of integers have 64 bits; means and deviations are floats, f32 of f32. */
enum shmx_dtype shmx_reduce_dtype(enum shmx_reduction reduction, enum shmx_dtype dtype);

void shmx_reduce_run(const struct shmx_reduce *reduce);

#endif
