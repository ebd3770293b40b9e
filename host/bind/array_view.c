/* SPDX-License-Identifier: MIT */
/* Other views of the same segment: view and reshape. */
#include <errno.h>

#include "bind/array_parts.h"

/* A range {first, last, step} of one dimension, both ends included and 1-based, as written. */
struct range {
  lua_Integer first, last, step;
};

/* Field `i` of the range at `arg`; a negative end counts from the end. */
static lua_Integer range_field(lua_State *L, int arg, int i, lua_Integer otherwise, int64_t size) {
  lua_Integer value = otherwise;
  if (lua_rawgeti(L, arg, i) != LUA_TNIL && !shmx_array_to_integer(L, -1, &value)) {
    static const char *const names[] = {"first", "last", "step"};
    const char *got = shmx_array_describe(L, -1);
    shmx_array_bad_argument(L, arg, "%s must be an integer, not %s", names[i - 1], got);
  }
  lua_pop(L, 1);
  return value < 0 && i != 3 ? value + size + 1 : value;
}

/* Reads a range. What is left out is the whole dimension, in the direction of the step. */
static struct range check_range(lua_State *L, int arg, int64_t size) {
  struct range range;
  range.step = range_field(L, arg, 3, 1, size);
  if (range.step == 0) shmx_array_bad_argument(L, arg, "the step must not be 0");
  range.first = range_field(L, arg, 1, range.step > 0 ? 1 : size, size);
  range.last = range_field(L, arg, 2, range.step > 0 ? size : 1, size);
  return range;
}

/* Narrows dimension `axis` to the range at `arg`. An empty range may begin and end just outside: {1, 0}, {n + 1, n}. */
static void slice(lua_State *L, int arg, struct shmx_view *view, int axis) {
  int64_t size = view->shape[axis];
  struct range r = check_range(L, arg, size);
  bool some = r.step > 0 ? r.first <= r.last : r.first >= r.last;
  int64_t low = some ? 1 : 0, high = some ? size : size + 1;
  if (r.first < low || r.first > high || r.last < low || r.last > high) {
    shmx_array_bad_argument(L, arg, "the range from %I to %I is not within the %I elements of dimension %d",
                            (LUAI_UACINT)r.first, (LUAI_UACINT)r.last, (LUAI_UACINT)size, arg - 1);
  }
  int64_t count = some ? (r.last - r.first) / r.step + 1 : 0;
  shmx_view_slice(view, axis, r.first - 1, count, r.step);
}

/* a:view(...): for each dimension an integer, which drops it, a range, or nothing for all of it. */
static int array_view(lua_State *L) {
  int given = lua_gettop(L) - 1, ndim = shmx_array_check(L, 1)->view.ndim;
  if (given > ndim) {
    return luaL_error(L, "bad number of ranges to 'view': the array has %d dimension%s, got %d", ndim,
                      ndim == 1 ? "" : "s", given);
  }
  struct shmx_view *view = &shmx_array_share(L, 1)->view;
  int axis = 0;
  for (int arg = 2; arg < given + 2; arg++) {
    if (lua_type(L, arg) == LUA_TTABLE) {
      slice(L, arg, view, axis++);
    } else if (lua_isnil(L, arg)) {
      axis++;
    } else if (view->ndim > 1) {
      shmx_view_drop(view, axis, shmx_array_check_position(L, arg, view, axis));
    } else {
      return shmx_array_bad_argument(L, arg, "the last dimension cannot be dropped; use get for an element, or {i, i}");
    }
  }
  return 1;
}

/* Puts several sizes into a table, as if they had been given so. */
static void gather_sizes(lua_State *L) {
  int given = lua_gettop(L) - 1;
  if (given == 1) return;
  lua_createtable(L, given, 0);
  lua_insert(L, 2);
  for (int i = given; i > 0; i--) lua_rawseti(L, 2, i);
}

/* a:reshape(n1, n2, ...) or a:reshape{n1, n2, ...}. */
static int array_reshape(lua_State *L) {
  struct shmx_view shape;
  enum shmx_dtype dtype = shmx_array_check(L, 1)->view.dtype;
  gather_sizes(L);
  shmx_array_check_shape(L, 2, dtype, &shape);
  struct shmx_view *view = &shmx_array_share(L, 1)->view;
  int64_t count = shmx_view_count(view);
  switch (shmx_view_reshape(view, shape.ndim, shape.shape)) {
  case 0: return 1;
  case -ENOTSUP:
    return luaL_error(L, "an array with gaps cannot be reshaped without a copy; use a:copy():reshape(...)");
  default:
    return shmx_array_bad_argument(L, 2, "the array has %I elements, the shape %I", (LUAI_UACINT)count,
                                   (LUAI_UACINT)shmx_view_count(&shape));
  }
}

const luaL_Reg shmx_array_view_methods[] = {{"view", array_view}, {"reshape", array_reshape}, {NULL, NULL}};
