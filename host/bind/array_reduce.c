/* SPDX-License-Identifier: MIT */
/*
 * The reductions (array/reduce.h) as methods: a:sum([axis] [, {axis =, keepdims =, out =}]).
 *
 * All of them are one C function, whose second upvalue says which it is. What is reduced to one element is a number or
 * boolean, unless it has to be an array because of keepdims or out.
 */
#include "array/reduce.h"

#include "bind/array_element.h"
#include "bind/array_options.h"

enum { AXIS = 2, OPTIONS = 3 };

/* Brings the arguments to their places: the axis or nil, and the options or nil. */
static void sort_arguments(lua_State *L, bool with_ddof) {
  static const char *const names[] = {"axis", "keepdims", "out", NULL};
  static const char *const names_of_variances[] = {"axis", "keepdims", "out", "ddof", NULL};
  if (lua_istable(L, AXIS)) {
    lua_pushnil(L);
    lua_insert(L, AXIS);
  }
  shmx_options_check(L, OPTIONS, with_ddof ? names_of_variances : names);
  if (lua_isnil(L, AXIS) && shmx_options_find(L, OPTIONS, "axis")) lua_replace(L, AXIS);
}

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

/* Some reductions of nothing have no result. */
static void check_elements(lua_State *L, const struct shmx_reduce *call) {
  const char *name = lua_tostring(L, lua_upvalueindex(1));
  switch (call->reduction) {
  case SHMX_REDUCE_MIN:
  case SHMX_REDUCE_MAX:
  case SHMX_REDUCE_ARGMIN:
  case SHMX_REDUCE_ARGMAX: break;
  default: return;
  }
  if (call->axis < 0 && shmx_view_count(&call->in) == 0) luaL_error(L, "an empty array has no %s", name);
  if (call->axis >= 0 && call->in.shape[call->axis] == 0) {
    luaL_error(L, "there is no %s along axis %d, which has no elements", name, call->axis + 1);
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
  struct shmx_view dense;
  enum shmx_dtype dtype = shmx_reduce_dtype(call->reduction, call->in.dtype);
  int ndim = shape->ndim > 0 ? shape->ndim : 1;
  shmx_view_init(&dense, dtype, ndim, shape->ndim > 0 ? shape->shape : &(int64_t){1});
  struct shmx_array *out = shmx_array_out(L, OPTIONS, &dense, 1);
  call->in = shmx_array_check(L, 1)->view;
  call->out = out->view;
  if (keepdims && call->axis >= 0 && ndim > 1) shmx_view_drop(&call->out, call->axis, 0);
  shmx_reduce_run(call);
  return 1;
}

static int array_reduce(lua_State *L) {
  struct shmx_reduce call = {.reduction = (enum shmx_reduction)lua_tointeger(L, lua_upvalueindex(2)), .axis = -1};
  call.in = shmx_array_check(L, 1)->view;
  if (lua_gettop(L) == 1) {
    check_elements(L, &call);
    return reduce_to_number(L, &call);
  }
  sort_arguments(L, call.reduction == SHMX_REDUCE_VAR || call.reduction == SHMX_REDUCE_STD);
  if (!lua_isnil(L, AXIS)) call.axis = shmx_array_check_axis(L, AXIS, AXIS, call.in.ndim);
  call.ddof = shmx_options_number(L, OPTIONS, "ddof", 0);
  bool keepdims = shmx_options_boolean(L, OPTIONS, "keepdims");
  struct shmx_view shape = result_shape(&call.in, call.axis, keepdims);
  check_elements(L, &call);
  bool to_array = shape.ndim > 0 || shmx_options_find(L, OPTIONS, "out");
  return to_array ? reduce_to_array(L, &call, &shape, keepdims) : reduce_to_number(L, &call);
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
}
