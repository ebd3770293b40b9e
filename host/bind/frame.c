/* SPDX-License-Identifier: MIT */
/* Whether Lua has its values as bind/frame.h says: that is looked up of values that are known. */
#include "bind/frame.h"

/* Any values whose bits nothing else has. */
static const lua_Integer integer = 0x5a17c0de12345678;
static const lua_Number number = 0x1.23456789abcdep-77;
enum { ARGUMENTS = 3 };

static bool has_userdata(lua_State *L, const struct shmx_frame_value *value) {
  const struct shmx_frame_userdata *userdata = value->userdata;
  return value->tag == SHMX_FRAME_USERDATA && userdata + 1 == lua_touserdata(L, 1) && userdata->user_values == 0 &&
         userdata->size == lua_rawlen(L, 1);
}

/* Called with a userdata, the integer and the number. */
static int look(lua_State *L) {
  const struct shmx_frame_value *arguments = shmx_frame_arguments(L, ARGUMENTS);
  bool known = arguments[1].tag == SHMX_FRAME_INTEGER && arguments[1].integer == integer &&
               arguments[2].tag == SHMX_FRAME_FLOAT && arguments[2].number == number && has_userdata(L, &arguments[0]);
  lua_pushboolean(L, known);
  return 1;
}

bool shmx_frame_is_known(lua_State *L) {
  lua_pushcfunction(L, look);
  lua_newuserdatauv(L, sizeof(struct shmx_array), 0);
  lua_pushinteger(L, integer);
  lua_pushnumber(L, number);
  lua_call(L, ARGUMENTS, 1);
  bool known = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return known;
}
