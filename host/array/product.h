/* SPDX-License-Identifier: MIT */
/*
 * Products of vectors and matrices: the kernels that array/matmul.c puts together. Compiled once for each level, and
 * allowed to round a multiplication and an addition at once, so the last bits depend on it.
 */
#ifndef SHMX_ARRAY_PRODUCT_H
#define SHMX_ARRAY_PRODUCT_H

#include "array/dtype.h"
#include "array/level.h"

/* A tile of a matrix product has so many rows and, in bytes, columns. */
enum { SHMX_TILE_ROWS = 6, SHMX_TILE_BYTES = 128 };

/* The product of two contiguous vectors: of integers in 64 bits that wrap, as a uint64_t, of floats in double. */
typedef void shmx_dot_kernel(void *result, const void *a, const void *b, int64_t count);

/* Multiplies a strip of `depth` columns of SHMX_TILE_ROWS elements by one of `depth` rows of SHMX_TILE_BYTES, and leaves
 * the tile in `out`, row by row. Strips are contiguous and aligned to 64 bytes. */
typedef void shmx_tile_kernel(void *out, const void *columns, const void *rows, int64_t depth);

struct shmx_products {
  shmx_dot_kernel *dot[SHMX_DTYPE_COUNT];   /* i32 u32 i64 u64 f32 f64 */
  shmx_tile_kernel *tile[SHMX_DTYPE_COUNT]; /* the same; in the dtype itself */
};
SHMX_EACH_LEVEL(struct shmx_products, shmx_products)

#endif
