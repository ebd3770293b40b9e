/* SPDX-License-Identifier: MIT */
/* Where the smallest or largest element is: the part of reductions that depends on the order of elements. */
#ifndef SHMX_ARRAY_BEST_H
#define SHMX_ARRAY_BEST_H

#include "array/reduce.h"

/* Does an ARGMIN or ARGMAX. A NaN is smaller and larger than all numbers. */
void shmx_best_find(const struct shmx_reduce *call);

#endif
