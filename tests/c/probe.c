/* SPDX-License-Identifier: MIT */
/*
 * A task module for tests/spec/native_spec.lua, which builds it outside the tree: it calls every function of
 * <shmx/shmx.h>.
 */
#include <pthread.h>
#include <shmx/shmx.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* squares(n) -> f64 array: 1, 4, 9, ... */
static int squares(lua_State *L) {
  struct shmx_array_view a;
  int64_t n = luaL_checkinteger(L, 1);
  shmx_new_array(L, SHMX_DTYPE_F64, 1, &n, 0, &a);
  for (int64_t i = 0; i < n; i++) ((double *)a.data)[i] = (double)((i + 1) * (i + 1));
  return 1;
}

static void push_list(lua_State *L, const int64_t *values, int count) {
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushinteger(L, values[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void set_field(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static int push_view(lua_State *L, const struct shmx_array_view *a) {
  lua_newtable(L);
  lua_pushstring(L, shmx_dtype_text(L, a->dtype));
  lua_setfield(L, -2, "dtype");
  set_field(L, "count", a->count);
  set_field(L, "bytes", a->bytes);
  set_field(L, "flags", a->flags);
  push_list(L, a->shape, a->ndim);
  lua_setfield(L, -2, "shape");
  push_list(L, a->strides, a->ndim);
  lua_setfield(L, -2, "strides");
  return 1;
}

/* view(value) -> table; nil if it is no open array */
static int view(lua_State *L) {
  struct shmx_array_view a;
  if (shmx_to_array(L, 1, &a)) return push_view(L, &a);
  lua_pushnil(L);
  return 1;
}

/* check(a, dtype, ndim, flags) -> table */
static int check(lua_State *L) {
  struct shmx_array_view a;
  int dtype = lua_isnoneornil(L, 2) ? SHMX_ANY : shmx_check_dtype(L, 2);
  shmx_check_array(L, 1, dtype, (int)luaL_optinteger(L, 3, SHMX_ANY), (unsigned)luaL_optinteger(L, 4, 0), &a);
  return push_view(L, &a);
}

/* poke(a): writes a byte of the array without asking whether it may */
static int poke(lua_State *L) {
  struct shmx_array_view a;
  shmx_check_array(L, 1, SHMX_ANY, SHMX_ANY, 0, &a);
  *(char *)a.data = 1;
  return 0;
}

/* new(number of a dtype, sizes...) -> array of zeros */
static int make(lua_State *L) {
  struct shmx_array_view a;
  int64_t shape[16];
  int ndim = lua_gettop(L) - 1;
  for (int i = 0; i < ndim; i++) shape[i] = luaL_checkinteger(L, i + 2);
  shmx_new_array(L, (int)luaL_checkinteger(L, 1), ndim, shape, SHMX_ZEROED, &a);
  return 1;
}

static void *ask_until_cancelled(void *L) {
  while (!shmx_cancelled((lua_State *)L)) {
  }
  return NULL;
}

/* work(how) -> how: for ever, or until it is cancelled. "ask" returns then, "thread" asks in another thread, and "check"
 * raises an error. */
static int work(lua_State *L) {
  static const char *const ways[] = {"ask", "thread", "check", NULL};
  pthread_t thread;
  switch (luaL_checkoption(L, 1, NULL, ways)) {
  case 0: ask_until_cancelled(L); break;
  case 1:
    if (pthread_create(&thread, NULL, ask_until_cancelled, L) == 0) pthread_join(thread, NULL);
    break;
  default:
    for (;;) shmx_check_cancelled(L);
  }
  return 1;
}

/* cancelled() -> boolean */
static int cancelled(lua_State *L) {
  lua_pushboolean(L, shmx_cancelled(L));
  return 1;
}

/* progress(done, total) */
static int progress(lua_State *L) {
  shmx_progress(L, luaL_checknumber(L, 1), luaL_checknumber(L, 2));
  return 0;
}

/* Needs more and more of the stack. */
static int overflow(volatile char *from) {
  volatile char room[4096];
  room[0] = from[0];
  return room[0] == 0 ? overflow(room) + room[0] : 0;
}

/* crash(how): ends the process in the way that is asked for; "library" is in a function of the C library */
static int crash(lua_State *L) {
  static const char *const ways[] = {"memory", "library", "abort", "division", "overflow", "exit", "signal", NULL};
  static volatile int zero;
  static char *volatile nowhere;
  char start = 0;
  switch (luaL_checkoption(L, 1, NULL, ways)) {
  case 0: *nowhere = 1; break;
  case 1: memset(nowhere, 1, 100 + (size_t)zero); break;
  case 2: abort();
  case 3: lua_pushinteger(L, 100 / zero); break;
  case 4: lua_pushinteger(L, overflow(&start)); break;
  case 5: exit(3);
  default: raise(SIGBUS); break;
  }
  return 0;
}

#ifdef PROBE_MISSING
int there_is_no_such_function(void);
#else
static int there_is_no_such_function(void) { return 0; }
#endif

SHMX_MODULE(probe) {
  static const luaL_Reg functions[] = {
      {"squares", squares}, {"view", view},           {"check", check},       {"poke", poke},   {"new", make},
      {"work", work},       {"cancelled", cancelled}, {"progress", progress}, {"crash", crash}, {NULL, NULL}};
  shmx_open(L);
  luaL_newlib(L, functions);
  set_field(L, "any", there_is_no_such_function());
  return 1;
}
