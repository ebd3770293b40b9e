/* SPDX-License-Identifier: MIT */
/*
 * A tool of the build: precompile FOLDER NAME... compiles the files FOLDER/NAME.lua and writes them as a table of C, for
 * bind/module.c. Programs start faster when they need not compile them each time.
 *
 * Messages and tracebacks call the parts "shmx/NAME.lua".
 */
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { IN_A_LINE = 24 };

static int write_bytes(lua_State *L, const void *bytes, size_t size, void *count) {
  (void)L;
  size_t *written = count;
  for (size_t i = 0; i < size; i++, ++*written)
    printf("%u,%s", ((const unsigned char *)bytes)[i], *written % IN_A_LINE == IN_A_LINE - 1 ? "\n" : "");
  return ferror(stdout);
}

/* Pushes the compiled file; false with a message, or without one when it cannot be read. */
static bool load(lua_State *L, const char *path, const char *name) {
  luaL_Buffer text;
  size_t got;
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  luaL_buffinit(L, &text);
  do {
    char *room = luaL_prepbuffer(&text);
    got = fread(room, 1, LUAL_BUFFERSIZE, file);
    luaL_addsize(&text, got);
  } while (got > 0);
  fclose(file);
  luaL_pushresult(&text);
  const char *chunk = lua_pushfstring(L, "=shmx/%s.lua", name);
  return luaL_loadbuffer(L, lua_tostring(L, -2), lua_rawlen(L, -2), chunk) == LUA_OK;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  if (!L || argc < 3) return 2;
  puts("/* Made by precompile from the parts that are written in Lua. */");
  for (int i = 2; i < argc; i++) {
    size_t written = 0;
    if (!load(L, lua_pushfstring(L, "%s/%s.lua", argv[1], argv[i]), argv[i])) {
      fprintf(stderr, "precompile: %s\n", lua_isstring(L, -1) ? lua_tostring(L, -1) : "a file cannot be read");
      return 1;
    }
    printf("static const unsigned char part_%s[] = {\n", argv[i]);
    if (lua_dump(L, write_bytes, &written, false) != 0) return 1;
    puts("};");
    lua_settop(L, 0);
  }
  lua_close(L);
  return fflush(stdout) != 0;
}
