/* SPDX-License-Identifier: MIT */
/* Other views of the same segment: view, reshape and transpose. */
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

/* Refuses other fields: {first = 3} would be all of the dimension without a word. Those that are there in order need no
 * look, which makes this cheap. */
static void check_fields(lua_State *L, int arg) {
  lua_Unsigned listed = lua_rawlen(L, arg);
  if (listed >= 1 && listed <= 3) lua_pushinteger(L, (lua_Integer)listed);
  else lua_pushnil(L);
  for (; lua_next(L, arg); lua_pop(L, 1)) {
    lua_Integer i = 0;
    if (shmx_array_to_integer(L, -2, &i) && i >= 1 && i <= 3) continue;
    shmx_array_bad_argument(L, arg, "a range is {first, last, step} and has no field %s", shmx_array_describe(L, -2));
  }
}

/* Reads a range. What is left out is the whole dimension, in the direction of the step. */
static struct range check_range(lua_State *L, int arg, int64_t size) {
  struct range range;
  check_fields(L, arg);
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

/* Puts the integers from argument 2 on into a table, or copies the one table there: the result is at index 2, and not
 * the user's. */
static int gather(lua_State *L) {
  bool listed = lua_type(L, 2) == LUA_TTABLE;
  if (listed) shmx_array_check_end(L, 2);
  lua_Unsigned given = listed ? lua_rawlen(L, 2) : (lua_Unsigned)lua_gettop(L) - 1;
  if (given < 1 || given > SHMX_MAX_NDIM) {
    shmx_array_bad_argument(L, 2, "1 to %d integers are expected, got %I", SHMX_MAX_NDIM, (LUAI_UACINT)given);
  }
  lua_createtable(L, SHMX_MAX_NDIM, 0);
  for (int i = 1; i <= (int)given; i++) {
    if (listed) lua_rawgeti(L, 2, i);
    if (!listed) lua_pushvalue(L, 1 + i);
    lua_rawseti(L, -2, i);
  }
  lua_insert(L, 2);
  lua_settop(L, 2);
  return (int)given;
}

/* Sets `size` to that at place `i` of the table at index 2, if it is a positive integer. */
static bool known_size(lua_State *L, int i, lua_Integer *size) {
  lua_rawgeti(L, 2, i);
  bool known = shmx_array_to_integer(L, -1, size) && *size > 0;
  lua_pop(L, 1);
  return known;
}

/* One size of the table at index 2 may be -1: what is left for it of `count` elements. Anything else that is wrong
 * with the sizes is found afterwards. */
static void infer_size(lua_State *L, int given, int64_t count) {
  int64_t others = 1;
  int place = 0;
  for (int i = 1; i <= given; i++) {
    lua_Integer size = 0;
    if (known_size(L, i, &size)) {
      if (__builtin_mul_overflow(others, size, &others)) return;
    } else if (size != -1) {
      return;
    } else if (place != 0) {
      shmx_array_bad_argument(L, 2, "only one size can be -1");
    } else {
      place = i;
    }
  }
  if (place == 0) return;
  if (count % others != 0) {
    shmx_array_bad_argument(L, 2, "the array has %I elements, which is no multiple of %I", (LUAI_UACINT)count,
                            (LUAI_UACINT)others);
  }
  lua_pushinteger(L, count / others);
  lua_rawseti(L, 2, place);
}

/* a:reshape(n1, n2, ...) or a:reshape{n1, n2, ...}. */
static int array_reshape(lua_State *L) {
  struct shmx_view shape;
  struct shmx_view view = shmx_array_check(L, 1)->view;
  int64_t count = shmx_view_count(&view);
  infer_size(L, gather(L), count);
  shmx_array_check_shape(L, 2, view.dtype, &shape);
  switch (shmx_view_reshape(&shmx_array_share(L, 1)->view, shape.ndim, shape.shape)) {
  case 0: return 1;
  case -ENOTSUP:
    return luaL_error(L, "an array with gaps cannot be reshaped without a copy; use a:copy():reshape(...)");
  default:
    return shmx_array_bad_argument(L, 2, "the array has %I elements, the shape %I", (LUAI_UACINT)count,
                                   (LUAI_UACINT)shmx_view_count(&shape));
  }
}

/* Reads the axes in the table at index 2 as a permutation of 0..ndim-1. */
static void check_axes(lua_State *L, int given, int ndim, int *axes) {
  unsigned seen = 0;
  if (given != ndim) {
    shmx_array_bad_argument(L, 2, "the array has %d dimension%s, got %d ax%cs", ndim, ndim == 1 ? "" : "s", given,
                            given == 1 ? 'i' : 'e');
  }
  for (int d = 0; d < ndim; d++) {
    lua_rawgeti(L, 2, d + 1);
    axes[d] = shmx_array_check_axis(L, -1, 2, ndim);
    if (seen & 1U << axes[d]) shmx_array_bad_argument(L, 2, "axis %d comes twice", axes[d] + 1);
    seen |= 1U << axes[d];
    lua_pop(L, 1);
  }
}

/* a:transpose() turns the order of the dimensions around; a:transpose(2, 1, 3) says which comes where. */
static int array_transpose(lua_State *L) {
  int axes[SHMX_MAX_NDIM];
  int ndim = shmx_array_check(L, 1)->view.ndim;
  if (lua_isnoneornil(L, 2)) {
    shmx_array_check_end(L, 2);
    for (int d = 0; d < ndim; d++) axes[d] = ndim - 1 - d;
  } else {
    check_axes(L, gather(L), ndim, axes);
  }
  shmx_view_permute(&shmx_array_share(L, 1)->view, axes);
  return 1;
}

const luaL_Reg shmx_array_view_methods[] = {
    {"view", array_view}, {"reshape", array_reshape}, {"transpose", array_transpose}, {NULL, NULL}};
