/* SPDX-License-Identifier: MIT */
/* Broadcasting and overlap: see array/broadcast.h. */
#include "array/broadcast.h"

#include <string.h>

bool shmx_broadcast_shape(struct shmx_view *result, const struct shmx_view *view) {
  if (shmx_view_same_shape(result, view)) return true;
  struct shmx_view wide = *result;
  int ndim = view->ndim > wide.ndim ? view->ndim : wide.ndim;
  for (int back = 1; back <= ndim; back++) {
    int64_t a = back <= result->ndim ? result->shape[result->ndim - back] : 1;
    int64_t b = back <= view->ndim ? view->shape[view->ndim - back] : 1;
    if (a != b && a != 1 && b != 1) return false;
    wide.shape[ndim - back] = a == 1 ? b : a;
  }
  wide.ndim = ndim;
  *result = wide;
  return true;
}

void shmx_broadcast_to(struct shmx_view *view, const struct shmx_view *shape) {
  if (shmx_view_same_shape(view, shape)) return;
  int missing = shape->ndim - view->ndim;
  for (int d = shape->ndim - 1; d >= 0; d--) {
    bool repeated = d < missing || view->shape[d - missing] == 1;
    view->strides[d] = repeated ? 0 : view->strides[d - missing];
    view->shape[d] = shape->shape[d];
  }
  view->ndim = shape->ndim;
}

bool shmx_view_same_shape(const struct shmx_view *a, const struct shmx_view *b) {
  return a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof a->shape[0]) == 0;
}

/* Dimensions of one element may have any stride. */
static bool same_elements(const struct shmx_view *a, const struct shmx_view *b) {
  if (a->data != b->data || shmx_dtype_size(a->dtype) != shmx_dtype_size(b->dtype)) return false;
  if (!shmx_view_same_shape(a, b)) return false;
  for (int d = 0; d < a->ndim; d++) {
    if (a->shape[d] > 1 && a->strides[d] != b->strides[d]) return false;
  }
  return true;
}

bool shmx_view_conflicts(const struct shmx_view *written, const struct shmx_view *read) {
  return shmx_view_overlaps(written, read) && !same_elements(written, read);
}
