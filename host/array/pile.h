/* SPDX-License-Identifier: MIT */
/*
 * The sum of a long line of floats, which comes in blocks. Their sums are added like a binary counter: two sums of one
 * block make a sum of two, two of these a sum of four, and so on. So each passes through about log2(n) additions.
 */
#ifndef SHMX_ARRAY_PILE_H
#define SHMX_ARRAY_PILE_H

#include <stdint.h>

struct shmx_pile {
  uint64_t blocks;  /* that have been added to parts; begins with 0 */
  double parts[64]; /* part k is the sum of 2^k blocks, and counts if bit k of `blocks` is set */
};

static inline void shmx_pile_add(struct shmx_pile *pile, double value) {
  int k = 0;
  for (uint64_t n = pile->blocks++; n & 1; n >>= 1) value += pile->parts[k++];
  pile->parts[k] = value;
}

static inline double shmx_pile_total(const struct shmx_pile *pile) {
  double value = 0;
  for (int k = 0; pile->blocks >> k != 0; k++) {
    if (pile->blocks >> k & 1) value += pile->parts[k];
  }
  return value;
}

#endif
