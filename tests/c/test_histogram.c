/* SPDX-License-Identifier: MIT */
/*
 * The histogram: every duration falls into a bucket whose middle is near it, percentiles are right within what the header
 * promises, and what is too long counts as the longest.
 */
#include "core/histogram.h"

#include "check.h"

static void buckets_follow_each_other(void) {
  uint32_t before = 0;
  for (uint64_t t = 1; t < 100000; t++) {
    uint32_t index = shmx_histogram_index(t);
    CHECK(index == before || index == before + 1);
    before = index;
  }
  CHECK(shmx_histogram_index(UINT64_MAX) == SHMX_HISTOGRAM_BUCKETS - 1);
}

static void the_middle_of_a_bucket_is_near(void) {
  for (uint64_t t = 1; t < UINT64_C(1) << SHMX_HISTOGRAM_BITS; t += t / 10 + 1) {
    double value = (double)shmx_histogram_value(shmx_histogram_index(t));
    CHECK(value >= 0.93 * (double)t && value <= 1.07 * (double)t);
  }
}

static void percentiles_are_right(void) {
  static struct shmx_histogram h, sum;
  for (uint64_t t = 1; t <= 10000; t++) shmx_histogram_add(&h, t * 1000);
  shmx_histogram_merge(&sum, &h);
  shmx_histogram_merge(&sum, &h);
  CHECK(sum.count == 20000 && sum.most == 10000000);
  for (double share = 0.1; share < 1; share += 0.1) {
    double value = (double)shmx_histogram_quantile(&sum, share), want = share * 1e7;
    CHECK(value > 0.93 * want && value < 1.07 * want);
  }
  CHECK(shmx_histogram_quantile(&sum, 1) <= 10000000);
}

static void an_empty_one_has_no_percentiles(void) {
  static struct shmx_histogram h;
  CHECK(shmx_histogram_quantile(&h, 0.5) == 0);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {{"buckets_follow_each_other", buckets_follow_each_other},
                                      {"the_middle_of_a_bucket_is_near", the_middle_of_a_bucket_is_near},
                                      {"percentiles_are_right", percentiles_are_right},
                                      {"an_empty_one_has_no_percentiles", an_empty_one_has_no_percentiles},
                                      {NULL, NULL}};
  return run_tests(tests, argc, argv);
}
