/* SPDX-License-Identifier: MIT */
/* Products of vectors and matrices. */
#ifndef SHMX_ARRAY_MATMUL_H
#define SHMX_ARRAY_MATMUL_H

#include "array/view.h"

/* In which dtype a product of two arrays that promote to `dtype` is computed: i64 u64 or f64 for vectors; for matrices an
 * integer of 32 or 64 bits, or a float. Cut to a narrower dtype, the result is that of computing in it. */
enum shmx_dtype shmx_dot_dtype(enum shmx_dtype dtype);
enum shmx_dtype shmx_matmul_dtype(enum shmx_dtype dtype);

/* The product of two vectors of the same size and any dtypes, computed in `dtype` as shmx_dot_dtype gives it, whose element
 * is written to `result`. Floats are added in pairs. */
void shmx_dot_run(void *result, enum shmx_dtype dtype, const struct shmx_view *a, const struct shmx_view *b);

/* out = a b, for matrices {..., m, k} and {..., k, n}, all of one dtype as shmx_matmul_dtype gives it, in any layout, with
 * the same dimensions before the last two. `out` shares no bytes with the others. 0, or -ENOMEM with nothing written. */
int shmx_matmul_run(const struct shmx_view *out, const struct shmx_view *a, const struct shmx_view *b);

#endif
