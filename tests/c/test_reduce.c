/* SPDX-License-Identifier: MIT */
/* Reductions, at every level of vector units, with no Lua and no shared memory. */
#include <math.h>

#include "array/fold.h"
#include "array/minmax.h"
#include "array/reduce.h"
#include "array_kit.h"

/* A reduction of a whole view, in the widest dtype of its kind. */
static struct shmx_view reduce(enum shmx_reduction reduction, const struct shmx_view *in) {
  enum shmx_dtype dtype = shmx_reduce_dtype(reduction, in->dtype);
  struct shmx_view out = vector(dtype == SHMX_F32 ? SHMX_F64 : dtype, 1);
  shmx_reduce_run(&(struct shmx_reduce){.reduction = reduction, .axis = -1, .in = *in, .out = out});
  return out;
}

static double number(enum shmx_reduction reduction, const struct shmx_view *in) {
  struct shmx_view out = reduce(reduction, in);
  return at(&out, 0);
}

static int64_t integer(enum shmx_reduction reduction, const struct shmx_view *in) {
  struct shmx_view out = reduce(reduction, in);
  CHECK(out.dtype == SHMX_I64 || out.dtype == SHMX_U64);
  return *(int64_t *)out.data;
}

static void sum_of_integers_wraps(void) {
  struct shmx_view v = vector(SHMX_I64, 3);
  int64_t *p = v.data;
  p[0] = INT64_MAX, p[1] = 1, p[2] = 5;
  CHECK(integer(SHMX_REDUCE_SUM, &v) == INT64_MIN + 5);
  struct shmx_view bytes = vector(SHMX_I8, 1001), bools = vector(SHMX_BOOL, 5);
  memset(bytes.data, 0xFF, 1001);
  CHECK(integer(SHMX_REDUCE_SUM, &bytes) == -1001 && integer(SHMX_REDUCE_PROD, &bytes) == -1);
  bytes.dtype = SHMX_U8;
  CHECK(integer(SHMX_REDUCE_SUM, &bytes) == 255255 && number(SHMX_REDUCE_MEAN, &bytes) == 255);
  memcpy(bools.data, "\0\1\7\0\377", 5);
  CHECK(integer(SHMX_REDUCE_SUM, &bools) == 3 && number(SHMX_REDUCE_MAX, &bools) == 1);
  struct shmx_view none = vector(SHMX_F64, 0);
  CHECK(number(SHMX_REDUCE_SUM, &none) == 0 && number(SHMX_REDUCE_PROD, &none) == 1);
}

static void sum_of_floats_is_accurate(void) {
  int64_t n = 3000001;
  struct shmx_view v = vector(SHMX_F64, n);
  double *p = v.data;
  long double exact = 0;
  for (int64_t i = 0; i < n; i++) exact += p[i] = 0.1 * (double)(i % 7) + 1e-9 * (double)i;
  CHECK(fabsl(number(SHMX_REDUCE_SUM, &v) - exact) < 1e-15L * exact);
  struct shmx_view narrow = make(SHMX_F64, 2, (int64_t[]){n / 3, 3}); /* many short rows */
  memcpy(narrow.data, v.data, (size_t)(n / 3 * 3) * sizeof *p);
  shmx_view_slice(&narrow, 1, 0, 2, 1);
  exact = 0;
  for (int64_t i = 0; i < n / 3 * 3; i++) exact += i % 3 == 2 ? 0 : p[i];
  CHECK(fabsl(number(SHMX_REDUCE_SUM, &narrow) - exact) < 1e-15L * exact);
  struct shmx_view single = vector(SHMX_F32, 1 << 24);
  float one = 1.25F;
  shmx_kernel_fill(&single, &one);
  CHECK(number(SHMX_REDUCE_SUM, &single) == 1.25 * (1 << 24));
  p[5] = INFINITY;
  CHECK(number(SHMX_REDUCE_SUM, &v) == INFINITY);
}

static void sum_along_an_axis_is_accurate(void) {
  int64_t n = 1000003;
  struct shmx_view v = make(SHMX_F64, 2, (int64_t[]){n, 3}), out = vector(SHMX_F64, 3);
  double *p = v.data;
  long double exact = 0;
  for (int64_t i = 0; i < 3 * n; i++) p[i] = 0.1 * (double)(i % 7) + 1e-9 * (double)i;
  for (int64_t i = 0; i < n; i++) exact += p[3 * i + 1];
  shmx_reduce_run(&(struct shmx_reduce){.reduction = SHMX_REDUCE_SUM, .axis = 0, .in = v, .out = out});
  CHECK(fabsl(at(&out, 1) - exact) < 1e-15L * exact);
}

/* The sums of floats do not depend on the level. */
static void test_levels_agree(void) {
  struct shmx_view v = vector(SHMX_F32, 12345);
  for (int64_t i = 0; i < 12345; i++) ((float *)v.data)[i] = sinf((float)i);
  double first = 0;
  for (int level = 0; level < SHMX_LEVEL_COUNT; level++) {
    if (!shmx_level_use((enum shmx_level)level)) continue;
    if (level == 0) first = number(SHMX_REDUCE_SUM, &v);
    CHECK(number(SHMX_REDUCE_SUM, &v) == first);
  }
}

static void extremes_of_every_length(void) {
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    for (int64_t n = 1; n < 270; n++) {
      struct shmx_view f = vector(SHMX_F64, n), v = vector((enum shmx_dtype)dtype, n);
      for (int64_t i = 0; i < n; i++) ((double *)f.data)[i] = (double)((i * 17 + n) % 83);
      double low = 100, high = 0;
      shmx_kernel_copy(&v, &f);
      for (int64_t i = 0; i < n; i++) low = fmin(low, at(&v, i)), high = fmax(high, at(&v, i));
      CHECK(low == number(SHMX_REDUCE_MIN, &v) && high == number(SHMX_REDUCE_MAX, &v));
      CHECK(at(&v, integer(SHMX_REDUCE_ARGMIN, &v) - 1) == low && at(&v, integer(SHMX_REDUCE_ARGMAX, &v) - 1) == high);
      shmx_view_slice(&v, 0, n - 1, n, -1);
      CHECK(high == number(SHMX_REDUCE_MAX, &v));
    }
  }
}

static void extremes_signs_and_nan(void) {
  struct shmx_view v = vector(SHMX_U64, 20);
  ((uint64_t *)v.data)[7] = UINT64_MAX;
  CHECK(integer(SHMX_REDUCE_MAX, &v) == -1 && integer(SHMX_REDUCE_MIN, &v) == 0);
  v.dtype = SHMX_I64;
  CHECK(integer(SHMX_REDUCE_MAX, &v) == 0 && integer(SHMX_REDUCE_MIN, &v) == -1);
  for (int64_t nan = 0; nan < 67; nan++) {
    struct shmx_view f = vector(SHMX_F64, 67), g = vector(SHMX_F32, 67);
    ((double *)f.data)[nan] = ((double *)f.data)[66] = NAN, ((float *)g.data)[nan] = NAN;
    CHECK(isnan(number(SHMX_REDUCE_MIN, &f)) && isnan(number(SHMX_REDUCE_MAX, &f)));
    CHECK(isnan(number(SHMX_REDUCE_MIN, &g)) && isnan(number(SHMX_REDUCE_MAX, &g)));
    CHECK(integer(SHMX_REDUCE_ARGMIN, &f) == nan + 1 && integer(SHMX_REDUCE_ARGMAX, &g) == nan + 1);
  }
}

/* Both at once are what each of them is alone: of all, and along either axis. */
static void check_both(struct shmx_view v) {
  for (int axis = -1; axis < 2; axis++) {
    int64_t count = axis < 0 ? 1 : v.shape[1 - axis];
    struct shmx_view low = vector(v.dtype, count), high = vector(v.dtype, count), least = low, greatest = high;
    least.data = vector(v.dtype, count).data, greatest.data = vector(v.dtype, count).data;
    shmx_reduce_run(&(struct shmx_reduce){.reduction = SHMX_REDUCE_MIN, .axis = axis, .in = v, .out = low});
    shmx_reduce_run(&(struct shmx_reduce){.reduction = SHMX_REDUCE_MAX, .axis = axis, .in = v, .out = high});
    shmx_minmax_find(&(struct shmx_minmax){.in = v, .axis = axis, .least = least.data, .greatest = greatest.data});
    CHECK(memcmp(low.data, least.data, (size_t)shmx_view_nbytes(&low)) == 0);
    CHECK(memcmp(high.data, greatest.data, (size_t)shmx_view_nbytes(&high)) == 0);
  }
}

static void both_extremes_at_once(void) {
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    struct shmx_view f = make(SHMX_F64, 2, (int64_t[]){40, 1300}), v = make((enum shmx_dtype)dtype, 2, f.shape);
    for (int64_t i = 0; i < 40 * 1300; i++) ((double *)f.data)[i] = (double)((i * 57 + i / 1300) % 111);
    shmx_kernel_copy(&v, &f);
    for (int turned = 0; turned < 2; turned++, shmx_view_permute(&v, (int[]){1, 0})) {
      struct shmx_view back = v, part = v;
      shmx_view_slice(&back, 1, v.shape[1] - 1, v.shape[1], -1);
      shmx_view_slice(&part, 0, 1, 11, 3);
      check_both(v), check_both(back), check_both(part);
    }
  }
}

/* Every fold over every length and layout gives what one element at a time gives. */
static void folds_by_row_and_side_by_side_agree(void) {
  for (int reduction = 0; reduction <= SHMX_REDUCE_ARGMAX; reduction++) {
    for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
      struct shmx_view v = make((enum shmx_dtype)dtype, 2, (int64_t[]){40, 700}), turned = v;
      for (int64_t i = 0; i < shmx_view_nbytes(&v); i++) ((char *)v.data)[i] = (char)(i * i % 5 == 0 ? 1 : 0);
      shmx_view_permute(&turned, (int[]){1, 0});
      enum shmx_dtype result = shmx_reduce_dtype((enum shmx_reduction)reduction, v.dtype);
      struct shmx_view a = vector(result, 700), b = vector(result, 700);
      struct shmx_view copy = make(v.dtype, 2, (int64_t[]){700, 40});
      shmx_kernel_copy(&copy, &turned);
      shmx_reduce_run(&(struct shmx_reduce){.reduction = (enum shmx_reduction)reduction, .axis = 0, .in = v, .out = a});
      shmx_reduce_run(
          &(struct shmx_reduce){.reduction = (enum shmx_reduction)reduction, .axis = 1, .in = copy, .out = b});
      for (int64_t i = 0; i < 700; i++) CHECK(fabs(at(&a, i) - at(&b, i)) <= 1e-6 * fabs(at(&a, i)));
    }
  }
}

static void test_sum_of_integers_wraps(void) { at_each_level(sum_of_integers_wraps); }
static void test_sum_of_floats_is_accurate(void) { at_each_level(sum_of_floats_is_accurate); }
static void test_sum_along_an_axis_is_accurate(void) { at_each_level(sum_along_an_axis_is_accurate); }
static void test_extremes_of_every_length(void) { at_each_level(extremes_of_every_length); }
static void test_extremes_signs_and_nan(void) { at_each_level(extremes_signs_and_nan); }
static void test_both_extremes_at_once(void) { at_each_level(both_extremes_at_once); }
static void test_folds_by_row_and_side_by_side_agree(void) { at_each_level(folds_by_row_and_side_by_side_agree); }

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"sum_of_integers_wraps", test_sum_of_integers_wraps},
      {"sum_of_floats_is_accurate", test_sum_of_floats_is_accurate},
      {"sum_along_an_axis_is_accurate", test_sum_along_an_axis_is_accurate},
      {"levels_agree", test_levels_agree},
      {"extremes_of_every_length", test_extremes_of_every_length},
      {"extremes_signs_and_nan", test_extremes_signs_and_nan},
      {"both_extremes_at_once", test_both_extremes_at_once},
      {"folds_by_row_and_side_by_side_agree", test_folds_by_row_and_side_by_side_agree},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
