/* SPDX-License-Identifier: MIT */
/*
 * Rows of 64-bit integers divided by one number: libdivide multiplies by its reciprocal, in vectors. It rounds towards 0,
 * which is mended here to Lua's rounding down. For division.c, at each level; without the package's header there is
 * nothing here, and every element is divided.
 */
#ifndef SHMX_ARRAY_DIVIDER_H
#define SHMX_ARRAY_DIVIDER_H

#if defined(__x86_64__) && __has_include(<libdivide.h>)
#define SHMX_HAS_DIVIDER 1
#if defined(__AVX512F__)
#define LIBDIVIDE_AVX512
#elif defined(__AVX2__)
#define LIBDIVIDE_AVX2
#else
#define LIBDIVIDE_SSE2
#endif
#include <libdivide.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
typedef __m512i shmx_divider_word;
enum { SHMX_DIVIDER_VECTOR = 64 };
#elif defined(__AVX2__)
typedef __m256i shmx_divider_word;
enum { SHMX_DIVIDER_VECTOR = 32 };
#else
typedef __m128i shmx_divider_word;
enum { SHMX_DIVIDER_VECTOR = 16 };
#endif
typedef int64_t shmx_divider_lanes __attribute__((vector_size(SHMX_DIVIDER_VECTOR)));

/* Quotients, or rests, of `count` integers by `y`, which is neither 0 nor -1; `out` may be `a`. A last part that fills no
 * vector is computed in one that is filled up. */
static inline void shmx_divide_i64(int64_t *out, const int64_t *a, int64_t y, int64_t count, bool rest) {
  enum { LANES = SHMX_DIVIDER_VECTOR / 8 };
  const struct libdivide_s64_t divider = libdivide_s64_gen(y);
  for (int64_t i = 0; i < count; i += LANES) {
    const size_t size = (size_t)(count - i < LANES ? count - i : LANES) * sizeof *a;
    shmx_divider_lanes x = {0}, q;
    if (size == sizeof x) memcpy(&x, a + i, sizeof x);
    else memcpy(&x, a + i, size);
    q = (shmx_divider_lanes)libdivide_s64_do_vector((shmx_divider_word)x, &divider);
    shmx_divider_lanes r = x - q * y;
    shmx_divider_lanes down = (r != 0) & ((r ^ y) < 0); /* -1 where the quotient is to be rounded down */
    q = rest ? r + (down & y) : q + down;
    if (size == sizeof q) memcpy(out + i, &q, sizeof q);
    else memcpy(out + i, &q, size);
  }
}
#endif

#endif
