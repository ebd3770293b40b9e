/* SPDX-License-Identifier: MIT */
/*
 * For the kernels that add in double (fold.c, product.c): they add in lanes, which are in the end added in pairs. Lane k
 * has the elements k, k + SHMX_STEP, and so on: so many lanes that the compiler makes vectors of them, which it keeps in
 * registers. The number of lanes is the same for all levels, and so are the results.
 */
#ifndef SHMX_ARRAY_LANES_H
#define SHMX_ARRAY_LANES_H

#include <stdint.h>

enum { SHMX_LANES = 8, SHMX_STEP = 4 * SHMX_LANES };

/* The sum of SHMX_STEP lanes, which it changes. */
static inline double shmx_lanes_join(double *sum) {
  for (int k = 0; k < SHMX_LANES; k++) {
    sum[k] = (sum[k] + sum[k + SHMX_LANES]) + (sum[k + 2 * SHMX_LANES] + sum[k + 3 * SHMX_LANES]);
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

#if defined(__FMA__)
#include <immintrin.h>

/* The lanes in vectors of four, for f32: one instruction loads four and converts them, whereas of longer vectors a compiler
 * loads all and takes half. They are then multiplied, by 1 for a sum, and added by another one, for which a processor has
 * other units than those that convert; no product of two f32 is rounded in double, so this gives what two would. */
enum { SHMX_WIDE = 4, SHMX_WIDES = SHMX_STEP / SHMX_WIDE };

/* The vector number k of those at `in`. */
static inline __m256d shmx_wide_load(const float *in, int64_t k) {
  return _mm256_cvtps_pd(_mm_loadu_ps(in + SHMX_WIDE * k));
}

static inline double shmx_wide_join(const __m256d *sum) {
  __m256d low = (sum[0] + sum[2]) + (sum[4] + sum[6]), high = (sum[1] + sum[3]) + (sum[5] + sum[7]);
  __m256d twos = _mm256_hadd_pd(low, high); /* of the lanes 0 and 1, 4 and 5, 2 and 3, 6 and 7 */
  __m128d fours = _mm256_castpd256_pd128(twos) + _mm256_extractf128_pd(twos, 1);
  return fours[0] + fours[1];
}
#endif

#endif
