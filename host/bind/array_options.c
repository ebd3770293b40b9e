/* SPDX-License-Identifier: MIT */
/* Options and results of functions on arrays: see bind/array_options.h. */
#include "bind/array_options.h"

#include <stdarg.h>
#include <string.h>

#include "array/broadcast.h"
#include "array/promote.h"

static const char *function_name(lua_State *L) { return lua_tostring(L, lua_upvalueindex(1)); }

static bool is_among(const char *key, const char *const *names) {
  for (; *names; names++) {
    if (strcmp(key, *names) == 0) return true;
  }
  return false;
}

int shmx_options_fail(lua_State *L, const char *name, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = lua_pushvfstring(L, format, args);
  va_end(args);
  return luaL_error(L, "bad option '%s' to '%s' (%s)", name, function_name(L), message);
}

/* The key below the top is no option's name. */
static int refuse_key(lua_State *L, const char *const *names) {
  bool named = lua_type(L, -2) == LUA_TSTRING;
  const char *got = named ? lua_tostring(L, -2) : lua_pushfstring(L, "[%s]", shmx_array_describe(L, -2));
  lua_pushstring(L, *names++);
  for (; *names; names++) {
    lua_pushfstring(L, ", %s", *names);
    lua_concat(L, 2);
  }
  return shmx_options_fail(L, got, "known are: %s", lua_tostring(L, -1));
}

void shmx_options_check(lua_State *L, int arg, const char *const *names) {
  shmx_array_check_end(L, arg);
  lua_settop(L, arg);
  if (lua_isnil(L, arg)) return;
  if (!lua_istable(L, arg)) {
    shmx_array_bad_argument(L, arg, "a table of options is expected, got %s", shmx_array_describe(L, arg));
  }
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !is_among(lua_tostring(L, -2), names)) refuse_key(L, names);
  }
}

void shmx_options_check_axis(lua_State *L, int arg, const char *const *names) {
  if (lua_istable(L, arg)) {
    lua_pushnil(L);
    lua_insert(L, arg);
  }
  shmx_options_check(L, arg + 1, names);
  shmx_options_bring(L, arg + 1, "axis", arg);
}

void shmx_options_bring(lua_State *L, int options, const char *name, int arg) {
  if (!shmx_options_find(L, options, name)) return;
  if (!lua_isnil(L, arg)) {
    const char *option = shmx_array_describe(L, -1), *argument = shmx_array_describe(L, arg);
    shmx_options_fail(L, name, "it is given twice: %s as an argument, %s as an option", argument, option);
  }
  lua_replace(L, arg);
}

void shmx_options_check_list(lua_State *L, int arg, const char *const *names) {
  for (; *names; names++) {
    if (shmx_options_find(L, arg, *names)) {
      shmx_options_fail(L, *names, "it stands among the elements of a list, and belongs behind the list");
    }
  }
}

int shmx_options_axis(lua_State *L, int arg, int ndim) {
  return lua_isnil(L, arg) ? -1 : shmx_array_check_axis(L, arg, arg, ndim);
}

int shmx_options_read_axis(lua_State *L, int arg, const char *const *names, int ndim) {
  shmx_options_check_axis(L, arg, names);
  return shmx_options_axis(L, arg, ndim);
}

bool shmx_options_find(lua_State *L, int arg, const char *name) {
  if (!lua_istable(L, arg)) return false;
  lua_pushstring(L, name);
  if (lua_rawget(L, arg) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

static bool is_string(lua_State *L, int index, const char *string) {
  return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), string) == 0;
}

struct shmx_array *shmx_options_quick_out(lua_State *L, int arg, bool *clip) {
  if (!lua_istable(L, arg)) return NULL;
  lua_pushnil(L);
  int place = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, arg);) {
    if (is_string(L, -2, "out")) {
      lua_replace(L, place);
    } else if (clip && is_string(L, -2, "mode") && is_string(L, -1, "clip")) {
      *clip = true;
      lua_pop(L, 1);
    } else {
      return NULL;
    }
  }
  return shmx_array_test(L, place);
}

lua_Integer shmx_options_integer(lua_State *L, int arg, const char *name, lua_Integer otherwise) {
  lua_Integer value = otherwise;
  if (!shmx_options_find(L, arg, name)) return otherwise;
  if (!shmx_array_to_integer(L, -1, &value)) {
    shmx_options_fail(L, name, "an integer is expected, got %s", shmx_array_describe(L, -1));
  }
  lua_pop(L, 1);
  return value;
}

lua_Number shmx_options_number(lua_State *L, int arg, const char *name, lua_Number otherwise) {
  if (!shmx_options_find(L, arg, name)) return otherwise;
  if (lua_type(L, -1) != LUA_TNUMBER) {
    shmx_options_fail(L, name, "a number is expected, got %s", shmx_array_describe(L, -1));
  }
  lua_Number value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

bool shmx_options_boolean(lua_State *L, int arg, const char *name) {
  if (!shmx_options_find(L, arg, name)) return false;
  if (!lua_isboolean(L, -1)) {
    shmx_options_fail(L, name, "a boolean is expected, got %s", shmx_array_describe(L, -1));
  }
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

const char *shmx_array_push_shape(lua_State *L, const struct shmx_view *view) {
  lua_pushfstring(L, "{%I", (LUAI_UACINT)view->shape[0]);
  for (int d = 1; d < view->ndim; d++) {
    lua_pushfstring(L, ", %I", (LUAI_UACINT)view->shape[d]);
    lua_concat(L, 2);
  }
  lua_pushliteral(L, "}");
  lua_concat(L, 2);
  return lua_tostring(L, -1);
}

void shmx_array_check_out(lua_State *L, const struct shmx_array *out) {
  if (!out->view.data) luaL_error(L, "bad out to '%s' (the array is closed)", function_name(L));
  if (out->segment->read_only) luaL_error(L, "bad out to '%s' (the array is %s)", function_name(L), SHMX_ARRAY_FROZEN);
}

static struct shmx_array *find_out(lua_State *L, int arg) {
  if (!shmx_options_find(L, arg, "out")) return NULL;
  struct shmx_array *out = shmx_array_test(L, -1);
  if (!out) shmx_options_fail(L, "out", "an array is expected, got %s", shmx_array_describe(L, -1));
  shmx_array_check_out(L, out);
  return out;
}

static void check_out(lua_State *L, const struct shmx_view *out, const struct shmx_view *result, bool exact) {
  if (!shmx_view_same_shape(out, result)) {
    luaL_error(L, "bad out to '%s' (it has the shape %s, the result %s)", function_name(L),
               shmx_array_push_shape(L, out), shmx_array_push_shape(L, result));
  }
  if (exact ? out->dtype != result->dtype : !shmx_dtype_may_hold(out->dtype, result->dtype)) {
    luaL_error(L, "bad out to '%s' (%s %s the result, which is %s)", function_name(L), shmx_dtype_name(out->dtype),
               exact ? "is not the dtype of" : "cannot hold", shmx_dtype_name(result->dtype));
  }
}

struct shmx_array *shmx_array_find_out(lua_State *L, int arg, const struct shmx_view *result, unsigned flags) {
  struct shmx_array *out = find_out(L, arg);
  if (out) check_out(L, &out->view, result, flags & SHMX_OUT_EXACT);
  return out;
}

void shmx_array_dense(lua_State *L, struct shmx_view *dense, enum shmx_dtype dtype, const struct shmx_view *shape) {
  if (shmx_view_init(dense, dtype, shape->ndim, shape->shape) == 0) return;
  luaL_error(L, "bad shapes to '%s' (%s of %s is more than there can be)", function_name(L),
             shmx_array_push_shape(L, shape), shmx_dtype_name(dtype));
}

void shmx_array_replace_by_copy(lua_State *L, int index, enum shmx_dtype dtype) {
  struct shmx_view dense;
  shmx_array_dense(L, &dense, dtype, &shmx_array_check(L, index)->view);
  struct shmx_array *copy = shmx_array_new(L, &dense, 0);
  shmx_kernel_copy(&copy->view, &shmx_array_check(L, index)->view);
  lua_replace(L, index);
}

struct shmx_view shmx_array_separate(lua_State *L, int index, const struct shmx_view *out) {
  struct shmx_view view = shmx_array_check(L, index)->view;
  shmx_broadcast_to(&view, out);
  if (!shmx_view_conflicts(out, &view)) return view;
  shmx_array_replace_by_copy(L, index, view.dtype);
  view = shmx_array_check(L, index)->view;
  shmx_broadcast_to(&view, out);
  return view;
}

struct shmx_array *shmx_array_out_as(lua_State *L, int arg, const struct shmx_view *shape, int inputs, unsigned flags) {
  struct shmx_array *out = shmx_array_find_out(L, arg, shape, flags);
  if (!out) return shmx_array_new(L, shape, 0);
  for (int input = 1; input <= inputs; input++) {
    const struct shmx_array *array = shmx_array_test(L, input);
    if (!array || !array->view.data) continue;
    bool spoilt = flags & SHMX_OUT_IN_PLACE ? shmx_view_conflicts(&out->view, &array->view)
                                            : shmx_view_overlaps(&out->view, &array->view);
    if (spoilt) shmx_array_replace_by_copy(L, input, array->view.dtype);
    shmx_array_check_out(L, out);
  }
  return out;
}

struct shmx_array *shmx_array_out(lua_State *L, int arg, const struct shmx_view *shape, int inputs) {
  return shmx_array_out_as(L, arg, shape, inputs, 0);
}

static bool overlaps_input(lua_State *L, const struct shmx_view *out, int inputs) {
  for (int input = 1; input <= inputs; input++) {
    const struct shmx_array *array = shmx_array_test(L, input);
    if (array && array->view.data && shmx_view_overlaps(out, &array->view)) return true;
  }
  return false;
}

struct shmx_array *shmx_array_out_dense(lua_State *L, int arg, const struct shmx_view *shape, int inputs) {
  struct shmx_array *out = shmx_array_out(L, arg, shape, 0);
  const struct shmx_view *view = &out->view;
  if (view->dtype == shape->dtype && shmx_view_is_contiguous(view) && !overlaps_input(L, view, inputs)) return out;
  return shmx_array_new(L, shape, 0);
}

void shmx_array_deliver(lua_State *L, int top) {
  if (lua_gettop(L) == top + 1) return;
  struct shmx_array *out = shmx_array_test(L, top + 1);
  shmx_array_check_out(L, out);
  shmx_kernel_copy(&out->view, &shmx_array_check(L, top + 2)->view);
  lua_settop(L, top + 1);
}
