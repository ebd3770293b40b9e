/* SPDX-License-Identifier: MIT */
/*
 * Views and what reads through them, under any sequence of steps: a view of a block of memory is sliced, turned, reshaped
 * and narrowed as the input says, and then copied, reduced, sorted, printed, and looked into by positions and masks. A view
 * must stay within the block, and so must everybody who reads through it.
 */
#include <stdlib.h>
#include <string.h>

#include "array/kernel.h"
#include "array/page.h"
#include "array/reduce.h"
#include "array/scan.h"
#include "array/select.h"
#include "array/sort.h"

enum { ELEMENTS = 720 };

/* What is left of the input; zeros when there is none. */
struct input {
  const uint8_t *at, *end;
};

static uint8_t next_byte(struct input *in) { return in->at < in->end ? *in->at++ : 0; }

static int64_t up_to(struct input *in, int64_t most) { return most > 0 ? next_byte(in) % (most + 1) : 0; }

static void slice(struct input *in, struct shmx_view *v) {
  int axis = (int)up_to(in, v->ndim - 1);
  int64_t size = v->shape[axis], step = up_to(in, 3) + 1;
  if (size == 0) return;
  int64_t first = up_to(in, size - 1), room = next_byte(in) % 2 ? first : size - 1 - first;
  bool back = room == first && first > 0;
  shmx_view_slice(v, axis, first, up_to(in, room / step + 1), back ? -step : step);
}

static void permute(struct input *in, struct shmx_view *v) {
  int axes[SHMX_MAX_NDIM];
  for (int d = 0; d < v->ndim; d++) {
    int place = (int)up_to(in, d);
    axes[d] = axes[place];
    axes[place] = d;
  }
  shmx_view_permute(v, axes);
}

/* Any shape, most of which do not fit; and now and then one that merges two dimensions. */
static void reshape(struct input *in, struct shmx_view *v) {
  int64_t shape[SHMX_MAX_NDIM];
  int ndim = (int)up_to(in, SHMX_MAX_NDIM - 1) + 1;
  for (int d = 0; d < ndim; d++) shape[d] = (int64_t)next_byte(in) % 13 - 1;
  if (v->ndim > 1 && next_byte(in) % 2) {
    ndim = v->ndim - 1;
    memcpy(shape, v->shape, (size_t)ndim * sizeof shape[0]);
    shape[ndim - 1] *= v->shape[ndim];
  }
  shmx_view_reshape(v, ndim, shape);
}

static void step(struct input *in, struct shmx_view *v) {
  switch (next_byte(in) % 4) {
  case 0: slice(in, v); break;
  case 1: permute(in, v); break;
  case 2: reshape(in, v); break;
  default:
    if (v->ndim > 1) {
      int axis = (int)up_to(in, v->ndim - 1);
      if (v->shape[axis] > 0) shmx_view_drop(v, axis, up_to(in, v->shape[axis] - 1));
    }
  }
}

/* A contiguous view with memory of its own, to the byte. */
static struct shmx_view make(enum shmx_dtype dtype, int ndim, const int64_t *shape) {
  struct shmx_view view;
  if (shmx_view_init(&view, dtype, ndim, shape) != 0) abort();
  view.data = calloc(1, (size_t)shmx_view_nbytes(&view) + (shmx_view_count(&view) == 0));
  if (!view.data) abort();
  return view;
}

static void reduce(struct input *in, const struct shmx_view *v) {
  struct shmx_reduce call = {
      .reduction = (enum shmx_reduction)(next_byte(in) % SHMX_REDUCE_COUNT), .axis = -1, .in = *v};
  struct shmx_view lines = *v;
  int64_t one = 1;
  if (shmx_view_count(v) == 0) return;
  if (v->ndim > 1) {
    call.axis = (int)up_to(in, v->ndim - 1);
    shmx_view_drop(&lines, call.axis, 0);
  }
  enum shmx_dtype dtype = shmx_reduce_dtype(call.reduction, v->dtype);
  call.out = v->ndim > 1 ? make(dtype, lines.ndim, lines.shape) : make(dtype, 1, &one);
  shmx_reduce_run(&call);
  free(call.out.data);
}

static void order(struct input *in, const struct shmx_view *v) {
  bool positions = next_byte(in) % 2;
  int axis = (int)up_to(in, v->ndim - 1);
  struct shmx_view out = make(positions ? SHMX_I64 : v->dtype, v->ndim, v->shape);
  struct shmx_view sums = make(shmx_scan_dtype(v->dtype), v->ndim, v->shape);
  if (shmx_sort_run(&(struct shmx_sort){v, &out, axis, next_byte(in) % 2, positions}) != 0) abort();
  shmx_scan_run(SHMX_SCAN_SUM, &sums, v, axis);
  free(out.data);
  free(sums.data);
}

/* Elements at positions that the input gives, if they are any. */
static void choose(struct input *in, const struct shmx_view *v) {
  int64_t count = up_to(in, 20), bad;
  struct shmx_view dense = make(v->dtype, v->ndim, v->shape), positions = make(SHMX_I8, 1, &count);
  struct shmx_view out = make(v->dtype, 1, &count);
  for (int64_t i = 0; i < count; i++) ((int8_t *)positions.data)[i] = (int8_t)next_byte(in);
  shmx_kernel_copy(&dense, v);
  if (shmx_positions_check(&positions, shmx_view_count(v), &bad) == 0) {
    int64_t size = shmx_dtype_size(v->dtype);
    shmx_take_run(&(struct shmx_take){out.data, dense.data, 1, shmx_view_count(v), size, size, v->dtype, &positions});
    shmx_put_run(v, &positions, &out);
  }
  free(dense.data);
  free(positions.data);
  free(out.data);
}

static void mask(const struct shmx_view *v) {
  int64_t count = shmx_mask_count(v), *columns[SHMX_MAX_NDIM];
  for (int d = 0; d < v->ndim; d++) columns[d] = calloc((size_t)count + 1, sizeof *columns[d]);
  shmx_mask_find(v, columns, count);
  for (int64_t i = 0; i < count; i++) {
    for (int d = 0; d < v->ndim; d++) {
      if (columns[d][i] < 1 || columns[d][i] > v->shape[d]) abort();
    }
  }
  for (int d = 0; d < v->ndim; d++) free(columns[d]);
}

static void add_length(void *sum, const char *piece, size_t length) {
  if (strlen(piece) != length) abort();
  *(size_t *)sum += length;
}

static void print(const struct shmx_view *v) {
  struct shmx_page page;
  size_t length = 0;
  shmx_page_take(&page, v);
  shmx_page_write(&page, add_length, &length);
  if (length > (size_t)2 * SHMX_PAGE_ROWS * SHMX_PAGE_COLUMNS * SHMX_NOTATION_MAX) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, data + size};
  int64_t elements = ELEMENTS;
  struct shmx_view view = make((enum shmx_dtype)(next_byte(&in) % SHMX_DTYPE_COUNT), 1, &elements);
  void *base = view.data;
  uint64_t bytes = (uint64_t)shmx_view_nbytes(&view);
  for (uint64_t i = 0; i < bytes; i++) ((uint8_t *)base)[i] = i < size ? data[i] : (uint8_t)(i * 7 % 5);
  while (in.at < in.end) {
    step(&in, &view);
    if (!shmx_view_within(&view, base, bytes)) abort();
  }
  in.at = data;
  reduce(&in, &view);
  order(&in, &view);
  mask(&view);
  print(&view);
  choose(&in, &view);
  free(base);
  return 0;
}
