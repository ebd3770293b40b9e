/* SPDX-License-Identifier: MIT */
/*
 * Running pieces of Lua for the command (see run.h).
 *
 * Ctrl-C: while Lua runs, SIGINT has a handler that may do one thing only, because it can come at any instruction: set
 * a debug hook, which raises the error as soon as the interpreter looks at it. The handler gives SIGINT its default
 * meaning first, so a script that swallows the error, or is deep in C code, still ends with the second Ctrl-C.
 */
#include "run.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bind/error.h"
#include "bind/module.h"

static const char *message_prefix;
static lua_State *running; /* the state that a SIGINT interrupts; set before the handler is */

const char *shmx_run_prefix(const char *prefix) {
  const char *before = message_prefix;
  message_prefix = prefix;
  return before;
}

void shmx_run_complain(const char *format, ...) {
  va_list values;
  va_start(values, format);
  if (message_prefix != NULL) fprintf(stderr, "%s: ", message_prefix);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
}

int shmx_run_report(lua_State *L, int status) {
  if (status == LUA_OK) return status;
  const char *message = lua_tostring(L, -1);
  shmx_run_complain("%s", message != NULL ? message : "(error object is not a string)");
  lua_pop(L, 1);
  return status;
}

/* --- Ctrl-C --- */

static void handle_sigint(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: io.read and our waits have to come back */
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

static void raise_interrupt(lua_State *L, lua_Debug *debug) {
  (void)debug;
  if (shmx_is_calling_whole()) return; /* it is asked again afterwards */
  lua_sethook(L, NULL, 0, 0);
  shmx_error(L, "interrupted!");
}

static void on_sigint(int signal) {
  (void)signal;
  handle_sigint(SIG_DFL);
  lua_sethook(running, raise_interrupt, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* --- calls --- */

/* Error object -> message with traceback; an object with __tostring speaks for itself, without one. */
static int explain(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, message, 1);
  return 1;
}

int shmx_run_call(lua_State *L, int nargs, int nresults) {
  int handler = lua_gettop(L) - nargs;
  lua_pushcfunction(L, explain);
  lua_insert(L, handler);
  running = L;
  handle_sigint(on_sigint);
  int status = lua_pcall(L, nargs, nresults, handler);
  handle_sigint(SIG_DFL);
  lua_remove(L, handler);
  return status;
}

/* Runs what was just loaded, or says why it could not be. */
static int run_loaded(lua_State *L, int status) {
  if (status == LUA_OK) status = shmx_run_call(L, 0, 0);
  return shmx_run_report(L, status);
}

int shmx_run_file(lua_State *L, const char *path) { return run_loaded(L, luaL_loadfile(L, path)); }

int shmx_run_string(lua_State *L, const char *code, const char *name) {
  return run_loaded(L, luaL_loadbuffer(L, code, strlen(code), name));
}

/* Makes the value on the top a global named by the first `length` bytes of `name`; the value stays. */
static void set_global(lua_State *L, const char *name, size_t length) {
  const char *global = lua_pushlstring(L, name, length);
  lua_pushvalue(L, -2);
  lua_setglobal(L, global);
  lua_pop(L, 1);
}

int shmx_run_library(lua_State *L, const char *spec) {
  const char *equals = strchr(spec, '=');
  lua_getglobal(L, "require");
  lua_pushstring(L, equals != NULL ? equals + 1 : spec);
  int status = shmx_run_call(L, 1, 1);
  if (status != LUA_OK) return shmx_run_report(L, status);
  set_global(L, spec, equals != NULL ? (size_t)(equals - spec) : strlen(spec));
  /* For "mod-v2", later releases of 5.4 set the global `mod`, earlier ones only "mod-v2": here both work. */
  size_t stem = strcspn(spec, "-");
  if (equals == NULL && spec[stem] != '\0') set_global(L, spec, stem);
  lua_pop(L, 1);
  return LUA_OK;
}

/* Pushes the elements of the global table `arg` from 1 on and returns how many. */
static int push_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE) luaL_error(L, "'arg' is not a table");
  int count = (int)luaL_len(L, -1);
  luaL_checkstack(L, count + 3, "too many arguments to script");
  int table = lua_gettop(L);
  for (int i = 1; i <= count; i++) lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return count;
}

int shmx_run_script(lua_State *L, const char *path) {
  int status = luaL_loadfile(L, path);
  if (status == LUA_OK) status = shmx_run_call(L, push_arguments(L), LUA_MULTRET);
  return shmx_run_report(L, status);
}
