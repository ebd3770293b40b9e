/* SPDX-License-Identifier: MIT */
/* Comparing whole views: see array/equal.h. Both are gathered block by block into buffers. */
#include "array/equal.h"

#include <math.h>

#include "array/cast.h"
#include "array/loop.h"
#include "array/op.h"

enum { BLOCK = 512, WIDEST = 8 /* bytes of an element */ };

typedef bool block_test(const void *a, const void *b, int64_t count, const void *context);

/* Whether all blocks of elements, which are compared in that dtype or pair, pass the test. */
static bool test_all(const struct shmx_view *a, const struct shmx_view *b, enum shmx_dtype compared, block_test *test,
                     const void *context) {
  _Alignas(64) char x[BLOCK * WIDEST], y[BLOCK * WIDEST];
  enum shmx_dtype as = shmx_compared_operand(0, compared), bs = shmx_compared_operand(1, compared);
  shmx_cast_row *cast_a = shmx_casts()->row[as][a->dtype], *cast_b = shmx_casts()->row[bs][b->dtype];
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, a, b)) return true;
  do {
    for (int64_t first = 0; first < loop.count; first += BLOCK) {
      int64_t count = loop.count - first < BLOCK ? loop.count - first : BLOCK;
      cast_a(x, shmx_dtype_size(as), loop.data[0] + first * loop.stride[0], loop.stride[0], count);
      cast_b(y, shmx_dtype_size(bs), loop.data[1] + first * loop.stride[1], loop.stride[1], count);
      if (!test(x, y, count, context)) return false;
    }
  } while (shmx_loop_next(&loop));
  return true;
}

static bool equal_block(const void *a, const void *b, int64_t count, const void *context) {
  shmx_op_kernel *kernel = *(shmx_op_kernel *const *)context;
  shmx_bool same[BLOCK], all = 1;
  kernel(same, (const void *const[]){a, b}, count, 0);
  for (int64_t i = 0; i < count; i++) all &= same[i];
  return all;
}

bool shmx_view_equal(const struct shmx_view *a, const struct shmx_view *b) {
  enum shmx_dtype compared = shmx_promote_compared(a->dtype, b->dtype);
  shmx_op_kernel *kernel = shmx_op_find(SHMX_OP_EQ, compared);
  return test_all(a, b, compared, equal_block, &kernel);
}

static bool near(double x, double y, const struct shmx_tolerance *tolerance) {
  if (x == y) return true;
  if (isnan(x) || isnan(y)) return tolerance->nan_equals_nan && isnan(x) && isnan(y);
  return isfinite(x) && isfinite(y) && fabs(x - y) <= tolerance->absolute + tolerance->relative * fabs(y);
}

static bool close_block(const void *a, const void *b, int64_t count, const void *context) {
  const double *x = a, *y = b;
  for (int64_t i = 0; i < count; i++) {
    if (!near(x[i], y[i], context)) return false;
  }
  return true;
}

bool shmx_view_close(const struct shmx_view *a, const struct shmx_view *b, const struct shmx_tolerance *tolerance) {
  return test_all(a, b, SHMX_F64, close_block, tolerance);
}
