/* SPDX-License-Identifier: MIT */
/*
 * A task module with a kernel: it fills a part of the Mandelbrot set into an array that the script gives it, where the
 * array is. Several workers can fill the rows of one picture at the same time.
 *
 * A picture can take minutes. After each row the kernel says how far it is, and asks whether it is still wanted: it holds
 * nothing that an error would leave behind, so that it can simply be left.
 */
#include <shmx/shmx.h>

/* How many steps it takes the point to leave the circle of radius 2, at most `limit`. */
static int64_t escape(double cx, double cy, int64_t limit) {
  double x = 0, y = 0;
  int64_t n = 0;
  while (n < limit && x * x + y * y <= 4) {
    double next = x * x - y * y + cx;
    y = 2 * x * y + cy;
    x = next;
    n++;
  }
  return n;
}

/* fill(a, x, y, step, limit) -> a: a is u8 or u16 of two dimensions. Element (i, j), counted from 0, becomes the number of
 * steps for the point (x + j * step, y + i * step), at most `limit`. */
static int fill(lua_State *L) {
  struct shmx_array_view a;
  shmx_check_array(L, 1, SHMX_ANY, 2, SHMX_WRITABLE, &a);
  double x = luaL_checknumber(L, 2), y = luaL_checknumber(L, 3), step = luaL_checknumber(L, 4);
  lua_Integer limit = luaL_checkinteger(L, 5);
  luaL_argcheck(L, a.dtype == SHMX_DTYPE_U8 || a.dtype == SHMX_DTYPE_U16, 1, "an array of u8 or u16 expected");
  luaL_argcheck(L, limit > 0 && limit < 1 << 8 * a.bytes, 5, "not a positive number that the array can hold");
  for (int64_t i = 0; i < a.shape[0]; i++) {
    char *row = (char *)a.data + i * a.strides[0];
    for (int64_t j = 0; j < a.shape[1]; j++, row += a.strides[1]) {
      int64_t steps = escape(x + (double)j * step, y + (double)i * step, limit);
      if (a.bytes == 1) *(uint8_t *)row = (uint8_t)steps;
      else *(uint16_t *)row = (uint16_t)steps;
    }
    shmx_progress(L, (double)(i + 1), (double)a.shape[0]);
    shmx_check_cancelled(L);
  }
  lua_settop(L, 1);
  return 1;
}

SHMX_MODULE(mandelbrot) {
  static const luaL_Reg functions[] = {{"fill", fill}, {NULL, NULL}};
  shmx_open(L);
  luaL_newlib(L, functions);
  return 1;
}
