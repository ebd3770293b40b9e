/* SPDX-License-Identifier: MIT */
/*
 * Random elements, the same on every machine: those of the counter-based generator Philox 4x32-10 (Salmon, Moraes, Dror
 * and Shaw, 2011). Its key is the seed; counter i gives the 64-bit numbers 2i and 2i + 1 of the seed's sequence. Element
 * n of a view, in index order, is made from number first + n of that sequence and depends on nothing else, so parts of an
 * array can be filled apart.
 */
#ifndef SHMX_ARRAY_RANDOM_H
#define SHMX_ARRAY_RANDOM_H

#include "array/level.h"
#include "array/view.h"

/* Writes the 64-bit numbers of `count` counters from `counter` on, two for each. `attempt` selects one of many sequences of
 * a seed. */
typedef void shmx_philox_kernel(uint64_t *out, uint64_t seed, uint64_t attempt, uint64_t counter, int64_t count);

struct shmx_philox {
  shmx_philox_kernel *generate;
};
SHMX_EACH_LEVEL(struct shmx_philox, shmx_philox)

/* Floats that lie evenly from `low` on up to below `high`, both as the dtype has them; if they are the same, that one. */
void shmx_random_uniform(const struct shmx_view *view, uint64_t seed, uint64_t first, double low, double high);

/* Floats of the normal distribution with this mean and standard deviation. */
void shmx_random_normal(const struct shmx_view *view, uint64_t seed, uint64_t first, double mean, double deviation);

/* Integers from `low` on, of which there are `range` (0: 2^64), each as likely as any other; cast to the dtype. */
void shmx_random_integers(const struct shmx_view *view, uint64_t seed, uint64_t first, int64_t low, uint64_t range);

#endif
