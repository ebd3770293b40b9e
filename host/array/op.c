/* SPDX-License-Identifier: MIT */
/* The table of the elementwise operations: see array/op.h. */
#include "array/op.h"

#include "array/op_kernels.h"

#define INFO(constant, name, operands, rule) [SHMX_OP_##constant] = {#name, operands, SHMX_RULE_##rule},
static const struct shmx_op_info infos[] = {SHMX_OPS(INFO)};

const struct shmx_op_info *shmx_op_info(enum shmx_op op) { return &infos[op]; }

enum shmx_dtype shmx_op_operand(enum shmx_op op, int i, enum shmx_dtype dtype) {
  switch (infos[op].rule) {
  case SHMX_RULE_FLOAT:
  case SHMX_RULE_TEST: return shmx_promote_float(dtype);
  case SHMX_RULE_LOGIC: return SHMX_BOOL;
  case SHMX_RULE_CHOICE: return i == 0 ? SHMX_BOOL : dtype;
  case SHMX_RULE_COMPARISON: return shmx_compared_operand(i, dtype);
  default: return dtype;
  }
}

enum shmx_dtype shmx_op_result(enum shmx_op op, enum shmx_dtype dtype) {
  switch (infos[op].rule) {
  case SHMX_RULE_FLOAT: return shmx_promote_float(dtype);
  case SHMX_RULE_COMPARISON:
  case SHMX_RULE_LOGIC:
  case SHMX_RULE_TEST: return SHMX_BOOL;
  default: return dtype;
  }
}

static shmx_op_kernel *find(enum shmx_op op, enum shmx_dtype dtype, enum shmx_level level) {
  const int i = (int)op, of = (int)shmx_op_operand(op, 1, dtype);
  if (i >= SHMX_MATHS_FIRST) return shmx_maths_at(level)->kernel[i - SHMX_MATHS_FIRST][of];
  if (i >= SHMX_UNARY_FIRST) return shmx_unary_at(level)->kernel[i - SHMX_UNARY_FIRST][of];
  if (i >= SHMX_BIT_FIRST) return shmx_bits_at(level)->kernel[i - SHMX_BIT_FIRST][of];
  if (i >= SHMX_COMPARISON_FIRST) return shmx_comparison_at(level)->kernel[i - SHMX_COMPARISON_FIRST][dtype];
  if (i >= SHMX_DIVISION_FIRST) return shmx_division_at(level)->kernel[i - SHMX_DIVISION_FIRST][of];
  return shmx_arithmetic_at(level)->kernel[i - SHMX_ARITHMETIC_FIRST][of];
}

shmx_op_kernel *shmx_op_find(enum shmx_op op, enum shmx_dtype dtype) { return find(op, dtype, shmx_level()); }

shmx_op_kernel *shmx_op_find_for(enum shmx_op op, enum shmx_dtype dtype, int64_t bytes) {
  return find(op, dtype, shmx_level_for(bytes));
}
