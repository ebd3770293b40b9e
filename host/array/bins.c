/* SPDX-License-Identifier: MIT */
/*
 * Counting by bins: see array/bins.h. For each block of elements first the numbers of their bins are found, 0-based, and
 * then these are counted. Bins whose edges have equal distances are computed, and then compared with their edges, since
 * the computation rounds; others are searched for.
 */
#include "array/bins.h"

#include "array/blocks.h"
#include "array/reduce.h"
#include "array/search.h"

static void count(int64_t *restrict counts, uint64_t size, const int64_t *bin, int64_t n, uint64_t first) {
  for (int64_t i = 0; i < n; i++) {
    const uint64_t k = (uint64_t)bin[i] - first;
    if (k < size) counts[k]++;
  }
}

static void add(double *restrict sums, uint64_t size, const int64_t *bin, int64_t n, uint64_t first,
                const double *weight, int64_t step) {
  for (int64_t i = 0; i < n; i++) {
    const uint64_t k = (uint64_t)bin[i] - first;
    if (k < size) sums[k] += weight[i * step];
  }
}

/* Counts a block, whose bins are in `bin`, numbered from `first` on; what is no bin is left out. */
static void count_block(const struct shmx_bins *bins, const struct shmx_blocks *b, const int64_t *bin, int first) {
  static const double one = 1;
  const uint64_t size = (uint64_t)bins->size;
  if (bins->counts) count(bins->counts, size, bin, b->count, (uint64_t)first);
  else if (bins->weights) add(bins->sums, size, bin, b->count, (uint64_t)first, b->second, 1);
  else add(bins->sums, size, bin, b->count, (uint64_t)first, &one, 0);
}

/* --- elements that are bins --- */

/* The least or the largest element, as an integer: those of u64 that are too large are negative then. */
static int64_t reduce(const struct shmx_view *in, enum shmx_reduction reduction) {
  int64_t result;
  struct shmx_view out = {&result, SHMX_I64, 1, {1}, {sizeof result}};
  shmx_reduce_run(&(struct shmx_reduce){.reduction = reduction, .axis = -1, .in = *in, .out = out});
  return result;
}

int64_t shmx_bins_check(const struct shmx_view *in, int64_t *value) {
  struct shmx_blocks b;
  int64_t before = 0;
  *value = 0;
  if (!shmx_blocks_start(&b, in, SHMX_I64, NULL)) return 0;
  int64_t least = reduce(in, SHMX_REDUCE_MIN);
  *value = reduce(in, SHMX_REDUCE_MAX);
  if (least >= 1 && *value >= 1) return 0;
  const int64_t *number = (const int64_t *)(const void *)b.first;
  for (; shmx_blocks_next(&b); before += b.count) {
    for (int64_t i = 0; i < b.count; i++) {
      if (number[i] >= 1) continue;
      *value = number[i];
      return before + i + 1;
    }
  }
  *value = 0; /* somebody has changed it meanwhile */
  return 0;
}

void shmx_bins_count(const struct shmx_bins *bins) {
  struct shmx_blocks b;
  if (!shmx_blocks_start(&b, bins->in, SHMX_I64, bins->weights)) return;
  while (shmx_blocks_next(&b)) count_block(bins, &b, (const int64_t *)(const void *)b.first, 1);
}

/* --- edges --- */

/* NOLINTBEGIN(bugprone-macro-parentheses) */

/* Computes the bins of a block of elements; those that are in none get `n`. */
#define GUESS(tag, type)                                                                                               \
  static void guess_##tag(const void *edges, int64_t n, const void *elements, int64_t count, int64_t *bin) {           \
    const type *edge = edges, *x = elements;                                                                           \
    const double first = (double)edge[0], last = (double)edge[n], scale = (double)n / (last - first);                  \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      const double value = (double)x[i];                                                                               \
      const bool inside = value >= first && value <= last;                                                             \
      const double guess = inside ? (value - first) * scale : 0;                                                       \
      bin[i] = inside ? (int64_t)(guess < (double)n ? guess : (double)(n - 1)) : n;                                    \
    }                                                                                                                  \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      int64_t k = bin[i];                                                                                              \
      if (k == n) continue;                                                                                            \
      while (k > 0 && x[i] < edge[k]) k--;                                                                             \
      while (k < n - 1 && x[i] >= edge[k + 1]) k++;                                                                    \
      bin[i] = k;                                                                                                      \
    }                                                                                                                  \
  }
GUESS(f32, float)
GUESS(f64, double)

/* NOLINTEND(bugprone-macro-parentheses) */

/* Whether element `i` of the block equals the last edge. */
static bool is_last_edge(const struct shmx_blocks *b, int64_t i, const struct shmx_view *last) {
  int64_t behind[2], *right = &behind[1];
  const char *element = b->first + i * b->size;
  shmx_search_block(last, false, element, 1, &behind[0]);
  shmx_search_block(last, true, element, 1, right);
  return behind[0] == 0 && *right == 1;
}

/* Elements that equal the last edge are behind it by this, and so are those that are larger, and NaN. */
static void search_block(const struct shmx_view *edges, const struct shmx_blocks *b, int64_t *bin) {
  struct shmx_view last = *edges;
  int64_t n = edges->shape[0] - 1;
  shmx_view_slice(&last, 0, n, 1, 1);
  shmx_search_block(edges, true, b->first, b->count, bin);
  for (int64_t i = 0; i < b->count; i++) {
    if (--bin[i] == n && is_last_edge(b, i, &last)) bin[i] = n - 1;
  }
}

void shmx_bins_sort_in(const struct shmx_bins *bins, const struct shmx_view *edges, bool even) {
  struct shmx_blocks b;
  int64_t bin[SHMX_BLOCK];
  if (!shmx_blocks_start(&b, bins->in, edges->dtype, bins->weights)) return;
  while (shmx_blocks_next(&b)) {
    if (even && edges->dtype == SHMX_F64) guess_f64(edges->data, bins->size, b.first, b.count, bin);
    else if (even) guess_f32(edges->data, bins->size, b.first, b.count, bin);
    else search_block(edges, &b, bin);
    count_block(bins, &b, bin, 0);
  }
}

void shmx_bins_make_density(double *sums, int64_t size, const struct shmx_view *edges) {
  struct shmx_blocks b;
  double total = 0, before = 0;
  int64_t k = -1; /* the first edge ends no bin */
  for (int64_t i = 0; i < size; i++) total += sums[i];
  if (!shmx_blocks_start(&b, edges, SHMX_F64, NULL)) return;
  const double *edge = (const double *)(const void *)b.first;
  while (shmx_blocks_next(&b)) {
    for (int64_t i = 0; i < b.count; before = edge[i++], k++) {
      if (k >= 0) sums[k] = sums[k] / (edge[i] - before) / total;
    }
  }
}
