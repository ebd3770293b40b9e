/* SPDX-License-Identifier: MIT */
/* Views: see array/view.h. Arithmetic on sizes that a user or another process chose is checked for overflow. */
#include "array/view.h"

#include <errno.h>
#include <string.h>

/* Fills in strides for the densest element `unit` bytes apart. A size of 0 counts as 1, so that strides stay exact. */
static int set_dense(struct shmx_view *view, int64_t unit) {
  for (int d = view->ndim - 1; d >= 0; d--) {
    view->strides[d] = unit;
    if (view->shape[d] > 0 && __builtin_mul_overflow(unit, view->shape[d], &unit)) return -EOVERFLOW;
  }
  return 0;
}

int shmx_view_init(struct shmx_view *view, enum shmx_dtype dtype, int ndim, const int64_t *shape) {
  if (ndim < 1 || ndim > SHMX_MAX_NDIM) return -EINVAL;
  memset(view, 0, sizeof *view);
  view->dtype = dtype;
  view->ndim = ndim;
  for (int d = 0; d < ndim; d++) {
    if (shape[d] < 0) return -EINVAL;
    view->shape[d] = shape[d];
  }
  return set_dense(view, shmx_dtype_size(dtype));
}

int64_t shmx_view_count(const struct shmx_view *view) {
  int64_t count = 1;
  for (int d = 0; d < view->ndim; d++) {
    if (view->shape[d] == 0) return 0;
    count *= view->shape[d];
  }
  return count;
}

int64_t shmx_view_nbytes(const struct shmx_view *view) { return shmx_view_count(view) * shmx_dtype_size(view->dtype); }

bool shmx_view_is_contiguous(const struct shmx_view *view) {
  int64_t unit = shmx_dtype_size(view->dtype);
  if (shmx_view_count(view) == 0) return true;
  for (int d = view->ndim - 1; d >= 0; d--) {
    if (view->shape[d] == 1) continue; /* then its stride does not matter */
    if (view->strides[d] != unit) return false;
    unit *= view->shape[d];
  }
  return true;
}

/* Moves the first element; where there is none, data stays where it is, since strides may lead anywhere. */
static void move(struct shmx_view *view, int64_t bytes) {
  if (shmx_view_count(view) > 0) view->data = (char *)view->data + bytes;
}

void shmx_view_drop(struct shmx_view *view, int axis, int64_t position) {
  move(view, position * view->strides[axis]);
  int rest = view->ndim - axis - 1;
  memmove(&view->shape[axis], &view->shape[axis + 1], (size_t)rest * sizeof view->shape[0]);
  memmove(&view->strides[axis], &view->strides[axis + 1], (size_t)rest * sizeof view->strides[0]);
  view->ndim--;
}

void shmx_view_slice(struct shmx_view *view, int axis, int64_t first, int64_t count, int64_t step) {
  if (count > 0) move(view, first * view->strides[axis]);
  if (count > 1) view->strides[axis] *= step; /* a step beyond the only element may be too large to multiply */
  view->shape[axis] = count;
}

/* Gives the dimensions of `new` the strides with which they walk the elements of `old` in index order. Runs of old
 * dimensions that follow each other without a gap are one to this; a new dimension must not reach over the end of a run.
 * Both have the same number of elements, at least one. */
static int walk_alike(struct shmx_view *new, const struct shmx_view *old) {
  int n = new->ndim - 1;
  for (int d = old->ndim - 1; d >= 0; d--) {
    int64_t unit = old->strides[d], left = old->shape[d];
    if (left == 1) continue;
    for (; d > 0 && (old->shape[d - 1] == 1 || old->strides[d - 1] == unit * left); d--) left *= old->shape[d - 1];
    while (left > 1) {
      if (left % new->shape[n] != 0) return -ENOTSUP;
      new->strides[n] = unit;
      unit *= new->shape[n];
      left /= new->shape[n--];
    }
  }
  return 0;
}

int shmx_view_reshape(struct shmx_view *view, int ndim, const int64_t *shape) {
  struct shmx_view new;
  if (shmx_view_init(&new, view->dtype, ndim, shape) != 0) return -EINVAL;
  if (shmx_view_count(&new) != shmx_view_count(view)) return -EINVAL;
  if (shmx_view_count(view) > 0 && walk_alike(&new, view) != 0) return -ENOTSUP;
  new.data = view->data;
  *view = new;
  return 0;
}

void shmx_view_permute(struct shmx_view *view, const int *axes) {
  struct shmx_view old = *view;
  for (int d = 0; d < view->ndim; d++) {
    view->shape[d] = old.shape[axes[d]];
    view->strides[d] = old.strides[axes[d]];
  }
}

void shmx_view_straighten(struct shmx_view *view) {
  for (int d = 0; d < view->ndim; d++) {
    if (view->strides[d] < 0 && view->shape[d] > 0) shmx_view_slice(view, d, view->shape[d] - 1, view->shape[d], -1);
    for (int e = d; e > 0 && view->strides[e] > view->strides[e - 1]; e--) {
      int64_t shape = view->shape[e], stride = view->strides[e];
      view->shape[e] = view->shape[e - 1], view->strides[e] = view->strides[e - 1];
      view->shape[e - 1] = shape, view->strides[e - 1] = stride;
    }
  }
}

/* The bytes between the first and the last that a view with elements touches. */
static void find_bounds(const struct shmx_view *view, uintptr_t *low, uintptr_t *high) {
  *low = (uintptr_t)view->data;
  *high = *low + (uintptr_t)shmx_dtype_size(view->dtype);
  for (int d = 0; d < view->ndim; d++) {
    int64_t reach = (view->shape[d] - 1) * view->strides[d];
    *(reach < 0 ? low : high) += (uintptr_t)reach;
  }
}

bool shmx_view_overlaps(const struct shmx_view *a, const struct shmx_view *b) {
  uintptr_t low_a, high_a, low_b, high_b;
  if (shmx_view_count(a) == 0 || shmx_view_count(b) == 0) return false;
  find_bounds(a, &low_a, &high_a);
  find_bounds(b, &low_b, &high_b);
  return low_a < high_b && low_b < high_a;
}

/* Adds the bytes that one dimension reaches below and above the first element. */
static bool extend(int64_t size, int64_t stride, int64_t *low, int64_t *high) {
  int64_t reach;
  if (__builtin_mul_overflow(size - 1, stride, &reach)) return false;
  int64_t *end = reach < 0 ? low : high;
  return !__builtin_add_overflow(*end, reach, end);
}

bool shmx_view_within(const struct shmx_view *view, const void *base, uint64_t size) {
  struct shmx_view dense;
  if ((unsigned)view->dtype >= SHMX_DTYPE_COUNT) return false;
  if (shmx_view_init(&dense, view->dtype, view->ndim, view->shape) != 0) return false;
  int64_t unit = shmx_dtype_size(view->dtype), low = 0, high = unit;
  uint64_t offset = (uint64_t)((uintptr_t)view->data - (uintptr_t)base);
  if (size > INT64_MAX || offset > size || (uintptr_t)view->data % (uint64_t)unit != 0) return false;
  for (int d = 0; d < view->ndim; d++) {
    if (view->strides[d] % unit != 0) return false;
  }
  if (shmx_view_count(view) == 0) return true;
  for (int d = 0; d < view->ndim; d++) {
    if (!extend(view->shape[d], view->strides[d], &low, &high)) return false;
  }
  return low >= -(int64_t)offset && high <= (int64_t)(size - offset);
}
