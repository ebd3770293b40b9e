/* SPDX-License-Identifier: MIT */
/*
 * A task module that wraps a library: zlib packs the bytes of an array into another array, and unpacks them. No byte is
 * copied on its way to zlib, from it, or to the script.
 *
 * zlib's own memory is let go of before anything is called that can raise an error.
 */
#include <limits.h>
#include <shmx/shmx.h>
#include <zlib.h>

enum { GZIP_FORMAT = 16, ANY_FORMAT = 32, WINDOW = 15, MEMORY = 8, HEAD = 18 };

/* An array of contiguous elements whose bytes zlib can count. */
static void check_bytes(lua_State *L, int arg, struct shmx_array_view *a) {
  shmx_check_array(L, arg, SHMX_ANY, SHMX_ANY, SHMX_CONTIGUOUS, a);
  luaL_argcheck(L, a->count <= INT_MAX / a->bytes, arg, "at most 2 GiB at a time");
}

static void new_bytes(lua_State *L, int64_t size, struct shmx_array_view *a) {
  shmx_new_array(L, SHMX_DTYPE_U8, 1, &size, 0, a);
}

static z_stream stream_between(const struct shmx_array_view *from, const struct shmx_array_view *to) {
  z_stream stream = {0};
  stream.next_in = (Bytef *)from->data;
  stream.avail_in = (uInt)(from->count * from->bytes);
  stream.next_out = (Bytef *)to->data;
  stream.avail_out = (uInt)(to->count * to->bytes);
  return stream;
}

/* gzip(a [, level]) -> u8 array: a file in gzip's format with the bytes of `a` */
static int pack(lua_State *L) {
  struct shmx_array_view from, to;
  check_bytes(L, 1, &from);
  lua_Integer level = luaL_optinteger(L, 2, Z_DEFAULT_COMPRESSION);
  luaL_argcheck(L, level >= -1 && level <= 9, 2, "a level from 0 to 9 expected");
  new_bytes(L, (int64_t)compressBound((uLong)(from.count * from.bytes)) + HEAD, &to);
  z_stream stream = stream_between(&from, &to);
  int r = deflateInit2(&stream, (int)level, Z_DEFLATED, WINDOW + GZIP_FORMAT, MEMORY, Z_DEFAULT_STRATEGY);
  if (r == Z_OK) {
    r = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
  }
  if (r != Z_STREAM_END) return luaL_error(L, "zlib cannot pack it: %s", zError(r));
  lua_getfield(L, -1, "view"); /* of the bytes that are in use: array:view({1, n}) */
  lua_insert(L, -2);
  lua_createtable(L, 2, 0);
  lua_pushinteger(L, 1);
  lua_rawseti(L, -2, 1);
  lua_pushinteger(L, (lua_Integer)stream.total_out);
  lua_rawseti(L, -2, 2);
  lua_call(L, 2, 1);
  return 1;
}

/* gunzip(a, size) -> u8 array: the `size` bytes that are packed in `a` */
static int unpack(lua_State *L) {
  struct shmx_array_view from, to;
  check_bytes(L, 1, &from);
  lua_Integer size = luaL_checkinteger(L, 2);
  luaL_argcheck(L, size >= 0 && size <= INT_MAX, 2, "a size up to 2 GiB expected");
  new_bytes(L, size, &to);
  z_stream stream = stream_between(&from, &to);
  int r = inflateInit2(&stream, WINDOW + ANY_FORMAT);
  if (r == Z_OK) {
    r = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
  }
  if (r != Z_STREAM_END) return luaL_error(L, "zlib cannot unpack it: %s", r == Z_BUF_ERROR ? "wrong size" : zError(r));
  if (stream.total_out != (uLong)size) return luaL_error(L, "%d bytes are packed in it", (int)stream.total_out);
  return 1;
}

SHMX_MODULE(deflate) {
  static const luaL_Reg functions[] = {{"gzip", pack}, {"gunzip", unpack}, {NULL, NULL}};
  shmx_open(L);
  luaL_newlib(L, functions);
  return 1;
}
