/* SPDX-License-Identifier: MIT */
/*
 * Putting arrays together and taking them apart: shmx.concat, shmx.stack, a:split, a:tile.
 *
 * Arrays in a list are read from a copy of the list, which no finalizer can change; only closed can they be by then.
 */
#include <string.h>

#include "array/broadcast.h"
#include "array/promote.h"
#include "bind/array_options.h"

enum { LIST = 1, AXIS = 2, OPTIONS = 3 };

/* --- concat and stack --- */

/* Puts a list of arrays at stack index 1 in place of the user's; returns how many there are. */
static int copy_list(lua_State *L) {
  if (!lua_istable(L, LIST)) {
    shmx_array_bad_argument(L, LIST, "a list of arrays is expected, got %s", shmx_array_describe(L, LIST));
  }
  lua_Unsigned count = lua_rawlen(L, LIST);
  if (count < 1 || count > 1 << 24) {
    shmx_array_bad_argument(L, LIST, "a list of arrays is expected, got one of %I", (LUAI_UACINT)count);
  }
  lua_createtable(L, (int)count, 0);
  for (int i = 1; i <= (int)count; i++) {
    lua_rawgeti(L, LIST, i);
    lua_rawseti(L, -2, i);
  }
  lua_replace(L, LIST);
  return (int)count;
}

/* Array number i of the list. When `stacked`, it has one more dimension of 1 at `axis`. */
static struct shmx_view list_view(lua_State *L, int i, int axis, bool stacked) {
  lua_rawgeti(L, LIST, i);
  const struct shmx_array *array = shmx_array_test(L, -1);
  if (!array) shmx_array_bad_argument(L, LIST, "element %d is no array but %s", i, shmx_array_describe(L, -1));
  if (!array->view.data) shmx_array_bad_argument(L, LIST, "element %d: the array is closed", i);
  struct shmx_view view = array->view;
  lua_pop(L, 1);
  if (!stacked) return view;
  memmove(&view.shape[axis + 1], &view.shape[axis], (size_t)(view.ndim - axis) * sizeof view.shape[0]);
  memmove(&view.strides[axis + 1], &view.strides[axis], (size_t)(view.ndim - axis) * sizeof view.strides[0]);
  view.shape[axis] = 1;
  view.strides[axis] = shmx_dtype_size(view.dtype);
  view.ndim++;
  return view;
}

/* Array number i must have the first one's shape, but for its size along the axis (-1: there is none). */
static void check_shape(lua_State *L, int i, const struct shmx_view *first, int axis) {
  struct shmx_view view = list_view(L, i, 0, false), alike = view;
  if (axis >= 0 && view.ndim == first->ndim) alike.shape[axis] = first->shape[axis];
  if (shmx_view_same_shape(&alike, first)) return;
  shmx_array_bad_argument(L, LIST, "element %d has the shape %s, the first one %s", i, shmx_array_push_shape(L, &view),
                          shmx_array_push_shape(L, first));
}

/* What they make together, without elements. */
static struct shmx_view join(lua_State *L, int count, int axis, bool stacked) {
  struct shmx_view first = list_view(L, 1, 0, false), result = list_view(L, 1, axis, stacked);
  for (int i = 2; i <= count; i++) {
    check_shape(L, i, &first, stacked ? -1 : axis);
    struct shmx_view view = list_view(L, i, axis, stacked);
    if (__builtin_add_overflow(result.shape[axis], view.shape[axis], &result.shape[axis]))
      shmx_array_bad_argument(L, LIST, "that many elements are more than there can be");
  }
  return result;
}

/* What the dtypes of all the arrays promote to. The floats come first, as in NumPy: what holds u16 and i8 is i32, which
 * with f32 would make f64, but f32 holds either. */
static enum shmx_dtype promote_list(lua_State *L, int count) {
  enum shmx_dtype dtype = SHMX_BOOL;
  for (int floats = 1; floats >= 0; floats--) {
    for (int i = 1; i <= count; i++) {
      enum shmx_dtype each = list_view(L, i, 0, false).dtype;
      if (shmx_dtype_is_float(each) == (floats == 1)) dtype = shmx_promote(dtype, each);
    }
  }
  return dtype;
}

static bool list_overlaps(lua_State *L, int count, const struct shmx_view *out) {
  for (int i = 1; i <= count; i++) {
    struct shmx_view view = list_view(L, i, 0, false);
    if (shmx_view_overlaps(out, &view)) return true;
  }
  return false;
}

static int combine(lua_State *L, bool stacked) {
  static const char *const names[] = {"axis", "out", NULL};
  shmx_options_check_list(L, LIST, names);
  shmx_options_check_axis(L, AXIS, names);
  int count = copy_list(L);
  int ndim = list_view(L, 1, 0, false).ndim;
  if (stacked && ndim == SHMX_MAX_NDIM) {
    return shmx_array_bad_argument(L, LIST, "the arrays have %d dimensions, which is the most there can be",
                                   SHMX_MAX_NDIM);
  }
  int axis = shmx_options_axis(L, AXIS, ndim + (stacked ? 1 : 0));
  if (axis < 0) axis = 0;
  struct shmx_view result = join(L, count, axis, stacked), dense;
  if (shmx_view_init(&dense, promote_list(L, count), result.ndim, result.shape) != 0) {
    return shmx_array_bad_argument(L, LIST, "that many elements are more than there can be");
  }
  int top = lua_gettop(L);
  struct shmx_array *out = shmx_array_out(L, OPTIONS, &dense, 0);
  if (shmx_options_find(L, OPTIONS, "out")) {
    lua_pop(L, 1);
    if (list_overlaps(L, count, &out->view)) out = shmx_array_new(L, &dense, 0);
  }
  shmx_array_check_out(L, out);
  struct shmx_view to = out->view;
  int64_t first = 0;
  for (int i = 1; i <= count; i++) {
    struct shmx_view from = list_view(L, i, axis, stacked), part = to;
    shmx_view_slice(&part, axis, first, from.shape[axis], 1);
    shmx_kernel_copy(&part, &from);
    first += from.shape[axis];
  }
  shmx_array_deliver(L, top);
  return 1;
}

/* shmx.concat(list [, axis] [, {axis =, out =}]): one after another along an axis that they have. */
static int array_concat(lua_State *L) { return combine(L, false); }

/* shmx.stack(list [, axis] [, {axis =, out =}]): one after another along a new axis. */
static int array_stack(lua_State *L) { return combine(L, true); }

const luaL_Reg shmx_array_combine_constructors[] = {{"concat", array_concat}, {"stack", array_stack}, {NULL, NULL}};

/* --- split --- */

/* Pushes a view of positions first..last - 1 (0-based) along the axis and puts it into the table below as number i. */
static void add_part(lua_State *L, int axis, int64_t first, int64_t last, int i) {
  struct shmx_array *part = shmx_array_share(L, 1);
  shmx_view_slice(&part->view, axis, first, last - first, 1);
  lua_rawseti(L, -2, i);
}

/* Into so many parts, the first of which have one more if it does not come out even. */
static int split_evenly(lua_State *L, int axis, int64_t size) {
  lua_Integer parts = 0;
  if (!shmx_array_to_integer(L, 2, &parts) || parts < 1 || parts > INT32_MAX) {
    return shmx_array_bad_argument(L, 2, "a number of parts or a list of positions is expected, got %s",
                                   shmx_array_describe(L, 2));
  }
  lua_newtable(L);
  int64_t first = 0;
  for (int64_t i = 0; i < parts; i++) {
    int64_t last = first + size / parts + (i < size % parts ? 1 : 0);
    add_part(L, axis, first, last, (int)i + 1);
    first = last;
  }
  return 1;
}

/* Before each of the positions in the table at index 2. */
static int split_at(lua_State *L, int axis, int64_t size) {
  int64_t first = 0;
  int count = (int)lua_rawlen(L, 2);
  lua_newtable(L);
  for (int i = 1; i <= count; i++) {
    lua_Integer position = 0;
    lua_rawgeti(L, 2, i);
    bool is_position = shmx_array_to_integer(L, -1, &position);
    if (!is_position || position - 1 < first || position - 1 > size) {
      LUAI_UACINT least = (LUAI_UACINT)first + 1, most = (LUAI_UACINT)size + 1;
      shmx_array_bad_argument(L, 2, "position %d must be an integer from %I to %I, not %s", i, least, most,
                              shmx_array_describe(L, -1));
    }
    lua_pop(L, 1);
    add_part(L, axis, first, position - 1, i);
    first = position - 1;
  }
  add_part(L, axis, first, size, count + 1);
  return 1;
}

/* a:split(n | positions [, axis]): a list of views. */
static int array_split(lua_State *L) {
  static const char *const names[] = {"axis", NULL};
  shmx_array_check_end(L, 3);
  lua_settop(L, 3);
  shmx_options_check_list(L, 2, names);
  struct shmx_view view = shmx_array_check(L, 1)->view;
  int axis = lua_isnil(L, 3) ? 0 : shmx_array_check_axis(L, 3, 3, view.ndim);
  return lua_istable(L, 2) ? split_at(L, axis, view.shape[axis]) : split_evenly(L, axis, view.shape[axis]);
}

/* --- tile --- */

/* Reads how often each dimension is repeated: from the arguments or one table, for the last dimensions; returns how many
 * dimensions the result has. */
static int read_repeats(lua_State *L, int ndim, int64_t *repeats) {
  bool listed = lua_istable(L, 2);
  if (listed) shmx_array_check_end(L, 2);
  int64_t given = listed ? (int64_t)lua_rawlen(L, 2) : lua_gettop(L) - 1;
  if (given < 1 || given > SHMX_MAX_NDIM) {
    shmx_array_bad_argument(L, 2, "1 to %d integers are expected, got %I", SHMX_MAX_NDIM, (LUAI_UACINT)given);
  }
  int all = given > ndim ? (int)given : ndim;
  for (int d = 0; d < all; d++) repeats[d] = 1;
  for (int i = 1; i <= (int)given; i++) {
    lua_Integer n = 0;
    if (listed) lua_rawgeti(L, 2, i);
    if (!listed) lua_pushvalue(L, 1 + i);
    if (!shmx_array_to_integer(L, -1, &n) || n < 0) {
      shmx_array_bad_argument(L, 2, "a number of repetitions is expected, got %s", shmx_array_describe(L, -1));
    }
    repeats[all - (int)given + i - 1] = n;
    lua_pop(L, 1);
  }
  return all;
}

/* Repeats what lies at the start of each axis, from the last axis on, so that what has been repeated is repeated again. */
static void repeat(const struct shmx_view *out, const struct shmx_view *in, const int64_t *repeats) {
  struct shmx_view done = *out;
  for (int d = 0; d < out->ndim; d++) shmx_view_slice(&done, d, 0, in->shape[d], 1);
  shmx_kernel_copy(&done, in);
  for (int d = out->ndim - 1; d >= 0; d--) {
    struct shmx_view copy = done;
    for (int64_t i = 1; i < repeats[d]; i++) {
      copy.data = (char *)copy.data + in->shape[d] * out->strides[d];
      shmx_kernel_copy(&copy, &done);
    }
    done.shape[d] = out->shape[d];
  }
}

/* a:tile(n1, n2, ...): the array so many times along each axis; a missing number is 1. */
static int array_tile(lua_State *L) {
  int64_t repeats[SHMX_MAX_NDIM], shape[SHMX_MAX_NDIM];
  struct shmx_view in = shmx_array_check(L, 1)->view, dense, wide;
  int ndim = read_repeats(L, in.ndim, repeats);
  for (int d = 0; d < ndim; d++) {
    shape[d] = d < ndim - in.ndim ? 1 : in.shape[d - (ndim - in.ndim)];
    if (__builtin_mul_overflow(shape[d], repeats[d], &shape[d])) {
      return shmx_array_bad_argument(L, 2, "that many elements are more than there can be");
    }
  }
  if (shmx_view_init(&dense, in.dtype, ndim, shape) != 0) {
    return shmx_array_bad_argument(L, 2, "that many elements are more than there can be");
  }
  struct shmx_array *out = shmx_array_new(L, &dense, 0);
  wide = shmx_array_check(L, 1)->view;
  for (int d = 0; d < ndim; d++) shape[d] = d < ndim - in.ndim ? 1 : in.shape[d - (ndim - in.ndim)];
  struct shmx_view target = {.ndim = ndim};
  memcpy(target.shape, shape, sizeof shape);
  shmx_broadcast_to(&wide, &target);
  if (shmx_view_count(&dense) > 0) repeat(&out->view, &wide, repeats);
  return 1;
}

const luaL_Reg shmx_array_combine_methods[] = {{"split", array_split}, {"tile", array_tile}, {NULL, NULL}};
