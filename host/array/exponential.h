/* SPDX-License-Identifier: MIT */
/*
 * e to the power of eight doubles at once, with AVX-512, which has a table of 16 entries in two registers. For
 * array/maths.c, with an error of less than 1 unit in the last place.
 *
 * x is written as k / 16 * log 2 + r with an integer k. The upper bits of k scale the result by a power of two, also into
 * the numbers below the normal ones; the lower four choose a root of two; and exp r, where |r| < 0.022, is a short series.
 */
#ifndef SHMX_ARRAY_EXPONENTIAL_H
#define SHMX_ARRAY_EXPONENTIAL_H

#include <immintrin.h>

/* 2^(i / 16), each as the nearest double, and what is missing to it, divided by it. */
static const double shmx_root[16] = {
    0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
    0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
    0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
    0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};
static const double shmx_root_rest[16] = {0,
                                          0x1.79aa65d837b6dp-54,
                                          -0x1.01b15eaa59348p-55,
                                          0x1.68efde3a8a894p-54,
                                          0x1.34d754db0abb6p-55,
                                          0x1.59f48a72a4c6dp-55,
                                          0x1.690cebb7aafb0p-56,
                                          0x1.063e1e21c5409p-54,
                                          -0x1.3b3efbf5e2228p-54,
                                          -0x1.b32dcb94da51dp-56,
                                          0x1.db72fc1f0eab4p-55,
                                          0x1.1affc2b91ce27p-56,
                                          0x1.c1a7792cb3387p-55,
                                          0x1.36eae30af0cb3p-56,
                                          0x1.4a385a63d07a7p-56,
                                          -0x1.ff7128fd391f0p-55};

static inline __m512d shmx_exponential(__m512d x) {
  const __m512d whole = _mm512_set1_pd(0x1.8p52); /* added, it rounds to an integer, which the low bits then are */
  /* Beyond these limits the result is infinite or 0 in any case. A NaN passes. */
  __m512d c = _mm512_min_pd(_mm512_set1_pd(720), _mm512_max_pd(_mm512_set1_pd(-760), x));
  __m512d t = _mm512_fmadd_pd(c, _mm512_set1_pd(0x1.71547652b82fep+4), whole), k = _mm512_sub_pd(t, whole);
  __m512d r = _mm512_fnmadd_pd(k, _mm512_set1_pd(0x1.62e42fefa39efp-5), c);
  r = _mm512_fnmadd_pd(k, _mm512_set1_pd(0x1.abc9e3b39803fp-60), r);
  __m512d p = _mm512_fmadd_pd(r, _mm512_set1_pd(1.0 / 5040), _mm512_set1_pd(1.0 / 720));
  p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(1.0 / 120));
  p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(1.0 / 24));
  p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(1.0 / 6));
  p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(0.5));
  p = _mm512_fmadd_pd(p, _mm512_mul_pd(r, r), r);
  __m512i i = _mm512_castpd_si512(t); /* the permutation looks at its lowest four bits */
  __m512d root = _mm512_permutex2var_pd(_mm512_loadu_pd(shmx_root), i, _mm512_loadu_pd(shmx_root + 8));
  __m512d rest = _mm512_permutex2var_pd(_mm512_loadu_pd(shmx_root_rest), i, _mm512_loadu_pd(shmx_root_rest + 8));
  __m512d y = _mm512_fmadd_pd(root, _mm512_add_pd(p, rest), root);
  return _mm512_scalef_pd(y, _mm512_mul_pd(k, _mm512_set1_pd(0.0625)));
}

#endif
