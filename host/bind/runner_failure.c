/* SPDX-License-Identifier: MIT */
/*
 * See runner.h: what a task that raised an error sends. That is the error value and the worker's traceback; a value that
 * cannot travel is replaced by its text, and one that has none by a sentence. Packing is done in protected calls, since
 * it may raise errors of its own.
 */
#include <lauxlib.h>

#include "bind/output.h"
#include "bind/runner_parts.h"

enum { TEXT_MAX = 1 << 20 }; /* of an error and of its traceback, bytes */

#define TRACEBACK "shmx.traceback" /* in the registry */
#define NO_TEXT   "(its error cannot be made a text: __tostring fails)"

void shmx_runner_forget_traceback(lua_State *L) {
  shmx_here.traceback = false;
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, TRACEBACK);
}

int shmx_runner_keep_traceback(lua_State *L) {
  luaL_traceback(L, L, NULL, 1);
  shmx_here.traceback = true;
  lua_setfield(L, LUA_REGISTRYINDEX, TRACEBACK);
  return 1;
}

const struct shmx_pack_names *shmx_runner_add_output(lua_State *L, const struct shmx_pack_names names[2]) {
  shmx_here.printed = !shmx_here.prints_itself && shmx_output_push(L);
  if (shmx_here.printed) lua_insert(L, 1);
  return &names[shmx_here.printed];
}

/* The value on the top as text, at most TEXT_MAX bytes of it. */
static void to_text(lua_State *L) {
  size_t size;
  const char *text = luaL_tolstring(L, -1, &size);
  if (size <= TEXT_MAX) return;
  lua_pushlstring(L, text, TEXT_MAX);
  lua_pushfstring(L, "%s... (%I bytes in all)", lua_tostring(L, -1), (LUAI_UACINT)size);
}

/* Packs the error value, which is its argument, and the traceback. */
static int pack_error(lua_State *L) {
  static const struct shmx_pack_names names[] = {{"error", 0}, {"error", 1}};
  if (lua_type(L, 1) == LUA_TSTRING) {
    to_text(L);
    lua_replace(L, 1);
  }
  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, TRACEBACK);
  const struct shmx_pack_names *called = shmx_runner_add_output(L, names);
  shmx_codec_pack(L, &shmx_here.packet, 1, lua_gettop(L), 0, called);
  return 0;
}

static int pack_error_text(lua_State *L) {
  to_text(L);
  lua_replace(L, 1);
  return pack_error(L);
}

static bool pack_protected(lua_State *L, lua_CFunction function, int error) {
  shmx_packet_reset(&shmx_here.packet);
  lua_pushcfunction(L, function);
  lua_pushvalue(L, error);
  bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  lua_settop(L, error);
  return ok;
}

void shmx_runner_pack_failure(lua_State *L) {
  int error = lua_gettop(L);
  if (pack_protected(L, pack_error, error) || pack_protected(L, pack_error_text, error)) return;
  lua_pushliteral(L, NO_TEXT);
  pack_protected(L, pack_error, error + 1);
}

static int pack_value(lua_State *L) {
  static const struct shmx_pack_names names = {"result", 0};
  shmx_codec_pack(L, &shmx_here.packet, 1, 1, 0, &names);
  return 0;
}

bool shmx_runner_try_to_send(lua_State *L) {
  lua_pushcfunction(L, pack_value);
  lua_pushvalue(L, -2);
  bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  shmx_packet_reset(&shmx_here.packet);
  return ok;
}

static int push_text(lua_State *L) {
  to_text(L);
  return 1;
}

void shmx_runner_make_sendable(lua_State *L) {
  if (lua_type(L, -1) != LUA_TSTRING) {
    if (shmx_runner_try_to_send(L)) return;
    lua_pop(L, 1);
  }
  lua_pushcfunction(L, push_text);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) return;
  lua_pop(L, 1);
  lua_pushliteral(L, NO_TEXT);
}
