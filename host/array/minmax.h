/* SPDX-License-Identifier: MIT */
/*
 * The least and the greatest element at once: what the reductions MIN and MAX (array/reduce.h) give, for one way through
 * memory instead of two.
 */
#ifndef SHMX_ARRAY_MINMAX_H
#define SHMX_ARRAY_MINMAX_H

#include "array/view.h"

struct shmx_minmax {
  struct shmx_view in;    /* of any dtype, with an element to choose from */
  int axis;               /* that goes; -1 for all of them */
  void *least, *greatest; /* for each line in index order an element of the dtype of `in`; or one for all */
};

void shmx_minmax_find(const struct shmx_minmax *minmax);

#endif
