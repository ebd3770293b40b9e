/* SPDX-License-Identifier: MIT */
/*
 * a[i], a[i] = v, a.field, a:method, get and set.
 *
 * The two metamethods first try the usual case, an element of a vector that gets or has a number, without Lua's functions
 * (bind/frame.h), and then in few calls of these. A closed array has no dimensions, so it falls through to the slow path,
 * which says what is wrong.
 */
#include <string.h>

#include "bind/array_element.h"
#include "bind/array_parts.h"
#include "bind/frame.h"

enum field {
  FIELD_DTYPE = 1,
  FIELD_SHAPE,
  FIELD_STRIDES,
  FIELD_NDIM,
  FIELD_SIZE,
  FIELD_NBYTES,
  FIELD_SEGMENT,
  FIELD_FROZEN
};

static const struct {
  const char *name;
  enum field field;
} fields[] = {
    {"dtype", FIELD_DTYPE}, {"shape", FIELD_SHAPE},   {"strides", FIELD_STRIDES}, {"ndim", FIELD_NDIM},
    {"size", FIELD_SIZE},   {"nbytes", FIELD_NBYTES}, {"segment", FIELD_SEGMENT}, {"frozen", FIELD_FROZEN},
};

void shmx_array_add_fields(lua_State *L) {
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    lua_pushinteger(L, fields[i].field);
    lua_setfield(L, -2, fields[i].name);
  }
}

/* Pushes a table of values[0..n), each divided by `unit`. */
static void push_integers(lua_State *L, const int64_t *values, int n, int64_t unit) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, values[i] / unit);
    lua_rawseti(L, -2, i + 1);
  }
}

static int push_field(lua_State *L, enum field field) {
  struct shmx_array *array = shmx_array_check(L, 1);
  struct shmx_view view = array->view; /* making a table may run a finalizer that closes the array */
  switch (field) {
  case FIELD_DTYPE: lua_pushstring(L, shmx_dtype_name(view.dtype)); break;
  case FIELD_SHAPE: push_integers(L, view.shape, view.ndim, 1); break;
  case FIELD_STRIDES: push_integers(L, view.strides, view.ndim, shmx_dtype_size(view.dtype)); break;
  case FIELD_NDIM: lua_pushinteger(L, view.ndim); break;
  case FIELD_SIZE: lua_pushinteger(L, shmx_view_count(&view)); break;
  case FIELD_NBYTES: lua_pushinteger(L, shmx_view_nbytes(&view)); break;
  case FIELD_SEGMENT: shmx_array_push_segment(L, array->segment); break;
  case FIELD_FROZEN: lua_pushboolean(L, array->segment->read_only); break;
  }
  return 1;
}

const char *shmx_array_push_place(lua_State *L, const int64_t *position, int ndim) {
  if (ndim == 1) return lua_pushfstring(L, "%I", (LUAI_UACINT)position[0] + 1);
  lua_pushfstring(L, "(%I", (LUAI_UACINT)position[0] + 1);
  for (int d = 1; d < ndim; d++) {
    lua_pushfstring(L, ", %I", (LUAI_UACINT)position[d] + 1);
    lua_concat(L, 2);
  }
  lua_pushliteral(L, ")");
  lua_concat(L, 2);
  return lua_tostring(L, -1);
}

static int out_of_range(lua_State *L, lua_Integer index, const struct shmx_view *view, int axis) {
  int64_t size = view->shape[axis];
  const char *s = size == 1 ? "" : "s";
  if (view->ndim == 1) {
    return luaL_error(L, "index %I is out of range for an array of %I element%s", (LUAI_UACINT)index, (LUAI_UACINT)size,
                      s);
  }
  return luaL_error(L, "index %I is out of range for dimension %d, which has %I element%s", (LUAI_UACINT)index,
                    axis + 1, (LUAI_UACINT)size, s);
}

static int not_an_index(lua_State *L, int index) {
  return luaL_error(L, "index must be an integer, not %s", shmx_array_describe(L, index));
}

int64_t shmx_array_check_position(lua_State *L, int index, const struct shmx_view *view, int axis) {
  lua_Integer i = 0;
  if (!shmx_array_to_integer(L, index, &i)) not_an_index(L, index);
  int64_t size = view->shape[axis], position = i > 0 ? i - 1 : size + i;
  if (i == 0 || position < 0 || position >= size) out_of_range(L, i, view, axis);
  return position;
}

int shmx_array_check_axis(lua_State *L, int index, int arg, int ndim) {
  lua_Integer axis = 0;
  if (!shmx_array_to_integer(L, index, &axis)) {
    shmx_array_bad_argument(L, arg, "an axis must be an integer, not %s", shmx_array_describe(L, index));
  }
  if (axis == 0 || axis < -ndim || axis > ndim) {
    shmx_array_bad_argument(L, arg, "axis %I is out of range for an array of %d dimension%s", (LUAI_UACINT)axis, ndim,
                            ndim == 1 ? "" : "s");
  }
  return (int)(axis > 0 ? axis - 1 : ndim + axis);
}

static const char *article(enum shmx_dtype dtype) { return strchr("if", shmx_dtype_name(dtype)[0]) ? "an" : "a"; }

static int bad_element(lua_State *L, const struct shmx_view *view, const int64_t *position, int value) {
  const char *place = shmx_array_push_place(L, position, view->ndim);
  const char *problem = shmx_element_problem(L, value, view->dtype);
  return luaL_error(L, "bad value for element %s of %s %s array: %s", place, article(view->dtype),
                    shmx_dtype_name(view->dtype), problem);
}

const char *shmx_element_problem(lua_State *L, int index, enum shmx_dtype dtype) {
  index = lua_absindex(L, index);
  const char *value = shmx_array_describe(L, index);
  if (dtype == SHMX_BOOL) return lua_pushfstring(L, "a boolean is expected, got %s", value);
  if (lua_type(L, index) != LUA_TNUMBER) return lua_pushfstring(L, "a number is expected, got %s", value);
  static const struct {
    lua_Integer low, high;
  } limits[SHMX_DTYPE_COUNT] = {
      [SHMX_I8] = {INT8_MIN, INT8_MAX},    [SHMX_U8] = {0, UINT8_MAX},          [SHMX_I16] = {INT16_MIN, INT16_MAX},
      [SHMX_U16] = {0, UINT16_MAX},        [SHMX_I32] = {INT32_MIN, INT32_MAX}, [SHMX_U32] = {0, UINT32_MAX},
      [SHMX_I64] = {INT64_MIN, INT64_MAX},
  };
  lua_Number x = lua_tonumber(L, index);
  if (x - x != 0 || (x > -0x1p63 && x < 0x1p63 && x != (lua_Number)(lua_Integer)x)) {
    return lua_pushfstring(L, "%s is not an integer", value);
  }
  if (dtype == SHMX_U64) return lua_pushfstring(L, "%s does not fit into 64 bits", value);
  return lua_pushfstring(L, "%s is not between %I and %I", value, (LUAI_UACINT)limits[dtype].low,
                         (LUAI_UACINT)limits[dtype].high);
}

/* a[i] for all but elements of a vector that exist. One past the end is nil, so that ipairs works. */
static int index_slowly(lua_State *L, lua_Integer i) {
  const struct shmx_view *view = &shmx_array_check(L, 1)->view;
  int64_t size = view->shape[0];
  if (i < 1 || i - 1 > size) return out_of_range(L, i, view, 0);
  if (i - 1 == size) {
    lua_pushnil(L);
  } else {
    struct shmx_array *row = shmx_array_share(L, 1);
    shmx_view_drop(&row->view, 0, i - 1);
  }
  return 1;
}

static int index_by_name(lua_State *L) {
  if (!shmx_array_test(L, 1)) return luaL_typeerror(L, 1, SHMX_ARRAY_TYPE);
  if (lua_type(L, 2) != LUA_TSTRING) return not_an_index(L, 2);
  lua_pushvalue(L, 2);
  switch (lua_rawget(L, lua_upvalueindex(1))) {
  case LUA_TFUNCTION: return 1;
  case LUA_TNUMBER: return push_field(L, (enum field)lua_tointeger(L, -1));
  default: break;
  }
  if (lua_stringtonumber(L, lua_tostring(L, 2)) != 0) return not_an_index(L, 2);
  return luaL_error(L, "an array has no field or method %s", shmx_array_describe(L, 2));
}

/* Where the element a[i] of a vector is, for the arguments a and i; NULL: they are something else. */
static inline void *find_element(const struct shmx_frame_value *arguments, const struct shmx_array **array) {
  if (arguments[1].tag != SHMX_FRAME_INTEGER) return NULL;
  *array = shmx_frame_array(&arguments[0]);
  uint64_t i = (uint64_t)arguments[1].integer - 1;
  if (!*array || (*array)->view.ndim != 1 || i >= (uint64_t)(*array)->view.shape[0]) return NULL;
  return (char *)(*array)->view.data + (int64_t)i * (*array)->view.strides[0];
}

static int index_by_calls(lua_State *L) {
  struct shmx_array *array = shmx_array_test(L, 1);
  lua_Integer i;
  if (!array || !shmx_array_to_integer(L, 2, &i)) return index_by_name(L);
  const struct shmx_view *view = &array->view;
  if (view->ndim != 1 || (uint64_t)i - 1 >= (uint64_t)view->shape[0]) return index_slowly(L, i);
  shmx_element_push(L, view->dtype, (char *)view->data + (i - 1) * view->strides[0]);
  return 1;
}

static int index_quickly(lua_State *L) {
  const struct shmx_array *array;
  const void *p = find_element(shmx_frame_arguments(L, 2), &array);
  if (!p) return index_by_calls(L);
  shmx_element_push(L, array->view.dtype, p);
  return 1;
}

static int newindex_slowly(lua_State *L) {
  const struct shmx_view *view = &shmx_array_check(L, 1)->view;
  if (lua_type(L, 2) == LUA_TSTRING && lua_stringtonumber(L, lua_tostring(L, 2)) == 0) {
    return luaL_error(L, "field %s of an array cannot be set", shmx_array_describe(L, 2));
  }
  lua_Integer i;
  if (!shmx_array_to_integer(L, 2, &i)) return not_an_index(L, 2);
  if (i < 1 || i > view->shape[0]) return out_of_range(L, i, view, 0);
  shmx_array_check_writable(L, 1);
  return luaL_error(L, "a[%I] is an array of its own, since this one has %d dimensions; use a:set or a[%I]:fill",
                    (LUAI_UACINT)i, (int)view->ndim, (LUAI_UACINT)i);
}

static int newindex_by_calls(lua_State *L) {
  struct shmx_array *array = shmx_array_test(L, 1);
  lua_Integer i;
  if (!array || !shmx_array_to_integer(L, 2, &i)) return newindex_slowly(L);
  const struct shmx_view *view = &array->view;
  if (view->ndim != 1 || (uint64_t)i - 1 >= (uint64_t)view->shape[0]) return newindex_slowly(L);
  if (array->segment->read_only) return newindex_slowly(L);
  char *p = (char *)view->data + (i - 1) * view->strides[0];
  if (shmx_element_store(L, 3, view->dtype, p)) return 0;
  return bad_element(L, view, &(int64_t){i - 1}, 3);
}

/* A number of the dtype's own kind, for the dtypes that scripts use most. */
static inline bool store_number(const struct shmx_frame_value *value, enum shmx_dtype dtype, void *p) {
  bool is_integer = value->tag == SHMX_FRAME_INTEGER, is_float = value->tag == SHMX_FRAME_FLOAT;
  if (dtype == SHMX_I64 && is_integer) *(int64_t *)p = value->integer;
  else if (dtype == SHMX_F64 && is_float) *(double *)p = value->number;
  else if (dtype == SHMX_F32 && is_float) *(float *)p = (float)value->number;
  else if (dtype == SHMX_I32 && is_integer && value->integer == (int32_t)value->integer)
    *(int32_t *)p = (int32_t)value->integer;
  else if (dtype == SHMX_U8 && is_integer && value->integer == (uint8_t)value->integer)
    *(uint8_t *)p = (uint8_t)value->integer;
  else return false;
  return true;
}

static int newindex_quickly(lua_State *L) {
  const struct shmx_frame_value *arguments = shmx_frame_arguments(L, 3);
  const struct shmx_array *array;
  void *p = find_element(arguments, &array);
  if (!p || array->segment->read_only || !store_number(&arguments[2], array->view.dtype, p))
    return newindex_by_calls(L);
  return 0;
}

void shmx_array_add_indexing(lua_State *L) {
  bool known = shmx_frame_is_known(L);
  lua_pushcclosure(L, known ? index_quickly : index_by_calls, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, known ? newindex_quickly : newindex_by_calls);
  lua_setfield(L, -2, "__newindex");
}

/* Reads `count` indices from stack index 2 on, which must be as many as there are dimensions. */
static void check_positions(lua_State *L, const struct shmx_view *view, int count, int64_t *position) {
  if (count != view->ndim) {
    luaL_error(L, "bad number of indices to '%s': the array has %d dimension%s, got %d",
               lua_tostring(L, lua_upvalueindex(1)), (int)view->ndim, view->ndim == 1 ? "" : "s", count);
  }
  for (int d = 0; d < count; d++) position[d] = shmx_array_check_position(L, d + 2, view, d);
}

static int array_get(lua_State *L) {
  const struct shmx_view *view = &shmx_array_check(L, 1)->view;
  int64_t position[SHMX_MAX_NDIM] = {0};
  check_positions(L, view, lua_gettop(L) - 1, position);
  shmx_element_push(L, view->dtype, shmx_view_at(view, position));
  return 1;
}

static int array_set(lua_State *L) {
  const struct shmx_view *view = &shmx_array_check_writable(L, 1)->view;
  int64_t position[SHMX_MAX_NDIM] = {0};
  int value = lua_gettop(L);
  check_positions(L, view, value < 2 ? 0 : value - 2, position);
  if (shmx_element_store(L, value, view->dtype, shmx_view_at(view, position))) return 0;
  return bad_element(L, view, position, value);
}

const luaL_Reg shmx_array_index_methods[] = {{"get", array_get}, {"set", array_set}, {NULL, NULL}};
