/* SPDX-License-Identifier: MIT */
/*
 * Arrays as text, tables and strings of bytes. These allocate while they read, so they read a share of the array that
 * no finalizer can close.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/array_element.h"
#include "bind/array_parts.h"

/* How much of a dimension is shown: all of it up to `whole`, otherwise its first and last elements. */
struct shown {
  int whole, first, last;
};

static const struct shown shown_by_ndim[] = {{8, 3, 2}, {6, 3, 2}, {3, 1, 1}};

/* An f32 in as few digits as tell it from its neighbours. */
static void add_f32(luaL_Buffer *b, float x) {
  char text[32];
  int length = snprintf(text, sizeof text, "%.7g", (double)x);
  if (strtof(text, NULL) != x) length = snprintf(text, sizeof text, "%.9g", (double)x);
  luaL_addlstring(b, text, (size_t)length);
  if (text[strspn(text, "-0123456789")] == '\0') luaL_addstring(b, ".0");
}

static void add_element(lua_State *L, luaL_Buffer *b, enum shmx_dtype dtype, const void *p) {
  if (dtype == SHMX_U64) {
    char text[24];
    luaL_addlstring(b, text, (size_t)snprintf(text, sizeof text, "%llu", *(const unsigned long long *)p));
  } else if (dtype == SHMX_F32 && isfinite(*(const float *)p)) {
    add_f32(b, *(const float *)p);
  } else {
    shmx_element_push(L, dtype, p);
    if (lua_type(L, -1) == LUA_TNUMBER && isnan(lua_tonumber(L, -1))) {
      lua_pushliteral(L, "nan"); /* which sign it prints with says nothing */
    } else {
      luaL_tolstring(L, -1, NULL);
    }
    lua_remove(L, -2);
    luaL_addvalue(b);
  }
}

static void add_row(lua_State *L, luaL_Buffer *b, const struct shmx_view *view, const struct shown *shown) {
  int64_t size = view->shape[0];
  luaL_addchar(b, '{');
  for (int64_t i = 0; i < size; i++) {
    if (i > 0) luaL_addstring(b, ", ");
    if (size > shown->whole && i == shown->first) {
      luaL_addstring(b, "..., ");
      i = size - shown->last;
    }
    if (view->ndim == 1) {
      add_element(L, b, view->dtype, shmx_view_at(view, &i));
    } else {
      struct shmx_view row = *view;
      shmx_view_drop(&row, 0, i);
      add_row(L, b, &row, shown);
    }
  }
  luaL_addchar(b, '}');
}

/* i64[1000] {0, 1, 2, ..., 998, 999} */
int shmx_array_tostring(lua_State *L) {
  struct shmx_array *array = shmx_array_test(L, 1);
  if (!array) return luaL_typeerror(L, 1, SHMX_ARRAY_TYPE);
  if (!array->view.data) {
    lua_pushliteral(L, "array (closed)");
    return 1;
  }
  array = shmx_array_share(L, 1);
  const struct shmx_view *view = &array->view;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, shmx_dtype_name(view->dtype));
  for (int d = 0; d < view->ndim; d++) {
    luaL_addstring(&b, d == 0 ? "[" : ", ");
    lua_pushinteger(L, view->shape[d]);
    luaL_addvalue(&b);
  }
  luaL_addstring(&b, "] ");
  add_row(L, &b, view, &shown_by_ndim[view->ndim > 3 ? 2 : view->ndim - 1]);
  luaL_pushresult(&b);
  shmx_array_close(array);
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
  struct shmx_array *array = shmx_array_share(L, 1);
  luaL_checkstack(L, SHMX_MAX_NDIM + LUA_MINSTACK, NULL);
  push_table(L, &array->view);
  shmx_array_close(array);
  return 1;
}

/* The elements as a string, in index order. */
static int array_tobytes(lua_State *L) {
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
