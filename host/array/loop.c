/* SPDX-License-Identifier: MIT */
/* Row loops: see array/loop.h. The dimensions are collected innermost first; the first of them becomes the row. */
#include "array/loop.h"

#include <string.h>

/* Whether dimension `d` of all views continues the innermost `last` collected one. */
static bool continues(const struct shmx_loop *loop, int last, const struct shmx_view *const *views, int d) {
  for (int v = 0; v < loop->nviews; v++) {
    if (views[v]->strides[d] != loop->outer[v][last] * loop->shape[last]) return false;
  }
  return true;
}

static void collect(struct shmx_loop *loop, const struct shmx_view *const *views) {
  for (int d = views[0]->ndim - 1; d >= 0; d--) {
    int64_t size = views[0]->shape[d];
    if (size == 1) continue;
    if (loop->ndim > 0 && continues(loop, loop->ndim - 1, views, d)) {
      loop->shape[loop->ndim - 1] *= size;
      continue;
    }
    loop->shape[loop->ndim] = size;
    for (int v = 0; v < loop->nviews; v++) loop->outer[v][loop->ndim] = views[v]->strides[d];
    loop->ndim++;
  }
}

/* Takes the innermost dimension out as the row. */
static void take_row(struct shmx_loop *loop) {
  loop->count = loop->shape[0];
  loop->ndim--;
  memmove(loop->shape, loop->shape + 1, (size_t)loop->ndim * sizeof loop->shape[0]);
  for (int v = 0; v < loop->nviews; v++) {
    loop->stride[v] = loop->outer[v][0];
    memmove(loop->outer[v], loop->outer[v] + 1, (size_t)loop->ndim * sizeof loop->outer[v][0]);
  }
}

bool shmx_loop_begin(struct shmx_loop *loop, int nviews, const struct shmx_view *const *views) {
  if (shmx_view_count(views[0]) == 0) return false;
  loop->nviews = nviews;
  loop->ndim = 0;
  for (int v = 0; v < nviews; v++) {
    loop->data[v] = views[v]->data;
    loop->stride[v] = shmx_dtype_size(views[v]->dtype);
  }
  loop->count = 1;
  collect(loop, views);
  memset(loop->position, 0, sizeof loop->position);
  if (loop->ndim > 0) take_row(loop);
  return true;
}

bool shmx_loop_start(struct shmx_loop *loop, const struct shmx_view *first, const struct shmx_view *second) {
  return shmx_loop_begin(loop, second ? 2 : 1, (const struct shmx_view *const[]){first, second});
}

static void swap(int64_t *a, int64_t *b) {
  int64_t old = *a;
  *a = *b;
  *b = old;
}

bool shmx_loop_lengthen(struct shmx_loop *loop, int64_t enough) {
  int longest = -1;
  for (int d = 0; d < loop->ndim; d++) {
    if (loop->shape[d] > (longest < 0 ? loop->count : loop->shape[longest])) longest = d;
  }
  if (loop->count >= enough || longest < 0) return false;
  swap(&loop->count, &loop->shape[longest]);
  for (int v = 0; v < loop->nviews; v++) swap(&loop->stride[v], &loop->outer[v][longest]);
  return true;
}

bool shmx_loop_next(struct shmx_loop *loop) {
  for (int d = 0; d < loop->ndim; d++) {
    bool more = ++loop->position[d] < loop->shape[d];
    int64_t steps = more ? 1 : 1 - loop->shape[d]; /* onwards, or back to the start of this dimension */
    for (int v = 0; v < loop->nviews; v++) loop->data[v] += steps * loop->outer[v][d];
    if (more) return true;
    loop->position[d] = 0;
  }
  return false;
}
