/* SPDX-License-Identifier: MIT */
/*
 * What a script sees when it prints an array: dtype, shape, and the elements in braces.
 *
 *   i64[1000] {1, 2, 3, ..., 999, 1000}
 *
 *   f64[50, 3]
 *   {{ 1.00, 0.5,  nan},
 *    {12.25, 1.0, -1.0},
 *    ...
 *    {99.00, 2.0,  0.0}}
 *
 * A vector is one line. Otherwise each row is a line, and columns are aligned. A row that does not fit into a line is
 * shortened to its first and last elements; when there are too many rows, all dimensions before the last one are.
 *
 * Taking a page reads the elements that are shown, and no others: it costs the same for any size. Writing it does not
 * look at the array any more.
 */
#ifndef SHMX_ARRAY_PAGE_H
#define SHMX_ARRAY_PAGE_H

#include <stddef.h>

#include "array/notation.h"
#include "array/view.h"

enum {
  SHMX_PAGE_LINE = 80,                   /* characters that a row may have, unless it has been shortened */
  SHMX_PAGE_ROWS = 128,                  /* two of each of seven dimensions */
  SHMX_PAGE_COLUMNS = SHMX_PAGE_LINE / 3 /* so many fit at most: "1, 2, 3" */
};

/* Which positions of a dimension are shown: the first `first` ones, and the last ones up to `count` in all. */
struct shmx_page_span {
  int64_t size;
  int count, first;
};

struct shmx_page {
  enum shmx_dtype dtype;
  int ndim;
  struct shmx_page_span spans[SHMX_MAX_NDIM];
  struct shmx_notation notation;
  int widths[SHMX_PAGE_COLUMNS];                        /* characters */
  int64_t elements[SHMX_PAGE_ROWS * SHMX_PAGE_COLUMNS]; /* those shown, as of their dtype and one after another */
};

void shmx_page_take(struct shmx_page *page, const struct shmx_view *view);

/* Writes the page piece by piece. A piece may not return (as when Lua raises an error): nothing is held meanwhile. */
typedef void shmx_page_writer(void *context, const char *piece, size_t length);
void shmx_page_write(const struct shmx_page *page, shmx_page_writer *write, void *context);

#endif
