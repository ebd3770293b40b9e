/* SPDX-License-Identifier: MIT */
/* Elementwise operations over views: see array/elementwise.h. */
#include "array/elementwise.h"

#include <errno.h>

#include "array/cast.h"
#include "array/loop.h"
#include "array/stream.h"

enum { BLOCK = 512, MAX_VIEWS = SHMX_OP_MAX_OPERANDS + 1, WIDEST = 8 /* bytes of an element */ };

/* What there is to do for each row. View 0 is the result, the others are the operands. */
struct plan {
  shmx_op_kernel *kernel;
  int nviews;
  enum shmx_dtype dtype[MAX_VIEWS]; /* in which the kernel wants it */
  shmx_cast_row *cast[MAX_VIEWS];   /* from or to the dtype of the view */
  int64_t stride[MAX_VIEWS];        /* of the view, along a row */
  bool staged[MAX_VIEWS];           /* goes through a buffer */
  unsigned uniform;                 /* bit i: operand i is the same all along a row */
  bool blocks;                      /* something is staged that is not uniform */
};

static void make_plan(struct plan *plan, const struct shmx_elementwise *call, const struct shmx_view *const *views,
                      const struct shmx_loop *loop) {
  plan->kernel = shmx_op_find(call->op, call->dtype);
  plan->nviews = loop->nviews;
  plan->uniform = 0;
  plan->blocks = false;
  for (int v = 0; v < loop->nviews; v++) {
    enum shmx_dtype own = views[v]->dtype;
    enum shmx_dtype wanted =
        v == 0 ? shmx_op_result(call->op, call->dtype) : shmx_op_operand(call->op, v - 1, call->dtype);
    bool uniform = v > 0 && (loop->stride[v] == 0 || loop->count == 1);
    plan->dtype[v] = wanted;
    plan->cast[v] = v == 0 ? shmx_casts()->row[own][wanted] : shmx_casts()->row[wanted][own];
    plan->stride[v] = loop->stride[v];
    plan->staged[v] = own != wanted || (!uniform && loop->stride[v] != shmx_dtype_size(own));
    if (uniform) plan->uniform |= 1U << (v - 1);
    if (plan->staged[v] && !uniform) plan->blocks = true;
  }
}

/* One block of a row, `count` elements from `first` on. */
static void run_block(const struct plan *plan, char *const *data, int64_t first, int64_t count) {
  _Alignas(64) char buffers[MAX_VIEWS][BLOCK * WIDEST];
  const void *in[SHMX_OP_MAX_OPERANDS];
  for (int v = 1; v < plan->nviews; v++) {
    bool uniform = plan->uniform >> (v - 1) & 1;
    const char *from = data[v] + (uniform ? 0 : first * plan->stride[v]);
    in[v - 1] = from;
    if (!plan->staged[v]) continue;
    plan->cast[v](buffers[v], shmx_dtype_size(plan->dtype[v]), from, plan->stride[v], uniform ? 1 : count);
    in[v - 1] = buffers[v];
  }
  char *to = data[0] + first * plan->stride[0];
  plan->kernel(plan->staged[0] ? buffers[0] : to, in, count, plan->uniform);
  if (plan->staged[0]) plan->cast[0](to, plan->stride[0], buffers[0], shmx_dtype_size(plan->dtype[0]), count);
}

static void run_row(const struct plan *plan, char *const *data, int64_t count) {
  int64_t step = plan->blocks ? BLOCK : count;
  for (int64_t first = 0; first < count; first += step) {
    run_block(plan, data, first, count - first < step ? count - first : step);
  }
}

/* Whether an element of an integer view is 0. */
static bool has_zero(const struct shmx_view *view) {
  shmx_cast_row *truth = shmx_casts()->row[SHMX_BOOL][view->dtype];
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, view, NULL)) return false;
  do {
    for (int64_t first = 0; first < loop.count; first += BLOCK) {
      shmx_bool block[BLOCK], all = 1;
      int64_t count = loop.stride[0] == 0 ? 1 : loop.count - first < BLOCK ? loop.count - first : BLOCK;
      truth((char *)block, 1, loop.data[0] + first * loop.stride[0], loop.stride[0], count);
      for (int64_t i = 0; i < count; i++) all &= block[i];
      if (!all) return true;
      if (loop.stride[0] == 0) break;
    }
  } while (shmx_loop_next(&loop));
  return false;
}

/* Whether all strides are 0. */
static bool is_repeated(const struct shmx_view *view) {
  for (int d = 0; d < view->ndim; d++) {
    if (view->strides[d] != 0) return false;
  }
  return true;
}

/* Operands that all lie as the kernel wants them. */
struct whole {
  shmx_op_kernel *kernel;
  int operands;
  const char *in[SHMX_OP_MAX_OPERANDS];
  int64_t size[SHMX_OP_MAX_OPERANDS]; /* of an element; 0 for one that goes with all */
  unsigned uniform;
};

static void make_piece(void *context, int64_t first, int64_t count, void *to) {
  const struct whole *w = context;
  const void *in[SHMX_OP_MAX_OPERANDS];
  for (int i = 0; i < w->operands; i++) in[i] = w->in[i] + first * w->size[i];
  w->kernel(to, in, count, w->uniform);
}

/* Only large results are made piece by piece; and not in place, since then their lines are in the cache already. */
void shmx_elementwise_whole(enum shmx_op op, enum shmx_dtype dtype, void *out, const void *const *in, unsigned uniform,
                            int64_t count) {
  struct whole w = {.operands = shmx_op_info(op)->operands, .uniform = uniform};
  int64_t size = shmx_dtype_size(shmx_op_result(op, dtype)), read = 0;
  bool apart = true;
  for (int i = 0; i < w.operands; i++) {
    w.in[i] = in[i];
    w.size[i] = uniform >> i & 1 ? 0 : shmx_dtype_size(shmx_op_operand(op, i, dtype));
    read += w.size[i];
    apart &= in[i] != out;
  }
  w.kernel = shmx_op_find_for(op, dtype, count * (size + read));
  if (apart && shmx_stream_suits(out, count, size, read)) {
    shmx_stream_run(out, count, size, make_piece, &w);
  } else {
    w.kernel(out, in, count, uniform);
  }
}

/* The usual case at the least cost. False if it is not that. */
static bool run_whole(const struct shmx_elementwise *call) {
  const void *in[SHMX_OP_MAX_OPERANDS];
  unsigned uniform = 0;
  const int operands = shmx_op_info(call->op)->operands;
  if (call->out.dtype != shmx_op_result(call->op, call->dtype) || !shmx_view_is_contiguous(&call->out)) return false;
  for (int i = 0; i < operands; i++) {
    if (call->in[i].dtype != shmx_op_operand(call->op, i, call->dtype)) return false;
    if (is_repeated(&call->in[i])) uniform |= 1U << i;
    else if (!shmx_view_is_contiguous(&call->in[i])) return false;
    in[i] = call->in[i].data;
  }
  shmx_elementwise_whole(call->op, call->dtype, call->out.data, in, uniform, shmx_view_count(&call->out));
  return true;
}

int shmx_elementwise_run(const struct shmx_elementwise *call) {
  const struct shmx_view *const views[] = {&call->out, &call->in[0], &call->in[1], &call->in[2]};
  struct shmx_loop loop;
  struct plan plan;
  if (shmx_view_count(&call->out) == 0) return 0;
  if (shmx_op_divides(call->op, call->dtype) && has_zero(&call->in[1])) return -EDOM;
  if (run_whole(call)) return 0;
  shmx_loop_begin(&loop, 1 + shmx_op_info(call->op)->operands, views);
  shmx_loop_lengthen(&loop, 4); /* rows of two or three are more work to begin than to do */
  make_plan(&plan, call, views, &loop);
  do run_row(&plan, loop.data, loop.count);
  while (shmx_loop_next(&loop));
  return 0;
}
