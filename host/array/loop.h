/* SPDX-License-Identifier: MIT */
/*
 * Walks views of the same shape row by row, so that a kernel is one loop over a row.
 *
 * Dimensions that lie one after another in all the views are merged first: contiguous views are a single row, whatever
 * their shape. A view that is the same along a dimension has the stride 0 there (see array/broadcast.h).
 *
 *   struct shmx_loop loop;
 *   if (!shmx_loop_start(&loop, &view, NULL)) return; // no elements
 *   do kernel(loop.data[0], loop.stride[0], loop.count);
 *   while (shmx_loop_next(&loop));
 */
#ifndef SHMX_ARRAY_LOOP_H
#define SHMX_ARRAY_LOOP_H

#include "array/view.h"

enum { SHMX_LOOP_VIEWS = 9 };

struct shmx_loop {
  char *data[SHMX_LOOP_VIEWS];     /* where the row begins */
  int64_t stride[SHMX_LOOP_VIEWS]; /* bytes between its elements */
  int64_t count;                   /* elements in a row */
  int32_t nviews;
  /* The dimensions around the rows, the innermost first. */
  int32_t ndim;
  int64_t shape[SHMX_MAX_NDIM];
  int64_t position[SHMX_MAX_NDIM];
  int64_t outer[SHMX_LOOP_VIEWS][SHMX_MAX_NDIM];
};

/* Sets the loop to the first row of up to SHMX_LOOP_VIEWS views; false when there are no elements. */
bool shmx_loop_begin(struct shmx_loop *loop, int nviews, const struct shmx_view *const *views);

/* The same for one or two; `second` may be NULL. */
bool shmx_loop_start(struct shmx_loop *loop, const struct shmx_view *first, const struct shmx_view *second);

/* Before the first row: makes the longest dimension the row, if rows have fewer than `enough` elements. False when there
 * is none that is longer. The order is not that of the indices then. */
bool shmx_loop_lengthen(struct shmx_loop *loop, int64_t enough);

/* Goes to the next row; false after the last one. */
bool shmx_loop_next(struct shmx_loop *loop);

#endif
