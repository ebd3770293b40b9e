/* SPDX-License-Identifier: MIT */
/*
 * Reductions to one number: sum, min, max.
 *
 * A float sum adds blocks of up to 128 elements in eight lanes, and the blocks' sums like a binary counter: two sums of
 * one block make a sum of two, two of these a sum of four, and so on. Each element passes through about log2(n)
 * additions, so the error stays small however long the array and however its rows lie.
 */
#include <string.h>

#include "array/kernel.h"
#include "array/loop.h"

enum { LANES = 8, SUM_BLOCK = 128 };

/* What a row adds to. */
struct sum {
  uint64_t integer;
  uint64_t blocks;  /* that have been added to parts */
  double parts[64]; /* part k is the sum of 2^k blocks, and counts if bit k of `blocks` is set */
};

static void add_block(struct sum *sum, double value) {
  int k = 0;
  for (uint64_t n = sum->blocks++; n & 1; n >>= 1) value += sum->parts[k++];
  sum->parts[k] = value;
}

static double total(const struct sum *sum) {
  double value = 0;
  for (int k = 0; k < 64; k++) {
    if (sum->blocks >> k & 1) value += sum->parts[k];
  }
  return value;
}

typedef void sum_row(struct sum *sum, const char *data, int64_t stride, int64_t count);

#define SUM_INTEGER(tag, type, value)                                                                                  \
  static void sum_##tag(struct sum *sum, const char *data, int64_t stride, int64_t count) {                            \
    uint64_t result = 0;                                                                                               \
    if (stride == (int64_t)sizeof(type)) {                                                                             \
      const type *in = (const type *)(const void *)data;                                                               \
      for (int64_t i = 0; i < count; i++) result += (uint64_t)(value(in[i]));                                          \
    } else {                                                                                                           \
      for (int64_t i = 0; i < count; i++)                                                                              \
        result += (uint64_t)(value(*(const type *)(const void *)(data + i * stride)));                                 \
    }                                                                                                                  \
    sum->integer += result;                                                                                            \
  }
#define ITSELF(x)                   (x)
#define TRUTH(x)                    ((x) != 0)
#define SUM_OF(constant, tag, type) SUM_INTEGER(tag, type, ITSELF)
SHMX_INTEGER_DTYPES(SUM_OF)
SUM_INTEGER(b8, shmx_bool, TRUTH)

#define SUM_FLOAT(constant, tag, type)                                                                                 \
  static double block_##tag(const type *in, int64_t count) {                                                           \
    double lanes[LANES] = {0};                                                                                         \
    int64_t i = 0;                                                                                                     \
    for (; i + LANES <= count; i += LANES) {                                                                           \
      for (int k = 0; k < LANES; k++) lanes[k] += in[i + k];                                                           \
    }                                                                                                                  \
    for (int k = 0; i < count; i++, k++) lanes[k] += in[i];                                                            \
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));          \
  }                                                                                                                    \
  static void sum_##tag(struct sum *sum, const char *data, int64_t stride, int64_t count) {                            \
    type gathered[SUM_BLOCK];                                                                                          \
    for (int64_t i = 0; i < count; i += SUM_BLOCK) {                                                                   \
      int64_t n = count - i < SUM_BLOCK ? count - i : SUM_BLOCK;                                                       \
      const type *in = (const type *)(const void *)(data + i * stride);                                                \
      if (stride != (int64_t)sizeof(type)) {                                                                           \
        for (int64_t j = 0; j < n; j++) gathered[j] = *(const type *)(const void *)(data + (i + j) * stride);          \
        in = gathered;                                                                                                 \
      }                                                                                                                \
      add_block(sum, block_##tag(in, n));                                                                              \
    }                                                                                                                  \
  }
SHMX_FLOAT_DTYPES(SUM_FLOAT)

struct shmx_scalar shmx_kernel_sum(const struct shmx_view *view) {
#define SUM_ENTRY(constant, tag, type) [SHMX_##constant] = sum_##tag,
  static sum_row *const rows[] = {SHMX_DTYPES(SUM_ENTRY)};
  struct sum sum = {0};
  struct shmx_loop loop;
  if (shmx_loop_start(&loop, view, NULL)) {
    do rows[view->dtype](&sum, loop.data[0], loop.stride[0], loop.count);
    while (shmx_loop_next(&loop));
  }
  if (shmx_dtype_is_float(view->dtype)) return (struct shmx_scalar){SHMX_SCALAR_FLOAT, .number = total(&sum)};
  return (struct shmx_scalar){SHMX_SCALAR_INTEGER, .integer = (int64_t)sum.integer};
}

/* `x` takes the place of `best` when it is better or not a number; nothing takes the place of a NaN. For integers the
 * second test is always false. */
#define LESS(x, best)    (((x) < (best)) | ((x) != (x)))
#define GREATER(x, best) (((x) > (best)) | ((x) != (x)))

/* Goes through a row in lanes, so that no comparison waits for the one before it. `state` points to the best so far. */
typedef void best_row(void *state, const char *data, int64_t stride, int64_t count);

#define BEST(tag, type, word, better)                                                                                  \
  static void word##_##tag(void *state, const char *data, int64_t stride, int64_t count) {                             \
    type best = *(type *)state, lanes[LANES];                                                                          \
    int64_t i = 0;                                                                                                     \
    for (int k = 0; k < LANES; k++) lanes[k] = best;                                                                   \
    if (stride == (int64_t)sizeof(type)) {                                                                             \
      const type *in = (const type *)(const void *)data;                                                               \
      for (; i + LANES <= count; i += LANES) {                                                                         \
        for (int k = 0; k < LANES; k++) lanes[k] = better(in[i + k], lanes[k]) ? in[i + k] : lanes[k];                 \
      }                                                                                                                \
    }                                                                                                                  \
    for (int k = 0; k < LANES; k++) best = better(lanes[k], best) ? lanes[k] : best;                                   \
    for (; i < count; i++) {                                                                                           \
      type x = *(const type *)(const void *)(data + i * stride);                                                       \
      best = better(x, best) ? x : best;                                                                               \
    }                                                                                                                  \
    *(type *)state = best;                                                                                             \
  }
#define BOTH(constant, tag, type)                                                                                      \
  BEST(tag, type, min, LESS)                                                                                           \
  BEST(tag, type, max, GREATER)
SHMX_DTYPES(BOTH)

/* The element at `p` as a scalar. */
static struct shmx_scalar load(enum shmx_dtype dtype, const void *p) {
#define LOAD_INTEGER(constant, tag, type)                                                                              \
  case SHMX_##constant: return (struct shmx_scalar){SHMX_SCALAR_INTEGER, .integer = (int64_t) * (const type *)p};
  switch (dtype) {
    SHMX_INTEGER_DTYPES(LOAD_INTEGER)
  case SHMX_F32: return (struct shmx_scalar){SHMX_SCALAR_FLOAT, .number = *(const float *)p};
  case SHMX_F64: return (struct shmx_scalar){SHMX_SCALAR_FLOAT, .number = *(const double *)p};
  default: return (struct shmx_scalar){SHMX_SCALAR_BOOL, .boolean = *(const shmx_bool *)p != 0};
  }
}

static struct shmx_scalar find_best(const struct shmx_view *view, best_row *row) {
  uint64_t best = 0; /* has room for an element of any dtype */
  struct shmx_loop loop;
  memcpy(&best, view->data, (size_t)shmx_dtype_size(view->dtype));
  shmx_loop_start(&loop, view, NULL);
  do row(&best, loop.data[0], loop.stride[0], loop.count);
  while (shmx_loop_next(&loop));
  return load(view->dtype, &best);
}

#define MIN_ENTRY(constant, tag, type) [SHMX_##constant] = min_##tag,
#define MAX_ENTRY(constant, tag, type) [SHMX_##constant] = max_##tag,

struct shmx_scalar shmx_kernel_min(const struct shmx_view *view) {
  static best_row *const rows[] = {SHMX_DTYPES(MIN_ENTRY)};
  return find_best(view, rows[view->dtype]);
}

struct shmx_scalar shmx_kernel_max(const struct shmx_view *view) {
  static best_row *const rows[] = {SHMX_DTYPES(MAX_ENTRY)};
  return find_best(view, rows[view->dtype]);
}
