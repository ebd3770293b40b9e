/* SPDX-License-Identifier: MIT */
/*
 * The kernels: what arrays do in bulk. Contiguous rows are plain loops that the compiler turns into vector code; all
 * others go by stride. None of them fails or allocates.
 */
#ifndef SHMX_ARRAY_KERNEL_H
#define SHMX_ARRAY_KERNEL_H

#include "array/view.h"

enum shmx_scalar_kind { SHMX_SCALAR_INTEGER, SHMX_SCALAR_FLOAT, SHMX_SCALAR_BOOL };

/* A number that came out of an array, in the widest type of its kind. */
struct shmx_scalar {
  enum shmx_scalar_kind kind;
  union {
    int64_t integer; /* of u64: the same 64 bits */
    double number;
    bool boolean;
  };
};

/* Sets every element to a copy of the one at `element`, which is of the view's dtype. */
void shmx_kernel_fill(const struct shmx_view *view, const void *element);

/* Sets `count` contiguous elements to those of a sequence from its index `from` (0-based) on, whose element i is
 * first + i * step: in 64 bits that wrap and are cut to the dtype, which is an integer; or in double, rounded to the
 * dtype, which is a float. */
void shmx_kernel_range_integer(enum shmx_dtype dtype, void *data, int64_t from, int64_t count, int64_t first,
                               int64_t step);
void shmx_kernel_range_float(enum shmx_dtype dtype, void *data, int64_t from, int64_t count, double first, double step);

/* Sets `count` contiguous elements to values with equal distances from `first` to `last`, both included: computed in
 * double, and converted as shmx_kernel_copy does, but integers are rounded down. */
void shmx_kernel_linspace(enum shmx_dtype dtype, void *data, int64_t count, double first, double last);

/* Copies between views of one shape that do not overlap. Integers are cut to the width of the target; floats lose their
 * fraction and are clamped to its range (NaN becomes 0); everything but 0 is true. */
void shmx_kernel_copy(const struct shmx_view *to, const struct shmx_view *from);

#endif
