/* SPDX-License-Identifier: MIT */
/* The constructors array, empty, full, range and linspace, and the reading of dtypes and shapes for everybody. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bind/array_element.h"
#include "bind/array_options.h"
#include "bind/error.h"

const char *shmx_array_read_dtype(lua_State *L, int index, enum shmx_dtype *dtype) {
  size_t length;
  const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
  if (name && shmx_dtype_parse(name, length, dtype)) return NULL;
  const char *got = shmx_array_describe(L, index);
  lua_pushstring(L, shmx_dtype_name((enum shmx_dtype)0));
  for (int i = 1; i < SHMX_DTYPE_COUNT; i++) {
    lua_pushfstring(L, " %s", shmx_dtype_name((enum shmx_dtype)i));
    lua_concat(L, 2);
  }
  return lua_pushfstring(L, "%s %s; the dtypes are %s", name ? "unknown dtype" : "a dtype is expected, got", got,
                         lua_tostring(L, -1));
}

enum shmx_dtype shmx_array_check_dtype(lua_State *L, int arg) {
  enum shmx_dtype dtype = SHMX_DTYPE_COUNT;
  const char *problem = shmx_array_read_dtype(L, arg, &dtype);
  if (problem) shmx_array_bad_argument(L, arg, "%s", problem);
  return dtype;
}

/* Reads one size from the top of the stack; `number` is 0 for a size alone, and its place in a shape otherwise. */
static int64_t check_size(lua_State *L, int arg, int number) {
  lua_Integer size;
  if (shmx_array_to_integer(L, -1, &size) && size >= 0) return size;
  const char *got = shmx_array_describe(L, -1);
  const char *which = number == 0 ? "size" : lua_pushfstring(L, "size %d", number);
  return shmx_array_bad_argument(L, arg, "%s must be a non-negative integer, got %s", which, got);
}

void shmx_array_check_shape(lua_State *L, int arg, enum shmx_dtype dtype, struct shmx_view *view) {
  int64_t shape[SHMX_MAX_NDIM];
  int ndim = 1;
  if (lua_type(L, arg) == LUA_TTABLE) {
    lua_Unsigned sizes = lua_rawlen(L, arg);
    if (sizes < 1 || sizes > SHMX_MAX_NDIM) {
      shmx_array_bad_argument(L, arg, "a shape has 1 to %d sizes, got %I", SHMX_MAX_NDIM, (LUAI_UACINT)sizes);
    }
    ndim = (int)sizes;
    for (int d = 0; d < ndim; d++) {
      lua_rawgeti(L, arg, d + 1);
      shape[d] = check_size(L, arg, d + 1);
      lua_pop(L, 1);
    }
  } else {
    lua_settop(L, lua_gettop(L) < arg ? arg : lua_gettop(L));
    lua_pushvalue(L, arg);
    shape[0] = check_size(L, arg, 0);
    lua_pop(L, 1);
  }
  if (shmx_view_init(view, dtype, ndim, shape) != 0) {
    shmx_array_bad_argument(L, arg, "that many elements of %d bytes are more than there can be",
                            (int)shmx_dtype_size(dtype));
  }
}

void shmx_array_check_end(lua_State *L, int last) { shmx_check_end(L, last, lua_tostring(L, lua_upvalueindex(1))); }

static int make(lua_State *L, unsigned flags) {
  struct shmx_view view;
  shmx_array_check_end(L, 2);
  enum shmx_dtype dtype = shmx_array_check_dtype(L, 1);
  shmx_array_check_shape(L, 2, dtype, &view);
  shmx_array_new(L, &view, flags);
  return 1;
}

/* Pushes the name that the options at `arg` give, or nil. */
static const char *check_name(lua_State *L, int arg) {
  static const char *const names[] = {"name", NULL};
  shmx_options_check(L, arg, names);
  if (!shmx_options_find(L, arg, "name")) return NULL;
  const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  if (!name || strlen(name) != lua_rawlen(L, -1))
    shmx_options_fail(L, "name", "a text is expected, got %s", shmx_array_describe(L, -1));
  return name;
}

static int array_array(lua_State *L) {
  static const char *const names[] = {"name", NULL};
  struct shmx_view view;
  shmx_options_check_list(L, 2, names);
  if (lua_isnoneornil(L, 3)) return make(L, SHMX_ALLOC_ZERO);
  enum shmx_dtype dtype = shmx_array_check_dtype(L, 1);
  shmx_array_check_shape(L, 2, dtype, &view);
  const char *name = check_name(L, 3);
  if (name) shmx_array_new_named(L, &view, name);
  else shmx_array_new(L, &view, SHMX_ALLOC_ZERO);
  return 1;
}

static int array_empty(lua_State *L) { return make(L, 0); }

/* Fills with one value; the place has the dtype of the view. */
struct constant {
  struct shmx_view view;
  uint64_t element;
};

static void produce_constant(void *context, uint64_t offset, void *place, uint64_t size) {
  const struct constant *c = context;
  (void)offset;
  int64_t element_size = shmx_dtype_size(c->view.dtype);
  struct shmx_view all = {.data = place,
                          .dtype = c->view.dtype,
                          .ndim = 1,
                          .shape = {(int64_t)size / element_size},
                          .strides = {element_size}};
  shmx_kernel_fill(&all, &c->element);
}

static int array_full(lua_State *L) {
  struct constant constant;
  shmx_array_check_end(L, 3);
  enum shmx_dtype dtype = shmx_array_check_dtype(L, 1);
  shmx_array_check_shape(L, 2, dtype, &constant.view);
  lua_settop(L, 3);
  if (!shmx_element_store(L, 3, dtype, &constant.element)) {
    return shmx_array_bad_argument(L, 3, "%s", shmx_element_problem(L, 3, dtype));
  }
  shmx_array_produce(L, &constant.view, produce_constant, &constant);
  return 1;
}

/* A sequence of numbers: of floats or of integers, as its dtype says. */
struct range {
  enum shmx_dtype dtype;
  lua_Integer first, step;
  lua_Number float_first, float_step;
};

static void produce_range(void *context, uint64_t offset, void *place, uint64_t size) {
  const struct range *r = context;
  int64_t from = (int64_t)offset / shmx_dtype_size(r->dtype), count = (int64_t)size / shmx_dtype_size(r->dtype);
  if (shmx_dtype_is_integer(r->dtype)) shmx_kernel_range_integer(r->dtype, place, from, count, r->first, r->step);
  else shmx_kernel_range_float(r->dtype, place, from, count, r->float_first, r->float_step);
}

/* Pushes the vector of the first `count` numbers of the range. */
static void new_range(lua_State *L, bool fits, int64_t count, struct range *range) {
  struct shmx_view view;
  enum shmx_dtype dtype = range->dtype;
  if (!fits || shmx_view_init(&view, dtype, 1, &count) != 0) {
    shmx_array_bad_argument(L, 3, "that many elements of %d bytes are more than there can be",
                            (int)shmx_dtype_size(dtype));
  }
  shmx_array_produce(L, &view, produce_range, range);
}

static lua_Integer check_integer(lua_State *L, int arg) {
  lua_Integer value = 0;
  if (!shmx_array_to_integer(L, arg, &value)) {
    shmx_array_bad_argument(L, arg, "an integer is expected, got %s", shmx_array_describe(L, arg));
  }
  return value;
}

/* Refuses an end of the range, given by argument `arg`, that the dtype cannot hold. */
static void check_end_of_range(lua_State *L, int arg, enum shmx_dtype dtype, lua_Integer value) {
  uint64_t element;
  lua_pushinteger(L, value);
  if (!shmx_element_store(L, -1, dtype, &element)) {
    shmx_array_bad_argument(L, arg, "%s", shmx_element_problem(L, -1, dtype));
  }
  lua_pop(L, 1);
}

static int range_of_integers(lua_State *L, enum shmx_dtype dtype) {
  lua_Integer first = check_integer(L, 2), last = check_integer(L, 3), step = check_integer(L, 4);
  if (step == 0) return shmx_array_bad_argument(L, 4, "the step must not be 0");
  uint64_t count = 0, from = (uint64_t)first, to = (uint64_t)last, by = (uint64_t)step;
  bool some = step > 0 ? first <= last : first >= last;
  if (some) count = step > 0 ? (to - from) / by : (from - to) / -by; /* one less: all of them could be 2^64 */
  bool fits = count < INT64_MAX;
  if (some && fits) {
    uint64_t end = from + count * by;
    check_end_of_range(L, 2, dtype, first);
    check_end_of_range(L, 3, dtype, (lua_Integer)end);
    count++;
  }
  new_range(L, fits, (int64_t)count, &(struct range){.dtype = dtype, .first = first, .step = step});
  return 1;
}

static lua_Number check_finite(lua_State *L, int arg) {
  lua_Number x = lua_type(L, arg) == LUA_TNUMBER ? lua_tonumber(L, arg) : NAN;
  if (!isfinite(x)) shmx_array_bad_argument(L, arg, "a finite number is expected, got %s", shmx_array_describe(L, arg));
  return x;
}

static int range_of_floats(lua_State *L, enum shmx_dtype dtype) {
  lua_Number first = check_finite(L, 2), last = check_finite(L, 3), step = check_finite(L, 4);
  if (step == 0) return shmx_array_bad_argument(L, 4, "the step must not be 0");
  lua_Number steps = floor((last - first) / step);
  bool fits = steps < 0x1p53; /* beyond, the index of an element is not exact */
  int64_t count = steps < 0 || !fits ? 0 : (int64_t)steps + 1;
  new_range(L, fits, count, &(struct range){.dtype = dtype, .float_first = first, .float_step = step});
  return 1;
}

static int array_range(lua_State *L) {
  shmx_array_check_end(L, 4);
  enum shmx_dtype dtype = shmx_array_check_dtype(L, 1);
  lua_settop(L, 4);
  if (lua_isnil(L, 4)) {
    lua_pushinteger(L, 1);
    lua_replace(L, 4);
  }
  if (dtype == SHMX_BOOL) return shmx_array_bad_argument(L, 1, "a range has numbers, not booleans");
  return shmx_dtype_is_integer(dtype) ? range_of_integers(L, dtype) : range_of_floats(L, dtype);
}

/* Refuses an end of a linspace that the integer dtype cannot hold when it is rounded down. A negative number is none of
 * u64 here, since what lies between the ends are numbers and not patterns of 64 bits. */
static void check_end_of_linspace(lua_State *L, int arg, enum shmx_dtype dtype, lua_Number x) {
  uint64_t element;
  if (dtype == SHMX_U64 && floor(x) < 0) {
    shmx_array_bad_argument(L, arg, "%f is negative, which a u64 cannot be", x);
  }
  lua_pushnumber(L, floor(x));
  if (!shmx_element_store(L, -1, dtype, &element)) {
    shmx_array_bad_argument(L, arg, "%s", shmx_element_problem(L, -1, dtype));
  }
  lua_pop(L, 1);
}

/* shmx.linspace(dtype, first, last, count) */
static int array_linspace(lua_State *L) {
  struct shmx_view view;
  shmx_array_check_end(L, 4);
  enum shmx_dtype dtype = shmx_array_check_dtype(L, 1);
  lua_settop(L, 4);
  if (dtype == SHMX_BOOL) return shmx_array_bad_argument(L, 1, "a linspace has numbers, not booleans");
  lua_Number first = check_finite(L, 2), last = check_finite(L, 3);
  if (!isfinite(last - first)) return shmx_array_bad_argument(L, 3, "the distance to the first is not finite");
  lua_Integer count = check_integer(L, 4);
  if (shmx_view_init(&view, dtype, 1, &(int64_t){count}) != 0) {
    return shmx_array_bad_argument(L, 4, "a number of elements is expected, got %I", (LUAI_UACINT)count);
  }
  if (shmx_dtype_is_integer(dtype)) {
    check_end_of_linspace(L, 2, dtype, first);
    check_end_of_linspace(L, 3, dtype, last);
  }
  shmx_kernel_linspace(dtype, shmx_array_new(L, &view, 0)->view.data, count, first, last);
  return 1;
}

const luaL_Reg shmx_array_constructors[] = {{"array", array_array}, {"empty", array_empty},       {"full", array_full},
                                            {"range", array_range}, {"linspace", array_linspace}, {NULL, NULL}};
