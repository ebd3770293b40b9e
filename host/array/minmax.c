/* SPDX-License-Identifier: MIT */
/*
 * The least and the greatest at once: see array/minmax.h. Lines go one by one or side by side, as in array/reduce.c; side
 * by side in rows that are still in the nearest cache when the second fold comes to them.
 */
#include "array/minmax.h"

#include "array/cast.h"
#include "array/fold.h"
#include "array/loop.h"

enum { ROW = 8 << 10 /* bytes of a row, which has to stay in that cache beside two rows of accumulators */ };

/* The folds of a dtype. */
struct folding {
  shmx_fold_extremes *row;
  shmx_fold_each *each[2]; /* of the least, and of the greatest */
  shmx_cast_row *copy;
  int64_t size; /* of an element, bytes */
};

static struct folding start(const struct shmx_view *in) {
  const struct shmx_folds *folds = shmx_folds_for(shmx_view_nbytes(in));
  enum shmx_dtype dtype = in->dtype;
  return (struct folding){.row = folds->extremes[dtype],
                          .each = {folds->each[SHMX_FOLD_MIN][dtype], folds->each[SHMX_FOLD_MAX][dtype]},
                          .copy = shmx_casts()->row[dtype][dtype],
                          .size = shmx_dtype_size(dtype)};
}

/* Folds `count` lines, `stride` bytes apart, of `n` elements each, `step` bytes apart. */
static void fold_lines(const struct folding *f, char *const best[2], const char *data, int64_t step, int64_t n,
                       int64_t stride, int64_t count) {
  for (int k = 0; k < 2; k++) f->copy(best[k], f->size, data, stride, count);
  if (shmx_fold_beside(step, n, stride, count)) {
    for (int64_t i = 1; i < n; i++) {
      for (int k = 0; k < 2; k++) f->each[k](best[k], data + i * step, stride, count);
    }
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    f->row(best[0] + i * f->size, best[1] + i * f->size, data + i * stride, step, n);
  }
}

static void find_along(const struct folding *f, const struct shmx_minmax *m) {
  struct shmx_view lines = m->in;
  struct shmx_loop loop;
  const int64_t step = lines.strides[m->axis], n = lines.shape[m->axis], block = ROW / f->size;
  char *best[2] = {m->least, m->greatest};
  shmx_view_drop(&lines, m->axis, 0);
  if (!shmx_loop_start(&loop, &lines, NULL)) return;
  do {
    for (int64_t i = 0; i < loop.count; i += block) {
      int64_t count = loop.count - i < block ? loop.count - i : block;
      fold_lines(f, best, loop.data[0] + i * loop.stride[0], step, n, loop.stride[0], count);
      for (int k = 0; k < 2; k++) best[k] += count * f->size;
    }
  } while (shmx_loop_next(&loop));
}

static void find_of_all(const struct folding *f, const struct shmx_minmax *m) {
  struct shmx_view in = m->in;
  struct shmx_loop loop;
  f->copy(m->least, f->size, in.data, f->size, 1);
  f->copy(m->greatest, f->size, in.data, f->size, 1);
  shmx_view_straighten(&in);
  if (!shmx_loop_start(&loop, &in, NULL)) return;
  do f->row(m->least, m->greatest, loop.data[0], loop.stride[0], loop.count);
  while (shmx_loop_next(&loop));
}

void shmx_minmax_find(const struct shmx_minmax *minmax) {
  const struct folding f = start(&minmax->in);
  if (minmax->axis < 0 || minmax->in.ndim == 1) find_of_all(&f, minmax);
  else find_along(&f, minmax);
}
