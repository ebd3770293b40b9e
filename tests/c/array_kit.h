/* SPDX-License-Identifier: MIT */
/* Views for the tests of host/array: their memory is freed by the end of the test's process. */
#ifndef SHMX_TESTS_ARRAY_KIT_H
#define SHMX_TESTS_ARRAY_KIT_H

#include <stddef.h>

#include "array/kernel.h"
#include "array/level.h"
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

/* Reads any element of a vector as a double. */
static inline double at(const struct shmx_view *v, int64_t i) {
  double value;
  struct shmx_view one = *v, number = {.data = &value, .dtype = SHMX_F64, .ndim = 1, .shape = {1}, .strides = {8}};
  shmx_view_slice(&one, 0, i, 1, 1);
  shmx_kernel_copy(&number, &one);
  return value;
}

/* Runs a test at each level of vector units that the machine has. */
static inline void at_each_level(void (*run)(void)) {
  for (int level = 0; level < SHMX_LEVEL_COUNT; level++) {
    if (shmx_level_use((enum shmx_level)level)) run();
  }
}

#endif
