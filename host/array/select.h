/* SPDX-License-Identifier: MIT */
/*
 * Choosing elements by position and by mask. Positions are integers of any dtype, 1-based, and negative ones count from
 * the end. None of this allocates; a position that there is not is found before anything is written. Nothing goes beyond
 * its array even if another process writes to positions and masks meanwhile.
 */
#ifndef SHMX_ARRAY_SELECT_H
#define SHMX_ARRAY_SELECT_H

#include "array/view.h"

/* Finds the first position, in index order, that is none among `size` elements: 0 when all are, otherwise its number,
 * 1-based, with its value in *bad. */
int64_t shmx_positions_check(const struct shmx_view *positions, int64_t size, int64_t *bad);

/* out[o][k][i] = in[o][positions[k]][i], where an element i may be a run of elements. `out` and `in` are contiguous; a
 * vector `in` may have gaps. Where a position is none, the nearest run is taken, if there is any, and false
 * returned. */
struct shmx_take {
  void *out;
  const void *in;
  int64_t outer, size, inner; /* of `in`: how many vectors, of how many runs, of how many bytes */
  int64_t step;               /* bytes from one run to the next */
  enum shmx_dtype dtype;
  const struct shmx_view *positions;
};
bool shmx_take_run(const struct shmx_take *take);

/* Writes value k to the element at position k of all elements of `target` in index order. `values` has as many elements as
 * there are positions, or one, and can be cast to the dtype of `target`. The positions have been checked. */
void shmx_put_run(const struct shmx_view *target, const struct shmx_view *positions, const struct shmx_view *values);

/* How many elements are true (not 0). */
int64_t shmx_mask_count(const struct shmx_view *mask);

/* Copies the elements of `in` where the mask, a bool of the same shape, is true to the vector `out`, which is contiguous,
 * of the same dtype, and of just that size. */
void shmx_mask_take(const struct shmx_view *out, const struct shmx_view *in, const struct shmx_view *mask);

/* Writes the values, one for each true element of the mask or one for all, to where it is true. */
void shmx_mask_put(const struct shmx_view *target, const struct shmx_view *mask, const struct shmx_view *values);

/* Writes where elements are true: for each of them its 1-based index in dimension d to column d, of the first `room`. */
void shmx_mask_find(const struct shmx_view *mask, int64_t *const *columns, int64_t room);

#endif
