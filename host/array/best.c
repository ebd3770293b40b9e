/* SPDX-License-Identifier: MIT */
/*
 * Where the best element is: see array/best.h.
 *
 * A line is gone through in blocks. The fold of an extreme is quick, and changes its accumulator only in a block that has
 * something better than all before it; the last block in which that happened is then searched for what it found.
 */
#include "array/best.h"

#include <string.h>

#include "array/fold.h"
#include "array/kernel.h"
#include "array/loop.h"

enum { BLOCK = 1024 };

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

typedef int64_t find_row(const void *wanted, const char *data, int64_t stride, int64_t count);

/* The number of the first element that equals the wanted one. It is there, unless somebody has written to shared memory
 * meanwhile; then this is the last. */
#define FIND(tag, type, equal)                                                                                         \
  static int64_t find_##tag(const void *wanted, const char *data, int64_t stride, int64_t count) {                     \
    const type y = *(const type *)wanted;                                                                              \
    int64_t i = 0;                                                                                                     \
    for (; i < count - 1; i++) {                                                                                       \
      const type x = *(const type *)(const void *)(data + i * stride);                                                 \
      if (equal) break;                                                                                                \
    }                                                                                                                  \
    return i;                                                                                                          \
  }
#define FIND_INTEGER(constant, tag, type) FIND(tag, type, x == y)
#define FIND_FLOAT(constant, tag, type)   FIND(tag, type, (x == y) | ((x != x) & (y != y)))
SHMX_INTEGER_DTYPES(FIND_INTEGER)
SHMX_FLOAT_DTYPES(FIND_FLOAT)
FIND(b8, shmx_bool, (x != 0) == (y != 0))

#define FIND_ENTRY(constant, tag, type) [SHMX_##constant] = find_##tag,
static find_row *const finds[] = {SHMX_DTYPES(FIND_ENTRY)};

/* NOLINTEND(bugprone-macro-parentheses) */

/* The best of what has been seen of one line. */
struct best {
  shmx_fold_row *row;
  enum shmx_dtype dtype;
  size_t size;
  int64_t seen;                 /* elements */
  char value[8];                /* of the dtype, once something has been seen */
  const char *block;            /* where it was found */
  int64_t stride, start, count; /* of that block; start is the number of its first element */
  bool settled;                 /* it is NaN, and nothing is better than the first of these */
};

static struct best start(enum shmx_reduction reduction, enum shmx_dtype dtype) {
  enum shmx_fold fold = reduction == SHMX_REDUCE_ARGMIN ? SHMX_FOLD_MIN : SHMX_FOLD_MAX;
  return (struct best){.row = shmx_folds()->row[fold][dtype], .dtype = dtype, .size = (size_t)shmx_dtype_size(dtype)};
}

static bool settled(const struct best *best) {
  float single;
  double number = 0;
  if (best->dtype == SHMX_F32) memcpy(&single, best->value, sizeof single), number = (double)single;
  if (best->dtype == SHMX_F64) memcpy(&number, best->value, sizeof number);
  return number != number;
}

/* An element for the comparison to begin with; that of a bool is 0 or 1. */
static void take_first(struct best *best, const char *data) {
  memcpy(best->value, data, best->size);
  if (best->dtype == SHMX_BOOL) best->value[0] = best->value[0] != 0;
}

static void look(struct best *best, const char *data, int64_t stride, int64_t count) {
  _Alignas(8) char value[8];
  bool first = best->seen == 0;
  if (first) take_first(best, data);
  memcpy(value, best->value, sizeof value);
  best->row(value, data, stride, count);
  if (first || memcmp(value, best->value, best->size) != 0) {
    best->block = data;
    best->stride = stride;
    best->start = best->seen;
    best->count = count;
    memcpy(best->value, value, sizeof value);
    best->settled = settled(best);
  }
  best->seen += count;
}

static void look_at_row(struct best *best, const char *data, int64_t stride, int64_t count) {
  for (int64_t i = 0; i < count && !best->settled; i += BLOCK) {
    look(best, data + i * stride, stride, count - i < BLOCK ? count - i : BLOCK);
  }
}

/* The 1-based position of the best. */
static int64_t position(const struct best *best) {
  _Alignas(8) char value[8];
  memcpy(value, best->value, sizeof value);
  return best->start + finds[best->dtype](value, best->block, best->stride, best->count) + 1;
}

static void store(const struct shmx_view *out, char *to, int64_t found) {
  struct shmx_view target = *out, source = {.data = &found, .dtype = SHMX_I64, .ndim = 1, .shape = {1}, .strides = {8}};
  target.data = to;
  target.ndim = 1;
  target.shape[0] = 1;
  shmx_kernel_copy(&target, &source);
}

static void find_in_all(const struct shmx_reduce *call) {
  struct best best = start(call->reduction, call->in.dtype);
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, &call->in, NULL)) return;
  do look_at_row(&best, loop.data[0], loop.stride[0], loop.count);
  while (!best.settled && shmx_loop_next(&loop));
  store(&call->out, call->out.data, position(&best));
}

static void find_along_axis(const struct shmx_reduce *call) {
  struct shmx_view lines = call->in;
  struct shmx_loop loop;
  shmx_view_drop(&lines, call->axis, 0);
  if (!shmx_loop_start(&loop, &lines, &call->out)) return;
  do {
    for (int64_t i = 0; i < loop.count; i++) {
      struct best best = start(call->reduction, call->in.dtype);
      look_at_row(&best, loop.data[0] + i * loop.stride[0], call->in.strides[call->axis], call->in.shape[call->axis]);
      store(&call->out, loop.data[1] + i * loop.stride[1], position(&best));
    }
  } while (shmx_loop_next(&loop));
}

void shmx_best_find(const struct shmx_reduce *call) {
  if (call->axis < 0 || call->in.ndim == 1) {
    find_in_all(call);
  } else {
    find_along_axis(call);
  }
}
