/* SPDX-License-Identifier: MIT */
/*
 * Counting elements by the bin that they fall into. Counts are i64, or sums of weights in f64; an element without a bin is
 * not counted. `weights` is NULL or a view of any dtype with the shape of `in`; sums of no weights count with 1.
 */
#ifndef SHMX_ARRAY_BINS_H
#define SHMX_ARRAY_BINS_H

#include "array/view.h"

/* Where to count: one of the two is NULL. */
struct shmx_bins {
  const struct shmx_view *in, *weights;
  int64_t *counts;
  double *sums;
  int64_t size; /* how many bins */
};

/* The number of the first element that is no bin number from 1 on, 1-based, with its value in *value; 0 when all are, with
 * the largest of them in *value, or 0. */
int64_t shmx_bins_check(const struct shmx_view *in, int64_t *value);

/* The elements, integers, are the numbers of their bins, 1-based. */
void shmx_bins_count(const struct shmx_bins *bins);

/* Bin i has what is at least edge i and less than edge i + 1; the last one has its last edge too. The edges are a contiguous
 * vector of size + 1 elements, sorted, of a dtype that the elements are compared in. `even`: floats with about equal
 * distances from each other. */
void shmx_bins_sort_in(const struct shmx_bins *bins, const struct shmx_view *edges, bool even);

/* Divides the sums by their own sum and by the width of their bins. */
void shmx_bins_make_density(double *sums, int64_t size, const struct shmx_view *edges);

#endif
