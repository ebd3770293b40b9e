/* SPDX-License-Identifier: MIT */
/*
 * The kernels of array/compress.h. Compiled once for each level.
 *
 * Masks tend to have runs, so some elements that are all wanted, or none of them, are dealt with at once.
 */
#include "array/compress.h"

#include <string.h>

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

/* Where neither all of eight elements are wanted nor none, every element is written, and the next one over it if it was
 * not to be: that is quicker than to branch. */
#define COMPRESS(type)                                                                                                 \
  static int64_t compress_##type(char *out, int64_t room, const char *in, int64_t stride, const char *mask,            \
                                 int64_t mask_stride, int64_t count) {                                                 \
    enum { RUN = 8 };                                                                                                  \
    type *to = (type *)(void *)out;                                                                                    \
    int64_t n = 0, i = 0;                                                                                              \
    while (mask_stride == 1 && stride == (int64_t)sizeof(type) && i + RUN <= count && n + RUN <= room) {               \
      const type *from = (const type *)(const void *)in + i;                                                           \
      uint64_t wanted;                                                                                                 \
      memcpy(&wanted, mask + i, RUN);                                                                                  \
      i += RUN;                                                                                                        \
      if (wanted == 0) continue;                                                                                       \
      if (wanted == UINT64_C(0x0101010101010101)) {                                                                    \
        memcpy(to + n, from, RUN * sizeof(type));                                                                      \
        n += RUN;                                                                                                      \
        continue;                                                                                                      \
      }                                                                                                                \
      for (int k = 0; k < RUN; k++) to[n] = from[k], n += mask[i - RUN + k] != 0;                                      \
    }                                                                                                                  \
    for (; i < count && n < room; i++) {                                                                               \
      to[n] = *(const type *)(const void *)(in + i * stride);                                                          \
      n += mask[i * mask_stride] != 0;                                                                                 \
    }                                                                                                                  \
    return n;                                                                                                          \
  }
COMPRESS(uint8_t)
COMPRESS(uint16_t)
COMPRESS(uint32_t)
COMPRESS(uint64_t)

static int64_t locate(int64_t *out, int64_t room, const char *mask, int64_t count, int64_t first) {
  enum { RUN = 8 };
  int64_t n = 0, i = 0;
  for (; i + RUN <= count && n + RUN <= room; i += RUN) {
    uint64_t wanted;
    memcpy(&wanted, mask + i, RUN);
    if (wanted == 0) continue;
    for (int k = 0; k < RUN; k++) out[n] = first + i + k, n += mask[i + k] != 0;
  }
  for (; i < count && n < room; i++) {
    out[n] = first + i;
    n += mask[i] != 0;
  }
  return n;
}

#if defined(__AVX512F__)
#include <immintrin.h>

/* Elements without gaps, in vectors: what is wanted of one is moved together there, and stored with a mask of its own.
 * (The instruction that does both at once takes a hundred cycles on some processors.) */
#define COMPRESS_DENSE(type, lanes, lane_mask, suffix)                                                                 \
  static int64_t compress_dense_##type(char *out, int64_t room, const char *in, int64_t stride, const char *mask,      \
                                       int64_t mask_stride, int64_t count) {                                           \
    enum { RUN = 64 };                                                                                                 \
    if (mask_stride != 1 || stride != (int64_t)sizeof(type))                                                           \
      return compress_##type(out, room, in, stride, mask, mask_stride, count);                                         \
    type *to = (type *)(void *)out;                                                                                    \
    const type *from = (const type *)(const void *)in;                                                                 \
    int64_t n = 0;                                                                                                     \
    for (int64_t i = 0; i < count; i += RUN) {                                                                         \
      uint64_t wanted = read_mask(mask + i, count - i, room - n);                                                      \
      if (wanted == UINT64_MAX) {                                                                                      \
        memcpy(to + n, from + i, RUN * sizeof(type));                                                                  \
        n += RUN;                                                                                                      \
        continue;                                                                                                      \
      }                                                                                                                \
      for (const type *at = from + i; wanted; at += lanes, wanted >>= lanes) {                                         \
        lane_mask few = (lane_mask)wanted;                                                                             \
        int64_t k = __builtin_popcountll(few);                                                                         \
        __m512i together = _mm512_maskz_compress_##suffix(few, _mm512_maskz_loadu_##suffix(few, at));                  \
        _mm512_mask_storeu_##suffix(to + n, (lane_mask)_bzhi_u32(UINT32_MAX, (unsigned)k), together);                  \
        n += k;                                                                                                        \
      }                                                                                                                \
    }                                                                                                                  \
    return n;                                                                                                          \
  }

/* The next 64 elements of a mask, or as many as there are, as bits; of those that are set the first `room`. */
static inline uint64_t read_mask(const char *mask, int64_t count, int64_t room) {
  uint64_t present = count < 64 ? _bzhi_u64(UINT64_MAX, (unsigned)count) : UINT64_MAX;
  __m512i bytes = _mm512_maskz_loadu_epi8(present, mask);
  uint64_t wanted = _mm512_test_epi8_mask(bytes, bytes);
  if (__builtin_popcountll(wanted) <= room) return wanted;
  return _pdep_u64(_bzhi_u64(UINT64_MAX, (unsigned)room), wanted);
}

COMPRESS_DENSE(uint32_t, 16, __mmask16, epi32)
COMPRESS_DENSE(uint64_t, 8, __mmask8, epi64)
#define BEST(type) compress_dense_##type

#else
#define BEST(type) compress_##type
#endif

/* NOLINTEND(bugprone-macro-parentheses) */

const struct shmx_compressors SHMX_AT_LEVEL(shmx_compressors) = {
    .compress = {[1] = compress_uint8_t, [2] = compress_uint16_t, [4] = BEST(uint32_t), [8] = BEST(uint64_t)},
    .locate = locate};
