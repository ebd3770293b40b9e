/* SPDX-License-Identifier: MIT */
/*
 * The table of functions that <shmx/shmx.h> finds in the registry. Modules reach the library by this table alone, so it
 * makes no difference to them whether the library is in the program or in core.so, and no symbol of it is seen outside.
 *
 * Its layout and what its functions mean are fixed: they belong to a version of the interface (SHMX_ABI). New members go
 * behind the last one, and make a new revision of it. The first three members are the same in all versions, so that a
 * module of any version gets a proper answer from `accept`.
 */
#include "bind/api.h"

#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <shmx/shmx.h>
#include <stddef.h>
#include <string.h>

#include "array/view.h"
#include "bind/array.h"
#include "bind/array_parts.h"
#include "bind/error.h"
#include "bind/stop.h"
#include "core/worker.h"

#define SAME_NUMBER(constant, tag, type)                                                                               \
  _Static_assert((int)SHMX_DTYPE_##constant == (int)SHMX_##constant, "the dtypes of the interface are ours");
SHMX_DTYPES(SAME_NUMBER)
_Static_assert((int)SHMX_NDIM_MAX == (int)SHMX_MAX_NDIM, "views of modules have room for ours");
_Static_assert(sizeof(struct shmx_array_view) == 160, "the layout of a view is fixed in a version of the interface");
_Static_assert(offsetof(struct shmx_api, to_array) == 16, "every revision begins with the same members");
_Static_assert(offsetof(struct shmx_api, cancelled) == 16 + 5 * sizeof(void (*)(void)), "1.1 begins where 1.0 ended");

/* `module` is an address in the module that asks. */
static void accept_module(lua_State *L, uint32_t abi, uint32_t revision, const void *module) {
  Dl_info info;
  if (abi == SHMX_ABI && revision <= SHMX_ABI_REVISION) return;
  const char *file = dladdr(module, &info) && info.dli_fname ? info.dli_fname : "a C module";
  shmx_error(L, "%s wants version %d.%d of shmx's interface for C modules, but shmx %s has version %d.%d; %s", file,
             (int)abi, (int)revision, SHMX_VERSION, SHMX_ABI, SHMX_ABI_REVISION,
             "compile the module with the shmx/shmx.h that belongs to it");
}

static void describe(const struct shmx_array *array, struct shmx_array_view *view) {
  const struct shmx_view *from = &array->view;
  memset(view, 0, sizeof *view);
  view->data = from->data;
  view->count = shmx_view_count(from);
  view->dtype = (int32_t)from->dtype;
  view->ndim = from->ndim;
  view->bytes = (uint32_t)shmx_dtype_size(from->dtype);
  view->flags = shmx_view_is_contiguous(from) ? SHMX_CONTIGUOUS : 0;
  if (!array->segment->read_only) view->flags |= SHMX_WRITABLE;
  memcpy(view->shape, from->shape, (size_t)from->ndim * sizeof *from->shape);
  memcpy(view->strides, from->strides, (size_t)from->ndim * sizeof *from->strides);
}

static int to_array(lua_State *L, int index, struct shmx_array_view *view) {
  struct shmx_array *array = shmx_array_test(L, index);
  if (!array || !array->segment || !array->view.data) return 0;
  describe(array, view);
  return 1;
}

static const char *dtype_name(int dtype) {
  return dtype >= 0 && dtype < SHMX_DTYPE_COUNT ? shmx_dtype_name((enum shmx_dtype)dtype) : "?";
}

static void refuse(lua_State *L, int arg, const char *format, const char *wanted, const char *got) {
  luaL_argerror(L, arg, lua_pushfstring(L, format, wanted, got));
}

static void check_array(lua_State *L, int arg, int dtype, int ndim, unsigned flags, struct shmx_array_view *view) {
  struct shmx_array_view found;
  if (!shmx_array_test(L, arg)) luaL_typeerror(L, arg, SHMX_ARRAY_TYPE);
  if (!to_array(L, arg, &found)) luaL_argerror(L, arg, "array is closed");
  unsigned missing = flags & ~found.flags;
  if (dtype != SHMX_ANY && found.dtype != dtype)
    refuse(L, arg, "an array of %s expected, got one of %s", dtype_name(dtype), dtype_name(found.dtype));
  if (ndim != SHMX_ANY && found.ndim != ndim)
    luaL_argerror(L, arg, lua_pushfstring(L, "an array of %d dimensions expected, got %d", ndim, (int)found.ndim));
  if (missing & SHMX_CONTIGUOUS)
    luaL_argerror(L, arg, "a contiguous array expected, got a view with gaps; give a copy of it (a:copy())");
  if (missing & SHMX_WRITABLE) luaL_argerror(L, arg, "an array to write to expected, got a frozen one");
  *view = found;
}

static void new_array(lua_State *L, int dtype, int ndim, const int64_t *shape, unsigned flags,
                      struct shmx_array_view *view) {
  struct shmx_view wanted;
  if (dtype < 0 || dtype >= SHMX_DTYPE_COUNT) luaL_error(L, "cannot make an array: there is no dtype %d", dtype);
  int r = shmx_view_init(&wanted, (enum shmx_dtype)dtype, ndim, shape);
  if (r == -EINVAL) luaL_error(L, "cannot make an array: 1 to %d dimensions, none of them negative", SHMX_MAX_NDIM);
  if (r < 0) luaL_error(L, "cannot make an array: more elements than there can be");
  luaL_checkstack(L, 4, NULL);
  describe(shmx_array_new(L, &wanted, flags & SHMX_ZEROED ? SHMX_ALLOC_ZERO : 0), view);
}

static int check_dtype(lua_State *L, int arg) {
  enum shmx_dtype dtype;
  size_t length;
  const char *name = luaL_checklstring(L, arg, &length);
  if (shmx_dtype_parse(name, length, &dtype)) return (int)dtype;
  luaL_Buffer names;
  luaL_buffinit(L, &names);
  for (int i = 0; i < SHMX_DTYPE_COUNT; i++) {
    luaL_addchar(&names, ' ');
    luaL_addstring(&names, dtype_name(i));
  }
  luaL_pushresult(&names);
  refuse(L, arg, "unknown dtype \"%s\"; the dtypes are%s", name, lua_tostring(L, -1));
  return SHMX_DTYPE_COUNT;
}

static int cancelled(void) { return shmx_stop_ask(); }

static void progress(double done, double total) { shmx_worker_progress(done / total); }

static const struct shmx_api api = {.abi = SHMX_ABI,
                                    .revision = SHMX_ABI_REVISION,
                                    .accept = accept_module,
                                    .to_array = to_array,
                                    .check_array = check_array,
                                    .new_array = new_array,
                                    .check_dtype = check_dtype,
                                    .dtype_name = dtype_name,
                                    .cancelled = cancelled,
                                    .check_cancelled = shmx_stop_obey,
                                    .progress = progress};

void shmx_api_open(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&api);
  lua_setfield(L, LUA_REGISTRYINDEX, SHMX_API_KEY);
}
