/* SPDX-License-Identifier: MIT */
/*
 * The interactive mode: lines are read until they make a complete statement, which is run.
 *
 * On a terminal libedit reads the lines, with editing and a history in memory; anything else is read as it comes, with
 * the same prompts. The library is loaded here and not linked, because it and what it needs would cost every script a
 * part of its start; without it lines are read as they come. A line is first tried as an expression ("return " before it).
 * While a statement is read, its text so far is at stack index 1; the compiler says whether more is needed by an error
 * "near <eof>".
 */
#include "repl.h"

#include <dlfcn.h>
#include <editline/readline.h>
#include <lauxlib.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

enum { END_OF_INPUT = -1 };

/* The line read last is owned here, not by the function that reads, since an error of Lua may leave that any time. */
static struct {
  char *line;
  size_t capacity;
  bool editing;
  locale_t locale; /* the user's, for the characters that are typed; the script's stays as it was */
} input;

/* What we use of libedit. */
static struct {
  __typeof__(readline) *read;
  __typeof__(add_history) *remember;
} edit;

/* The library's own file name differs between distributions. */
static bool edit_load(void) {
  void *library = dlopen("libedit.so.2", RTLD_NOW);
  if (!library) library = dlopen("libedit.so.0", RTLD_NOW);
  if (!library) return false;
  edit.read = (__typeof__(edit.read))dlsym(library, "readline");
  edit.remember = (__typeof__(edit.remember))dlsym(library, "add_history");
  const char **name = dlsym(library, "rl_readline_name");
  int *catch_signals = dlsym(library, "rl_catch_signals");
  if (!edit.read || !edit.remember || !name || !catch_signals) return false;
  *name = "shmx-lua";
  *catch_signals = 1; /* give the terminal its modes back when Ctrl-C at the prompt ends the process */
  return true;
}

static void input_open(void) {
  input.editing = isatty(STDIN_FILENO) && edit_load();
  if (input.editing) input.locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
}

static void input_close(void) {
  free(input.line);
  input.line = NULL;
  input.capacity = 0;
  if (input.locale != (locale_t)0) freelocale(input.locale);
}

/* The next line and its length, valid until the following call; NULL at the end. */
static const char *input_edit(const char *prompt, size_t *length) {
  free(input.line);
  locale_t before = uselocale(input.locale); /* 0 changes nothing */
  input.line = edit.read(prompt);
  uselocale(before);
  *length = input.line != NULL ? strlen(input.line) : 0;
  return input.line;
}

static const char *input_read(const char *prompt, size_t *length) {
  fputs(prompt, stdout);
  fflush(stdout);
  ssize_t size = getline(&input.line, &input.capacity, stdin);
  if (size < 0) return NULL;
  if (input.line[size - 1] == '\n') size--;
  *length = (size_t)size;
  return input.line;
}

static void input_remember(const char *text) {
  if (input.editing && *text != '\0') edit.remember(text);
}

/* Pushes the prompt: the global of that name, or the usual one. */
static const char *push_prompt(lua_State *L, bool first) {
  if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL) return lua_pushstring(L, first ? "> " : ">> ");
  return luaL_tolstring(L, -1, NULL);
}

/* Pushes a line; false at the end of the input. A first line "=e" means "return e". */
static bool push_line(lua_State *L, bool first) {
  size_t length = 0;
  int top = lua_gettop(L);
  const char *prompt = push_prompt(L, first);
  const char *line = input.editing ? input_edit(prompt, &length) : input_read(prompt, &length);
  lua_settop(L, top);
  if (line == NULL) return false;
  if (first && length > 0 && *line == '=') lua_pushfstring(L, "return %s", line + 1);
  else lua_pushlstring(L, line, length);
  return true;
}

static int compile(lua_State *L, int index) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  return luaL_loadbuffer(L, text, length, "=stdin");
}

/* Compiles the line at index 1 with "return " before it: pushes the function, or nothing. */
static bool compile_expression(lua_State *L) {
  lua_pushliteral(L, "return ");
  lua_pushvalue(L, 1);
  lua_concat(L, 2);
  bool compiled = compile(L, -1) == LUA_OK;
  if (compiled) lua_remove(L, -2);
  else lua_pop(L, 2);
  return compiled;
}

static bool is_incomplete(lua_State *L, int status) {
  static const char mark[] = "<eof>";
  size_t length;
  if (status != LUA_ERRSYNTAX) return false;
  const char *message = lua_tolstring(L, -1, &length);
  return length >= sizeof mark - 1 && strcmp(message + length - (sizeof mark - 1), mark) == 0;
}

/* Compiles the text at index 1, reading more of it while it is incomplete: pushes the function or the error. */
static int compile_statement(lua_State *L) {
  for (;;) {
    int status = compile(L, 1);
    if (!is_incomplete(L, status) || !push_line(L, false)) return status;
    lua_remove(L, -2); /* the error */
    lua_pushliteral(L, "\n");
    lua_insert(L, -2);
    lua_concat(L, 3);
  }
}

/* Leaves only the function, or the error, on the stack. */
static int read_statement(lua_State *L) {
  lua_settop(L, 0);
  if (!push_line(L, true)) return END_OF_INPUT;
  int status = compile_expression(L) ? LUA_OK : compile_statement(L);
  input_remember(lua_tostring(L, 1));
  lua_remove(L, 1);
  return status;
}

static void print_results(lua_State *L) {
  int count = lua_gettop(L);
  if (count == 0) return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  lua_getglobal(L, "print");
  lua_insert(L, 1);
  if (lua_pcall(L, count, 0, 0) != LUA_OK) shmx_run_complain("error calling 'print' (%s)", luaL_tolstring(L, -1, NULL));
}

void shmx_repl_run(lua_State *L) {
  const char *prefix = shmx_run_prefix(NULL); /* the user knows who is talking */
  int status;
  input_open();
  while ((status = read_statement(L)) != END_OF_INPUT) {
    if (status == LUA_OK) status = shmx_run_call(L, 0, LUA_MULTRET);
    if (shmx_run_report(L, status) == LUA_OK) print_results(L);
  }
  input_close();
  lua_settop(L, 0);
  putchar('\n');
  fflush(stdout);
  shmx_run_prefix(prefix);
}
