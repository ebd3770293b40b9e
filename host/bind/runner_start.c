/* SPDX-License-Identifier: MIT */
/*
 * See runner.h: how a worker's Lua state is made, and becomes what main's was when its script began. The libraries are
 * opened in the supervisor, before any worker is forked; what is the pool's comes after that. The order counts: search
 * paths, LUA_INIT and the libraries of the command line are there before `init` is read, which may refer to modules.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/error.h"
#include "bind/module.h"
#include "bind/output.h"
#include "bind/runner_parts.h"
#include "bind/running.h"
#include "bind/stop.h"

int shmx_runner_push_message(lua_State *L) {
  struct shmx_delivery message = shmx_delivery_of(shmx_here.message);
  return shmx_codec_unpack(L, &message, SHMX_PACK_FUNCTIONS);
}

/* The settings are the message's first value. */
static void push_settings(lua_State *L) {
  struct shmx_delivery message = shmx_delivery_of(shmx_here.message);
  shmx_codec_unpack_first(L, &message, SHMX_PACK_FUNCTIONS);
}

/* package[field] = options[field], with the table of options at index 1 */
static void set_package_field(lua_State *L, const char *field) {
  lua_getglobal(L, "package");
  if (lua_getfield(L, 1, field) == LUA_TSTRING) lua_setfield(L, -2, field);
  else lua_pop(L, 1);
  lua_pop(L, 1);
}

/* LUA_INIT as main ran it: code, or a file behind an @. */
static void run_init_variable(lua_State *L) {
  const char *name = "=LUA_INIT_5_4", *value = getenv(name + 1);
  if (!value) value = getenv((name = "=LUA_INIT") + 1);
  if (!value) return;
  int status = value[0] == '@' ? luaL_loadfile(L, value + 1) : luaL_loadbuffer(L, value, strlen(value), name);
  if (status != LUA_OK) lua_error(L);
  lua_call(L, 0, 0);
}

/* Each -l mod, or -l global=mod, as main ran it. "mod-v2" makes the globals "mod-v2" and "mod". */
static void load_library(lua_State *L, const char *spec) {
  const char *equals = strchr(spec, '=');
  size_t name = equals ? (size_t)(equals - spec) : strlen(spec), stem = equals ? name : strcspn(spec, "-");
  lua_getglobal(L, "require");
  lua_pushstring(L, equals ? equals + 1 : spec);
  lua_call(L, 1, 1);
  for (size_t length = name;; length = stem) {
    const char *global = lua_pushlstring(L, spec, length);
    lua_pushvalue(L, -2);
    lua_setglobal(L, global);
    lua_pop(L, 1);
    if (length == stem) break;
  }
  lua_pop(L, 1);
}

static void load_libraries(lua_State *L) {
  if (lua_getfield(L, 1, "libraries") != LUA_TTABLE) return;
  lua_Integer count = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    load_library(L, luaL_checkstring(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* A state with the libraries. */
static int open_libraries(lua_State *L) {
  lua_gc(L, LUA_GCSTOP); /* nothing of this is garbage */
  luaL_openlibs(L);
  shmx_open_preload(L);
  /* arrays come as arguments, whether the task requires shmx or not */
  luaL_requiref(L, "shmx.core", luaopen_shmx_core, 0);
  lua_pop(L, 1);
  shmx_running_open(L);
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCGEN, 0, 0); /* as lua does */
  return 0;
}

void shmx_runner_prepare(void *context) {
  (void)context;
  lua_State *L = luaL_newstate();
  if (!L) return;
  lua_pushcfunction(L, open_libraries);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK) shmx_here.L = L;
  else lua_close(L);
}

/* The worker's Lua heap may have so many bytes. */
static void limit_heap(lua_State *L) {
  if (lua_getfield(L, 1, "heap") == LUA_TNUMBER) shmx_quota_set(L, shmx_here.quota, (size_t)lua_tointeger(L, -1));
  lua_pop(L, 1);
}

/* With the settings alone at index 1. What it refers to by name is found now, as main finds it. */
static void run_init(lua_State *L) {
  shmx_runner_push_message(L);
  if (lua_getfield(L, 3, "init") == LUA_TFUNCTION) lua_call(L, 0, 0);
}

/* Paths, warnings, LUA_INIT and libraries, by the settings at index 1. */
static void apply_settings(lua_State *L) {
  set_package_field(L, "path");
  set_package_field(L, "cpath");
  lua_getfield(L, 1, "warnings");
  if (lua_toboolean(L, -1)) lua_warning(L, "@on", 0);
  lua_getfield(L, 1, "environment");
  bool environment = lua_toboolean(L, -1);
  lua_settop(L, 1);
  if (environment) run_init_variable(L);
  load_libraries(L);
  lua_settop(L, 1);
}

/* Makes the state what main's was when its script began, then runs `init`. */
static int set_up(lua_State *L) {
  if (!shmx_here.guest) shmx_output_open(L);
  shmx_seed_differ(L);
  if (shmx_here.error < 0)
    return luaL_error(L, "the options of the pool cannot be read: %s", shmx_explain(shmx_here.error));
  lua_settop(L, 0);
  push_settings(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  if (shmx_here.guest) shmx_here.prints_itself = !shmx_output_open_guest(L);
  limit_heap(L);
  shmx_seed_read(L, &shmx_here.seed);
  apply_settings(L);
  run_init(L);
  shmx_hook_keep(L, &shmx_here.hook);
  if (shmx_here.prints_itself) return 0;
  shmx_output_finish();
  shmx_output_begin(L);
  return 0;
}

static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (!message && luaL_callmeta(L, 1, "__tostring")) message = lua_tostring(L, -1);
  if (!message) message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* What concerns the whole process, which is a worker's. */
static void settle_process(lua_State *L) {
  static struct shmx_quota quota;
  shmx_here.quota = &quota;
  shmx_stop_listen(L);
}

/* What is on the top is not all that there is to say when the heap was too small to begin with. */
static void say_failure(lua_State *L, int status, char *text, size_t room) {
  if (status == LUA_ERRMEM && shmx_runner_met_limit(status)) {
    snprintf(text, room,
             "a worker's Lua heap is larger than max_memory_per_worker allows (%zu bytes) before its first task",
             shmx_here.quota->most);
  } else {
    snprintf(text, room, "%s", lua_tostring(L, -1));
  }
}

int shmx_runner_start(void *context, int error, const struct shmx_incoming *config, char *text, size_t room) {
  if (!shmx_here.L) shmx_runner_prepare(context); /* there was not enough memory then */
  lua_State *L = shmx_here.L;
  if (!L) {
    snprintf(text, room, "not enough memory for a Lua state");
    return -1;
  }
  if (!shmx_here.guest) settle_process(L);
  shmx_here.message = config;
  shmx_here.error = error;
  shmx_packet_init(&shmx_here.packet);
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, set_up);
  int status = lua_pcall(L, 0, 0, 1);
  bool ok = status == LUA_OK;
  if (!ok && !shmx_here.prints_itself) shmx_output_finish();
  if (!ok) say_failure(L, status, text, room);
  lua_settop(L, 0);
  return ok ? 0 : -1;
}
