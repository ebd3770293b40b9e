/* SPDX-License-Identifier: MIT */
/*
 * Methods that choose elements by position or by mask (array/select.h): take, put and nonzero.
 *
 * A mask is an array of bools; anything else is positions.
 */
#include "array/select.h"

#include <string.h>

#include "array/broadcast.h"
#include "array/promote.h"
#include "bind/array_element.h"
#include "bind/array_options.h"

enum { CHOICE = 2, AXIS = 3, TAKE_OPTIONS = 4 };

/* The view of the array of positions, or the mask, at argument 2; raises for anything else. */
static struct shmx_view check_choice(lua_State *L) {
  const struct shmx_array *choice = shmx_array_test(L, CHOICE);
  if (!choice) {
    shmx_array_bad_argument(L, CHOICE, "an array of positions or a mask is expected, got %s",
                            shmx_array_describe(L, CHOICE));
  }
  struct shmx_view view = shmx_array_check(L, CHOICE)->view;
  if (shmx_dtype_is_float(view.dtype)) {
    shmx_array_bad_argument(L, CHOICE, "positions are integers, not %s", shmx_dtype_name(view.dtype));
  }
  return view;
}

static void check_positions(lua_State *L, const struct shmx_view *positions, int64_t size) {
  int64_t bad = 0, number = shmx_positions_check(positions, size, &bad);
  if (number == 0) return;
  shmx_array_bad_argument(L, CHOICE, "position %I, which is number %I, is out of range for %I element%s",
                          (LUAI_UACINT)bad, (LUAI_UACINT)number, (LUAI_UACINT)size, size == 1 ? "" : "s");
}

static void check_mask_shape(lua_State *L, const struct shmx_view *mask, const struct shmx_view *view) {
  if (shmx_view_same_shape(mask, view)) return;
  shmx_array_bad_argument(L, CHOICE, "the mask has the shape %s, the array %s", shmx_array_push_shape(L, mask),
                          shmx_array_push_shape(L, view));
}

/* The shape of `in` with `axis` replaced by the shape of the positions; without an axis, that shape alone. */
static void taken_shape(lua_State *L, const struct shmx_view *in, int axis, const struct shmx_view *positions,
                        struct shmx_view *dense) {
  int64_t shape[2 * SHMX_MAX_NDIM];
  int before = axis < 0 ? 0 : axis, after = axis < 0 ? 0 : in->ndim - axis - 1, n = positions->ndim;
  memcpy(shape, in->shape, (size_t)before * sizeof shape[0]);
  memcpy(shape + before, positions->shape, (size_t)n * sizeof shape[0]);
  memcpy(shape + before + n, in->shape + axis + 1, (size_t)after * sizeof shape[0]);
  if (shmx_view_init(dense, in->dtype, before + n + after, shape) == 0) return;
  luaL_error(L, "bad shapes to 'take' (the result of %s by %s is more than there can be)", shmx_array_push_shape(L, in),
             shmx_array_push_shape(L, positions));
}

static struct shmx_take describe_take(const struct shmx_view *in, int axis, const struct shmx_view *positions) {
  int64_t unit = shmx_dtype_size(in->dtype);
  struct shmx_take take = {.in = in->data, .outer = 1, .inner = unit, .dtype = in->dtype, .positions = positions};
  if (axis < 0 || in->ndim == 1) {
    take.size = shmx_view_count(in);
    take.step = in->ndim == 1 ? in->strides[0] : unit;
    return take;
  }
  for (int d = 0; d < axis; d++) take.outer *= in->shape[d];
  for (int d = axis + 1; d < in->ndim; d++) take.inner *= in->shape[d];
  take.size = in->shape[axis];
  take.step = take.inner;
  return take;
}

static bool has_out(lua_State *L) {
  bool given = shmx_options_find(L, TAKE_OPTIONS, "out");
  if (given) lua_pop(L, 1);
  return given;
}

/* Where the result goes to an array that exists, positions are checked before it is written to. A new one nobody sees, so
 * that they can be checked on the way. Those that are clipped need no check, but then there must be some element. */
static int take_positions(lua_State *L, int axis, bool clip) {
  struct shmx_view dense;
  struct shmx_view in = shmx_array_check(L, 1)->view;
  if (in.ndim > 1 && !shmx_view_is_contiguous(&in)) shmx_array_replace_by_copy(L, 1, in.dtype);
  in = shmx_array_check(L, 1)->view;
  struct shmx_view positions = check_choice(L);
  int64_t size = axis < 0 ? shmx_view_count(&in) : in.shape[axis];
  taken_shape(L, &in, axis, &positions, &dense);
  if (size == 0 || (!clip && (has_out(L) || shmx_view_count(&dense) == 0))) check_positions(L, &positions, size);
  int top = lua_gettop(L);
  struct shmx_array *out = shmx_array_out_dense(L, TAKE_OPTIONS, &dense, 2);
  in = shmx_array_check(L, 1)->view;
  positions = shmx_array_check(L, CHOICE)->view;
  struct shmx_take take = describe_take(&in, axis, &positions);
  take.out = out->view.data;
  if (shmx_view_count(&dense) > 0 && !shmx_take_run(&take) && !clip) check_positions(L, &positions, size);
  shmx_array_deliver(L, top);
  return 1;
}

/* Puts the positions of the true elements in place of a mask of one dimension. */
static void mask_to_positions(lua_State *L, const struct shmx_view *mask) {
  struct shmx_view dense;
  int64_t count = shmx_mask_count(mask);
  shmx_view_init(&dense, SHMX_I64, 1, &count);
  struct shmx_array *positions = shmx_array_new(L, &dense, 0);
  memset(positions->view.data, 0, (size_t)shmx_view_nbytes(&dense)); /* should there be fewer by now, that is noticed */
  struct shmx_view again = shmx_array_check(L, CHOICE)->view;
  shmx_mask_find(&again, (int64_t *[]){positions->view.data}, count);
  lua_replace(L, CHOICE);
}

/* The elements where the mask is true, as a vector. */
static int take_masked(lua_State *L) {
  struct shmx_view in = shmx_array_check(L, 1)->view, mask = check_choice(L), dense;
  check_mask_shape(L, &mask, &in);
  int64_t count = shmx_mask_count(&mask);
  shmx_view_init(&dense, in.dtype, 1, &count);
  int top = lua_gettop(L);
  struct shmx_array *out = shmx_array_out_dense(L, TAKE_OPTIONS, &dense, 2);
  in = shmx_array_check(L, 1)->view;
  mask = shmx_array_check(L, CHOICE)->view;
  if (count > 0) shmx_mask_take(&out->view, &in, &mask);
  shmx_array_deliver(L, top);
  return 1;
}

/* Whether the option `mode` is "clip": what is no position is then the nearest one. */
static bool check_mode(lua_State *L, bool is_mask) {
  if (!shmx_options_find(L, TAKE_OPTIONS, "mode")) return false;
  if (is_mask) shmx_options_fail(L, "mode", "it is for positions, not for a mask");
  const char *mode = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  bool clip = strcmp(mode, "clip") == 0;
  if (!clip && strcmp(mode, "raise") != 0) {
    shmx_options_fail(L, "mode", "\"raise\" or \"clip\" is expected, got %s", shmx_array_describe(L, -1));
  }
  lua_pop(L, 1);
  return clip;
}

/* a:take(positions | mask [, axis] [, {axis =, mode =, out =}]) */
static int array_take(lua_State *L) {
  static const char *const names[] = {"axis", "mode", "out", NULL};
  if (shmx_array_take_quickly(L)) return 1;
  struct shmx_view in = shmx_array_check(L, 1)->view;
  int axis = shmx_options_read_axis(L, AXIS, names, in.ndim);
  struct shmx_view choice = check_choice(L);
  bool clip = check_mode(L, choice.dtype == SHMX_BOOL);
  if (choice.dtype != SHMX_BOOL) return take_positions(L, axis, clip);
  if (axis < 0) return take_masked(L);
  if (choice.ndim != 1 || choice.shape[0] != in.shape[axis]) {
    return shmx_array_bad_argument(L, CHOICE, "the mask has the shape %s, axis %d has %I element%s",
                                   shmx_array_push_shape(L, &choice), axis + 1, (LUAI_UACINT)in.shape[axis],
                                   in.shape[axis] == 1 ? "" : "s");
  }
  mask_to_positions(L, &choice);
  return take_positions(L, axis, false);
}

/* The values for a:put, of which there must be one or `count`; a number is stored in *element. */
static struct shmx_view check_values(lua_State *L, const struct shmx_view *target, int64_t count, uint64_t *element) {
  enum { VALUES = 3 };
  if (!shmx_array_test(L, VALUES)) {
    if (lua_type(L, VALUES) != LUA_TNUMBER && lua_type(L, VALUES) != LUA_TBOOLEAN) {
      shmx_array_bad_argument(L, VALUES, "an array or a number is expected, got %s", shmx_array_describe(L, VALUES));
    }
    if (!shmx_element_store(L, VALUES, target->dtype, element)) {
      shmx_array_bad_argument(L, VALUES, "%s", shmx_element_problem(L, VALUES, target->dtype));
    }
    return (struct shmx_view){element, target->dtype, 1, {1}, {shmx_dtype_size(target->dtype)}};
  }
  struct shmx_view values = shmx_array_check(L, VALUES)->view;
  if (!shmx_dtype_may_hold(target->dtype, values.dtype)) {
    shmx_array_bad_argument(L, VALUES, "%s cannot hold the values, which are %s", shmx_dtype_name(target->dtype),
                            shmx_dtype_name(values.dtype));
  }
  int64_t given = shmx_view_count(&values);
  if (given != count && given != 1) {
    shmx_array_bad_argument(L, VALUES, "there are %I values for %I element%s", (LUAI_UACINT)given, (LUAI_UACINT)count,
                            count == 1 ? "" : "s");
  }
  return values;
}

/* Puts a copy in place of an argument that shares bytes with the array. */
static void separate(lua_State *L, int arg) {
  struct shmx_view target = shmx_array_check(L, 1)->view;
  if (!shmx_array_test(L, arg)) return;
  struct shmx_view view = shmx_array_check(L, arg)->view;
  if (shmx_view_overlaps(&target, &view)) shmx_array_replace_by_copy(L, arg, view.dtype);
}

/* a:put(positions | mask, values): positions count all elements in index order. Returns the array. */
static int array_put(lua_State *L) {
  uint64_t element = 0;
  shmx_array_check_end(L, 3);
  lua_settop(L, 3);
  separate(L, 2);
  separate(L, 3);
  struct shmx_view target = shmx_array_check_writable(L, 1)->view, choice = check_choice(L);
  if (choice.dtype == SHMX_BOOL) {
    check_mask_shape(L, &choice, &target);
    struct shmx_view values = check_values(L, &target, shmx_mask_count(&choice), &element);
    shmx_mask_put(&target, &choice, &values);
  } else {
    struct shmx_view values = check_values(L, &target, shmx_view_count(&choice), &element);
    check_positions(L, &choice, shmx_view_count(&target));
    shmx_put_run(&target, &choice, &values);
  }
  lua_settop(L, 1);
  return 1;
}

/* a:nonzero(): for each dimension a vector of the indices of what is not 0. */
static int array_nonzero(lua_State *L) {
  shmx_array_check_end(L, 1);
  struct shmx_view in = shmx_array_check(L, 1)->view, dense;
  int64_t count = shmx_mask_count(&in), *columns[SHMX_MAX_NDIM];
  shmx_view_init(&dense, SHMX_I64, 1, &count);
  luaL_checkstack(L, SHMX_MAX_NDIM + LUA_MINSTACK, NULL);
  for (int d = 0; d < in.ndim; d++) columns[d] = shmx_array_new(L, &dense, 0)->view.data;
  in = shmx_array_check(L, 1)->view;
  shmx_mask_find(&in, columns, count);
  return in.ndim;
}

const luaL_Reg shmx_array_select_methods[] = {
    {"take", array_take}, {"put", array_put}, {"nonzero", array_nonzero}, {NULL, NULL}};
