/* SPDX-License-Identifier: MIT */
/* The tables of kernels that the files of each group of operations give away, for each level. */
#ifndef SHMX_ARRAY_OP_KERNELS_H
#define SHMX_ARRAY_OP_KERNELS_H

#include "array/level.h"
#include "array/op.h"

struct shmx_arithmetic {
  shmx_op_kernel *kernel[SHMX_ARITHMETIC_COUNT][SHMX_DTYPE_COUNT];
};
SHMX_EACH_LEVEL(struct shmx_arithmetic, shmx_arithmetic)

struct shmx_division {
  shmx_op_kernel *kernel[SHMX_DIVISION_COUNT][SHMX_DTYPE_COUNT];
};
SHMX_EACH_LEVEL(struct shmx_division, shmx_division)

struct shmx_comparison {
  shmx_op_kernel *kernel[SHMX_COMPARISON_COUNT][SHMX_COMPARED_COUNT];
};
SHMX_EACH_LEVEL(struct shmx_comparison, shmx_comparison)

struct shmx_bits {
  shmx_op_kernel *kernel[SHMX_BIT_COUNT][SHMX_DTYPE_COUNT];
};
SHMX_EACH_LEVEL(struct shmx_bits, shmx_bits)

struct shmx_unary {
  shmx_op_kernel *kernel[SHMX_UNARY_COUNT][SHMX_DTYPE_COUNT];
};
SHMX_EACH_LEVEL(struct shmx_unary, shmx_unary)

struct shmx_maths {
  shmx_op_kernel *kernel[SHMX_MATHS_COUNT][SHMX_DTYPE_COUNT];
};
SHMX_EACH_LEVEL(struct shmx_maths, shmx_maths)

#endif
