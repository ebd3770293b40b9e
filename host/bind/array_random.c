/* SPDX-License-Identifier: MIT */
/*
 * Methods that fill an array with random elements (array/random.h): a:uniform([low, high]), a:normal([mean, deviation]),
 * a:integers(low, high), each with {seed =, first =}. They return the array.
 *
 * Without a seed one is drawn from math.random, so math.randomseed, and the seed of a pool, decide about these numbers
 * too.
 */
#include "array/random.h"

#include <math.h>

#include "bind/array_element.h"
#include "bind/array_options.h"

enum { LOW = 2, HIGH = 3, OPTIONS = 4 };

/* What the arguments after the array say. */
struct request {
  struct shmx_view view;
  uint64_t seed, first;
};

static uint64_t draw_seed(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "math") != LUA_TTABLE || lua_getfield(L, -1, "random") != LUA_TFUNCTION) {
    luaL_error(L, "there is no math.random to draw a seed from; give a seed");
  }
  lua_pushinteger(L, 0);
  lua_call(L, 1, 1);
  uint64_t seed = (uint64_t)lua_tointeger(L, -1);
  lua_pop(L, 3);
  return seed;
}

/* Brings the arguments to their places and reads all but the two numbers. */
static struct request read_request(lua_State *L) {
  static const char *const names[] = {"seed", "first", NULL};
  struct request r;
  shmx_array_check(L, 1);
  while (lua_gettop(L) < HIGH && !lua_istable(L, -1)) lua_pushnil(L);
  for (int i = LOW; i <= HIGH; i++) {
    if (!lua_istable(L, i)) continue;
    lua_pushnil(L);
    lua_insert(L, i);
  }
  shmx_options_check(L, OPTIONS, names);
  lua_Integer first = shmx_options_integer(L, OPTIONS, "first", 1);
  if (first < 1) shmx_options_fail(L, "first", "it must be 1 or more, got %I", (LUAI_UACINT)first);
  r.first = (uint64_t)first - 1;
  if (shmx_options_find(L, OPTIONS, "seed")) {
    r.seed = (uint64_t)shmx_options_integer(L, OPTIONS, "seed", 0);
  } else {
    r.seed = draw_seed(L);
  }
  r.view = shmx_array_check_writable(L, 1)->view;
  return r;
}

static lua_Number read_number(lua_State *L, int arg, lua_Number otherwise) {
  if (lua_isnil(L, arg)) return otherwise;
  lua_Number x = lua_type(L, arg) == LUA_TNUMBER ? lua_tonumber(L, arg) : NAN;
  if (!isfinite(x)) shmx_array_bad_argument(L, arg, "a finite number is expected, got %s", shmx_array_describe(L, arg));
  return x;
}

static void check_floats(lua_State *L, const struct shmx_view *view) {
  if (shmx_dtype_is_float(view->dtype)) return;
  luaL_error(L, "bad array for '%s' (f32 or f64 is expected, not %s)", lua_tostring(L, lua_upvalueindex(1)),
             shmx_dtype_name(view->dtype));
}

static int array_uniform(lua_State *L) {
  struct request r = read_request(L);
  check_floats(L, &r.view);
  lua_Number low = read_number(L, LOW, 0), high = read_number(L, HIGH, 1);
  if (!(low <= high) || !isfinite(high - low)) {
    return shmx_array_bad_argument(L, HIGH, "%f is not a finite distance above %f", high, low);
  }
  shmx_random_uniform(&r.view, r.seed, r.first, low, high);
  lua_settop(L, 1);
  return 1;
}

static int array_normal(lua_State *L) {
  struct request r = read_request(L);
  check_floats(L, &r.view);
  lua_Number mean = read_number(L, LOW, 0), deviation = read_number(L, HIGH, 1);
  if (deviation < 0) return shmx_array_bad_argument(L, HIGH, "a deviation cannot be negative, got %f", deviation);
  shmx_random_normal(&r.view, r.seed, r.first, mean, deviation);
  lua_settop(L, 1);
  return 1;
}

/* Whether a float dtype has that integer. */
static bool has_integer(enum shmx_dtype dtype, lua_Integer value) {
  double x = dtype == SHMX_F32 ? (float)value : (double)value;
  return x < 0x1p63 && (lua_Integer)x == value;
}

/* An integer that the dtype of the array holds exactly. */
static lua_Integer read_integer(lua_State *L, int arg, enum shmx_dtype dtype) {
  lua_Integer value = 0;
  uint64_t element;
  if (!shmx_array_to_integer(L, arg, &value)) {
    shmx_array_bad_argument(L, arg, "an integer is expected, got %s", shmx_array_describe(L, arg));
  }
  if (!shmx_element_store(L, arg, dtype, &element)) {
    shmx_array_bad_argument(L, arg, "%s", shmx_element_problem(L, arg, dtype));
  }
  if (shmx_dtype_is_float(dtype) && !has_integer(dtype, value)) {
    shmx_array_bad_argument(L, arg, "%s does not hold %I exactly", shmx_dtype_name(dtype), (LUAI_UACINT)value);
  }
  return value;
}

static int array_integers(lua_State *L) {
  struct request r = read_request(L);
  if (r.view.dtype == SHMX_BOOL) return luaL_error(L, "bad array for 'integers' (numbers are expected, not bool)");
  lua_Integer low = read_integer(L, LOW, r.view.dtype), high = read_integer(L, HIGH, r.view.dtype);
  bool ordered = r.view.dtype == SHMX_U64 ? (uint64_t)low <= (uint64_t)high : low <= high;
  if (!ordered) {
    return shmx_array_bad_argument(L, HIGH, "%I is less than %I", (LUAI_UACINT)high, (LUAI_UACINT)low);
  }
  shmx_random_integers(&r.view, r.seed, r.first, low, (uint64_t)high - (uint64_t)low + 1);
  lua_settop(L, 1);
  return 1;
}

const luaL_Reg shmx_array_random_methods[] = {
    {"uniform", array_uniform}, {"normal", array_normal}, {"integers", array_integers}, {NULL, NULL}};
