/* SPDX-License-Identifier: MIT */
/*
 * The kernels of array/gather.h. Compiled once for each level.
 *
 * Positions are checked and converted in vectors, some at a time, and these elements are then loaded one by one: from the
 * nearest cache that is quickest. A bit further away, an instruction that loads several elements is best, where there is
 * one that is not worse than the loop. Elements that are far are asked for while those before them are loaded: into the
 * second cache, for the first has places for only a few that are on their way, whether asked for or waited for.
 */
#include "array/gather.h"

#include <string.h>

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

enum {
  LANES = 8,
  NEAR = 32 << 10,  /* bytes that are in the nearest cache, */
  MIDDLE = 4 << 20, /* and that are not worth asking for */
  NEAR_STAGE = 64,  /* positions at a time, of elements that are near, */
  MIDDLE_STAGE = 32,
  AHEAD = 64,      /* how many are asked for before they are loaded */
  SECOND_CACHE = 2 /* as __builtin_prefetch calls it */
};

typedef int64_t lanes __attribute__((vector_size(LANES * sizeof(int64_t))));

/* The 0-based offset that a position stands for; that of no position is less than 0, or not less than the size. */
#define OFFSET(position, size) ((position) + ((position) >> 63 & ((size) + 1)) - 1)

/* Converts some positions; the lane of *right for what is none becomes 0. */
static inline void convert(int64_t *offsets, const int64_t *positions, int64_t count, int64_t size, lanes *right) {
  const lanes last = (lanes){0} + (size - 1);
  for (int64_t i = 0; i < count; i += LANES) {
    lanes p;
    memcpy(&p, positions + i, sizeof p);
    p = OFFSET(p, size);
    lanes above = p & ~(p >> 63), beyond = above > last, nearest = (above & ~beyond) | (last & beyond);
    *right &= nearest == p;
    memcpy(offsets + i, &nearest, sizeof nearest);
  }
}

static inline int64_t convert_one(int64_t position, int64_t size, bool *right) {
  int64_t offset = OFFSET(position, size);
  if ((uint64_t)offset < (uint64_t)size) return offset;
  *right = false;
  return offset < 0 ? 0 : size - 1;
}

static inline bool are_all(const lanes *right) { /* by value it would be in a register that not every machine has */
  int64_t all = -1;
  for (int i = 0; i < LANES; i++) all &= (*right)[i];
  return all != 0;
}

static bool to_offsets(int64_t *offsets, const int64_t *positions, int64_t count, int64_t size) {
  int64_t whole = count / LANES * LANES;
  lanes right = (lanes){0} - 1;
  bool rest = true;
  convert(offsets, positions, whole, size, &right);
  for (int64_t i = whole; i < count; i++) offsets[i] = convert_one(positions[i], size, &rest);
  return rest && are_all(&right);
}

/* No branches, so that the compiler makes vector code of it. */
static bool are_positions(const int64_t *positions, int64_t count, int64_t size) {
  uint64_t wrong = 0;
  for (int64_t i = 0; i < count; i++) wrong |= (uint64_t)((uint64_t)OFFSET(positions[i], size) >= (uint64_t)size);
  return wrong == 0;
}

/* All the loads of a stage, one after another: a loop has instructions of its own for each. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 64")
#endif

/* Keeps what was computed in vectors in memory, where loads of single elements find it. A compiler would rather take the
 * vectors apart, which costs more than all the rest. */
#define IN_MEMORY(variable) __asm__("" : "+m"(variable))

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define GATHER_DENSE(name, type, stage)                                                                                \
  static bool name(type *restrict to, const type *from, int64_t size, const int64_t *positions, int64_t count) {       \
    int64_t offsets[stage];                                                                                            \
    lanes right = (lanes){0} - 1;                                                                                      \
    bool rest = true;                                                                                                  \
    for (; count >= (stage); count -= (stage), positions += (stage), to += (stage)) {                                  \
      convert(offsets, positions, stage, size, &right);                                                                \
      IN_MEMORY(offsets);                                                                                              \
      UNROLLED                                                                                                         \
      for (int i = 0; i < (stage); i++) to[i] = from[offsets[i]];                                                      \
    }                                                                                                                  \
    for (int64_t i = 0; i < count; i++) to[i] = from[convert_one(positions[i], size, &rest)];                          \
    return rest && are_all(&right);                                                                                    \
  }

/* While it loads some, it asks for the next ones. */
#define GATHER_FAR(name, type)                                                                                         \
  static bool name(type *restrict to, const type *from, int64_t size, const int64_t *positions, int64_t count) {       \
    int64_t offsets[2][AHEAD];                                                                                         \
    int turn = 0;                                                                                                      \
    lanes right = (lanes){0} - 1;                                                                                      \
    bool rest = true;                                                                                                  \
    if (count / 2 >= AHEAD) convert(offsets[turn], positions, AHEAD, size, &right);                                    \
    for (; count / 2 >= AHEAD; count -= AHEAD, to += AHEAD, turn = !turn) {                                            \
      positions += AHEAD;                                                                                              \
      convert(offsets[!turn], positions, AHEAD, size, &right);                                                         \
      IN_MEMORY(offsets);                                                                                              \
      for (int i = 0; i < AHEAD; i++) {                                                                                \
        __builtin_prefetch(from + offsets[!turn][i], 0, SECOND_CACHE);                                                 \
        to[i] = from[offsets[turn][i]];                                                                                \
      }                                                                                                                \
    }                                                                                                                  \
    for (int64_t i = 0; i < count; i++) to[i] = from[convert_one(positions[i], size, &rest)];                          \
    return rest && are_all(&right);                                                                                    \
  }

#if defined(__AVX512F__)
#include <immintrin.h>

static inline void load_uint32_t(uint32_t *to, const uint32_t *from, const int64_t *offsets) {
  _mm256_storeu_si256((void *)to, _mm512_i64gather_epi32(_mm512_loadu_si512(offsets), from, sizeof *from));
}

static inline void load_uint64_t(uint64_t *to, const uint64_t *from, const int64_t *offsets) {
  _mm512_storeu_si512(to, _mm512_i64gather_epi64(_mm512_loadu_si512(offsets), (const void *)from, sizeof *from));
}

#define GATHER_LANES(name, type)                                                                                       \
  static bool name(type *restrict to, const type *from, int64_t size, const int64_t *positions, int64_t count) {       \
    int64_t offsets[LANES];                                                                                            \
    lanes right = (lanes){0} - 1;                                                                                      \
    bool rest = true;                                                                                                  \
    for (; count >= LANES; count -= LANES, positions += LANES, to += LANES) {                                          \
      convert(offsets, positions, LANES, size, &right);                                                                \
      load_##type(to, from, offsets);                                                                                  \
    }                                                                                                                  \
    for (int64_t i = 0; i < count; i++) to[i] = from[convert_one(positions[i], size, &rest)];                          \
    return rest && are_all(&right);                                                                                    \
  }
GATHER_LANES(gather_middle_uint32_t, uint32_t)
GATHER_LANES(gather_middle_uint64_t, uint64_t)
#else
GATHER_DENSE(gather_middle_uint32_t, uint32_t, MIDDLE_STAGE)
GATHER_DENSE(gather_middle_uint64_t, uint64_t, MIDDLE_STAGE)
#endif
GATHER_DENSE(gather_middle_uint8_t, uint8_t, MIDDLE_STAGE)
GATHER_DENSE(gather_middle_uint16_t, uint16_t, MIDDLE_STAGE)

#define GATHER(type)                                                                                                   \
  GATHER_DENSE(gather_near_##type, type, NEAR_STAGE)                                                                   \
  GATHER_FAR(gather_far_##type, type)                                                                                  \
  static bool gather_##type(char *out, const struct shmx_source *in, const int64_t *positions, int64_t count) {        \
    type *restrict to = (type *)(void *)out;                                                                           \
    const type *from = (const type *)(const void *)in->data;                                                           \
    const int64_t unit = sizeof(type), size = in->size;                                                                \
    bool right = true;                                                                                                 \
    if (in->step == unit && size <= NEAR / unit) return gather_near_##type(to, from, size, positions, count);          \
    if (in->step == unit && size <= MIDDLE / unit) return gather_middle_##type(to, from, size, positions, count);      \
    if (in->step == unit) return gather_far_##type(to, from, size, positions, count);                                  \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      to[i] = *(const type *)(const void *)(in->data + convert_one(positions[i], size, &right) * in->step);            \
    }                                                                                                                  \
    return right;                                                                                                      \
  }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)

/* NOLINTEND(bugprone-macro-parentheses) */

const struct shmx_gathers SHMX_AT_LEVEL(shmx_gathers) = {
    .are_positions = are_positions,
    .to_offsets = to_offsets,
    .gather = {[1] = gather_uint8_t, [2] = gather_uint16_t, [4] = gather_uint32_t, [8] = gather_uint64_t}};
