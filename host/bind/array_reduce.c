/* SPDX-License-Identifier: MIT */
/*
 * The reductions (array/reduce.h) as methods: a:sum([axis] [, {axis =, keepdims =, out =}]); and a:minmax (array/minmax.h),
 * which has two results and no `out`.
 *
 * The others are one C function, whose second upvalue says which it is. What is reduced to one element is a number or
 * boolean, unless it has to be an array because of keepdims or out.
 */
#include "array/reduce.h"

#include "array/minmax.h"
#include "bind/array_element.h"
#include "bind/array_options.h"

enum { AXIS = 2, OPTIONS = 3 };

/* The shape of the result; its ndim is 0 if it is a single element. */
static struct shmx_view result_shape(const struct shmx_view *in, int axis, bool keepdims) {
  struct shmx_view shape = *in;
  if (keepdims) {
    for (int d = 0; d < in->ndim; d++) shape.shape[d] = axis < 0 || d == axis ? 1 : in->shape[d];
  } else if (axis < 0 || in->ndim == 1) {
    shape.ndim = 0;
  } else {
    shmx_view_drop(&shape, axis, 0);
  }
  return shape;
}

/* Of nothing there is no least and no greatest element. */
static void check_elements(lua_State *L, const struct shmx_view *in, int axis) {
  const char *name = lua_tostring(L, lua_upvalueindex(1));
  if (axis < 0 && shmx_view_count(in) == 0) luaL_error(L, "an empty array has no %s", name);
  if (axis >= 0 && in->shape[axis] == 0) {
    luaL_error(L, "there is no %s along axis %d, which has no elements", name, axis + 1);
  }
}

static bool needs_elements(enum shmx_reduction reduction) {
  switch (reduction) {
  case SHMX_REDUCE_MIN:
  case SHMX_REDUCE_MAX:
  case SHMX_REDUCE_ARGMIN:
  case SHMX_REDUCE_ARGMAX: return true;
  default: return false;
  }
}

/* Scripts compute with f64, so a number is not rounded to f32. */
static int reduce_to_number(lua_State *L, struct shmx_reduce *call) {
  uint64_t element = 0;
  enum shmx_dtype dtype = shmx_reduce_dtype(call->reduction, call->in.dtype);
  bool computed = call->reduction != SHMX_REDUCE_MIN && call->reduction != SHMX_REDUCE_MAX;
  if (dtype == SHMX_F32 && computed) dtype = SHMX_F64;
  call->out = (struct shmx_view){&element, dtype, 1, {1}, {shmx_dtype_size(dtype)}};
  shmx_reduce_run(call);
  shmx_element_push(L, dtype, &element);
  return 1;
}

static int reduce_to_array(lua_State *L, struct shmx_reduce *call, const struct shmx_view *shape, bool keepdims) {
  static const struct shmx_view one = {.ndim = 1, .shape = {1}};
  struct shmx_view dense;
  enum shmx_dtype dtype = shmx_reduce_dtype(call->reduction, call->in.dtype);
  shmx_array_dense(L, &dense, dtype, shape->ndim > 0 ? shape : &one);
  struct shmx_array *out = shmx_array_out(L, OPTIONS, &dense, 1);
  call->in = shmx_array_check(L, 1)->view;
  call->out = out->view;
  if (keepdims && call->axis >= 0 && dense.ndim > 1) shmx_view_drop(&call->out, call->axis, 0);
  shmx_reduce_run(call);
  return 1;
}

static int array_reduce(lua_State *L) {
  static const char *const names[] = {"axis", "keepdims", "out", NULL};
  static const char *const names_of_variances[] = {"axis", "keepdims", "out", "ddof", NULL};
  struct shmx_reduce call = {.reduction = (enum shmx_reduction)lua_tointeger(L, lua_upvalueindex(2)), .axis = -1};
  bool plain = lua_gettop(L) == 1, is_variance = call.reduction == SHMX_REDUCE_VAR || call.reduction == SHMX_REDUCE_STD;
  call.in = shmx_array_check(L, 1)->view;
  if (!plain) call.axis = shmx_options_read_axis(L, AXIS, is_variance ? names_of_variances : names, call.in.ndim);
  if (needs_elements(call.reduction)) check_elements(L, &call.in, call.axis);
  if (plain) return reduce_to_number(L, &call);
  call.ddof = shmx_options_number(L, OPTIONS, "ddof", 0);
  bool keepdims = shmx_options_boolean(L, OPTIONS, "keepdims");
  struct shmx_view shape = result_shape(&call.in, call.axis, keepdims);
  bool to_array = shape.ndim > 0 || shmx_options_find(L, OPTIONS, "out");
  return to_array ? reduce_to_array(L, &call, &shape, keepdims) : reduce_to_number(L, &call);
}

static int minmax_to_numbers(lua_State *L, struct shmx_minmax *call) {
  uint64_t least, greatest;
  call->least = &least, call->greatest = &greatest;
  shmx_minmax_find(call);
  shmx_element_push(L, call->in.dtype, &least);
  shmx_element_push(L, call->in.dtype, &greatest);
  return 2;
}

static int minmax_to_arrays(lua_State *L, struct shmx_minmax *call, const struct shmx_view *shape) {
  struct shmx_view dense;
  shmx_array_dense(L, &dense, shape->dtype, shape);
  call->least = shmx_array_new(L, &dense, 0)->view.data;
  call->greatest = shmx_array_new(L, &dense, 0)->view.data;
  call->in = shmx_array_check(L, 1)->view;
  shmx_minmax_find(call);
  return 2;
}

/* a:minmax([axis] [, {axis =, keepdims =}]): what a:min and a:max give. */
static int array_minmax(lua_State *L) {
  static const char *const names[] = {"axis", "keepdims", NULL};
  struct shmx_minmax call = {.in = shmx_array_check(L, 1)->view, .axis = -1};
  bool plain = lua_gettop(L) == 1;
  if (!plain) call.axis = shmx_options_read_axis(L, AXIS, names, call.in.ndim);
  check_elements(L, &call.in, call.axis);
  if (plain) return minmax_to_numbers(L, &call);
  struct shmx_view shape = result_shape(&call.in, call.axis, shmx_options_boolean(L, OPTIONS, "keepdims"));
  return shape.ndim > 0 ? minmax_to_arrays(L, &call, &shape) : minmax_to_numbers(L, &call);
}

void shmx_array_add_reductions(lua_State *L) {
  static const char *const names[] = {"sum",  "prod", "min", "max",    "any",   "all",
                                      "mean", "var",  "std", "argmin", "argmax"};
  _Static_assert(sizeof names / sizeof names[0] == SHMX_REDUCE_COUNT, "a name for each reduction");
  for (int i = 0; i < SHMX_REDUCE_COUNT; i++) {
    lua_pushstring(L, names[i]);
    lua_pushinteger(L, i);
    lua_pushcclosure(L, array_reduce, 2);
    lua_setfield(L, -2, names[i]);
  }
  lua_pushliteral(L, "minmax");
  lua_pushcclosure(L, array_minmax, 1);
  lua_setfield(L, -2, "minmax");
}
