/* SPDX-License-Identifier: MIT */
/*
 * Files in NumPy's format: shmx.load(path) and a:save(path).
 *
 * A file is open only while no Lua runs, or held by a userdata that closes it. Elements are read straight into the array,
 * and written from where they are, row by row when they do not lie together.
 */
#include <errno.h>
#include <string.h>

#include "array/npy.h"
#include "bind/array_options.h"
#include "core/outside.h"
#include "os/os.h"

#define FILE_TYPE "shmx.file"

enum { HEAD = 1024, GATHERED = 64 << 10 };

/* --- reading --- */

struct file {
  int fd; /* -1: closed */
  uint64_t size;
  const char *path;
};

static int close_file(lua_State *L) {
  struct file *file = luaL_checkudata(L, 1, FILE_TYPE);
  if (file->fd >= 0) close(file->fd);
  file->fd = -1;
  return 0;
}

static struct file *open_file(lua_State *L, const char *path) {
  struct file *file = lua_newuserdatauv(L, sizeof *file, 0);
  *file = (struct file){.fd = -1, .path = path};
  if (luaL_newmetatable(L, FILE_TYPE)) {
    lua_pushcfunction(L, close_file);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  file->fd = shmx_os_file_open(path, &file->size);
  if (file->fd == -EISDIR || file->fd == -ESPIPE) luaL_error(L, "cannot load %s: it is no regular file", path);
  if (file->fd < 0) luaL_error(L, "cannot load %s: %s", path, shmx_os_explain(file->fd));
  return file;
}

static int cannot_read(lua_State *L, const struct file *file, int code) {
  return luaL_error(L, "cannot load %s: %s", file->path,
                    code == -ENODATA ? "it ends too early" : shmx_os_explain(code));
}

/* Reads the header: as much of the file as it turns out to need. */
static void read_header(lua_State *L, const struct file *file, struct shmx_npy *npy) {
  char head[HEAD], *bytes = head;
  uint64_t have = 0;
  int r;
  while ((r = shmx_npy_parse(bytes, have, npy)) == -EAGAIN) {
    uint64_t need = npy->offset > HEAD || file->size < HEAD ? npy->offset : HEAD;
    if (need > file->size) luaL_error(L, "cannot load %s: it is no .npy file, or ends in its header", file->path);
    if (need > HEAD) bytes = lua_newuserdatauv(L, need, 0);
    r = shmx_os_file_read(file->fd, 0, bytes, have = need);
    if (r < 0) cannot_read(L, file, r);
  }
  if (r < 0) luaL_error(L, "cannot load %s: it %s", file->path, npy->why);
}

static void check_size(lua_State *L, const struct file *file, const struct shmx_npy *npy) {
  uint64_t needed = (uint64_t)shmx_view_nbytes(&npy->view), there = file->size - npy->offset;
  if (there >= needed) return;
  luaL_error(L, "cannot load %s: it ends too early: its elements take %I bytes, and it has %I", file->path,
             (LUAI_UACINT)needed, (LUAI_UACINT)there);
}

static void read_elements(lua_State *L, const struct file *file, const struct shmx_npy *npy) {
  struct shmx_array *array = shmx_array_new(L, &npy->view, 0);
  int64_t count = shmx_view_count(&npy->view);
  int r = shmx_os_file_read(file->fd, npy->offset, array->view.data, (uint64_t)shmx_view_nbytes(&npy->view));
  if (r < 0) cannot_read(L, file, r);
  if (npy->swapped) shmx_npy_swap(array->view.data, count, shmx_dtype_size(npy->view.dtype));
}

/* The elements stay in the file, which is mapped to be read. */
static void map_elements(lua_State *L, struct file *file, const struct shmx_npy *npy) {
  struct shmx_memory *memory = shmx_memory_here();
  if (npy->swapped)
    luaL_error(L, "cannot map %s: the bytes of its elements are in another machine's order; load it without mmap",
               file->path);
  if (npy->offset % (uint64_t)shmx_dtype_size(npy->view.dtype) != 0)
    luaL_error(L, "cannot map %s: its elements do not begin where one can; load it without mmap", file->path);
  struct shmx_array *array = shmx_array_push(L);
  int r = memory ? shmx_memory_map_file(memory, file->fd, file->size, &array->segment) : -ENOMEM;
  if (r < 0) luaL_error(L, "cannot map %s: %s", file->path, shmx_os_explain(r));
  array->view = npy->view;
  array->view.data = (char *)array->segment->data + npy->offset;
}

static const char *check_path(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TSTRING)
    shmx_array_bad_argument(L, arg, "the path of a file expected, got %s", shmx_array_describe(L, arg));
  const char *path = lua_tostring(L, arg);
  if (strlen(path) != lua_rawlen(L, arg)) shmx_array_bad_argument(L, arg, "a path has no zero byte in it");
  return path;
}

/* load(path [, {mmap = true}]) -> array */
static int array_load(lua_State *L) {
  static const char *const names[] = {"mmap", NULL};
  struct shmx_npy npy;
  const char *path = check_path(L, 1);
  shmx_options_check(L, 2, names);
  bool mapped = shmx_options_boolean(L, 2, "mmap");
  struct file *file = open_file(L, path);
  int opened = lua_gettop(L);
  read_header(L, file, &npy);
  check_size(L, file, &npy);
  if (mapped) map_elements(L, file, &npy);
  else read_elements(L, file, &npy);
  close(file->fd);
  file->fd = -1;
  lua_replace(L, opened);
  lua_settop(L, opened);
  return 1;
}

/* --- writing --- */

/* The view with its dimensions in the other order. */
static struct shmx_view turned(const struct shmx_view *view) {
  struct shmx_view other = *view;
  for (int d = 0; d < view->ndim; d++) {
    other.shape[d] = view->shape[view->ndim - 1 - d];
    other.strides[d] = view->strides[view->ndim - 1 - d];
  }
  return other;
}

/* What is to be written is collected, unless there is much of it in one place. */
struct output {
  int fd;
  size_t used;
  _Alignas(8) char buffer[GATHERED];
};

static int flush(struct output *out) {
  size_t used = out->used;
  out->used = 0;
  return shmx_os_file_write(out->fd, out->buffer, used);
}

static int put(struct output *out, const void *bytes, uint64_t size) {
  int r = out->used + size > sizeof out->buffer ? flush(out) : 0;
  if (r < 0) return r;
  if (size > sizeof out->buffer) return shmx_os_file_write(out->fd, bytes, size);
  memcpy(out->buffer + out->used, bytes, size);
  out->used += size;
  return 0;
}

/* A vector that has gaps is put together in the buffer, as much of it at a time as there is room. */
static int put_gathered(struct output *out, const struct shmx_view *view) {
  int64_t size = shmx_dtype_size(view->dtype), count;
  int r = 0;
  for (int64_t first = 0; r == 0 && first < view->shape[0]; first += count) {
    struct shmx_view part = *view, dense;
    if (sizeof out->buffer - out->used < (size_t)size) r = flush(out);
    count = (int64_t)(sizeof out->buffer - out->used) / size;
    if (count > view->shape[0] - first) count = view->shape[0] - first;
    shmx_view_slice(&part, 0, first, count, 1);
    if (r == 0) r = shmx_view_init(&dense, view->dtype, 1, &count);
    if (r < 0) break;
    dense.data = out->buffer + out->used;
    shmx_kernel_copy(&dense, &part);
    out->used += (size_t)(count * size);
  }
  return r;
}

static int put_elements(struct output *out, const struct shmx_view *view) {
  if (shmx_view_is_contiguous(view)) return put(out, view->data, (uint64_t)shmx_view_nbytes(view));
  if (view->ndim == 1) return put_gathered(out, view);
  int r = 0;
  for (int64_t i = 0; r == 0 && i < view->shape[0]; i++) {
    struct shmx_view row = *view;
    shmx_view_drop(&row, 0, i);
    r = put_elements(out, &row);
  }
  return r;
}

static int write_elements(int fd, const struct shmx_view *view) {
  struct output out;
  out.fd = fd;
  out.used = 0;
  int r = put_elements(&out, view);
  return r < 0 ? r : flush(&out);
}

static int write_file(const char *path, const struct shmx_view *view) {
  struct shmx_os_replacement file;
  struct shmx_view other = turned(view);
  bool fortran = !shmx_view_is_contiguous(view) && shmx_view_is_contiguous(&other);
  char head[SHMX_NPY_WRITE_MAX];
  int r = shmx_os_replace_begin(path, &file);
  if (r < 0) return r;
  r = shmx_os_file_write(file.fd, head, shmx_npy_format(view, fortran, head));
  if (r == 0) r = write_elements(file.fd, fortran ? &other : view);
  if (r == 0) return shmx_os_replace_end(&file);
  shmx_os_replace_abandon(&file);
  return r;
}

/* a:save(path) -> a */
static int array_save(lua_State *L) {
  struct shmx_array *array = shmx_array_check(L, 1);
  const char *path = check_path(L, 2);
  shmx_array_check_end(L, 2);
  int r = write_file(path, &array->view);
  if (r == -EISDIR || r == -ESPIPE) return luaL_error(L, "cannot save %s: it is no regular file", path);
  if (r == -EFBIG)
    return luaL_error(L, "cannot save %s: the elements take %I bytes, and %s", path,
                      (LUAI_UACINT)shmx_view_nbytes(&array->view), shmx_os_explain(r));
  if (r < 0) return luaL_error(L, "cannot save %s: %s", path, shmx_os_explain(r));
  lua_settop(L, 1);
  return 1;
}

const luaL_Reg shmx_array_file_constructors[] = {{"load", array_load}, {NULL, NULL}};
const luaL_Reg shmx_array_file_methods[] = {{"save", array_save}, {NULL, NULL}};
