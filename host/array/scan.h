/* SPDX-License-Identifier: MIT */
/*
 * Running sums and products along an axis: each result is that of the element and all before it, one after another, so
 * floats are rounded as a plain loop would.
 */
#ifndef SHMX_ARRAY_SCAN_H
#define SHMX_ARRAY_SCAN_H

#include "array/view.h"

enum shmx_scan { SHMX_SCAN_SUM, SHMX_SCAN_PROD, SHMX_SCAN_COUNT };

/* In which dtype they are computed: integers in 64 bits that wrap, floats in their own. */
enum shmx_dtype shmx_scan_dtype(enum shmx_dtype dtype);

/* Scans the lines of `in` along `axis` into `out`, which has the same shape and any dtype, and shares no bytes with `in`
 * or is the very same view. */
void shmx_scan_run(enum shmx_scan scan, const struct shmx_view *out, const struct shmx_view *in, int axis);

#endif
