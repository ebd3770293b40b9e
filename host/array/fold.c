/* SPDX-License-Identifier: MIT */
/*
 * The folds of array/fold.h. Compiled once for each level.
 *
 * What does not depend on the order (integers, truth) is a plain loop. Floats are added in lanes whose number is the same
 * for all levels, and so are the results.
 */
#include "array/fold.h"

#include <string.h>

#include "array/kernel_file.h"
#include "array/lanes.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): types and expressions of x and acc are meant to be expanded as they are. */

/* Does `body` with each element x, number i. */
#define EACH_ELEMENT(type, body)                                                                                       \
  if (stride == (int64_t)sizeof(type)) {                                                                               \
    const type *in = (const type *)(const void *)data;                                                                 \
    SHMX_FOR(count) {                                                                                                  \
      const type x = in[i];                                                                                            \
      body                                                                                                             \
    }                                                                                                                  \
  } else {                                                                                                             \
    SHMX_FOR(count) {                                                                                                  \
      const type x = *(const type *)(const void *)(data + i * stride);                                                 \
      body                                                                                                             \
    }                                                                                                                  \
  }

#define ROW(name, acc_type, type, expression)                                                                          \
  static void name##_row(void *accumulator, const char *data, int64_t stride, int64_t count) {                         \
    acc_type acc = *(acc_type *)accumulator;                                                                           \
    EACH_ELEMENT(type, acc = (acc_type)(expression);)                                                                  \
    *(acc_type *)accumulator = acc;                                                                                    \
  }

#define EACH(name, acc_type, type, expression)                                                                         \
  static void name##_each(void *accumulators, const char *data, int64_t stride, int64_t count) {                       \
    acc_type *accs = accumulators;                                                                                     \
    EACH_ELEMENT(type, const acc_type acc = accs[i]; accs[i] = (acc_type)(expression);)                                \
  }

#define FOLD(name, acc_type, type, expression)                                                                         \
  ROW(name, acc_type, type, expression)                                                                                \
  EACH(name, acc_type, type, expression)

/* --- sums and products of integers --- */

#define INTEGER_SUMS(constant, tag, type)                                                                              \
  FOLD(sum_##tag, uint64_t, type, acc + (uint64_t)x)                                                                   \
  FOLD(prod_##tag, uint64_t, type, acc *(uint64_t)x)
SHMX_INTEGER_DTYPES(INTEGER_SUMS)
EACH(sum_b8, uint64_t, shmx_bool, acc + (x != 0))
/* Of bools in lanes of bytes, as long as these cannot overflow. */
static void sum_b8_row(void *accumulator, const char *data, int64_t stride, int64_t count) {
  enum { WIDTH = 64, BLOCK = 255 * WIDTH };
  uint64_t sum = *(uint64_t *)accumulator;
  int64_t i = 0;
  while (stride == 1 && count - i >= WIDTH) {
    uint8_t lane[WIDTH] = {0};
    int64_t end = count - i < BLOCK ? i + (count - i) / WIDTH * WIDTH : i + BLOCK;
    for (; i < end; i += WIDTH) {
      for (int k = 0; k < WIDTH; k++) lane[k] = (uint8_t)(lane[k] + (data[i + k] != 0));
    }
    for (int k = 0; k < WIDTH; k++) sum += lane[k];
  }
  for (; i < count; i++) sum += data[i * stride] != 0;
  *(uint64_t *)accumulator = sum;
}
FOLD(prod_b8, uint64_t, shmx_bool, acc *(x != 0))

/* --- sums in double --- */

#define ADD(constant, tag, type)                                                                                       \
  static double add_##tag(const type *in, int64_t count) {                                                             \
    double sum[SHMX_STEP] = {0}, rest = 0;                                                                             \
    int64_t i = 0;                                                                                                     \
    for (; i + SHMX_STEP <= count; i += SHMX_STEP) {                                                                   \
      for (int k = 0; k < SHMX_STEP; k++) sum[k] += (double)in[i + k];                                                 \
    }                                                                                                                  \
    for (; i + SHMX_LANES <= count; i += SHMX_LANES) {                                                                 \
      for (int k = 0; k < SHMX_LANES; k++) sum[k] += (double)in[i + k];                                                \
    }                                                                                                                  \
    for (; i < count; i++) rest += (double)in[i];                                                                      \
    return shmx_lanes_join(sum) + rest;                                                                                \
  }
SHMX_INTEGER_DTYPES(ADD)
ADD(F64, f64, double)

#if defined(__FMA__)
static double add_f32(const float *in, int64_t count) {
  __m256d sum[SHMX_WIDES] = {{0}}, one = _mm256_set1_pd(1);
  double rest = 0;
  int64_t i = 0;
  for (; i + SHMX_STEP <= count; i += SHMX_STEP) {
    for (int k = 0; k < SHMX_WIDES; k++) sum[k] = _mm256_fmadd_pd(shmx_wide_load(in + i, k), one, sum[k]);
  }
  for (; i + SHMX_LANES <= count; i += SHMX_LANES) {
    sum[0] = _mm256_fmadd_pd(shmx_wide_load(in + i, 0), one, sum[0]);
    sum[1] = _mm256_fmadd_pd(shmx_wide_load(in + i, 1), one, sum[1]);
  }
  for (; i < count; i++) rest += (double)in[i];
  return shmx_wide_join(sum) + rest;
}
#else
ADD(F32, f32, float)
#endif

/* A row with gaps is gathered piece by piece. */
#define TOTAL(constant, tag, type)                                                                                     \
  static void total_##tag##_row(void *accumulator, const char *data, int64_t stride, int64_t count) {                  \
    type gathered[SHMX_FOLD_BLOCK];                                                                                    \
    const type *in = (const type *)(const void *)data;                                                                 \
    if (stride != (int64_t)sizeof(type)) {                                                                             \
      for (int64_t i = 0; i < count; i++) gathered[i] = *(const type *)(const void *)(data + i * stride);              \
      in = gathered;                                                                                                   \
    }                                                                                                                  \
    *(double *)accumulator += add_##tag(in, count);                                                                    \
  }                                                                                                                    \
  EACH(total_##tag, double, type, acc + (double)x)
SHMX_INTEGER_DTYPES(TOTAL)
SHMX_FLOAT_DTYPES(TOTAL)
FOLD(total_b8, double, shmx_bool, acc + (x != 0))

FOLD(prod_f32, double, float, acc *(double)x)
FOLD(prod_f64, double, double, acc *x)

/* --- extremes --- */

/* x takes the place of the best so far when it is better or not a number; nothing takes the place of a NaN. */
#define LESS(x, best)    (((x) < (best)) | ((x) != (x)))
#define GREATER(x, best) (((x) > (best)) | ((x) != (x)))

/* Of two integers. */
#define NO_NAN(x, y) 0

/* The best of `width` lanes, a power of two. */
#define BETTER_HALF(width, half, sign)                                                                                 \
  for (int k = 0; k < (half) && (half) < (width); k++) {                                                               \
    lane[k] = lane[k + (half)] sign lane[k] ? lane[k + (half)] : lane[k];                                              \
  }
#define BEST_LANE(name, type, width, sign)                                                                             \
  static inline type name(type *lane) {                                                                                \
    BETTER_HALF(width, 64, sign)                                                                                       \
    BETTER_HALF(width, 32, sign)                                                                                       \
    BETTER_HALF(width, 16, sign)                                                                                       \
    BETTER_HALF(width, 8, sign)                                                                                        \
    BETTER_HALF(width, 4, sign)                                                                                        \
    BETTER_HALF(width, 2, sign)                                                                                        \
    BETTER_HALF(width, 1, sign)                                                                                        \
    return lane[0];                                                                                                    \
  }

/* The least and the greatest, in lanes, so that no comparison waits for the one before it: so many that the compiler makes
 * vectors of them. Whether there is a NaN among the elements is asked of two at a time; then the row is looked at once
 * more, one by one. Either of the two alone would take as long, since it is the loads that take the time. */
#define EXTREMES(tag, type, integer, is_nan)                                                                           \
  enum { tag##_WIDTH = sizeof(type) > 4 ? 32 : 128 / sizeof(type) };                                                   \
  BEST_LANE(least_of_##tag, type, tag##_WIDTH, <)                                                                      \
  BEST_LANE(greatest_of_##tag, type, tag##_WIDTH, >)                                                                   \
  static __attribute__((noinline)) void extremes_##tag##_row(void *least, void *greatest, const char *data,            \
                                                             int64_t stride, int64_t count) {                          \
    enum { WIDTH = tag##_WIDTH, HALF = WIDTH / 2 };                                                                    \
    type low = *(type *)least, high = *(type *)greatest, lows[WIDTH], highs[WIDTH];                                    \
    integer nan[HALF] = {0}, any = 0;                                                                                  \
    int64_t done = stride == (int64_t)sizeof(type) && !is_nan(low, high) && count >= WIDTH ? count : 0;                \
    const type *in = (const type *)(const void *)data;                                                                 \
    for (int k = 0; k < WIDTH; k++) lows[k] = low, highs[k] = high;                                                    \
    for (int64_t i = 0; i < done; i += WIDTH) {                                                                        \
      const type *const x = in + (i + WIDTH <= count ? i : count - WIDTH);                                             \
      for (int k = 0; k < WIDTH; k++) lows[k] = x[k] < lows[k] ? x[k] : lows[k];                                       \
      for (int k = 0; k < WIDTH; k++) highs[k] = x[k] > highs[k] ? x[k] : highs[k];                                    \
      for (int k = 0; k < HALF; k++) nan[k] |= is_nan(x[k], x[k + HALF]) ? 1 : 0;                                      \
    }                                                                                                                  \
    for (int k = 0; k < HALF; k++) any |= nan[k];                                                                      \
    if (any) done = 0;                                                                                                 \
    if (done > 0) low = least_of_##tag(lows), high = greatest_of_##tag(highs);                                         \
    for (int64_t i = done; i < count; i++) {                                                                           \
      const type x = *(const type *)(const void *)(data + i * stride);                                                 \
      low = LESS(x, low) ? x : low;                                                                                    \
      high = GREATER(x, high) ? x : high;                                                                              \
    }                                                                                                                  \
    *(type *)least = low;                                                                                              \
    *(type *)greatest = high;                                                                                          \
  }                                                                                                                    \
  static void min_##tag##_row(void *accumulator, const char *data, int64_t stride, int64_t count) {                    \
    type greatest = *(type *)accumulator;                                                                              \
    extremes_##tag##_row(accumulator, &greatest, data, stride, count);                                                 \
  }                                                                                                                    \
  static void max_##tag##_row(void *accumulator, const char *data, int64_t stride, int64_t count) {                    \
    type least = *(type *)accumulator;                                                                                 \
    extremes_##tag##_row(&least, accumulator, data, stride, count);                                                    \
  }                                                                                                                    \
  EACH(min_##tag, type, type, LESS(x, acc) ? x : acc)                                                                  \
  EACH(max_##tag, type, type, GREATER(x, acc) ? x : acc)
#define INTEGER_EXTREMES(constant, tag, type) EXTREMES(tag, type, type, NO_NAN)
SHMX_INTEGER_DTYPES(INTEGER_EXTREMES)
EXTREMES(f32, float, int32_t, __builtin_isunordered)
EXTREMES(f64, double, int64_t, __builtin_isunordered)

/* --- truth: a row is left as soon as the answer is known, but for the block at hand --- */

#define TRUTH(name, type, known, expression)                                                                           \
  ROW(name##_block, shmx_bool, type, expression)                                                                       \
  static void name##_row(void *accumulator, const char *data, int64_t stride, int64_t count) {                         \
    for (int64_t i = 0; i < count && *(shmx_bool *)accumulator != (known); i += SHMX_FOLD_BLOCK) {                     \
      int64_t n = count - i < SHMX_FOLD_BLOCK ? count - i : SHMX_FOLD_BLOCK;                                           \
      name##_block_row(accumulator, data + i * stride, stride, n);                                                     \
    }                                                                                                                  \
  }                                                                                                                    \
  EACH(name, shmx_bool, type, expression)
#define TRUTHS(constant, tag, type)                                                                                    \
  TRUTH(any_##tag, type, 1, acc | (x != 0))                                                                            \
  TRUTH(all_##tag, type, 0, acc &(x != 0))
SHMX_DTYPES(TRUTHS)

/* Of bools at most one of the two is read to its end. */
static void extremes_b8_row(void *least, void *greatest, const char *data, int64_t stride, int64_t count) {
  all_b8_row(least, data, stride, count);
  any_b8_row(greatest, data, stride, count);
}

#define ENTRY(fold, constant, name, form) [SHMX_FOLD_##fold][SHMX_##constant] = name##_##form
#define OF_ANY(constant, tag, form)                                                                                    \
  ENTRY(PROD, constant, prod_##tag, form), ENTRY(TOTAL, constant, total_##tag, form),                                  \
      ENTRY(ANY, constant, any_##tag, form), ENTRY(ALL, constant, all_##tag, form)
#define OF_NUMBER(constant, tag, form)                                                                                 \
  OF_ANY(constant, tag, form), ENTRY(MIN, constant, min_##tag, form), ENTRY(MAX, constant, max_##tag, form)

#define INTEGER_ROW(constant, tag, type)  OF_NUMBER(constant, tag, row), ENTRY(SUM, constant, sum_##tag, row),
#define INTEGER_EACH(constant, tag, type) OF_NUMBER(constant, tag, each), ENTRY(SUM, constant, sum_##tag, each),
#define FLOAT_ROW(constant, tag, type)    OF_NUMBER(constant, tag, row), ENTRY(SUM, constant, total_##tag, row),
#define FLOAT_EACH(constant, tag, type)   OF_NUMBER(constant, tag, each), ENTRY(SUM, constant, total_##tag, each),
#define BOOL_ENTRIES(form)                                                                                             \
  OF_ANY(BOOL, b8, form), ENTRY(SUM, BOOL, sum_b8, form), ENTRY(MIN, BOOL, all_b8, form), ENTRY(MAX, BOOL, any_b8, form)
#define EXTREMES_ENTRY(constant, tag, type) [SHMX_##constant] = extremes_##tag##_row,

const struct shmx_folds SHMX_AT_LEVEL(shmx_folds) = {
    .row = {SHMX_INTEGER_DTYPES(INTEGER_ROW) SHMX_FLOAT_DTYPES(FLOAT_ROW) BOOL_ENTRIES(row)},
    .each = {SHMX_INTEGER_DTYPES(INTEGER_EACH) SHMX_FLOAT_DTYPES(FLOAT_EACH) BOOL_ENTRIES(each)},
    .extremes = {SHMX_DTYPES(EXTREMES_ENTRY)}};

/* NOLINTEND(bugprone-macro-parentheses) */
