/* SPDX-License-Identifier: MIT */
/*
 * Folds: what a reduction does with many elements and one accumulator, or with a row of elements and an accumulator for
 * each. array/reduce.c puts reductions together from them.
 */
#ifndef SHMX_ARRAY_FOLD_H
#define SHMX_ARRAY_FOLD_H

#include "array/dtype.h"
#include "array/level.h"

enum shmx_fold {
  SHMX_FOLD_SUM,   /* in 64 bits that wrap, or in double */
  SHMX_FOLD_PROD,  /* the same */
  SHMX_FOLD_TOTAL, /* a sum in double, of integers too */
  SHMX_FOLD_MIN,   /* NaN wins over numbers */
  SHMX_FOLD_MAX,
  SHMX_FOLD_ANY,
  SHMX_FOLD_ALL,
  SHMX_FOLD_COUNT
};

enum {
  SHMX_FOLD_BLOCK = 512, /* elements that a float sum takes in at once, in lanes; blocks are then added in pairs */
  SHMX_FOLD_MAX_SIZE = 8 /* bytes of an accumulator, at most */
};

/* The dtype of the accumulators: i64, u64 or f64 for sums and products, that of the elements for extremes, or bool. */
enum shmx_dtype shmx_fold_dtype(enum shmx_fold fold, enum shmx_dtype dtype);

/* Folds `count` elements, `stride` bytes apart, into one accumulator; of floats to be added at most SHMX_FOLD_BLOCK. */
typedef void shmx_fold_row(void *accumulator, const char *data, int64_t stride, int64_t count);

/* Folds element i into accumulator i. */
typedef void shmx_fold_each(void *accumulators, const char *data, int64_t stride, int64_t count);

/* Folds `count` elements into the least and the greatest. */
typedef void shmx_fold_extremes(void *least, void *greatest, const char *data, int64_t stride, int64_t count);

/* Whether `count` lines, `stride` bytes apart, of `n` elements each, `step` bytes apart, are better folded side by side
 * than one by one: their elements do not lie closer together than the lines do, or are few. */
static inline bool shmx_fold_beside(int64_t step, int64_t n, int64_t stride, int64_t count) {
  enum { FEW = 16 };
  bool closer = (step < 0 ? -step : step) <= (stride < 0 ? -stride : stride);
  return count > 1 && (!closer || n < FEW);
}

struct shmx_folds {
  shmx_fold_row *row[SHMX_FOLD_COUNT][SHMX_DTYPE_COUNT];
  shmx_fold_each *each[SHMX_FOLD_COUNT][SHMX_DTYPE_COUNT];
  shmx_fold_extremes *extremes[SHMX_DTYPE_COUNT];
};
SHMX_EACH_LEVEL(struct shmx_folds, shmx_folds)

#endif
