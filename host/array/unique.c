/* SPDX-License-Identifier: MIT */
/* See array/unique.h: one walk that stops where an element differs from the one before it. */
#include "array/unique.h"

#include <string.h>

/* NOLINTBEGIN(bugprone-macro-parentheses): types are meant to be expanded as they are. */

#define UNIQUE(tag, type, difference)                                                                                  \
  static bool differ_##tag(type x, type y) { return difference; }                                                      \
  static int64_t count_##tag(const void *elements, int64_t n) {                                                        \
    const type *a = elements;                                                                                          \
    int64_t count = n > 0;                                                                                             \
    for (int64_t i = 1; i < n; i++) count += differ_##tag(a[i], a[i - 1]);                                             \
    return count;                                                                                                      \
  }                                                                                                                    \
  static int64_t end_##tag(const void *elements, int64_t i, int64_t n) {                                               \
    const type *a = elements;                                                                                          \
    for (i++; i < n && !differ_##tag(a[i], a[i - 1]);) i++;                                                            \
    return i;                                                                                                          \
  }
#define UNIQUE_INTEGERS(constant, tag, type) UNIQUE(tag, type, x != y)
#define UNIQUE_FLOATS(constant, tag, type)   UNIQUE(tag, type, x != y && (x == x || y == y))
SHMX_INTEGER_DTYPES(UNIQUE_INTEGERS)
SHMX_FLOAT_DTYPES(UNIQUE_FLOATS)
UNIQUE(b8, shmx_bool, (x != 0) != (y != 0))

#define COUNT(constant, tag, type) [SHMX_##constant] = count_##tag,
#define END(constant, tag, type)   [SHMX_##constant] = end_##tag,
static int64_t (*const counts[])(const void *, int64_t) = {SHMX_DTYPES(COUNT)};
/* Where the run of equal elements that begins at `i` ends. */
static int64_t (*const ends[])(const void *, int64_t, int64_t) = {SHMX_DTYPES(END)};

/* NOLINTEND(bugprone-macro-parentheses) */

int64_t shmx_unique_count(const struct shmx_view *sorted) {
  return counts[sorted->dtype](sorted->data, sorted->shape[0]);
}

void shmx_unique_run(const struct shmx_unique *u) {
  size_t size = (size_t)shmx_dtype_size(u->sorted->dtype);
  const char *elements = u->sorted->data;
  int64_t n = u->sorted->shape[0], k = 0;
  for (int64_t i = 0, end; i < n; i = end, k++) {
    end = ends[u->sorted->dtype](elements, i, n);
    memcpy((char *)u->values + (size_t)k * size, elements + (size_t)i * size, size);
    if (u->index) u->index[k] = u->order[i];
    if (u->counts) u->counts[k] = end - i;
    for (int64_t j = i; j < end && u->inverse; j++) u->inverse[u->order[j] - 1] = k + 1;
  }
}
