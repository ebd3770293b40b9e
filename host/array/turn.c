/* SPDX-License-Identifier: MIT */
/*
 * The kernels of array/turn.h. Compiled once for each level. Squares of elements of 4 and 8 bytes are turned in vectors:
 * pairs of rows are mixed until each vector has what was a column.
 */
#include "array/turn.h"

#include <string.h>

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define TURN_EACH(type)                                                                                                \
  static void turn_each_##type(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t rows,           \
                               int64_t columns) {                                                                      \
    for (int64_t r = 0; r < rows; r++, to += to_step, from += sizeof(type)) {                                          \
      type *out = (type *)(void *)to;                                                                                  \
      const char *in = from;                                                                                           \
      for (int64_t c = 0; c < columns; c++, in += from_step) out[c] = *(const type *)(const void *)in;                 \
    }                                                                                                                  \
  }
TURN_EACH(uint8_t)
TURN_EACH(uint16_t)
TURN_EACH(uint32_t)
TURN_EACH(uint64_t)

enum { SIDE = 4 };

/* Squares of 4 by 4, and the rest one by one. */
#define TURN(type)                                                                                                     \
  typedef type row_##type __attribute__((vector_size(SIDE * sizeof(type))));                                           \
  static inline void square_##type(char *to, int64_t to_step, const char *from, int64_t from_step) {                   \
    row_##type row[SIDE], even[2], odd[2];                                                                             \
    for (int i = 0; i < SIDE; i++) memcpy(&row[i], from + i * from_step, sizeof row[i]);                               \
    for (int64_t i = 0; i < 2; i++) {                                                                                  \
      even[i] = __builtin_shufflevector(row[2 * i], row[2 * i + 1], 0, 4, 2, 6);                                       \
      odd[i] = __builtin_shufflevector(row[2 * i], row[2 * i + 1], 1, 5, 3, 7);                                        \
    }                                                                                                                  \
    row[0] = __builtin_shufflevector(even[0], even[1], 0, 1, 4, 5);                                                    \
    row[1] = __builtin_shufflevector(odd[0], odd[1], 0, 1, 4, 5);                                                      \
    row[2] = __builtin_shufflevector(even[0], even[1], 2, 3, 6, 7);                                                    \
    row[3] = __builtin_shufflevector(odd[0], odd[1], 2, 3, 6, 7);                                                      \
    for (int i = 0; i < SIDE; i++) memcpy(to + i * to_step, &row[i], sizeof row[i]);                                   \
  }                                                                                                                    \
  static void turn_##type(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t rows,                \
                          int64_t columns) {                                                                           \
    const int64_t size = sizeof(type), whole = columns / SIDE * SIDE;                                                  \
    int64_t r = 0;                                                                                                     \
    for (; r + SIDE <= rows; r += SIDE, to += SIDE * to_step, from += SIDE * size) {                                   \
      for (int64_t c = 0; c < whole; c += SIDE)                                                                        \
        square_##type(to + c * size, to_step, from + c * from_step, from_step);                                        \
      turn_each_##type(to + whole * size, to_step, from + whole * from_step, from_step, SIDE, columns - whole);        \
    }                                                                                                                  \
    turn_each_##type(to, to_step, from, from_step, rows - r, columns);                                                 \
  }
TURN(uint32_t)
TURN(uint64_t)

/* NOLINTEND(bugprone-macro-parentheses) */

const struct shmx_turns SHMX_AT_LEVEL(shmx_turns) = {
    {[1] = turn_each_uint8_t, [2] = turn_each_uint16_t, [4] = turn_uint32_t, [8] = turn_uint64_t}};
