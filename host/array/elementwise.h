/* SPDX-License-Identifier: MIT */
/*
 * One elementwise operation over whole views.
 *
 * Kernels know contiguous rows of the dtype in which they compute, and nothing else. What lies otherwise goes block by
 * block through a buffer that stays in the cache: operands with gaps or of another dtype are gathered into one, results
 * are scattered from one. So there is no temporary array, whatever the operands.
 */
#ifndef SHMX_ARRAY_ELEMENTWISE_H
#define SHMX_ARRAY_ELEMENTWISE_H

#include "array/op.h"
#include "array/view.h"

struct shmx_elementwise {
  enum shmx_op op;
  enum shmx_dtype dtype;                     /* what the operands promote to, for which the operation is defined */
  struct shmx_view out;                      /* of any dtype */
  struct shmx_view in[SHMX_OP_MAX_OPERANDS]; /* of any dtype, with the shape of `out` (array/broadcast.h) */
};

/* Computes it. An operand must not conflict with `out` (shmx_view_conflicts). 0; or -EDOM, with nothing written: an
 * integer divisor is 0. */
int shmx_elementwise_run(const struct shmx_elementwise *call);

/* The same where everything lies as the kernel wants it: one element after another, in the dtypes in which the operation
 * computes. Bit i of `uniform` says that operand i is one element. No integer divisor is 0. */
void shmx_elementwise_whole(enum shmx_op op, enum shmx_dtype dtype, void *out, const void *const *in, unsigned uniform,
                            int64_t count);

#endif
