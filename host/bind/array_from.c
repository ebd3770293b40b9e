/* SPDX-License-Identifier: MIT */
/*
 * shmx.from and shmx.frombytes: arrays from nested tables and from strings.
 *
 * A table is walked once to find the dtype, unless it is given, and once to store. Each walk checks the form of the
 * table anew and follows no metamethods: finalizers that run in between may change it.
 */
#include <string.h>

#include "bind/array_element.h"
#include "bind/array_options.h"

/* A walk through nested tables of this shape. */
struct walk {
  struct shmx_view view; /* data is NULL while only the dtype is wanted */
  int64_t position[SHMX_MAX_NDIM];
  bool any_boolean, any_number, any_float;
};

static const char *push_place(lua_State *L, const struct walk *walk, int axis) {
  return shmx_array_push_place(L, walk->position, axis + 1);
}

/* Looks at the element on the top: of which kind is it? */
static void classify(lua_State *L, struct walk *walk, int axis) {
  int type = lua_type(L, -1);
  walk->any_boolean |= type == LUA_TBOOLEAN;
  walk->any_number |= type == LUA_TNUMBER;
  walk->any_float |= type == LUA_TNUMBER && !lua_isinteger(L, -1);
  bool mixed = walk->any_boolean && walk->any_number;
  if (!mixed && (type == LUA_TBOOLEAN || type == LUA_TNUMBER)) return;
  const char *got = shmx_array_describe(L, -1);
  shmx_array_bad_argument(L, 1, "element %s: %s is expected, got %s", push_place(L, walk, axis),
                          !mixed                 ? "a number or a boolean"
                          : type == LUA_TBOOLEAN ? "a number like those before"
                                                 : "a boolean like those before",
                          got);
}

static void store(lua_State *L, struct walk *walk, int axis) {
  enum shmx_dtype dtype = walk->view.dtype;
  if (shmx_element_store(L, -1, dtype, shmx_view_at(&walk->view, walk->position))) return;
  const char *problem = shmx_element_problem(L, -1, dtype);
  shmx_array_bad_argument(L, 1, "element %s: %s", push_place(L, walk, axis), problem);
}

/* Refuses the value on the top unless it is a table of as many elements as the first of its kind. */
static void check_row(lua_State *L, const struct walk *walk, int axis) {
  int64_t size = walk->view.shape[axis + 1];
  if (lua_type(L, -1) != LUA_TTABLE) {
    const char *got = shmx_array_describe(L, -1);
    shmx_array_bad_argument(L, 1, "element %s: a table of %I elements is expected, got %s", push_place(L, walk, axis),
                            (LUAI_UACINT)size, got);
  }
  int64_t length = (int64_t)lua_rawlen(L, -1);
  if (length != size) {
    shmx_array_bad_argument(L, 1, "ragged: element %s has length %I, those before it have %I",
                            push_place(L, walk, axis), (LUAI_UACINT)length, (LUAI_UACINT)size);
  }
}

/* Walks the table on the top, which is dimension `axis`. The recursion is as deep as there are dimensions. */
static void walk_table(lua_State *L, struct walk *walk, int axis) {
  for (int64_t i = 0; i < walk->view.shape[axis]; i++) {
    walk->position[axis] = i;
    lua_rawgeti(L, -1, i + 1);
    if (axis + 1 < walk->view.ndim) {
      check_row(L, walk, axis);
      walk_table(L, walk, axis + 1);
    } else if (walk->view.data) {
      store(L, walk, axis);
    } else {
      classify(L, walk, axis);
    }
    lua_pop(L, 1);
  }
}

/* The shape is that of the first element of the first element, and so on. */
static int find_shape(lua_State *L, int64_t *shape) {
  int ndim = 0;
  lua_pushvalue(L, 1);
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (ndim == SHMX_MAX_NDIM) {
      return shmx_array_bad_argument(L, 1, "tables are nested more than %d deep", SHMX_MAX_NDIM);
    }
    shape[ndim++] = (int64_t)lua_rawlen(L, -1);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return ndim;
}

static int from_table(lua_State *L, bool dtype_given, enum shmx_dtype dtype) {
  struct walk walk = {.any_boolean = false};
  int64_t shape[SHMX_MAX_NDIM];
  int ndim = find_shape(L, shape);
  luaL_checkstack(L, SHMX_MAX_NDIM + LUA_MINSTACK, NULL);
  if (shmx_view_init(&walk.view, dtype, ndim, shape) != 0) return shmx_array_bad_argument(L, 1, "too many elements");
  if (!dtype_given) {
    lua_pushvalue(L, 1);
    walk_table(L, &walk, 0);
    lua_pop(L, 1);
    dtype = walk.any_boolean ? SHMX_BOOL : walk.any_float ? SHMX_F64 : SHMX_I64;
    if (shmx_view_init(&walk.view, dtype, ndim, shape) != 0) return shmx_array_bad_argument(L, 1, "too many elements");
  }
  walk.view = shmx_array_new(L, &walk.view, 0)->view;
  lua_pushvalue(L, 1);
  walk_table(L, &walk, 0);
  lua_pop(L, 1);
  return 1;
}

/* Pushes an array of that shape with the bytes of the string at index 1 as they are; as bool, all but 0 is true. */
static int copy_bytes(lua_State *L, const struct shmx_view *shape) {
  void *data = shmx_array_new(L, shape, 0)->view.data;
  size_t length = lua_rawlen(L, 1);
  if (length > 0) memcpy(data, lua_tostring(L, 1), length);
  return 1;
}

static int from_string(lua_State *L, enum shmx_dtype dtype) {
  struct shmx_view view;
  int64_t length = (int64_t)lua_rawlen(L, 1), size = shmx_dtype_size(dtype), count = length / size;
  if (length % size != 0) {
    return shmx_array_bad_argument(L, 1, "%I bytes are not a multiple of the %d of one %s", (LUAI_UACINT)length,
                                   (int)size, shmx_dtype_name(dtype));
  }
  shmx_view_init(&view, dtype, 1, &count);
  return copy_bytes(L, &view);
}

/* shmx.frombytes(string, dtype [, shape]): what a:tobytes() returned. */
static int array_frombytes(lua_State *L) {
  struct shmx_view view;
  shmx_array_check_end(L, 3);
  lua_settop(L, 3);
  if (lua_type(L, 1) != LUA_TSTRING) {
    return shmx_array_bad_argument(L, 1, "a string is expected, got %s", shmx_array_describe(L, 1));
  }
  enum shmx_dtype dtype = shmx_array_check_dtype(L, 2);
  if (lua_isnil(L, 3)) return from_string(L, dtype);
  shmx_array_check_shape(L, 3, dtype, &view);
  if (shmx_view_nbytes(&view) != (int64_t)lua_rawlen(L, 1)) {
    return shmx_array_bad_argument(L, 1, "the shape takes %I bytes, the string has %I",
                                   (LUAI_UACINT)shmx_view_nbytes(&view), (LUAI_UACINT)lua_rawlen(L, 1));
  }
  return copy_bytes(L, &view);
}

static int array_from(lua_State *L) {
  static const char *const names[] = {"dtype", NULL};
  shmx_array_check_end(L, 2);
  lua_settop(L, 2);
  shmx_options_check_list(L, 1, names);
  bool dtype_given = !lua_isnil(L, 2);
  int type = lua_type(L, 1);
  enum shmx_dtype dtype = type == LUA_TSTRING ? SHMX_U8 : SHMX_I64;
  if (dtype_given) dtype = shmx_array_check_dtype(L, 2);
  if (type == LUA_TTABLE) return from_table(L, dtype_given, dtype);
  if (type == LUA_TSTRING) return from_string(L, dtype);
  return shmx_array_bad_argument(L, 1, "a table or a string is expected, got %s", shmx_array_describe(L, 1));
}

const luaL_Reg shmx_array_from_constructors[] = {{"from", array_from}, {"frombytes", array_frombytes}, {NULL, NULL}};
