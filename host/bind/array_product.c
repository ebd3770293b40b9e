/* SPDX-License-Identifier: MIT */
/*
 * Products of vectors and matrices (array/matmul.h) as methods: a:dot(b) and a:matmul(b [, {out =}]), with NumPy's rules:
 * dimensions before the last two are broadcast, and a vector is a row on the left and a column on the right.
 */
#include "array/matmul.h"

#include <string.h>

#include "array/broadcast.h"
#include "array/promote.h"
#include "bind/array_element.h"
#include "bind/array_options.h"

enum { OPTIONS = 3 };

/* The factors as matrices that go together, as far as their shapes are concerned. */
struct factors {
  struct shmx_view a, b;
  bool row, column;        /* `a` or `b` is a vector */
  enum shmx_dtype dtype;   /* of the result */
  struct shmx_view result; /* its shape, with the vectors' dimensions of 1 */
};

static void check_factor(lua_State *L) {
  shmx_array_check(L, 1);
  if (!shmx_array_test(L, 2)) {
    shmx_array_bad_argument(L, 2, "an array is expected, got %s", shmx_array_describe(L, 2));
  }
  shmx_array_check(L, 2);
}

static int refuse_shapes(lua_State *L) {
  return luaL_error(L, "bad shapes to '%s' (%s and %s do not go together)", lua_tostring(L, lua_upvalueindex(1)),
                    shmx_array_push_shape(L, &shmx_array_check(L, 1)->view),
                    shmx_array_push_shape(L, &shmx_array_check(L, 2)->view));
}

/* A number, the product of two vectors; or the array in the option `out`, which gets it. */
static int multiply_vectors(lua_State *L) {
  struct shmx_view a = shmx_array_check(L, 1)->view, b = shmx_array_check(L, 2)->view;
  enum shmx_dtype dtype = shmx_dot_dtype(shmx_promote(a.dtype, b.dtype));
  uint64_t result = 0;
  struct shmx_view number = {&result, dtype, 1, {1}, {shmx_dtype_size(dtype)}};
  if (a.shape[0] != b.shape[0]) return refuse_shapes(L);
  struct shmx_array *out = shmx_array_find_out(L, OPTIONS, &number, 0);
  shmx_dot_run(&result, dtype, &a, &b);
  if (out) shmx_kernel_copy(&out->view, &number);
  else shmx_element_push(L, dtype, &result);
  return 1;
}

/* Makes a matrix of a vector: a row, or a column. */
static void widen(struct shmx_view *view, bool row) {
  int at = row ? 0 : 1;
  view->shape[1 - at] = view->shape[0];
  view->strides[1 - at] = view->strides[0];
  view->shape[at] = 1;
  view->strides[at] = shmx_dtype_size(view->dtype);
  view->ndim = 2;
}

/* A view's dimensions before the last two, at least one. */
static struct shmx_view leading(const struct shmx_view *view) {
  struct shmx_view lead = *view;
  if (view->ndim == 2) lead.shape[0] = 1, lead.strides[0] = 0;
  lead.ndim = view->ndim == 2 ? 1 : view->ndim - 2;
  return lead;
}

/* Reads the factors at stack indices 1 and 2; raises when their shapes do not go together. */
static struct factors read_factors(lua_State *L) {
  struct factors f = {.a = shmx_array_check(L, 1)->view, .b = shmx_array_check(L, 2)->view};
  f.dtype = shmx_promote(f.a.dtype, f.b.dtype);
  f.row = f.a.ndim == 1, f.column = f.b.ndim == 1;
  if (f.row) widen(&f.a, true);
  if (f.column) widen(&f.b, false);
  struct shmx_view lead = leading(&f.a), other = leading(&f.b);
  if (f.a.shape[f.a.ndim - 1] != f.b.shape[f.b.ndim - 2] || !shmx_broadcast_shape(&lead, &other)) refuse_shapes(L);
  int ndim = f.a.ndim == 2 && f.b.ndim == 2 ? 0 : lead.ndim;
  int64_t shape[SHMX_MAX_NDIM];
  memcpy(shape, lead.shape, (size_t)ndim * sizeof shape[0]);
  shape[ndim] = f.a.shape[f.a.ndim - 2];
  shape[ndim + 1] = f.b.shape[f.b.ndim - 1];
  if (shmx_view_init(&f.result, f.dtype, ndim + 2, shape) != 0) refuse_shapes(L);
  return f;
}

/* Repeats a factor along the dimensions of the result before the last two. */
static struct shmx_view repeat(const struct shmx_view *factor, const struct shmx_view *result) {
  struct shmx_view view = *result, lead = leading(factor), wanted = leading(result);
  int ndim = result->ndim - 2;
  if (ndim > 0) shmx_broadcast_to(&lead, &wanted);
  memcpy(view.strides, lead.strides, (size_t)ndim * sizeof lead.strides[0]);
  for (int d = 0; d < 2; d++) {
    view.shape[ndim + d] = factor->shape[factor->ndim - 2 + d];
    view.strides[ndim + d] = factor->strides[factor->ndim - 2 + d];
  }
  view.data = factor->data;
  view.dtype = factor->dtype;
  return view;
}

/* The result as scripts see it: without the dimensions that a vector does not have. */
static struct shmx_view visible(const struct factors *f) {
  struct shmx_view shape = f->result;
  if (f->column) shmx_view_drop(&shape, shape.ndim - 1, 0);
  if (f->row) shmx_view_drop(&shape, shape.ndim - (f->column ? 1 : 2), 0);
  return shape;
}

/* Brings the factors to the dtype in which they are multiplied. */
static void convert(lua_State *L, enum shmx_dtype dtype) {
  for (int i = 1; i <= 2; i++) {
    if (shmx_array_check(L, i)->view.dtype != dtype) shmx_array_replace_by_copy(L, i, dtype);
  }
}

/* What was computed in a wider dtype becomes what the result is, before an `out` of a third dtype gets it. */
static void narrow(lua_State *L, int top, enum shmx_dtype dtype, enum shmx_dtype computed) {
  if (computed == dtype || shmx_array_check(L, top + 1)->view.dtype == dtype) return;
  shmx_array_replace_by_copy(L, top + 2, dtype);
}

static int array_matmul(lua_State *L) {
  static const char *const names[] = {"out", NULL};
  struct shmx_view shown, dense;
  check_factor(L);
  shmx_options_check(L, OPTIONS, names);
  if (shmx_array_check(L, 1)->view.ndim == 1 && shmx_array_check(L, 2)->view.ndim == 1) return multiply_vectors(L);
  struct factors f = read_factors(L);
  enum shmx_dtype dtype = f.dtype, computed = shmx_matmul_dtype(dtype);
  shown = visible(&f);
  shmx_view_init(&dense, dtype, shown.ndim, shown.shape);
  convert(L, computed);
  int top = lua_gettop(L);
  struct shmx_array *out = shmx_array_out_dense(L, OPTIONS, &dense, 2);
  if (out->view.dtype != computed) {
    shmx_view_init(&dense, computed, shown.ndim, shown.shape);
    if (lua_gettop(L) == top + 2) lua_settop(L, top + 1);
    out = shmx_array_new(L, &dense, 0);
  }
  f = read_factors(L);
  f.result.data = out->view.data;
  struct shmx_view a = repeat(&f.a, &f.result), b = repeat(&f.b, &f.result);
  f.result.dtype = computed;
  if (shmx_matmul_run(&f.result, &a, &b) != 0) return luaL_error(L, "not enough memory to multiply");
  narrow(L, top, dtype, computed);
  shmx_array_deliver(L, top);
  return 1;
}

/* a:dot(b): the same, but for arrays of at most two dimensions, for which NumPy's dot and matmul agree. */
static int array_dot(lua_State *L) {
  check_factor(L);
  if (shmx_array_check(L, 1)->view.ndim > 2 || shmx_array_check(L, 2)->view.ndim > 2) {
    return luaL_error(L, "dot takes vectors and matrices; matmul takes arrays of more dimensions");
  }
  return array_matmul(L);
}

const luaL_Reg shmx_array_product_methods[] = {{"dot", array_dot}, {"matmul", array_matmul}, {NULL, NULL}};
