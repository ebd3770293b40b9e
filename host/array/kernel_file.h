/* SPDX-License-Identifier: MIT */
/*
 * For the files of kernels that are compiled once for each level (array/level.h): loops that the compiler turns into
 * vector code.
 *
 * A kernel has a loop of its own for each way in which its operands can be uniform, since that is what makes the
 * compiler keep a uniform one in a register.
 */
#ifndef SHMX_ARRAY_KERNEL_FILE_H
#define SHMX_ARRAY_KERNEL_FILE_H

#include "array/level.h"
#include "array/op.h"

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

/* The iterations of a loop do not depend on each other: the result is no operand, or the very same elements. */
#if defined(__clang__)
#define SHMX_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define SHMX_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* NOLINTBEGIN(bugprone-macro-parentheses): types and expressions of x, y, z are meant to be expanded as they are. */

#define SHMX_FOR(count)                                                                                                \
  SHMX_INDEPENDENT                                                                                                     \
  for (int64_t i = 0; i < (count); i++)

/* The same where several arrays are read. Two vectors at a time are up to a tenth faster than one then, in the cache and
 * out of it; more than two are not, nor are two where one array is read. Clang takes several everywhere. */
#if defined(__clang__)
#define SHMX_FOR_SEVERAL(count) SHMX_FOR(count)
#else
#define SHMX_FOR_SEVERAL(count) _Pragma("GCC unroll 2") SHMX_FOR(count)
#endif

#define SHMX_UNARY(name, out_type, type, expression)                                                                   \
  static void name(void *result, const void *const *in, int64_t count, unsigned uniform) {                             \
    out_type *out = result;                                                                                            \
    const type *a = in[0];                                                                                             \
    int64_t step = uniform & 1 ? 0 : 1;                                                                                \
    if (step) {                                                                                                        \
      SHMX_FOR(count) {                                                                                                \
        const type x = a[i];                                                                                           \
        out[i] = (out_type)(expression);                                                                               \
      }                                                                                                                \
    } else {                                                                                                           \
      const type x = a[0];                                                                                             \
      const out_type value = (out_type)(expression);                                                                   \
      SHMX_FOR(count) out[i] = value;                                                                                  \
    }                                                                                                                  \
  }

#define SHMX_BINARY(name, out_type, type, expression) SHMX_BINARY_OF_TWO(name, out_type, type, type, expression)

/* The operands are of different types. */
#define SHMX_BINARY_OF_TWO(name, out_type, type, other_type, expression)                                               \
  static void name(void *result, const void *const *in, int64_t count, unsigned uniform) {                             \
    out_type *out = result;                                                                                            \
    const type *a = in[0];                                                                                             \
    const other_type *b = in[1];                                                                                       \
    if (uniform == 0) {                                                                                                \
      SHMX_FOR_SEVERAL(count) {                                                                                        \
        const type x = a[i];                                                                                           \
        const other_type y = b[i];                                                                                     \
        out[i] = (out_type)(expression);                                                                               \
      }                                                                                                                \
    } else if (uniform == 2) {                                                                                         \
      const other_type y = b[0];                                                                                       \
      SHMX_FOR(count) {                                                                                                \
        const type x = a[i];                                                                                           \
        out[i] = (out_type)(expression);                                                                               \
      }                                                                                                                \
    } else if (uniform == 1) {                                                                                         \
      const type x = a[0];                                                                                             \
      SHMX_FOR(count) {                                                                                                \
        const other_type y = b[i];                                                                                     \
        out[i] = (out_type)(expression);                                                                               \
      }                                                                                                                \
    } else {                                                                                                           \
      const type x = a[0];                                                                                             \
      const other_type y = b[0];                                                                                       \
      const out_type value = (out_type)(expression);                                                                   \
      SHMX_FOR(count) out[i] = value;                                                                                  \
    }                                                                                                                  \
  }

/* The first operand is of a type of its own, the others are of `type`; limits that are uniform are the usual case. */
#define SHMX_TERNARY(name, type, first_type, expression)                                                               \
  static void name(void *result, const void *const *in, int64_t count, unsigned uniform) {                             \
    type *out = result;                                                                                                \
    const first_type *a = in[0];                                                                                       \
    const type *b = in[1], *c = in[2];                                                                                 \
    if (uniform == 0) {                                                                                                \
      SHMX_FOR_SEVERAL(count) {                                                                                        \
        const first_type x = a[i];                                                                                     \
        const type y = b[i], z = c[i];                                                                                 \
        out[i] = (type)(expression);                                                                                   \
      }                                                                                                                \
    } else if (uniform == 6) {                                                                                         \
      const type y = b[0], z = c[0];                                                                                   \
      SHMX_FOR(count) {                                                                                                \
        const first_type x = a[i];                                                                                     \
        out[i] = (type)(expression);                                                                                   \
      }                                                                                                                \
    } else {                                                                                                           \
      const int64_t step_a = uniform & 1 ? 0 : 1, step_b = uniform & 2 ? 0 : 1, step_c = uniform & 4 ? 0 : 1;          \
      SHMX_FOR(count) {                                                                                                \
        const first_type x = a[i * step_a];                                                                            \
        const type y = b[i * step_b], z = c[i * step_c];                                                               \
        out[i] = (type)(expression);                                                                                   \
      }                                                                                                                \
    }                                                                                                                  \
  }

#define SHMX_KERNEL_ENTRY(op, first, word, constant, tag) [SHMX_OP_##op - (first)][SHMX_##constant] = word##_##tag

/* NOLINTEND(bugprone-macro-parentheses) */

#endif
