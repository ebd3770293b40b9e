/* SPDX-License-Identifier: MIT */
/*
 * How the elements of an array are written as text.
 *
 * Integers are written as they are. Floats that stand together are all written alike: with the same number of digits
 * behind the point, or all with an exponent. There are as many of these digits as it takes to tell each float from its
 * neighbours, but no more than eight.
 */
#ifndef SHMX_ARRAY_NOTATION_H
#define SHMX_ARRAY_NOTATION_H

#include "array/dtype.h"

enum { SHMX_NOTATION_MAX = 32 }; /* bytes that one element takes at most, with the zero at its end */

struct shmx_notation {
  enum shmx_dtype dtype;
  bool exponent; /* as in 1.5e+20 */
  int digits;    /* behind the point */
};

/* The notation for `count` elements that lie one after another. */
struct shmx_notation shmx_notation_find(enum shmx_dtype dtype, const void *elements, int count);

/* Writes one element, and returns the length. NaN is "nan", whatever its sign. */
int shmx_notation_write(const struct shmx_notation *notation, const void *element, char text[SHMX_NOTATION_MAX]);

#endif
