/* SPDX-License-Identifier: MIT */
/* a:equal(b) and a:allclose(b). */
#include "array/broadcast.h"
#include "array/equal.h"
#include "bind/array_options.h"

/* a:equal(b): the same shape and equal elements; anything but an array is not equal. */
static int array_equal(lua_State *L) {
  const struct shmx_view *a = &shmx_array_check(L, 1)->view;
  shmx_array_check_end(L, 2);
  if (!shmx_array_test(L, 2)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  const struct shmx_view *b = &shmx_array_check(L, 2)->view;
  lua_pushboolean(L, shmx_view_same_shape(a, b) && shmx_view_equal(a, b));
  return 1;
}

static double check_tolerance(lua_State *L, const char *name, double otherwise) {
  double value = shmx_options_number(L, 3, name, otherwise);
  if (!(value >= 0)) shmx_options_fail(L, name, "a number from 0 on is expected, got %f", value);
  return value;
}

/* a:allclose(b, {rtol =, atol =, equal_nan =}): whether |a - b| <= atol + rtol * |b| everywhere; b may be a number. */
static int array_allclose(lua_State *L) {
  static const char *const names[] = {"rtol", "atol", "equal_nan", NULL};
  shmx_options_check(L, 3, names);
  const struct shmx_tolerance tolerance = {.relative = check_tolerance(L, "rtol", 1e-5),
                                           .absolute = check_tolerance(L, "atol", 1e-8),
                                           .nan_equals_nan = shmx_options_boolean(L, 3, "equal_nan")};
  struct shmx_view a = shmx_array_check(L, 1)->view, shape = a;
  lua_Number number = lua_tonumber(L, 2);
  struct shmx_view b = {&number, SHMX_F64, 1, {1}, {0}};
  if (lua_type(L, 2) != LUA_TNUMBER) b = shmx_array_check(L, 2)->view;
  if (!shmx_broadcast_shape(&shape, &b)) {
    return luaL_error(L, "bad shapes to 'allclose' (%s and %s do not go together)", shmx_array_push_shape(L, &a),
                      shmx_array_push_shape(L, &b));
  }
  shmx_broadcast_to(&a, &shape);
  shmx_broadcast_to(&b, &shape);
  lua_pushboolean(L, shmx_view_close(&a, &b, &tolerance));
  return 1;
}

const luaL_Reg shmx_array_equal_methods[] = {{"allclose", array_allclose}, {"equal", array_equal}, {NULL, NULL}};
