/* SPDX-License-Identifier: MIT */
/*
 * The elementwise operations: their names, how many operands each has, and in which dtype it computes what.
 *
 * A new one is a line in SHMX_OPS and a kernel in the file of its group; scripts get it by that name.
 */
#ifndef SHMX_ARRAY_OP_H
#define SHMX_ARRAY_OP_H

#include "array/promote.h"

/* In which dtype an operation computes, given the promoted one of its operands, and what it gives. */
enum shmx_rule {
  SHMX_RULE_NUMBER,     /* in that dtype, and gives it */
  SHMX_RULE_FLOAT,      /* in f32 if that is it, otherwise in f64, and gives it */
  SHMX_RULE_COMPARISON, /* in that dtype, or in a pair that takes its place (array/promote.h); gives bool */
  SHMX_RULE_LOGIC,      /* in bool, and gives it */
  SHMX_RULE_TEST,       /* like FLOAT; gives bool */
  SHMX_RULE_CHOICE,     /* like NUMBER, but for the first operand, which is a bool */
};

/* X(CONSTANT, name, operands, rule). */
#define SHMX_ARITHMETIC_OPS(X)                                                                                         \
  X(ADD, add, 2, NUMBER)                                                                                               \
  X(SUB, sub, 2, NUMBER)                                                                                               \
  X(MUL, mul, 2, NUMBER)                                                                                               \
  X(DIV, div, 2, FLOAT)                                                                                                \
  X(MINIMUM, minimum, 2, NUMBER)                                                                                       \
  X(MAXIMUM, maximum, 2, NUMBER)                                                                                       \
  X(MULADD, muladd, 3, NUMBER)                                                                                         \
  X(CLIP, clip, 3, NUMBER)
#define SHMX_DIVISION_OPS(X)                                                                                           \
  X(IDIV, idiv, 2, NUMBER)                                                                                             \
  X(MOD, mod, 2, NUMBER)
#define SHMX_COMPARISON_OPS(X)                                                                                         \
  X(EQ, eq, 2, COMPARISON)                                                                                             \
  X(NE, ne, 2, COMPARISON)                                                                                             \
  X(LT, lt, 2, COMPARISON)                                                                                             \
  X(LE, le, 2, COMPARISON)                                                                                             \
  X(GT, gt, 2, COMPARISON)                                                                                             \
  X(GE, ge, 2, COMPARISON)
#define SHMX_BIT_OPS(X)                                                                                                \
  X(BAND, band, 2, NUMBER)                                                                                             \
  X(BOR, bor, 2, NUMBER)                                                                                               \
  X(BXOR, bxor, 2, NUMBER)                                                                                             \
  X(BNOT, bnot, 1, NUMBER)                                                                                             \
  X(SHL, shl, 2, NUMBER)                                                                                               \
  X(SHR, shr, 2, NUMBER)                                                                                               \
  X(LOGICAL_AND, logical_and, 2, LOGIC)                                                                                \
  X(LOGICAL_OR, logical_or, 2, LOGIC)                                                                                  \
  X(LOGICAL_XOR, logical_xor, 2, LOGIC)                                                                                \
  X(LOGICAL_NOT, logical_not, 1, LOGIC)                                                                                \
  X(WHERE, where, 3, CHOICE)
#define SHMX_UNARY_OPS(X)                                                                                              \
  X(UNM, unm, 1, NUMBER)                                                                                               \
  X(ABS, abs, 1, NUMBER)                                                                                               \
  X(SIGN, sign, 1, NUMBER)                                                                                             \
  X(SQUARE, square, 1, NUMBER)                                                                                         \
  X(FLOOR, floor, 1, NUMBER)                                                                                           \
  X(CEIL, ceil, 1, NUMBER)                                                                                             \
  X(TRUNC, trunc, 1, NUMBER)                                                                                           \
  X(ROUND, round, 1, NUMBER)                                                                                           \
  X(SQRT, sqrt, 1, FLOAT)                                                                                              \
  X(ISNAN, isnan, 1, TEST)                                                                                             \
  X(ISINF, isinf, 1, TEST)                                                                                             \
  X(ISFINITE, isfinite, 1, TEST)
#define SHMX_MATHS_OPS(X)                                                                                              \
  X(EXP, exp, 1, FLOAT)                                                                                                \
  X(EXP2, exp2, 1, FLOAT)                                                                                              \
  X(EXPM1, expm1, 1, FLOAT)                                                                                            \
  X(LOG, log, 1, FLOAT)                                                                                                \
  X(LOG2, log2, 1, FLOAT)                                                                                              \
  X(LOG10, log10, 1, FLOAT)                                                                                            \
  X(LOG1P, log1p, 1, FLOAT)                                                                                            \
  X(SIN, sin, 1, FLOAT)                                                                                                \
  X(COS, cos, 1, FLOAT)                                                                                                \
  X(TAN, tan, 1, FLOAT)                                                                                                \
  X(ASIN, asin, 1, FLOAT)                                                                                              \
  X(ACOS, acos, 1, FLOAT)                                                                                              \
  X(ATAN, atan, 1, FLOAT)                                                                                              \
  X(SINH, sinh, 1, FLOAT)                                                                                              \
  X(COSH, cosh, 1, FLOAT)                                                                                              \
  X(TANH, tanh, 1, FLOAT)                                                                                              \
  X(ASINH, asinh, 1, FLOAT)                                                                                            \
  X(ACOSH, acosh, 1, FLOAT)                                                                                            \
  X(ATANH, atanh, 1, FLOAT)                                                                                            \
  X(CBRT, cbrt, 1, FLOAT)                                                                                              \
  X(POW, pow, 2, FLOAT)                                                                                                \
  X(ATAN2, atan2, 2, FLOAT)                                                                                            \
  X(HYPOT, hypot, 2, FLOAT)
#define SHMX_OPS(X)                                                                                                    \
  SHMX_ARITHMETIC_OPS(X)                                                                                               \
  SHMX_DIVISION_OPS(X)                                                                                                 \
  SHMX_COMPARISON_OPS(X)                                                                                               \
  SHMX_BIT_OPS(X)                                                                                                      \
  SHMX_UNARY_OPS(X)                                                                                                    \
  SHMX_MATHS_OPS(X)

#define SHMX_OP_CONSTANT(constant, name, operands, rule) SHMX_OP_##constant,
enum shmx_op { SHMX_OPS(SHMX_OP_CONSTANT) SHMX_OP_COUNT };
#undef SHMX_OP_CONSTANT

/* The first of each group, and how many it has. */
enum {
  SHMX_ARITHMETIC_FIRST = SHMX_OP_ADD,
  SHMX_DIVISION_FIRST = SHMX_OP_IDIV,
  SHMX_COMPARISON_FIRST = SHMX_OP_EQ,
  SHMX_BIT_FIRST = SHMX_OP_BAND,
  SHMX_UNARY_FIRST = SHMX_OP_UNM,
  SHMX_MATHS_FIRST = SHMX_OP_EXP,
  SHMX_ARITHMETIC_COUNT = SHMX_DIVISION_FIRST - SHMX_ARITHMETIC_FIRST,
  SHMX_DIVISION_COUNT = SHMX_COMPARISON_FIRST - SHMX_DIVISION_FIRST,
  SHMX_COMPARISON_COUNT = SHMX_BIT_FIRST - SHMX_COMPARISON_FIRST,
  SHMX_BIT_COUNT = SHMX_UNARY_FIRST - SHMX_BIT_FIRST,
  SHMX_UNARY_COUNT = SHMX_MATHS_FIRST - SHMX_UNARY_FIRST,
  SHMX_MATHS_COUNT = SHMX_OP_COUNT - SHMX_MATHS_FIRST,
};

enum { SHMX_OP_MAX_OPERANDS = 3 };

struct shmx_op_info {
  const char *name;
  int operands;
  enum shmx_rule rule;
};

const struct shmx_op_info *shmx_op_info(enum shmx_op op);

/* The dtype of operand `i` and that of the result, for operands that promote to `dtype`: here and below that may be a pair,
 * if the operation is a comparison. */
enum shmx_dtype shmx_op_operand(enum shmx_op op, int i, enum shmx_dtype dtype);
enum shmx_dtype shmx_op_result(enum shmx_op op, enum shmx_dtype dtype);

/*
 * Computes `count` elements that lie one after another. Bit i of `uniform` says that operand i is one element, which goes
 * with all of them. The result may be the very memory of an operand, and otherwise overlaps none.
 */
typedef void shmx_op_kernel(void *out, const void *const *in, int64_t count, unsigned uniform);

/* The kernel for operands that promote to `dtype`; NULL when the operation is not defined for it. An integer divisor must
 * not be 0: then the result is any number. */
shmx_op_kernel *shmx_op_find(enum shmx_op op, enum shmx_dtype dtype);
/* The one for a call that goes through so many bytes. */
shmx_op_kernel *shmx_op_find_for(enum shmx_op op, enum shmx_dtype dtype, int64_t bytes);

/* Whether the operation divides integers, so that a divisor of 0 is an error. */
static inline bool shmx_op_divides(enum shmx_op op, enum shmx_dtype dtype) {
  return (op == SHMX_OP_IDIV || op == SHMX_OP_MOD) && shmx_dtype_is_integer(dtype);
}

#endif
