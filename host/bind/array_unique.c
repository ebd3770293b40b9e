/* SPDX-License-Identifier: MIT */
/*
 * Methods about the order of elements: a:unique([{index =, inverse =, counts =}]) finds the distinct ones, and
 * a:searchsorted(values [, {side =, out =}]) where values belong among sorted ones.
 */
#include "array/unique.h"

#include <math.h>
#include <string.h>

#include "array/promote.h"
#include "array/search.h"
#include "array/select.h"
#include "bind/array_element.h"
#include "bind/array_options.h"

/* --- unique --- */

enum { UNIQUE_OPTIONS = 2, ORDER = 3, SORTED = 4 };

static struct shmx_array *push_array(lua_State *L, enum shmx_dtype dtype, int ndim, const int64_t *shape) {
  struct shmx_view dense;
  if (shmx_view_init(&dense, dtype, ndim, shape) != 0) luaL_error(L, "that many elements are more than there can be");
  return shmx_array_new(L, &dense, 0);
}

static struct shmx_array *push_vector(lua_State *L, enum shmx_dtype dtype, int64_t count) {
  return push_array(L, dtype, 1, &count);
}

/* Pushes the positions of the elements of the vector at index 1 in sorted order, if they are wanted, or nil. */
static void push_order(lua_State *L, bool wanted) {
  if (!wanted) {
    lua_pushnil(L);
    return;
  }
  int64_t count = shmx_array_check(L, 1)->view.shape[0];
  struct shmx_array *order = push_vector(L, SHMX_I64, count);
  shmx_array_sort(L, &(struct shmx_sort){.in = &shmx_array_check(L, 1)->view, .out = &order->view, .positions = true});
}

/* Pushes them sorted: in that order, if it is known. */
static struct shmx_array *push_sorted(lua_State *L) {
  struct shmx_view in = shmx_array_check(L, 1)->view;
  struct shmx_array *sorted = push_vector(L, in.dtype, in.shape[0]);
  in = shmx_array_check(L, 1)->view;
  if (lua_isnil(L, ORDER)) {
    shmx_kernel_copy(&sorted->view, &in);
    shmx_array_sort(L, &(struct shmx_sort){.in = &sorted->view, .out = &sorted->view});
    return sorted;
  }
  int64_t size = shmx_dtype_size(in.dtype);
  shmx_take_run(&(struct shmx_take){.out = sorted->view.data,
                                    .in = in.data,
                                    .outer = 1,
                                    .size = in.shape[0],
                                    .inner = size,
                                    .step = in.strides[0],
                                    .dtype = in.dtype,
                                    .positions = &shmx_array_check(L, ORDER)->view});
  return sorted;
}

/* Lets go of what the script does not see. */
static void close_working_arrays(lua_State *L) {
  if (!lua_isnil(L, ORDER)) shmx_array_close(shmx_array_test(L, ORDER));
  shmx_array_close(shmx_array_test(L, SORTED));
}

static int array_unique(lua_State *L) {
  static const char *const names[] = {"counts", "index", "inverse", NULL};
  struct shmx_view shape = shmx_array_check(L, 1)->view;
  shmx_options_check(L, UNIQUE_OPTIONS, names);
  bool index = shmx_options_boolean(L, UNIQUE_OPTIONS, "index");
  bool inverse = shmx_options_boolean(L, UNIQUE_OPTIONS, "inverse");
  bool counts = shmx_options_boolean(L, UNIQUE_OPTIONS, "counts");
  shmx_array_flatten(L);
  push_order(L, index || inverse);
  const struct shmx_view *sorted = &push_sorted(L)->view;
  int64_t count = shmx_unique_count(sorted);
  struct shmx_unique u = {.sorted = sorted};
  if (index || inverse) u.order = shmx_array_test(L, ORDER)->view.data;
  u.values = push_vector(L, sorted->dtype, count)->view.data;
  if (index) u.index = push_vector(L, SHMX_I64, count)->view.data;
  if (inverse) u.inverse = push_array(L, SHMX_I64, shape.ndim, shape.shape)->view.data;
  if (counts) u.counts = push_vector(L, SHMX_I64, count)->view.data;
  shmx_unique_run(&u);
  close_working_arrays(L);
  return lua_gettop(L) - SORTED;
}

/* --- searchsorted --- */

enum { VALUES = 2, SEARCH_OPTIONS = 3 };

static bool is_right(lua_State *L) {
  if (!shmx_options_find(L, SEARCH_OPTIONS, "side")) return false;
  const char *side = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(side, "left") != 0 && strcmp(side, "right") != 0) {
    shmx_options_fail(L, "side", "\"left\" or \"right\" is expected, got %s", shmx_array_describe(L, -1));
  }
  lua_pop(L, 1);
  return side[0] == 'r';
}

/* Whether the number at one index is less than that at another. */
static bool is_less(lua_State *L, int a, int b) { return lua_compare(L, a, b, LUA_OPLT); }

/* Stores the float that has the number's place: the nearest one, but not one on the wrong side of it. */
static void round_to_float(lua_State *L, enum shmx_dtype dtype, bool right, uint64_t *element) {
  lua_Number x = lua_tonumber(L, VALUES), target = right ? -HUGE_VAL : HUGE_VAL;
  if (dtype == SHMX_F32) x = (float)x;
  lua_pushnumber(L, x);
  if (right ? is_less(L, VALUES, -1) : is_less(L, -1, VALUES)) {
    x = dtype == SHMX_F32 ? nextafterf((float)x, (float)target) : nextafter(x, target);
  }
  lua_pop(L, 1);
  if (dtype == SHMX_F32) *(float *)element = (float)x;
  else *(double *)element = x;
}

/* The same for an integer; false if the dtype has none. */
static bool round_to_integer(lua_State *L, enum shmx_dtype dtype, bool right, uint64_t *element) {
  if (lua_isinteger(L, VALUES)) return shmx_element_store(L, VALUES, dtype, element);
  lua_Number x = right ? floor(lua_tonumber(L, VALUES)) : ceil(lua_tonumber(L, VALUES));
  if (dtype == SHMX_U64 && x < 0) return false;
  lua_pushnumber(L, x);
  bool stored = shmx_element_store(L, -1, dtype, element);
  lua_pop(L, 1);
  return stored;
}

/* Reads the number as an element of an array of that dtype that has the same place, so that the array need not be
 * converted: the least that is not below it, or, to the right of equal ones, the greatest that is not above it. False if
 * the dtype has none: then it belongs before all elements, or behind. */
static bool read_number(lua_State *L, enum shmx_dtype dtype, bool right, uint64_t *element, bool *behind) {
  if (lua_type(L, VALUES) != LUA_TNUMBER) {
    shmx_array_bad_argument(L, VALUES, "an array or a number is expected, got %s", shmx_array_describe(L, VALUES));
  }
  *behind = !(lua_tonumber(L, VALUES) < 0);
  if (!shmx_dtype_is_float(dtype)) return round_to_integer(L, dtype, right, element);
  round_to_float(L, dtype, right, element);
  return true;
}

/* Of bools and numbers one is made of the other's dtype. */
static enum shmx_dtype read_mixed(lua_State *L, uint64_t *element) {
  enum shmx_dtype dtype = lua_isboolean(L, VALUES) ? SHMX_BOOL : lua_isinteger(L, VALUES) ? SHMX_I64 : SHMX_F64;
  shmx_element_store(L, VALUES, dtype, element);
  return dtype;
}

/* What is searched is to be contiguous, and of the dtype in which it is compared. */
static void prepare_sorted(lua_State *L, enum shmx_dtype dtype) {
  const struct shmx_view *view = &shmx_array_check(L, 1)->view;
  if (view->dtype != dtype || !shmx_view_is_contiguous(view)) shmx_array_replace_by_copy(L, 1, dtype);
}

static int search_number(lua_State *L) {
  static const char *const names[] = {"side", NULL};
  uint64_t element = 0;
  int64_t found;
  bool behind;
  shmx_options_check(L, SEARCH_OPTIONS, names);
  bool right = is_right(L);
  enum shmx_dtype array = shmx_array_check(L, 1)->view.dtype, dtype = array;
  if (lua_isboolean(L, VALUES) || (array == SHMX_BOOL && lua_type(L, VALUES) == LUA_TNUMBER)) {
    dtype = read_mixed(L, &element);
  } else if (!read_number(L, array, right, &element, &behind)) {
    lua_pushinteger(L, behind ? shmx_array_check(L, 1)->view.shape[0] + 1 : 1);
    return 1;
  }
  struct shmx_view value = {&element, dtype, 1, {1}, {shmx_dtype_size(dtype)}};
  prepare_sorted(L, shmx_promote(array, dtype));
  shmx_search_run(&(struct shmx_search){&shmx_array_check(L, 1)->view, &value, right}, 1, &found);
  lua_pushinteger(L, found);
  return 1;
}

static int array_searchsorted(lua_State *L) {
  static const char *const names[] = {"out", "side", NULL};
  struct shmx_view sorted = shmx_array_check(L, 1)->view, dense;
  if (sorted.ndim != 1) {
    return luaL_error(L, "bad array for 'searchsorted' (a vector is expected, not one of %d dimensions)", sorted.ndim);
  }
  if (!shmx_array_test(L, VALUES)) return search_number(L);
  struct shmx_view values = shmx_array_check(L, VALUES)->view;
  shmx_options_check(L, SEARCH_OPTIONS, names);
  bool right = is_right(L);
  shmx_array_dense(L, &dense, SHMX_I64, &values);
  prepare_sorted(L, shmx_promote(sorted.dtype, values.dtype));
  int top = lua_gettop(L);
  struct shmx_array *out = shmx_array_out_dense(L, SEARCH_OPTIONS, &dense, 2);
  sorted = shmx_array_check(L, 1)->view;
  values = shmx_array_check(L, VALUES)->view;
  shmx_search_run(&(struct shmx_search){&sorted, &values, right}, 1, out->view.data);
  shmx_array_deliver(L, top);
  return 1;
}

const luaL_Reg shmx_array_unique_methods[] = {
    {"searchsorted", array_searchsorted}, {"unique", array_unique}, {NULL, NULL}};
