/* SPDX-License-Identifier: MIT */
/* Values on Lua's stack lie as bind/frame.h says, and arrays are told from all else there. */
#include "bind/frame.h"

#include <lauxlib.h>

#include "check.h"

static void test_this_lua_is_known_in_every_state(void) {
  lua_State *L = luaL_newstate();
  CHECK(shmx_frame_is_known(L) && shmx_frame_is_known(lua_newthread(L)));
  CHECK(lua_gettop(L) == 1);
  lua_close(L);
}

static int take(lua_State *L) {
  const struct shmx_frame_value *v = shmx_frame_arguments(L, 3);
  CHECK(v[0].tag == SHMX_FRAME_INTEGER && v[0].integer == lua_tointeger(L, 2));
  CHECK(v[1].tag == SHMX_FRAME_FLOAT && v[1].number == lua_tonumber(L, 3));
  CHECK(v[2].tag != SHMX_FRAME_INTEGER && v[2].tag != SHMX_FRAME_FLOAT && v[2].tag != SHMX_FRAME_USERDATA);
  return 0;
}

static void test_the_last_arguments_are_read_with_their_types(void) {
  lua_State *L = luaL_newstate();
  const char *others[] = {"nil", "true", "false", "'1'", "{}", "print"};
  lua_register(L, "take", take);
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    lua_pushfstring(L, "take(0, -5, 2.0, %s) take('x', 1 << 62, 1e300, %s)", others[i], others[i]);
    CHECK(luaL_dostring(L, lua_tostring(L, -1)) == LUA_OK);
  }
  lua_close(L);
}

/* Called with a userdata and whether it is an array. */
static int tell(lua_State *L) {
  const struct shmx_array *array = shmx_frame_array(shmx_frame_arguments(L, 2));
  CHECK(array == (lua_toboolean(L, 2) ? lua_touserdata(L, 1) : NULL));
  CHECK(array == shmx_array_test(L, 1));
  return 0;
}

static void check_told(lua_State *L, bool is_array) {
  lua_pushcfunction(L, tell);
  lua_insert(L, -2);
  lua_pushboolean(L, is_array);
  lua_call(L, 2, 0);
}

static void push_userdata(lua_State *L, size_t size, int user_values, const void *tag) {
  struct shmx_array *array = lua_newuserdatauv(L, size, user_values);
  memset(array, 0, size);
  if (size >= sizeof tag) memcpy(array, &tag, sizeof tag);
}

static void test_arrays_are_told_from_other_values(void) {
  static const char other;
  lua_State *L = luaL_newstate();
  push_userdata(L, sizeof(struct shmx_array), 0, &shmx_array_tag);
  lua_pushvalue(L, -1);
  check_told(L, true);
  push_userdata(L, sizeof(struct shmx_array), 0, &other);
  check_told(L, false);
  push_userdata(L, sizeof(struct shmx_array) - 8, 0, &shmx_array_tag);
  check_told(L, false);
  push_userdata(L, 0, 0, NULL);
  check_told(L, false);
  push_userdata(L, sizeof(struct shmx_array), 1, &other);
  check_told(L, false);
  lua_newtable(L);
  check_told(L, false);
  lua_pushinteger(L, (lua_Integer)(intptr_t)lua_touserdata(L, 1));
  check_told(L, false);
  lua_close(L);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"this_lua_is_known_in_every_state", test_this_lua_is_known_in_every_state},
      {"the_last_arguments_are_read_with_their_types", test_the_last_arguments_are_read_with_their_types},
      {"arrays_are_told_from_other_values", test_arrays_are_told_from_other_values},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
