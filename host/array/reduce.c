/* SPDX-License-Identifier: MIT */
/*
 * Reductions: see array/reduce.h.
 *
 * The elements that go into one result are a *line*. Lines are folded one by one where their own elements lie closer
 * together than the lines do, and otherwise side by side, some hundreds at a time, in the order of memory.
 *
 * A float sum of one line adds blocks in a pile (array/pile.h). Lines side by side are added in halves, down to a block.
 */
#include "array/reduce.h"

#include <math.h>
#include <string.h>

#include "array/best.h"
#include "array/cast.h"
#include "array/fold.h"
#include "array/loop.h"
#include "array/pile.h"

enum { TILE = 2048 };

/* One reduction under way: how elements are folded. */
struct folding {
  const struct shmx_reduce *call;
  shmx_fold_row *row;
  shmx_fold_each *each;
  enum shmx_fold fold;
  enum shmx_dtype from, to; /* of elements and of accumulators */
  bool adds_floats;
  const double *centres; /* of variances: the mean of each line, whose squared distances are added; NULL otherwise */
};

/* The accumulators of up to TILE lines. */
union accumulators {
  double number[TILE];
  char bytes[TILE * SHMX_FOLD_MAX_SIZE];
};

enum shmx_dtype shmx_fold_dtype(enum shmx_fold fold, enum shmx_dtype dtype) {
  switch (fold) {
  case SHMX_FOLD_ANY:
  case SHMX_FOLD_ALL: return SHMX_BOOL;
  case SHMX_FOLD_MIN:
  case SHMX_FOLD_MAX: return dtype;
  case SHMX_FOLD_TOTAL: return SHMX_F64;
  default: break;
  }
  if (shmx_dtype_is_float(dtype)) return SHMX_F64;
  bool is_unsigned = dtype == SHMX_U8 || dtype == SHMX_U16 || dtype == SHMX_U32 || dtype == SHMX_U64;
  return is_unsigned ? SHMX_U64 : SHMX_I64;
}

static const enum shmx_fold folds[SHMX_REDUCE_COUNT] = {
    [SHMX_REDUCE_SUM] = SHMX_FOLD_SUM,    [SHMX_REDUCE_PROD] = SHMX_FOLD_PROD, [SHMX_REDUCE_MIN] = SHMX_FOLD_MIN,
    [SHMX_REDUCE_MAX] = SHMX_FOLD_MAX,    [SHMX_REDUCE_ANY] = SHMX_FOLD_ANY,   [SHMX_REDUCE_ALL] = SHMX_FOLD_ALL,
    [SHMX_REDUCE_MEAN] = SHMX_FOLD_TOTAL, [SHMX_REDUCE_VAR] = SHMX_FOLD_TOTAL, [SHMX_REDUCE_STD] = SHMX_FOLD_TOTAL,
};

static bool is_variance(enum shmx_reduction reduction) {
  return reduction == SHMX_REDUCE_VAR || reduction == SHMX_REDUCE_STD;
}

static bool is_best(enum shmx_reduction reduction) {
  return reduction == SHMX_REDUCE_ARGMIN || reduction == SHMX_REDUCE_ARGMAX;
}

enum shmx_dtype shmx_reduce_dtype(enum shmx_reduction reduction, enum shmx_dtype dtype) {
  if (is_best(reduction)) return SHMX_I64;
  if (dtype == SHMX_F32 && reduction != SHMX_REDUCE_ANY && reduction != SHMX_REDUCE_ALL) return SHMX_F32;
  return shmx_fold_dtype(folds[reduction], dtype);
}

static struct folding start(const struct shmx_reduce *call) {
  enum shmx_fold fold = folds[call->reduction];
  enum shmx_dtype from = call->in.dtype, to = shmx_fold_dtype(fold, from);
  const struct shmx_folds *by_level = shmx_folds_for(shmx_view_nbytes(&call->in));
  return (struct folding){.call = call,
                          .row = by_level->row[fold][from],
                          .each = by_level->each[fold][from],
                          .fold = fold,
                          .from = from,
                          .to = to,
                          .adds_floats = to == SHMX_F64 && (fold == SHMX_FOLD_SUM || fold == SHMX_FOLD_TOTAL)};
}

/* Sets accumulators to what an element changes into itself; for extremes that is the line's first element. */
static void clear(const struct folding *f, char *accumulators, const char *data, int64_t stride, int64_t count) {
  int64_t size = shmx_dtype_size(f->to);
  if (f->fold == SHMX_FOLD_PROD) {
    uint64_t one = 1;
    double unit = 1;
    for (int64_t i = 0; i < count; i++) memcpy(accumulators + i * size, f->to == SHMX_F64 ? (void *)&unit : &one, 8);
  } else if (f->fold == SHMX_FOLD_MIN || f->fold == SHMX_FOLD_MAX) {
    shmx_casts()->row[f->to][f->from](accumulators, size, data, stride, count);
  } else {
    memset(accumulators, f->fold == SHMX_FOLD_ALL, (size_t)(count * size));
  }
}

/* --- lines one by one --- */

/* The sum of a block of at most SHMX_FOLD_BLOCK elements, or of their squared distances from the centre. */
static double add_block(const struct folding *f, const char *data, int64_t stride, int64_t count) {
  double sum = 0, square[SHMX_FOLD_BLOCK];
  if (!f->centres) {
    f->row(&sum, data, stride, count);
    return sum;
  }
  shmx_casts()->row[SHMX_F64][f->from]((char *)square, sizeof square[0], data, stride, count);
  for (int64_t i = 0; i < count; i++) square[i] = (square[i] - *f->centres) * (square[i] - *f->centres);
  shmx_folds()->row[SHMX_FOLD_TOTAL][SHMX_F64](&sum, (const char *)square, sizeof square[0], count);
  return sum;
}

static void add_blocks(const struct folding *f, struct shmx_pile *pile, const char *data, int64_t stride,
                       int64_t count) {
  for (int64_t i = 0; i < count; i += SHMX_FOLD_BLOCK) {
    int64_t n = count - i < SHMX_FOLD_BLOCK ? count - i : SHMX_FOLD_BLOCK;
    shmx_pile_add(pile, add_block(f, data + i * stride, stride, n));
  }
}

static void fold_line(const struct folding *f, char *accumulator, const char *data, int64_t stride, int64_t count) {
  if (!f->adds_floats) {
    f->row(accumulator, data, stride, count);
    return;
  }
  struct shmx_pile pile;
  pile.blocks = 0;
  add_blocks(f, &pile, data, stride, count);
  double sum = shmx_pile_total(&pile);
  memcpy(accumulator, &sum, sizeof sum);
}

/* --- lines side by side --- */

/* Folds element i of a row into accumulator i, or its squared distance from centre i. */
static void fold_row(const struct folding *f, char *accumulators, const char *data, int64_t stride, int64_t count) {
  double square[TILE];
  if (!f->centres) {
    f->each(accumulators, data, stride, count);
    return;
  }
  shmx_casts()->row[SHMX_F64][f->from]((char *)square, sizeof square[0], data, stride, count);
  for (int64_t i = 0; i < count; i++) square[i] = (square[i] - f->centres[i]) * (square[i] - f->centres[i]);
  shmx_folds()->each[SHMX_FOLD_TOTAL][SHMX_F64](accumulators, (const char *)square, sizeof square[0], count);
}

/* Folds `n` rows of `count` elements. The recursion is as deep as n has binary digits. */
static void fold_rows(const struct folding *f, char *accumulators, const char *data, int64_t step, int64_t n,
                      int64_t stride, int64_t count) {
  if (!f->adds_floats || n <= SHMX_FOLD_BLOCK / 4) {
    for (int64_t i = 0; i < n; i++) fold_row(f, accumulators, data + i * step, stride, count);
    return;
  }
  double *sums = (double *)(void *)accumulators, half[TILE];
  memset(half, 0, (size_t)count * sizeof half[0]);
  fold_rows(f, accumulators, data, step, n / 2, stride, count);
  fold_rows(f, (char *)half, data + n / 2 * step, step, n - n / 2, stride, count);
  for (int64_t i = 0; i < count; i++) sums[i] += half[i];
}

/* --- both --- */

/* Folds `count` lines, `stride` bytes apart, of `n` elements each, `step` bytes apart. */
static void fold_lines(const struct folding *f, char *accumulators, const char *data, int64_t step, int64_t n,
                       int64_t stride, int64_t count) {
  clear(f, accumulators, data, stride, count);
  if (shmx_fold_beside(step, n, stride, count)) {
    fold_rows(f, accumulators, data, step, n, stride, count);
    return;
  }
  struct folding line = *f;
  for (int64_t i = 0; i < count; i++) {
    if (f->centres) line.centres = f->centres + i;
    fold_line(&line, accumulators + i * shmx_dtype_size(f->to), data + i * stride, step, n);
  }
}

/* Makes means of sums, and variances and deviations of the sums of squares. */
static void divide(double *values, int64_t count, double by, bool root) {
  for (int64_t i = 0; i < count; i++) values[i] = root ? sqrt(values[i] / by) : values[i] / by;
}

static double divisor(const struct shmx_reduce *call, int64_t n) {
  double rest = (double)n - call->ddof;
  return rest > 0 ? rest : 0;
}

static void reduce_tile(const struct folding *f, union accumulators *acc, const char *data, int64_t step, int64_t n,
                        int64_t stride, int64_t count) {
  enum shmx_reduction reduction = f->call->reduction;
  fold_lines(f, acc->bytes, data, step, n, stride, count);
  if (reduction == SHMX_REDUCE_MEAN) divide(acc->number, count, (double)n, false);
  if (!is_variance(reduction)) return;
  double means[TILE];
  struct folding squares = *f;
  divide(acc->number, count, (double)n, false);
  memcpy(means, acc->number, (size_t)count * sizeof means[0]);
  squares.centres = means;
  fold_lines(&squares, acc->bytes, data, step, n, stride, count);
  divide(acc->number, count, divisor(f->call, n), reduction == SHMX_REDUCE_STD);
}

/* Writes the results of a row of lines. */
static void reduce_row(const struct folding *f, const struct shmx_loop *loop, int64_t step, int64_t n) {
  shmx_cast_row *store = shmx_casts()->row[f->call->out.dtype][f->to];
  union accumulators acc;
  for (int64_t i = 0; i < loop->count; i += TILE) {
    int64_t count = loop->count - i < TILE ? loop->count - i : TILE;
    reduce_tile(f, &acc, loop->data[0] + i * loop->stride[0], step, n, loop->stride[0], count);
    store(loop->data[1] + i * loop->stride[1], loop->stride[1], acc.bytes, shmx_dtype_size(f->to), count);
  }
}

static void reduce_axis(const struct folding *f) {
  const struct shmx_reduce *call = f->call;
  struct shmx_view lines = call->in;
  struct shmx_loop loop;
  shmx_view_drop(&lines, call->axis, 0);
  if (!shmx_loop_start(&loop, &lines, &call->out)) return;
  do reduce_row(f, &loop, call->in.strides[call->axis], call->in.shape[call->axis]);
  while (shmx_loop_next(&loop));
}

/* --- one line that is a whole view --- */

static void fold_view(const struct folding *f, union accumulators *acc) {
  const struct shmx_view *in = &f->call->in;
  struct shmx_loop loop;
  struct shmx_pile pile;
  pile.blocks = 0;
  clear(f, acc->bytes, in->data, 0, 1);
  if (!shmx_loop_start(&loop, in, NULL)) return;
  do {
    if (f->adds_floats) add_blocks(f, &pile, loop.data[0], loop.stride[0], loop.count);
    if (!f->adds_floats) f->row(acc->bytes, loop.data[0], loop.stride[0], loop.count);
  } while (shmx_loop_next(&loop));
  if (f->adds_floats) acc->number[0] = shmx_pile_total(&pile);
}

static void reduce_all(const struct folding *f) {
  enum shmx_reduction reduction = f->call->reduction;
  double n = (double)shmx_view_count(&f->call->in), mean;
  union accumulators acc;
  fold_view(f, &acc);
  if (reduction == SHMX_REDUCE_MEAN || is_variance(reduction)) acc.number[0] /= n;
  if (is_variance(reduction)) {
    struct folding squares = *f;
    mean = acc.number[0];
    squares.centres = &mean;
    fold_view(&squares, &acc);
    divide(acc.number, 1, divisor(f->call, (int64_t)n), reduction == SHMX_REDUCE_STD);
  }
  shmx_casts()->row[f->call->out.dtype][f->to](f->call->out.data, 0, acc.bytes, 0, 1);
}

void shmx_reduce_run(const struct shmx_reduce *reduce) {
  struct shmx_reduce call = *reduce;
  if (is_best(call.reduction)) {
    shmx_best_find(&call);
    return;
  }
  if (call.axis < 0 || call.in.ndim == 1) shmx_view_straighten(&call.in);
  struct folding f = start(&call);
  if (call.axis < 0 || call.in.ndim == 1) {
    reduce_all(&f);
  } else {
    reduce_axis(&f);
  }
}
