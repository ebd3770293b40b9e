/* SPDX-License-Identifier: MIT */
/* The kernels of array/product.h. Compiled once for each level. */
#include "array/product.h"

#include <string.h>

#include "array/kernel_file.h"
#include "array/lanes.h"

/* The widest vectors of this level, as far as the compiler tells. */
#if defined(__AVX512F__)
enum { WIDTH = 64 };
#elif defined(__AVX__)
enum { WIDTH = 32 };
#else
enum { WIDTH = 16 };
#endif

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define INTEGER_DOT(tag, type)                                                                                         \
  static void dot_##tag(void *result, const void *a, const void *b, int64_t count) {                                   \
    const type *x = a, *y = b;                                                                                         \
    uint64_t sum = 0;                                                                                                  \
    for (int64_t i = 0; i < count; i++) sum += (uint64_t)x[i] * (uint64_t)y[i];                                        \
    *(uint64_t *)result = sum;                                                                                         \
  }
INTEGER_DOT(u64, uint64_t)

/* Of 32 bits: the elements of even and of odd number for themselves, since an instruction multiplies every second one. */
#if defined(__AVX2__)
#define NARROW_DOT(tag, type, multiply)                                                                                \
  static void dot_##tag(void *result, const void *a, const void *b, int64_t count) {                                   \
    enum { WIDE = 8 };                                                                                                 \
    const type *x = a, *y = b;                                                                                         \
    __m256i even = {0}, odd = {0};                                                                                     \
    uint64_t lane[WIDE / 2], sum = 0;                                                                                  \
    int64_t i = 0;                                                                                                     \
    for (; i + WIDE <= count; i += WIDE) {                                                                             \
      const __m256i u = _mm256_loadu_si256((const void *)(x + i)), v = _mm256_loadu_si256((const void *)(y + i));      \
      even = _mm256_add_epi64(even, multiply(u, v));                                                                   \
      odd = _mm256_add_epi64(odd, multiply(_mm256_srli_epi64(u, 32), _mm256_srli_epi64(v, 32)));                       \
    }                                                                                                                  \
    _mm256_storeu_si256((void *)lane, _mm256_add_epi64(even, odd));                                                    \
    for (int k = 0; k < WIDE / 2; k++) sum += lane[k];                                                                 \
    for (; i < count; i++) sum += (uint64_t)x[i] * (uint64_t)y[i];                                                     \
    *(uint64_t *)result = sum;                                                                                         \
  }
NARROW_DOT(i32, int32_t, _mm256_mul_epi32)
NARROW_DOT(u32, uint32_t, _mm256_mul_epu32)
#else
INTEGER_DOT(i32, int32_t)
INTEGER_DOT(u32, uint32_t)
#endif

#define FLOAT_DOT(tag, type)                                                                                           \
  static void dot_##tag(void *result, const void *a, const void *b, int64_t count) {                                   \
    const type *x = a, *y = b;                                                                                         \
    double sum[SHMX_STEP] = {0}, rest = 0;                                                                             \
    int64_t i = 0;                                                                                                     \
    for (; i + SHMX_STEP <= count; i += SHMX_STEP) {                                                                   \
      for (int k = 0; k < SHMX_STEP; k++) sum[k] += (double)x[i + k] * (double)y[i + k];                               \
    }                                                                                                                  \
    for (; i < count; i++) rest += (double)x[i] * (double)y[i];                                                        \
    *(double *)result = shmx_lanes_join(sum) + rest;                                                                   \
  }
FLOAT_DOT(f64, double)

#if defined(__FMA__)
static void dot_f32(void *result, const void *a, const void *b, int64_t count) {
  const float *x = a, *y = b;
  __m256d sum[SHMX_WIDES] = {{0}};
  double rest = 0;
  int64_t i = 0;
  for (; i + SHMX_STEP <= count; i += SHMX_STEP) {
    for (int k = 0; k < SHMX_WIDES; k++) {
      sum[k] = _mm256_fmadd_pd(shmx_wide_load(x + i, k), shmx_wide_load(y + i, k), sum[k]);
    }
  }
  for (; i < count; i++) rest += (double)x[i] * (double)y[i];
  *(double *)result = shmx_wide_join(sum) + rest;
}
#else
FLOAT_DOT(f32, float)
#endif

/* A tile goes through registers in parts of two vectors. */
#define TILE(tag, type)                                                                                                \
  typedef type vector_of_##tag __attribute__((vector_size(WIDTH)));                                                    \
  static void tile_##tag(void *out, const void *columns, const void *rows, int64_t depth) {                            \
    enum { COLUMNS = SHMX_TILE_BYTES / sizeof(type), PART = (size_t)2 * WIDTH / sizeof(type) };                        \
    for (int part = 0; part < (int)COLUMNS; part += PART) {                                                            \
      const type *a = columns, *b = (const type *)rows + part;                                                         \
      vector_of_##tag sums[SHMX_TILE_ROWS][2] = {{{0}}}, b0, b1;                                                       \
      for (int64_t k = 0; k < depth; k++, a += SHMX_TILE_ROWS, b += COLUMNS) {                                         \
        memcpy(&b0, b, sizeof b0), memcpy(&b1, b + PART / 2, sizeof b1);                                               \
        for (int r = 0; r < SHMX_TILE_ROWS; r++) sums[r][0] += a[r] * b0, sums[r][1] += a[r] * b1;                     \
      }                                                                                                                \
      for (int r = 0; r < SHMX_TILE_ROWS; r++)                                                                         \
        memcpy((type *)out + (int64_t)r * COLUMNS + part, sums[r], sizeof sums[r]);                                    \
    }                                                                                                                  \
  }
TILE(u32, uint32_t)
TILE(u64, uint64_t)
TILE(f32, float)
TILE(f64, double)

/* NOLINTEND(bugprone-macro-parentheses) */

const struct shmx_products SHMX_AT_LEVEL(shmx_products) = {.dot = {[SHMX_I32] = dot_i32,
                                                                   [SHMX_U32] = dot_u32,
                                                                   [SHMX_I64] = dot_u64,
                                                                   [SHMX_U64] = dot_u64,
                                                                   [SHMX_F32] = dot_f32,
                                                                   [SHMX_F64] = dot_f64},
                                                           .tile = {[SHMX_I32] = tile_u32,
                                                                    [SHMX_U32] = tile_u32,
                                                                    [SHMX_I64] = tile_u64,
                                                                    [SHMX_U64] = tile_u64,
                                                                    [SHMX_F32] = tile_f32,
                                                                    [SHMX_F64] = tile_f64}};
