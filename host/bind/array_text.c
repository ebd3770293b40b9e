/* SPDX-License-Identifier: MIT */
/*
 * Arrays as text, tables and strings of bytes. The latter two allocate while they read, so they read a share of the
 * array that no finalizer can close.
 */
#include <limits.h>

#include "array/page.h"
#include "bind/array_element.h"
#include "bind/array_parts.h"

static void add_piece(void *buffer, const char *piece, size_t length) { luaL_addlstring(buffer, piece, length); }

/* What is shown is read before anything is allocated, so no finalizer can close the array meanwhile. */
int shmx_array_tostring(lua_State *L) {
  struct shmx_array *array = shmx_array_test(L, 1);
  struct shmx_page page;
  luaL_Buffer text;
  if (array && !array->view.data) {
    lua_pushliteral(L, "array (closed)");
    return 1;
  }
  shmx_page_take(&page, &shmx_array_check(L, 1)->view);
  luaL_buffinit(L, &text);
  shmx_page_write(&page, add_piece, &text);
  luaL_pushresult(&text);
  return 1;
}

static void push_table(lua_State *L, const struct shmx_view *view) {
  int64_t size = view->shape[0];
  lua_createtable(L, size > INT_MAX ? INT_MAX : (int)size, 0);
  for (int64_t i = 0; i < size; i++) {
    if (view->ndim == 1) {
      shmx_element_push(L, view->dtype, shmx_view_at(view, &i));
    } else {
      struct shmx_view row = *view;
      shmx_view_drop(&row, 0, i);
      push_table(L, &row);
    }
    lua_rawseti(L, -2, i + 1);
  }
}

static int array_totable(lua_State *L) {
  shmx_array_check(L, 1);
  shmx_array_check_end(L, 1);
  struct shmx_array *array = shmx_array_share(L, 1);
  luaL_checkstack(L, SHMX_MAX_NDIM + LUA_MINSTACK, NULL);
  push_table(L, &array->view);
  shmx_array_close(array);
  return 1;
}

/* The elements as a string, in index order. */
static int array_tobytes(lua_State *L) {
  shmx_array_check(L, 1);
  shmx_array_check_end(L, 1);
  struct shmx_array *array = shmx_array_share(L, 1);
  struct shmx_view dense;
  luaL_Buffer b;
  shmx_view_init(&dense, array->view.dtype, array->view.ndim, array->view.shape);
  size_t size = (size_t)shmx_view_nbytes(&dense);
  dense.data = luaL_buffinitsize(L, &b, size);
  shmx_kernel_copy(&dense, &array->view);
  luaL_pushresultsize(&b, size);
  shmx_array_close(array);
  return 1;
}

const luaL_Reg shmx_array_text_methods[] = {{"totable", array_totable}, {"tobytes", array_tobytes}, {NULL, NULL}};
