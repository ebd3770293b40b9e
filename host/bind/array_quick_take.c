/* SPDX-License-Identifier: MIT */
/*
 * The usual a:take in few steps: the array and what chooses are contiguous, positions are i64 and count all elements, a
 * mask has the array's shape, and the result is new or goes to a contiguous array of the same dtype that shares no bytes
 * with the others.
 *
 * What is not like that, mistakes included, is left to array_select.c, with the stack as it was.
 */
#include "array/broadcast.h"
#include "array/select.h"
#include "bind/array_options.h"
#include "bind/process.h"

enum { ARRAY = 1, CHOICE, OPTIONS };

struct quick {
  const struct shmx_array *in, *choice;
  bool clip;               /* the option `mode` is "clip" */
  struct shmx_view result; /* its dtype and shape */
};

static bool is_dense(const struct shmx_array *array) {
  return array && array->view.data && shmx_view_is_contiguous(&array->view);
}

static bool describe_result(struct quick *q) {
  const struct shmx_view *in = &q->in->view, *choice = &q->choice->view;
  if (shmx_view_count(in) == 0) return false;
  if (choice->dtype == SHMX_I64) return shmx_view_init(&q->result, in->dtype, choice->ndim, choice->shape) == 0;
  if (choice->dtype != SHMX_BOOL || !shmx_view_same_shape(choice, in)) return false;
  return shmx_view_init(&q->result, in->dtype, 1, &(int64_t){shmx_mask_count(choice)}) == 0;
}

/* Whether the result may go there. An array that exists is not written to before all positions have been checked,
 * unless they are clipped. */
static bool may_write(const struct quick *q, const struct shmx_array *out) {
  const struct shmx_view *in = &q->in->view, *choice = &q->choice->view;
  int64_t bad;
  if (!is_dense(out) || out->view.dtype != q->result.dtype || out->segment->read_only) return false;
  if (!shmx_view_same_shape(&out->view, &q->result)) return false;
  if (shmx_view_overlaps(&out->view, in) || shmx_view_overlaps(&out->view, choice)) return false;
  if (choice->dtype == SHMX_BOOL) return !q->clip;
  return q->clip || shmx_positions_check(choice, shmx_view_count(in), &bad) == 0;
}

static bool run(const struct quick *q, const struct shmx_array *out) {
  const struct shmx_view *in = &q->in->view, *choice = &q->choice->view;
  const int64_t unit = shmx_dtype_size(in->dtype);
  if (choice->dtype == SHMX_BOOL) {
    shmx_mask_take(&out->view, in, choice);
    return true;
  }
  bool right = shmx_take_run(&(struct shmx_take){.out = out->view.data,
                                                 .in = in->data,
                                                 .outer = 1,
                                                 .size = shmx_view_count(in),
                                                 .inner = unit,
                                                 .step = unit,
                                                 .dtype = in->dtype,
                                                 .positions = choice});
  return right || q->clip;
}

bool shmx_array_take_quickly(lua_State *L) {
  int top = lua_gettop(L);
  if (top < CHOICE || top > OPTIONS) return false;
  struct quick q = {.in = shmx_array_test(L, ARRAY), .choice = shmx_array_test(L, CHOICE)};
  if (!is_dense(q.in) || !is_dense(q.choice) || !describe_result(&q)) return false;
  shmx_check_process(L);
  const struct shmx_array *out =
      top == OPTIONS ? shmx_options_quick_out(L, OPTIONS, &q.clip) : shmx_array_new(L, &q.result, 0);
  bool ready = out && (top < OPTIONS || may_write(&q, out));
  /* Making an array may have run finalizers, and these may have closed another one. */
  if (ready && q.in->view.data && q.choice->view.data && run(&q, out)) return true;
  lua_settop(L, top);
  return false;
}
