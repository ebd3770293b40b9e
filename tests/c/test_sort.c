/* SPDX-License-Identifier: MIT */
/* Sorting, with no Lua and no shared memory: keys that lie anyhow, lines along any axis, and what is equal. */
#include <math.h>

#include "array/sort.h"
#include "array_kit.h"

static uint64_t seed = 88172645463325252U;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

/* Ways in which keys lie: near each other and far apart, in clusters, few different ones, already in order. */
static uint64_t draw(int way, int64_t i) {
  switch (way) {
  case 0: return next_random();
  case 1: return next_random() % 3;
  case 2: return next_random() >> (next_random() % 64);
  case 3: return (next_random() % 5 << 60) + next_random() % 50;
  case 4: return (uint64_t)i;
  case 5: return (uint64_t)-i;
  default: return 7;
  }
}

static int compare_i64(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void run(const struct shmx_view *in, const struct shmx_view *out, bool descending, bool positions) {
  CHECK(shmx_sort_run(&(struct shmx_sort){in, out, in->ndim - 1, descending, positions}) == 0);
}

static void test_any_keys_in_any_number(void) {
  static const int64_t counts[] = {0, 1, 2, 11, 12, 13, 50, 300, 2048, 5000, 100000};
  for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
    for (int way = 0; way < 7; way++) {
      int64_t n = counts[c];
      struct shmx_view v = vector(SHMX_I64, n), sorted = vector(SHMX_I64, n), places = vector(SHMX_I64, n);
      int64_t *in = v.data, *out = sorted.data, *at = places.data;
      for (int64_t i = 0; i < n; i++) in[i] = (int64_t)draw(way, i);
      run(&v, &sorted, false, false);
      run(&v, &places, false, true);
      for (int64_t i = 0; i < n; i++) CHECK(in[at[i] - 1] == out[i]);
      for (int64_t i = 1; i < n; i++) CHECK(out[i - 1] != out[i] || at[i - 1] < at[i]);
      qsort(in, (size_t)n, sizeof *in, compare_i64);
      CHECK(n == 0 || memcmp(in, out, (size_t)n * sizeof *in) == 0);
    }
  }
}

static void test_every_dtype_up_and_down(void) {
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    struct shmx_view v = vector((enum shmx_dtype)dtype, 3000), out = vector((enum shmx_dtype)dtype, 3000);
    for (int64_t i = 0; i < shmx_view_nbytes(&v); i++) ((uint8_t *)v.data)[i] = (uint8_t)(next_random() & 0x7D);
    run(&v, &out, false, false);
    for (int64_t i = 1; i < 3000; i++) CHECK(at(&out, i - 1) <= at(&out, i));
    run(&out, &out, true, false);
    for (int64_t i = 1; i < 3000; i++) CHECK(at(&out, i - 1) >= at(&out, i));
  }
}

static void test_nan_comes_last_and_zeros_are_equal(void) {
  struct shmx_view v = vector(SHMX_F64, 6), out = vector(SHMX_F64, 6), places = vector(SHMX_I64, 6);
  double *in = v.data, *sorted = out.data;
  const int64_t *at_ = places.data;
  in[0] = 0.0, in[1] = -NAN, in[2] = -0.0, in[3] = -INFINITY, in[4] = NAN, in[5] = 0.0;
  run(&v, &out, false, false);
  run(&v, &places, false, true);
  CHECK(sorted[0] == -INFINITY && sorted[3] == 0 && isnan(sorted[4]) && isnan(sorted[5]));
  CHECK(at_[0] == 4 && at_[1] == 1 && at_[2] == 3 && at_[3] == 6 && at_[4] == 2 && at_[5] == 5);
  run(&v, &places, true, true);
  CHECK(at_[0] == 2 && at_[1] == 5 && at_[2] == 1 && at_[3] == 3 && at_[4] == 6 && at_[5] == 4);
}

static void test_lines_with_gaps_in_place(void) {
  struct shmx_view v = make(SHMX_I32, 2, (int64_t[]){50, 40}), lines = v;
  for (int i = 0; i < 2000; i++) ((int32_t *)v.data)[i] = (int32_t)next_random();
  shmx_view_permute(&lines, (int[]){1, 0});
  shmx_view_slice(&lines, 1, 49, 25, -2); /* every second element of a column, from the end */
  run(&lines, &lines, false, false);
  for (int c = 0; c < 40; c++) {
    const int32_t *column = (int32_t *)v.data + c;
    for (int r = 3; r < 50; r += 2) CHECK(column[(r - 2) * 40] >= column[r * 40]);
  }
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"any_keys_in_any_number", test_any_keys_in_any_number},
      {"every_dtype_up_and_down", test_every_dtype_up_and_down},
      {"nan_comes_last_and_zeros_are_equal", test_nan_comes_last_and_zeros_are_equal},
      {"lines_with_gaps_in_place", test_lines_with_gaps_in_place},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
