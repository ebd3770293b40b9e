/* SPDX-License-Identifier: MIT */
/* Views for the tests of host/array: their memory is freed by the end of the process. */
#ifndef SHMX_TESTS_ARRAY_KIT_H
#define SHMX_TESTS_ARRAY_KIT_H

#include <stddef.h>

#include "array/view.h"
#include "check.h"

struct made {
  _Alignas(max_align_t) struct made *next;
};
static struct made *all_made;

static void free_all(void) {
  for (struct made *next; all_made; all_made = next) {
    next = all_made->next;
    free(all_made);
  }
}

/* A contiguous view of zeros. */
static inline struct shmx_view make(enum shmx_dtype dtype, int ndim, const int64_t *shape) {
  struct shmx_view view;
  CHECK(shmx_view_init(&view, dtype, ndim, shape) == 0);
  struct made *made = calloc(1, sizeof *made + (size_t)shmx_view_nbytes(&view) + 1);
  CHECK(made != NULL);
  if (!all_made) atexit(free_all);
  made->next = all_made;
  all_made = made;
  view.data = made + 1;
  return view;
}

static inline struct shmx_view vector(enum shmx_dtype dtype, int64_t n) { return make(dtype, 1, &n); }

#endif
