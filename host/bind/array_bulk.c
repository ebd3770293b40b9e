/* SPDX-License-Identifier: MIT */
/* Methods on all the elements at once: fill, copy, astype. */
#include "bind/array_element.h"
#include "bind/array_options.h"

/* a:fill(v) gives every element the value and returns the array. */
static int array_fill(lua_State *L) {
  const struct shmx_view *view = &shmx_array_check_writable(L, 1)->view;
  uint64_t element;
  shmx_array_check_end(L, 2);
  lua_settop(L, 2);
  if (!shmx_element_store(L, 2, view->dtype, &element)) {
    return shmx_array_bad_argument(L, 2, "%s", shmx_element_problem(L, 2, view->dtype));
  }
  shmx_kernel_fill(view, &element);
  lua_settop(L, 1);
  return 1;
}

/* Pushes a contiguous copy of the array at index 1, or that in option `out` of the options at `arg`, which may have a third
 * dtype. */
static int copy(lua_State *L, enum shmx_dtype dtype, int arg) {
  static const char *const names[] = {"out", NULL};
  shmx_options_check(L, arg, names);
  struct shmx_view dense;
  shmx_array_dense(L, &dense, dtype, &shmx_array_check(L, 1)->view);
  struct shmx_array *to = shmx_array_out(L, arg, &dense, 1);
  if (to->view.dtype != dtype && shmx_array_check(L, 1)->view.dtype != dtype) {
    shmx_array_replace_by_copy(L, 1, dtype);
    shmx_array_check_out(L, to);
  }
  shmx_kernel_copy(&to->view, &shmx_array_check(L, 1)->view);
  return 1;
}

static int array_copy(lua_State *L) { return copy(L, shmx_array_check(L, 1)->view.dtype, 2); }

/* a:astype(dtype): a copy with other elements; see array/cast.h for how they are converted. */
static int array_astype(lua_State *L) {
  shmx_array_check(L, 1);
  return copy(L, shmx_array_check_dtype(L, 2), 3);
}

const luaL_Reg shmx_array_bulk_methods[] = {
    {"fill", array_fill}, {"copy", array_copy}, {"astype", array_astype}, {NULL, NULL}};
