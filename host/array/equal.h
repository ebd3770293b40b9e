/* SPDX-License-Identifier: MIT */
/* Whether two views are the same, or nearly so. */
#ifndef SHMX_ARRAY_EQUAL_H
#define SHMX_ARRAY_EQUAL_H

#include "array/view.h"

/* How far apart two numbers may be: |a - b| <= absolute + relative * |b|. */
struct shmx_tolerance {
  double relative, absolute;
  bool nan_equals_nan;
};

/* Whether all elements of two views of one shape are equal, exactly and whatever their dtypes; NaN equals nothing. */
bool shmx_view_equal(const struct shmx_view *a, const struct shmx_view *b);

/* Whether they are near each other as doubles. Infinities are near themselves alone. */
bool shmx_view_close(const struct shmx_view *a, const struct shmx_view *b, const struct shmx_tolerance *tolerance);

#endif
