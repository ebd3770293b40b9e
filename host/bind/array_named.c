/* SPDX-License-Identifier: MIT */
/*
 * Arrays in memory that other programs can find: with a name, `shmx.array(dtype, shape, {name = "prices"})` and
 * shmx.attach(name, dtype, shape); and without one, a:path().
 */
#include <errno.h>
#include <string.h>

#include "bind/array_parts.h"
#include "bind/error.h"
#include "bind/pool.h"
#include "bind/process.h"
#include "bind/runner.h"
#include "core/outside.h"

static struct shmx_memory *check_memory(lua_State *L) {
  struct shmx_memory *memory = shmx_memory_here();
  shmx_check_process(L);
  if (!memory) luaL_error(L, "not enough memory");
  return memory;
}

static int cannot_make(lua_State *L, const char *name, uint64_t size, int code) {
  const char *why;
  switch (code) {
  case -EEXIST: why = "there is one of that name; shmx.attach opens it"; break;
  case -EINVAL: why = "that is no name for one: up to 199 bytes, without a slash"; break;
  case -ENOSPC: why = "there is no room left in /dev/shm"; break;
  case -EPIPE: why = "the supervisor process has died"; break;
  case -EFBIG: why = lua_pushfstring(L, "it has %I bytes, and %s", (LUAI_UACINT)size, shmx_os_explain(code)); break;
  case -EDQUOT:
  case -E2BIG: why = "the memory budget is used up (--memory, shmx.memory, or memory = of the pool)"; break;
  default: why = shmx_explain(code); break;
  }
  return luaL_error(L, "cannot make the named array '%s': %s", name, why);
}

void shmx_array_new_named(lua_State *L, const struct shmx_view *shape, const char *name) {
  struct shmx_memory *memory = check_memory(L);
  struct shmx_array *array = shmx_array_push(L);
  uint64_t size = (uint64_t)shmx_view_nbytes(shape);
  if (!shmx_runner_is_here()) shmx_luapool_start_host(L);
  int r = shmx_memory_make_named(memory, name, size, &array->segment);
  if (r == -EDQUOT || r == -ENOSPC) { /* what is garbage may be in the way */
    lua_gc(L, LUA_GCCOLLECT);
    r = shmx_memory_make_named_wait(memory, name, size, &array->segment);
  }
  if (r < 0) cannot_make(L, name, size, r);
  array->view = *shape;
  array->view.data = array->segment->data;
  shmx_array_charge(L, size);
}

/* attach(name, dtype, shape) -> array */
static int array_attach(lua_State *L) {
  struct shmx_view view;
  uint64_t there = 0;
  if (lua_type(L, 1) != LUA_TSTRING)
    return shmx_array_bad_argument(L, 1, "a name expected, got %s", shmx_array_describe(L, 1));
  const char *name = lua_tostring(L, 1);
  shmx_array_check_shape(L, 3, shmx_array_check_dtype(L, 2), &view);
  shmx_array_check_end(L, 3);
  struct shmx_memory *memory = check_memory(L);
  struct shmx_array *array = shmx_array_push(L);
  uint64_t size = (uint64_t)shmx_view_nbytes(&view);
  int r = shmx_memory_attach_named(memory, name, size, &there, &array->segment);
  if (r == -ERANGE)
    return luaL_error(L, "cannot attach '%s': it has %I bytes, and these elements take %I", name, (LUAI_UACINT)there,
                      (LUAI_UACINT)size);
  if (r == -EINVAL || r == -ENOENT) return luaL_error(L, "cannot attach '%s': there is no array of that name", name);
  if (r < 0) return luaL_error(L, "cannot attach '%s': %s", name, shmx_explain(r));
  array->view = view;
  array->view.data = array->segment->data;
  return 1;
}

/* a:path() -> path, offset in bytes of the first element */
static int array_path(lua_State *L) {
  struct shmx_array *array = shmx_array_check(L, 1);
  uint64_t offset;
  char path[64];
  shmx_array_check_end(L, 1);
  int r = shmx_memory_path(check_memory(L), array->segment, path, sizeof path, &offset);
  if (r == -EXDEV) return luaL_error(L, "the array is a mapped file, which has a path of its own");
  if (r < 0) return luaL_error(L, "the array has no path: %s", shmx_explain(r));
  lua_pushstring(L, path);
  lua_pushinteger(L, (lua_Integer)offset + ((char *)array->view.data - (char *)array->segment->data));
  return 2;
}

const luaL_Reg shmx_array_named_constructors[] = {{"attach", array_attach}, {NULL, NULL}};
const luaL_Reg shmx_array_named_methods[] = {{"path", array_path}, {NULL, NULL}};
