/* SPDX-License-Identifier: MIT */
/*
 * Binary search: see array/search.h. All values of a block take each step together. How many steps there are depends on the
 * number of elements alone, and none of them is a branch, so there is nothing to guess for the processor, and it waits for
 * the memory of many values at a time.
 */
#include "array/search.h"

#include "array/blocks.h"

enum { FEW = 16 };

/* NOLINTBEGIN(bugprone-macro-parentheses): types are meant to be expanded as they are. */

/* Sets out[i] to how many of the `n` elements come before values[i]. */
typedef void search_kernel(const void *sorted, int64_t n, const void *values, int64_t count, int64_t *out);

#define LESS(x, y)       ((x) < (y))
#define FLOAT_LESS(x, y) (((x) < (y)) | (((y) != (y)) & ((x) == (x))))
#define TRUTH_LESS(x, y) (((x) == 0) & ((y) != 0))
#define ALWAYS(x)        true
#define IS_NUMBER(x)     ((x) == (x))

#define SEARCH(name, type, before)                                                                                     \
  static void name(const void *sorted, int64_t n, const void *values, int64_t count, int64_t *out) {                   \
    const type *a = sorted, *v = values;                                                                               \
    for (int64_t i = 0; i < count; i++) out[i] = 0;                                                                    \
    for (; n > 1; n -= n / 2) {                                                                                        \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        const type x = a[out[i] + n / 2 - 1], y = v[i];                                                                \
        out[i] += n / 2 & -(int64_t)(before);                                                                          \
      }                                                                                                                \
    }                                                                                                                  \
    for (int64_t i = 0; i < count && n == 1; i++) {                                                                    \
      const type x = a[out[i]], y = v[i];                                                                              \
      out[i] += before;                                                                                                \
    }                                                                                                                  \
  }
#define SEARCHES(tag, type, less, number)                                                                              \
  SEARCH(left_##tag, type, less(x, y))                                                                                 \
  SEARCH(right_##tag, type, !less(y, x))                                                                               \
  static bool is_sorted_##tag(const void *elements, int64_t n) {                                                       \
    const type *a = elements;                                                                                          \
    bool sorted = n == 0 || number(a[0]);                                                                              \
    for (int64_t i = 1; i < n; i++) sorted &= a[i - 1] <= a[i];                                                        \
    return sorted;                                                                                                     \
  }
#define INTEGER_SEARCHES(constant, tag, type) SEARCHES(tag, type, LESS, ALWAYS)
#define FLOAT_SEARCHES(constant, tag, type)   SEARCHES(tag, type, FLOAT_LESS, IS_NUMBER)
SHMX_INTEGER_DTYPES(INTEGER_SEARCHES)
SHMX_FLOAT_DTYPES(FLOAT_SEARCHES)
SEARCHES(b8, shmx_bool, TRUTH_LESS, ALWAYS)

#define LEFT(constant, tag, type)      [SHMX_##constant] = left_##tag,
#define RIGHT(constant, tag, type)     [SHMX_##constant] = right_##tag,
#define IS_SORTED(constant, tag, type) [SHMX_##constant] = is_sorted_##tag,
static search_kernel *const kernels[2][SHMX_DTYPE_COUNT] = {{SHMX_DTYPES(LEFT)}, {SHMX_DTYPES(RIGHT)}};
static bool (*const sorted_kernels[SHMX_DTYPE_COUNT])(const void *, int64_t) = {SHMX_DTYPES(IS_SORTED)};

/* NOLINTEND(bugprone-macro-parentheses) */

/* Values that are sorted themselves belong between the places of the first and the last of them. If the elements are not
 * sorted, the last may come before the first; then nothing is between them. */
void shmx_search_block(const struct shmx_view *sorted, bool right, const void *values, int64_t count, int64_t *out) {
  search_kernel *search = kernels[right][sorted->dtype];
  const char *data = sorted->data;
  int64_t size = shmx_dtype_size(sorted->dtype), n = sorted->shape[0], low = 0;
  if (count > FEW && sorted_kernels[sorted->dtype](values, count)) {
    search(data, n, (const char *)values + (count - 1) * size, 1, &n);
    search(data, n, values, 1, &low);
  }
  search(data + low * size, n - low, values, count, out);
  for (int64_t i = 0; i < count && low > 0; i++) out[i] += low;
}

void shmx_search_run(const struct shmx_search *search, int64_t first, int64_t *out) {
  struct shmx_blocks b;
  if (!shmx_blocks_start(&b, search->values, search->sorted->dtype, NULL)) return;
  for (; shmx_blocks_next(&b); out += b.count) {
    shmx_search_block(search->sorted, search->right, b.first, b.count, out);
    for (int64_t i = 0; i < b.count; i++) out[i] += first;
  }
}

bool shmx_search_is_sorted(const struct shmx_view *vector) {
  return sorted_kernels[vector->dtype](vector->data, vector->shape[0]);
}
