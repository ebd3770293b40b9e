/* SPDX-License-Identifier: MIT */
/* Counting by bins, places among sorted elements and distinct elements, beside the simplest code that does the same. */
#include <math.h>

#include "array/bins.h"
#include "array/blocks.h"
#include "array/search.h"
#include "array/unique.h"
#include "array_kit.h"

enum { MANY = 5000 }; /* more than a few blocks */

static uint64_t seed = 88172645463325252U;

static int64_t draw(int64_t below) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (int64_t)(seed >> 1) % below;
}

/* A vector with numbers below 100, sorted or not, every `gap`-th element of a longer one. */
static struct shmx_view numbers(enum shmx_dtype dtype, int64_t n, bool sorted, int64_t gap) {
  struct shmx_view whole = vector(SHMX_F64, n * gap), cast = vector(dtype, n * gap);
  double *x = whole.data, sum = 0;
  for (int64_t i = 0; i < n * gap; i++) x[i] = sorted ? sum : (double)draw(100), sum += draw(50) == 0 ? 1 : 0;
  shmx_kernel_copy(&cast, &whole);
  shmx_view_slice(&cast, 0, 0, n, gap);
  return cast;
}

static void searches_find_what_counting_finds(void) {
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    for (int64_t n = 0; n < 300; n += 1 + n / 3) {
      struct shmx_view sorted = numbers((enum shmx_dtype)dtype, n, true, 1);
      struct shmx_view values = numbers((enum shmx_dtype)dtype, MANY, false, 2), out = vector(SHMX_I64, MANY);
      for (int right = 0; right < 2; right++) {
        shmx_search_run(&(struct shmx_search){&sorted, &values, right}, 7, out.data);
        for (int64_t i = 0; i < MANY; i += 13) {
          int64_t before = 0;
          for (int64_t k = 0; k < n; k++)
            before += right ? at(&sorted, k) <= at(&values, i) : at(&sorted, k) < at(&values, i);
          CHECK(((int64_t *)out.data)[i] == before + 7);
        }
      }
      CHECK(shmx_search_is_sorted(&sorted));
    }
  }
}

static void nan_comes_last(void) {
  struct shmx_view sorted = vector(SHMX_F64, 4), values = vector(SHMX_F32, 3);
  int64_t out[3];
  memcpy(sorted.data, (double[]){-1, 2, NAN, NAN}, 32);
  memcpy(values.data, (float[]){NAN, INFINITY, 2}, 12);
  shmx_search_run(&(struct shmx_search){&sorted, &values, false}, 0, out);
  CHECK(out[0] == 2 && out[1] == 2 && out[2] == 1);
  shmx_search_run(&(struct shmx_search){&sorted, &values, true}, 0, out);
  CHECK(out[0] == 4 && out[1] == 2 && out[2] == 2);
  CHECK(!shmx_search_is_sorted(&sorted));
}

static void bins_are_counted_with_and_without_weights(void) {
  for (int dtype = 0; dtype <= SHMX_U64; dtype++) {
    struct shmx_view in = numbers((enum shmx_dtype)dtype, MANY, false, 3), weights = numbers(SHMX_I16, MANY, false, 1);
    struct shmx_view counts = vector(SHMX_I64, 100), sums = vector(SHMX_F64, 100);
    int64_t value, expected[100] = {0}, bad = shmx_bins_check(&in, &value);
    double weight[100] = {0};
    CHECK(bad > 0 && value == 0 && at(&in, bad - 1) == 0);
    for (int64_t i = 0; i < bad - 1; i++) CHECK(at(&in, i) > 0);
    shmx_bins_count(&(struct shmx_bins){.in = &in, .counts = counts.data, .size = 100});
    shmx_bins_count(&(struct shmx_bins){.in = &in, .weights = &weights, .sums = sums.data, .size = 100});
    for (int64_t i = 0; i < MANY; i++) {
      int64_t bin = (int64_t)at(&in, i) - 1;
      if (bin >= 0) expected[bin]++, weight[bin] += at(&weights, i);
    }
    CHECK(memcmp(expected, counts.data, sizeof expected) == 0 && memcmp(weight, sums.data, sizeof weight) == 0);
  }
}

/* The bin between whose edges x lies, or -1. */
static int64_t bin_of(double x, const struct shmx_view *edges) {
  int64_t n = edges->shape[0] - 1;
  for (int64_t k = 0; k < n; k++)
    if (x >= at(edges, k) && (x < at(edges, k + 1) || (k == n - 1 && x == at(edges, n)))) return k;
  return -1;
}

static void check_bins(const struct shmx_view *in, const struct shmx_view *edges, bool even) {
  int64_t n = edges->shape[0] - 1, expected[200] = {0}, counts[200] = {0};
  shmx_bins_sort_in(&(struct shmx_bins){.in = in, .counts = counts, .size = n}, edges, even);
  for (int64_t i = 0; i < in->shape[0]; i++) {
    int64_t bin = bin_of(at(in, i), edges);
    if (bin >= 0) expected[bin]++;
  }
  CHECK(memcmp(expected, counts, sizeof counts) == 0);
}

static void elements_fall_between_their_edges(void) {
  static const enum shmx_dtype dtypes[] = {SHMX_F32, SHMX_F64};
  for (int d = 0; d < 2; d++) {
    for (int64_t n = 1; n < 100; n += 1 + n / 2) {
      struct shmx_view edges = vector(dtypes[d], n + 1), in = numbers(SHMX_F64, 1500, false, 2);
      double low = (double)draw(50), high = low + 1 + (double)draw(80) / 3;
      for (int64_t i = 0; i < 1500; i += 10)
        *(double *)shmx_view_at(&in, &i) = low + (high - low) / (double)n * (double)draw(n + 1);
      struct shmx_view cast = vector(dtypes[d], 1500);
      shmx_kernel_copy(&cast, &in);
      shmx_kernel_linspace(dtypes[d], edges.data, n + 1, low, high);
      check_bins(&cast, &edges, true);
      check_bins(&cast, &edges, false);
    }
  }
}

static void edges_may_be_equal(void) {
  struct shmx_view edges = vector(SHMX_I64, 6), in = vector(SHMX_I64, 10);
  memcpy(edges.data, (int64_t[]){1, 3, 3, 5, 7, 7}, 48);
  for (int64_t i = 0; i < 10; i++) ((int64_t *)in.data)[i] = i;
  check_bins(&in, &edges, false);
}

/* No computation of a bin leaves the bins, nor does it go on for ever. */
static void no_value_is_too_wild(void) {
  static const double ends[][2] = {{0, 1}, {-1e300, 1e300}, {1e20, 1e20}, {5e-324, 1e-323}, {-INFINITY, INFINITY}};
  struct shmx_view in = vector(SHMX_F64, 8), edges = vector(SHMX_F64, 11);
  int64_t counts[10];
  memcpy(in.data, (double[]){NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, -0.0, 1e20}, 64);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    memset(counts, 0, sizeof counts);
    shmx_kernel_linspace(SHMX_F64, edges.data, 11, ends[i][0], ends[i][1]);
    shmx_bins_sort_in(&(struct shmx_bins){.in = &in, .counts = counts, .size = 10}, &edges, true);
    int64_t sum = 0;
    for (int k = 0; k < 10; k++) sum += counts[k];
    CHECK(sum <= 7);
  }
}

static void distinct_elements_know_where_they_were(void) {
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    struct shmx_view sorted = numbers((enum shmx_dtype)dtype, MANY, true, 1),
                     values = vector((enum shmx_dtype)dtype, MANY);
    static int64_t order[MANY], index[MANY], counts[MANY], inverse[MANY];
    for (int64_t i = 0; i < MANY; i++) order[i] = MANY - i;
    int64_t n = shmx_unique_count(&sorted), total = 0;
    shmx_unique_run(&(struct shmx_unique){&sorted, order, values.data, index, counts, inverse});
    for (int64_t k = 0; k < n; k++) {
      CHECK(k == 0 || at(&values, k) > at(&values, k - 1));
      CHECK(index[k] == MANY - total && at(&sorted, total) == at(&values, k));
      total += counts[k];
    }
    CHECK(total == MANY);
    for (int64_t i = 0; i < MANY; i++) CHECK(at(&values, inverse[i] - 1) == at(&sorted, MANY - 1 - i));
  }
}

static const struct test tests[] = {
    {"searches_find_what_counting_finds", searches_find_what_counting_finds},
    {"nan_comes_last", nan_comes_last},
    {"bins_are_counted_with_and_without_weights", bins_are_counted_with_and_without_weights},
    {"elements_fall_between_their_edges", elements_fall_between_their_edges},
    {"edges_may_be_equal", edges_may_be_equal},
    {"no_value_is_too_wild", no_value_is_too_wild},
    {"distinct_elements_know_where_they_were", distinct_elements_know_where_they_were},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
