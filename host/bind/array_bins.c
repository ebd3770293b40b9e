/* SPDX-License-Identifier: MIT */
/*
 * Methods that count elements by bins (array/bins.h): a:bincount([{weights =, minlength =}]), where elements are the numbers
 * of bins, and a:histogram([bins] [, {range =, weights =, density =}]), where bins lie between edges.
 */
#include "array/bins.h"

#include <math.h>

#include "array/broadcast.h"
#include "array/cast.h"
#include "array/minmax.h"
#include "array/promote.h"
#include "array/search.h"
#include "bind/array_element.h"
#include "bind/array_options.h"

/* Pushes the array in option `weights`, which has the shape of `in`, or nil. */
static void push_weights(lua_State *L, int options, const struct shmx_view *in) {
  if (!shmx_options_find(L, options, "weights")) {
    lua_pushnil(L);
    return;
  }
  const struct shmx_array *weights = shmx_array_test(L, -1);
  if (!weights || !weights->view.data) {
    shmx_options_fail(L, "weights", "an open array is expected, got %s", shmx_array_describe(L, -1));
  }
  if (!shmx_view_same_shape(&weights->view, in)) {
    shmx_options_fail(L, "weights", "they have the shape %s, the array %s", shmx_array_push_shape(L, &weights->view),
                      shmx_array_push_shape(L, in));
  }
}

/* Pushes an array of zeros for the results, and describes what is to be done with the array at index 1 and the weights at
 * index `weights`. Both may have been closed meanwhile. */
static struct shmx_bins make_bins(lua_State *L, int64_t size, bool sums, int weights) {
  struct shmx_view dense;
  if (shmx_view_init(&dense, sums ? SHMX_F64 : SHMX_I64, 1, &size) != 0) {
    luaL_error(L, "bad number of bins to '%s' (%I are more than there can be)", lua_tostring(L, lua_upvalueindex(1)),
               (LUAI_UACINT)size);
  }
  void *data = shmx_array_new(L, &dense, SHMX_ALLOC_ZERO)->view.data;
  struct shmx_bins bins = {.in = &shmx_array_check(L, 1)->view, .size = size};
  if (sums) bins.sums = data;
  else bins.counts = data;
  if (!lua_isnil(L, weights)) bins.weights = &shmx_array_check(L, weights)->view;
  return bins;
}

/* --- bincount --- */

static int array_bincount(lua_State *L) {
  static const char *const names[] = {"minlength", "weights", NULL};
  enum { OPTIONS = 2, WEIGHTS = 3 };
  struct shmx_view in = shmx_array_check(L, 1)->view;
  int64_t most;
  if (!shmx_dtype_is_integer(in.dtype)) {
    return luaL_error(L, "bad array for 'bincount' (integers are expected, not %s)", shmx_dtype_name(in.dtype));
  }
  shmx_options_check(L, OPTIONS, names);
  lua_Integer least = shmx_options_integer(L, OPTIONS, "minlength", 0);
  if (least < 0) return shmx_options_fail(L, "minlength", "it must not be negative, got %I", (LUAI_UACINT)least);
  push_weights(L, OPTIONS, &in);
  in = shmx_array_check(L, 1)->view;
  int64_t bad = shmx_bins_check(&in, &most);
  if (bad > 0) {
    return luaL_error(L, "bad array for 'bincount' (element %I is %I, and bins are numbered from 1)", (LUAI_UACINT)bad,
                      (LUAI_UACINT)most);
  }
  struct shmx_bins bins = make_bins(L, most > least ? most : least, !lua_isnil(L, WEIGHTS), WEIGHTS);
  shmx_bins_count(&bins);
  return 1;
}

/* --- histogram --- */

enum { BINS = 2, OPTIONS = 3, WEIGHTS = 4, EDGES = 5, COMPARED = 6 };
enum { BINS_DEFAULT = 10 };

/* Brings the arguments to their places: the bins or nil, and the options or nil. */
static void sort_arguments(lua_State *L) {
  static const char *const names[] = {"bins", "density", "range", "weights", NULL};
  if (lua_istable(L, BINS) && lua_rawlen(L, BINS) == 0) {
    lua_pushnil(L);
    lua_insert(L, BINS);
  }
  shmx_options_check(L, OPTIONS, names);
  shmx_options_check_list(L, BINS, names);
  shmx_options_bring(L, OPTIONS, "bins", BINS);
}

static double read_end(lua_State *L, int i) {
  lua_rawgeti(L, -1, i);
  lua_Number x = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
  lua_pop(L, 1);
  return x;
}

/* Reads option `range`; false if there is none. */
static bool read_range(lua_State *L, double *low, double *high) {
  if (!shmx_options_find(L, OPTIONS, "range")) return false;
  if (!lua_istable(L, -1)) shmx_options_fail(L, "range", "{low, high} is expected, got %s", shmx_array_describe(L, -1));
  *low = read_end(L, 1);
  *high = read_end(L, 2);
  if (!(*low <= *high) || lua_rawlen(L, -1) != 2)
    shmx_options_fail(L, "range", "{low, high} is expected, two numbers in this order");
  lua_pop(L, 1);
  return true;
}

/* The least and the greatest element. */
static void find_ends(const struct shmx_view *in, double *low, double *high) {
  shmx_cast_row *cast = shmx_casts()->row[SHMX_F64][in->dtype];
  uint64_t least, greatest;
  shmx_minmax_find(&(struct shmx_minmax){.in = *in, .axis = -1, .least = &least, .greatest = &greatest});
  cast((char *)low, 0, (char *)&least, 0, 1);
  cast((char *)high, 0, (char *)&greatest, 0, 1);
}

/* The first and the last edge. */
static void find_range(lua_State *L, double *low, double *high) {
  bool given = read_range(L, low, high);
  const struct shmx_view *in = &shmx_array_check(L, 1)->view;
  if (!given && shmx_view_count(in) == 0) *low = 0, *high = 1;
  else if (!given) find_ends(in, low, high);
  if (*low == *high) *low -= 0.5, *high += 0.5;
  if (isfinite(*high - *low)) return;
  luaL_error(L, "bad %s 'histogram' (from %f to %f is no finite distance%s)", given ? "range to" : "array for", *low,
             *high, given ? "" : "; give a range");
}

/* Pushes the edges of bins with equal distances. */
static void push_even_edges(lua_State *L, int64_t count, enum shmx_dtype dtype) {
  struct shmx_view dense;
  double low, high;
  if (dtype != SHMX_F32) dtype = SHMX_F64;
  if (count < 1) shmx_array_bad_argument(L, BINS, "at least 1 bin is expected, got %I", (LUAI_UACINT)count);
  find_range(L, &low, &high);
  int64_t edges = count < INT64_MAX ? count + 1 : count;
  if (shmx_view_init(&dense, dtype, 1, &edges) != 0) {
    shmx_array_bad_argument(L, BINS, "%I bins are more than there can be", (LUAI_UACINT)count);
  }
  shmx_kernel_linspace(dtype, shmx_array_new(L, &dense, 0)->view.data, edges, low, high);
}

/* Pushes an array of the numbers in the list at index BINS: i64 if all are integers. */
static void push_listed_edges(lua_State *L) {
  struct shmx_view dense;
  int64_t count = (int64_t)lua_rawlen(L, BINS);
  enum shmx_dtype dtype = SHMX_I64;
  for (int64_t i = 1; i <= count; i++, lua_pop(L, 1)) {
    if (lua_rawgeti(L, BINS, i) != LUA_TNUMBER) {
      shmx_array_bad_argument(L, BINS, "edge %I is no number but %s", (LUAI_UACINT)i, shmx_array_describe(L, -1));
    }
    if (!lua_isinteger(L, -1)) dtype = SHMX_F64;
  }
  shmx_view_init(&dense, dtype, 1, &count);
  char *data = shmx_array_new(L, &dense, 0)->view.data;
  for (int64_t i = 0; i < count; i++, lua_pop(L, 1)) {
    lua_rawgeti(L, BINS, i + 1);
    shmx_element_store(L, -1, dtype, data + i * 8);
  }
}

/* Pushes the edges; true if their distances are equal. */
static bool push_edges(lua_State *L, enum shmx_dtype dtype) {
  lua_Integer count = BINS_DEFAULT;
  if (lua_isnil(L, BINS) || shmx_array_to_integer(L, BINS, &count)) {
    push_even_edges(L, count, dtype);
    return true;
  }
  if (shmx_options_find(L, OPTIONS, "range")) {
    shmx_options_fail(L, "range", "it is for a number of bins, not for edges");
  }
  if (lua_istable(L, BINS)) push_listed_edges(L);
  else if (shmx_array_test(L, BINS)) lua_pushvalue(L, BINS);
  else
    shmx_array_bad_argument(L, BINS, "a number of bins or their edges are expected, got %s",
                            shmx_array_describe(L, BINS));
  return false;
}

/* Pushes the edges at index EDGES as they are compared with the elements: a contiguous vector. */
static const struct shmx_view *push_compared(lua_State *L, enum shmx_dtype dtype, bool even) {
  const struct shmx_view *edges = &shmx_array_check(L, EDGES)->view;
  if (edges->ndim != 1 || edges->shape[0] < 2 || edges->dtype == SHMX_BOOL) {
    shmx_array_bad_argument(L, BINS, "edges are a vector of at least two numbers, not %s of the shape %s",
                            shmx_dtype_name(edges->dtype), shmx_array_push_shape(L, edges));
  }
  dtype = even ? edges->dtype : shmx_promote(dtype, edges->dtype);
  lua_pushvalue(L, EDGES);
  shmx_array_replace_by_copy(L, COMPARED, dtype);
  const struct shmx_view *compared = &shmx_array_check(L, COMPARED)->view;
  if (!even && !shmx_search_is_sorted(compared)) {
    shmx_array_bad_argument(L, BINS, "an edge must not be less than the one before it");
  }
  return compared;
}

static int array_histogram(lua_State *L) {
  struct shmx_view in = shmx_array_check(L, 1)->view;
  sort_arguments(L);
  bool density = shmx_options_boolean(L, OPTIONS, "density");
  push_weights(L, OPTIONS, &in);
  bool sums = density || !lua_isnil(L, WEIGHTS), even = push_edges(L, in.dtype);
  const struct shmx_view *edges = push_compared(L, in.dtype, even);
  struct shmx_bins bins = make_bins(L, edges->shape[0] - 1, sums, WEIGHTS);
  shmx_bins_sort_in(&bins, edges, even);
  if (density) shmx_bins_make_density(bins.sums, bins.size, edges);
  lua_pushvalue(L, EDGES);
  return 2;
}

const luaL_Reg shmx_array_bins_methods[] = {{"bincount", array_bincount}, {"histogram", array_histogram}, {NULL, NULL}};
