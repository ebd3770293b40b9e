/* SPDX-License-Identifier: MIT */
/*
 * Fused expressions: a program computes an expression of some inputs for a block of elements at a time, so that nothing
 * in between leaves the cache.
 *
 * A program is a list of values, each of which is an input, an index, a constant, or computed by a kernel from values
 * before it; it has no jumps. It computes as Lua does: in i64, f64 and bool. What Lua refuses (an integer divisor of 0, a
 * result that the target cannot hold) is not computed: the block is given back, for Lua to do it.
 */
#ifndef SHMX_ARRAY_PROGRAM_H
#define SHMX_ARRAY_PROGRAM_H

#include "array/cast.h"
#include "array/op.h"
#include "array/view.h"

enum { SHMX_PROGRAM_VALUES = 64, SHMX_PROGRAM_INPUTS = 8, SHMX_PROGRAM_BUFFERS = 16, SHMX_PROGRAM_BLOCK = 512 };

struct shmx_value {
  enum { SHMX_VALUE_INPUT, SHMX_VALUE_INDEX, SHMX_VALUE_CONSTANT, SHMX_VALUE_COMPUTED, SHMX_VALUE_CAST } origin;
  enum shmx_dtype dtype; /* i64, f64 or bool */
  bool uniform;          /* the same for the whole block */
  bool divides;          /* integers, by its second operand */
  int number;            /* of the input, or of the dimension that it is the index in */
  uint64_t constant;     /* its bits */
  shmx_op_kernel *kernel;
  shmx_cast_row *cast;
  int operands;
  int operand[SHMX_OP_MAX_OPERANDS];
  int buffer; /* where a block of it is kept */
};

struct shmx_program {
  int nvalues;
  struct shmx_value value[SHMX_PROGRAM_VALUES];
  int result;
};

/* A block of up to SHMX_PROGRAM_BLOCK elements. */
struct shmx_block {
  int64_t count;
  const char *in[SHMX_PROGRAM_INPUTS];
  int64_t in_stride[SHMX_PROGRAM_INPUTS];
  enum shmx_dtype in_dtype[SHMX_PROGRAM_INPUTS];
  int64_t index[SHMX_MAX_NDIM]; /* of the first element; the one that is not uniform counts up */
  int ndim;
  char *out;
  int64_t out_stride;
  enum shmx_dtype out_dtype;
};

/* These add a value and return its number; or -1 when there are too many values, or the operation is not defined for its
 * operands. */
int shmx_program_input(struct shmx_program *program, int number, enum shmx_dtype dtype);
int shmx_program_index(struct shmx_program *program, int dimension, bool uniform);
int shmx_program_constant(struct shmx_program *program, enum shmx_dtype dtype, uint64_t bits);
int shmx_program_apply(struct shmx_program *program, enum shmx_op op, const int *operands);
int shmx_program_convert(struct shmx_program *program, int value, enum shmx_dtype dtype);

/* Ends the program with its result. False when it needs more buffers than there are. */
bool shmx_program_finish(struct shmx_program *program, int result);

/* Computes a block; false, with nothing written, when Lua has to do it. */
bool shmx_program_run(const struct shmx_program *program, const struct shmx_block *block);

#endif
