/* SPDX-License-Identifier: MIT */
/*
 * NumPy's broadcasting: shapes are compared from the last dimension on; a size of 1, or a dimension that is not there,
 * goes with any size, and the view is the same all along it.
 */
#ifndef SHMX_ARRAY_BROADCAST_H
#define SHMX_ARRAY_BROADCAST_H

#include "array/view.h"

/* Widens the shape of `result` (its shape and ndim count, nothing else) to the common one of it and `view`. False when
 * they have none, with `result` unchanged. */
bool shmx_broadcast_shape(struct shmx_view *result, const struct shmx_view *view);

/* Gives a view the shape of `shape`, with which it must go; where it is repeated its stride is 0. */
void shmx_broadcast_to(struct shmx_view *view, const struct shmx_view *shape);

/* Whether two views have the same sizes. */
bool shmx_view_same_shape(const struct shmx_view *a, const struct shmx_view *b);

/* Whether writing one view while the other is read could go wrong: they may share bytes, and are not the same elements in
 * the same order. */
bool shmx_view_conflicts(const struct shmx_view *written, const struct shmx_view *read);

#endif
