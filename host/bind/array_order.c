/* SPDX-License-Identifier: MIT */
/*
 * Methods that go along an axis and give an array of the same shape, or nearly: sort, argsort, cumsum, cumprod, diff.
 *
 * The axis is the last one unless it is given; running sums and products go through all elements in index order then.
 */
#include <errno.h>
#include <string.h>

#include "array/elementwise.h"
#include "array/scan.h"
#include "bind/array_options.h"

enum { AXIS = 2, OPTIONS = 3 };

void shmx_array_sort(lua_State *L, const struct shmx_sort *sort) {
  switch (shmx_sort_run(sort)) {
  case 0: return;
  case -EFBIG: luaL_error(L, "more than 2^32 - 1 elements along one axis cannot be sorted"); break;
  default: luaL_error(L, "not enough memory to sort %I elements", (LUAI_UACINT)sort->in->shape[sort->axis]);
  }
}

static int sort(lua_State *L, bool positions) {
  static const char *const names[] = {"axis", "descending", "out", NULL};
  int axis = shmx_options_read_axis(L, AXIS, names, shmx_array_check(L, 1)->view.ndim);
  bool descending = shmx_options_boolean(L, OPTIONS, "descending");
  struct shmx_view in = shmx_array_check(L, 1)->view, dense;
  enum shmx_dtype result = positions ? SHMX_I64 : in.dtype;
  shmx_array_dense(L, &dense, result, &in);
  struct shmx_array *out = shmx_array_out_as(L, OPTIONS, &dense, 1, SHMX_OUT_EXACT | SHMX_OUT_IN_PLACE);
  in = shmx_array_check(L, 1)->view;
  shmx_array_sort(L, &(struct shmx_sort){&in, &out->view, axis < 0 ? in.ndim - 1 : axis, descending, positions});
  return 1;
}

static int array_sort(lua_State *L) { return sort(L, false); }

static int array_argsort(lua_State *L) { return sort(L, true); }

void shmx_array_flatten(lua_State *L) {
  struct shmx_view dense, view = shmx_array_check(L, 1)->view;
  int64_t count = shmx_view_count(&view);
  int top = lua_gettop(L);
  if (view.ndim == 1) return;
  struct shmx_array *flat = shmx_array_share(L, 1);
  if (shmx_view_reshape(&flat->view, 1, &count) != 0) {
    shmx_view_init(&dense, view.dtype, view.ndim, view.shape);
    flat = shmx_array_new(L, &dense, 0);
    shmx_kernel_copy(&flat->view, &shmx_array_check(L, 1)->view);
    shmx_view_reshape(&flat->view, 1, &count);
  }
  lua_replace(L, 1);
  lua_settop(L, top);
}

static int scan(lua_State *L, enum shmx_scan scan) {
  static const char *const names[] = {"axis", "out", NULL};
  int axis = shmx_options_read_axis(L, AXIS, names, shmx_array_check(L, 1)->view.ndim);
  if (axis < 0) shmx_array_flatten(L);
  struct shmx_view in = shmx_array_check(L, 1)->view, dense;
  shmx_array_dense(L, &dense, shmx_scan_dtype(in.dtype), &in);
  struct shmx_array *out = shmx_array_out_as(L, OPTIONS, &dense, 1, SHMX_OUT_IN_PLACE);
  in = shmx_array_check(L, 1)->view;
  shmx_scan_run(scan, &out->view, &in, axis < 0 ? 0 : axis);
  return 1;
}

static int array_cumsum(lua_State *L) { return scan(L, SHMX_SCAN_SUM); }

static int array_cumprod(lua_State *L) { return scan(L, SHMX_SCAN_PROD); }

/* a:diff([axis]): each element less the one before it; of bools whether they differ. */
static int array_diff(lua_State *L) {
  static const char *const names[] = {"axis", "out", NULL};
  int axis = shmx_options_read_axis(L, AXIS, names, shmx_array_check(L, 1)->view.ndim);
  struct shmx_view in = shmx_array_check(L, 1)->view, dense;
  if (axis < 0) axis = in.ndim - 1;
  int64_t shape[SHMX_MAX_NDIM], count = in.shape[axis] > 0 ? in.shape[axis] - 1 : 0;
  memcpy(shape, in.shape, sizeof shape);
  shape[axis] = count;
  shmx_view_init(&dense, in.dtype, in.ndim, shape);
  struct shmx_array *out = shmx_array_out(L, OPTIONS, &dense, 1);
  in = shmx_array_check(L, 1)->view;
  struct shmx_elementwise work = {
      .op = in.dtype == SHMX_BOOL ? SHMX_OP_NE : SHMX_OP_SUB, .dtype = in.dtype, .out = out->view, .in = {in, in}};
  shmx_view_slice(&work.in[0], axis, 1, count, 1);
  shmx_view_slice(&work.in[1], axis, 0, count, 1);
  shmx_elementwise_run(&work);
  return 1;
}

const luaL_Reg shmx_array_order_methods[] = {{"sort", array_sort},     {"argsort", array_argsort},
                                             {"cumsum", array_cumsum}, {"cumprod", array_cumprod},
                                             {"diff", array_diff},     {NULL, NULL}};
