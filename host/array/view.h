/* SPDX-License-Identifier: MIT */
/*
 * A view: how the elements of an array lie in memory. It owns nothing; who keeps the memory alive is not its business.
 *
 * Every view in use satisfies: ndim is 1 to SHMX_MAX_NDIM, the product of the sizes that are not 0 fits into an int64_t
 * in bytes, and data and strides are multiples of the element size. shmx_view_init and the functions that derive one
 * view from another keep that; a view that came from elsewhere is put to shmx_view_within first. Positions here are
 * 0-based.
 */
#ifndef SHMX_ARRAY_VIEW_H
#define SHMX_ARRAY_VIEW_H

#include "array/dtype.h"

enum { SHMX_MAX_NDIM = 8 };

struct shmx_view {
  void *data; /* element (0, 0, ...) */
  enum shmx_dtype dtype;
  int32_t ndim;
  int64_t shape[SHMX_MAX_NDIM];
  int64_t strides[SHMX_MAX_NDIM]; /* in bytes; may be negative */
};

/* A contiguous view (last dimension densest) with data NULL. 0; -EINVAL: a size is negative or ndim out of range;
 * -EOVERFLOW: more bytes than an int64_t can say. */
int shmx_view_init(struct shmx_view *view, enum shmx_dtype dtype, int ndim, const int64_t *shape);

/* Elements, and the bytes that they would take when contiguous. */
int64_t shmx_view_count(const struct shmx_view *view);
int64_t shmx_view_nbytes(const struct shmx_view *view);

/* True when the elements lie one after another in index order, without gaps. */
bool shmx_view_is_contiguous(const struct shmx_view *view);

static inline char *shmx_view_at(const struct shmx_view *view, const int64_t *position) {
  char *p = view->data;
  for (int d = 0; d < view->ndim; d++) p += position[d] * view->strides[d];
  return p;
}

/* Fixes `axis` at `position` and drops it; the view must have more than one. */
void shmx_view_drop(struct shmx_view *view, int axis, int64_t position);

/* Keeps `count` positions of `axis`: first, first + step, ... All must be inside; `first` is ignored if count is 0. */
void shmx_view_slice(struct shmx_view *view, int axis, int64_t first, int64_t count, int64_t step);

/* Gives the view another shape. 0; -EINVAL: the number of elements differs; -ENOTSUP: the strides do not allow it
 * without a copy. On failure the view is unchanged. */
int shmx_view_reshape(struct shmx_view *view, int ndim, const int64_t *shape);

/* Puts the dimensions into another order: dimension d becomes what axes[d] was. Each axis occurs once. */
void shmx_view_permute(struct shmx_view *view, const int *axes);

/* Puts the dimensions into the order of memory, so that elements are read as they lie. */
void shmx_view_straighten(struct shmx_view *view);

/* Whether two views may share bytes: there is a byte between the first and the last of both. */
bool shmx_view_overlaps(const struct shmx_view *a, const struct shmx_view *b);

/* Whether a view from an untrusted source satisfies the rules above and touches only [base, base + size). */
bool shmx_view_within(const struct shmx_view *view, const void *base, uint64_t size);

#endif
