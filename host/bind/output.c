/* SPDX-License-Identifier: MIT */
/*
 * See output.h. The standard streams of C are replaced by streams of our own, whose bytes go to core/output.h; the handles
 * of Lua's io library, which were made before, are led to them. Programs that a task starts have the descriptors and print
 * past us.
 *
 * Texts that were captured hang on their tasks in a weak table: few tasks have one.
 */
#include "bind/output.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

#include "bind/weak.h"
#include "core/output.h"

static const int numbers[] = {STDOUT_FILENO, STDERR_FILENO};

static ssize_t write_cookie(void *cookie, const char *bytes, size_t size) {
  const int *fd = cookie;
  return shmx_output_write(shmx_output_stream(*fd), bytes, size) ? (ssize_t)size : 0;
}

/* Replaces the stream of C, and Lua's handle `io[name]` of it. */
static void replace(lua_State *L, FILE **stream, const int *fd, int buffering, const char *name) {
  cookie_io_functions_t functions = {.write = write_cookie};
  FILE *file = fopencookie((void *)fd, "w", functions);
  if (!file) return;
  setvbuf(file, NULL, buffering, BUFSIZ);
  *stream = file;
  if (lua_getglobal(L, "io") == LUA_TTABLE) {
    lua_getfield(L, -1, name);
    luaL_Stream *handle = luaL_testudata(L, -1, LUA_FILEHANDLE);
    if (handle) handle->f = file;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void shmx_output_open(lua_State *L) {
  replace(L, &stdout, &numbers[0], _IOLBF, "stdout");
  replace(L, &stderr, &numbers[1], _IONBF, "stderr");
}

enum shmx_output_mode shmx_output_check_mode(lua_State *L, int index) {
  static const char *const names[] = {"pass", "label", "capture", NULL};
  return (enum shmx_output_mode)luaL_checkoption(L, index, names[SHMX_OUTPUT_PASS], names);
}

/* What the table of options at index 1 says. */
static enum shmx_output_mode read_mode(lua_State *L) {
  lua_getfield(L, 1, "output");
  enum shmx_output_mode mode = shmx_output_check_mode(L, -1);
  lua_pop(L, 1);
  return mode;
}

bool shmx_output_open_guest(lua_State *L) {
  static struct shmx_kept_shm kept[2]; /* nobody else sees them */
  static bool attached;
  if (read_mode(L) == SHMX_OUTPUT_PASS) return false;
  if (!attached) shmx_output_attach(kept);
  attached = true;
  shmx_output_open(L);
  return true;
}

void shmx_output_begin(lua_State *L) { shmx_output_choose(read_mode(L)); }

void shmx_output_finish(void) {
  if (__fpending(stdout) > 0) fflush(stdout);
  shmx_output_end_lines();
}

bool shmx_output_push(lua_State *L) {
  if (shmx_output_mode != SHMX_OUTPUT_CAPTURE) return false;
  if (__fpending(stdout) > 0) fflush(stdout);
  const struct shmx_output *output = shmx_output_stream(STDOUT_FILENO);
  if (output->size == 0) return false;
  lua_pushlstring(L, output->bytes, output->size);
  return true;
}

void shmx_output_drop(void) {
  if (shmx_output_mode != SHMX_OUTPUT_CAPTURE) return;
  if (__fpending(stdout) > 0) fflush(stdout);
  shmx_output_forget(shmx_output_stream(STDOUT_FILENO));
}

/* --- main --- */

static void push_table(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, "shmx.outputs") == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  shmx_make_weak(L, "k");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.outputs");
}

/* Pops the text. */
static void set_output(lua_State *L, int index) {
  push_table(L);
  lua_pushvalue(L, index);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 2);
}

int shmx_output_take(lua_State *L, int index, int count) {
  if (count == 0) return 0;
  lua_pushvalue(L, -count);
  lua_remove(L, -count - 1);
  set_output(L, index);
  return count - 1;
}

void shmx_output_take_kept(lua_State *L, int index, const struct shmx_outcome *outcome) {
  if (outcome->kept_size == 0) return;
  lua_pushlstring(L, outcome->kept, outcome->kept_size);
  set_output(L, index);
}

void shmx_output_push_taken(lua_State *L, int index) {
  push_table(L);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}
