/* SPDX-License-Identifier: MIT */
/*
 * Reads the elements of a view, or of two of one shape together, in index order and in blocks, as elements of the dtypes
 * that the reader wants. The first of a block are copies: what has been checked of them is what is used, whoever else may
 * write to the array meanwhile. The second are read once and are not checked.
 *
 *   struct shmx_blocks b;
 *   if (!shmx_blocks_start(&b, &view, SHMX_I64, NULL)) return; // no elements
 *   while (shmx_blocks_next(&b)) use((const int64_t *)(const void *)b.first, b.count);
 */
#ifndef SHMX_ARRAY_BLOCKS_H
#define SHMX_ARRAY_BLOCKS_H

#include "array/cast.h"
#include "array/loop.h"

enum { SHMX_BLOCK = 1024 };

struct shmx_blocks {
  struct shmx_loop loop;
  shmx_cast_row *cast[2];
  int64_t size;  /* of an element in `first`, bytes */
  bool in_place; /* `second` are read where they are */
  int64_t at;    /* where the next block begins in the row */
  int64_t count; /* elements in this block */
  _Alignas(64) char first[SHMX_BLOCK * 8];
  const double *second;
  double seconds[SHMX_BLOCK];
};

/* The elements of `first` will be of `dtype`, those of `second` (or NULL) f64. False when there are no elements. */
static inline bool shmx_blocks_start(struct shmx_blocks *b, const struct shmx_view *first, enum shmx_dtype dtype,
                                     const struct shmx_view *second) {
  b->cast[0] = shmx_casts()->row[dtype][first->dtype];
  b->cast[1] = second ? shmx_casts()->row[SHMX_F64][second->dtype] : NULL;
  b->size = shmx_dtype_size(dtype);
  b->at = 0;
  if (!shmx_loop_start(&b->loop, first, second)) return false;
  b->in_place = second && second->dtype == SHMX_F64 && b->loop.stride[1] == (int64_t)sizeof(double);
  return true;
}

/* False after the last block. */
static inline bool shmx_blocks_next(struct shmx_blocks *b) {
  if (b->at == b->loop.count) {
    if (!shmx_loop_next(&b->loop)) return false;
    b->at = 0;
  }
  int64_t left = b->loop.count - b->at, step = b->loop.stride[0], other = b->cast[1] ? b->loop.stride[1] : 0;
  b->count = left < SHMX_BLOCK ? left : SHMX_BLOCK;
  b->cast[0](b->first, b->size, b->loop.data[0] + b->at * step, step, b->count);
  if (b->cast[1]) {
    const char *from = b->loop.data[1] + b->at * other;
    b->second = b->in_place ? (const double *)(const void *)from : b->seconds;
    if (!b->in_place) b->cast[1]((char *)b->seconds, sizeof b->seconds[0], from, other, b->count);
  }
  b->at += b->count;
  return true;
}

#endif
