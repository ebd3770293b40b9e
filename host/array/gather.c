/* SPDX-License-Identifier: MIT */
/* The kernels of array/gather.h. Compiled once for each level. */
#include "array/gather.h"

#include <string.h>

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

/* No branches, so that the compiler makes vector code of it. */
static bool are_positions(const int64_t *positions, int64_t count, int64_t size) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t p = positions[i];
    wrong |= (int64_t)(p > size) | (int64_t)(p < -size) | (int64_t)(p == 0);
  }
  return wrong == 0;
}

static void to_offsets(int64_t *offsets, const int64_t *positions, int64_t count, int64_t size) {
  for (int64_t i = 0; i < count; i++) {
    int64_t p = positions[i] + (positions[i] < 0 ? size : -1);
    offsets[i] = (uint64_t)p < (uint64_t)size ? p : 0;
  }
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define GATHER(type)                                                                                                   \
  static void gather_##type(char *out, const char *in, int64_t step, const int64_t *offsets, int64_t count) {          \
    type *restrict to = (type *)(void *)out;                                                                           \
    if (step == (int64_t)sizeof(type)) {                                                                               \
      const type *from = (const type *)(const void *)in;                                                               \
      for (int64_t i = 0; i < count; i++) to[i] = from[offsets[i]];                                                    \
    } else {                                                                                                           \
      for (int64_t i = 0; i < count; i++) to[i] = *(const type *)(const void *)(in + offsets[i] * step);               \
    }                                                                                                                  \
  }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)

/* Masks tend to have runs, so eight elements that are all wanted, or none of them, are dealt with at once. Otherwise every
 * element is written, and the next one over it if it was not to be: that is quicker than to branch. */
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

/* NOLINTEND(bugprone-macro-parentheses) */

const struct shmx_gathers SHMX_AT_LEVEL(shmx_gathers) = {
    .are_positions = are_positions,
    .to_offsets = to_offsets,
    .gather = {[1] = gather_uint8_t, [2] = gather_uint16_t, [4] = gather_uint32_t, [8] = gather_uint64_t},
    .compress = {[1] = compress_uint8_t, [2] = compress_uint16_t, [4] = compress_uint32_t, [8] = compress_uint64_t}};
