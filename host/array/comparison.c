/* SPDX-License-Identifier: MIT */
/* Kernels of comparisons. Compiled once for each level. Every bool but 0 is true, and true is more than false. */
#include "array/kernel_file.h"
#include "array/op_kernels.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define COMPARISONS(tag, type, value)                                                                                  \
  SHMX_BINARY(eq_##tag, shmx_bool, type, value(x) == value(y))                                                         \
  SHMX_BINARY(ne_##tag, shmx_bool, type, value(x) != value(y))                                                         \
  SHMX_BINARY(lt_##tag, shmx_bool, type, value(x) < value(y))                                                          \
  SHMX_BINARY(le_##tag, shmx_bool, type, value(x) <= value(y))                                                         \
  SHMX_BINARY(gt_##tag, shmx_bool, type, value(x) > value(y))                                                          \
  SHMX_BINARY(ge_##tag, shmx_bool, type, value(x) >= value(y))
#define ITSELF(x)                       (x)
#define TRUTH(x)                        ((x) != 0)
#define OF_NUMBERS(constant, tag, type) COMPARISONS(tag, type, ITSELF)
SHMX_INTEGER_DTYPES(OF_NUMBERS)
SHMX_FLOAT_DTYPES(OF_NUMBERS)
COMPARISONS(b8, shmx_bool, TRUTH)

#define ENTRY(op, word, constant, tag) SHMX_KERNEL_ENTRY(op, SHMX_COMPARISON_FIRST, word, constant, tag)
#define ENTRIES(constant, tag, type)                                                                                   \
  ENTRY(EQ, eq, constant, tag), ENTRY(NE, ne, constant, tag), ENTRY(LT, lt, constant, tag),                            \
      ENTRY(LE, le, constant, tag), ENTRY(GT, gt, constant, tag), ENTRY(GE, ge, constant, tag),
const struct shmx_comparison SHMX_AT_LEVEL(shmx_comparison) = {{SHMX_DTYPES(ENTRIES)}};

/* NOLINTEND(bugprone-macro-parentheses) */
