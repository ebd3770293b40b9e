/* SPDX-License-Identifier: MIT */
/*
 * The command shmx-lua: what the stock `lua` does, with a few options more.
 *
 * It reads the options, makes a Lua state, leaves what the options say for the library in the registry table
 * "shmx.settings", makes the library known to `require` and runs what it was given. It knows nothing else of workers
 * and arrays. The state is closed on every way out, since closing it is what ends the pools of a script.
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/module.h"
#include "core/host.h"
#include "core/layout.h"
#include "host.h"
#include "repl.h"
#include "run.h"

static const char help_options[] = /* after the line "usage: ..." */
    "Available options are:\n"
    "  -e stat        execute string 'stat'\n"
    "  -i             enter interactive mode after executing 'script'\n"
    "  -l mod         require library 'mod' into global 'mod'\n"
    "  -l g=mod       require library 'mod' into global 'g'\n"
    "  -v             show version information\n"
    "  -E             ignore environment variables\n"
    "  -W             turn warnings on\n"
    "  -w N           start N workers in a pool unless the script says how many\n"
    "  --workers N    the same as -w\n"
    "  --memory SIZE  limit the memory of arrays and messages to SIZE\n"
    "  --progress     show the progress of pools (default: only on a terminal)\n"
    "  --no-progress  do not show it\n"
    "  --trace FILE   write what every process does to FILE, for Perfetto or chrome://tracing\n"
    "  --report FILE  write a page of HTML on what happened to FILE\n"
    "  --joblog FILE  write a line for each task that has ended to FILE\n"
    "  --resume FILE  skip tasks that have a name and that FILE, a job log, lists as done\n"
    "  --help         show a longer help and exit\n"
    "  --version      show the versions of shmx-lua and Lua and exit\n"
    "  --             stop handling options\n"
    "  -              stop handling options and execute stdin\n";

static const char help_details[] =
    "\n"
    "Without a script, -e, -i or -v, shmx-lua reads statements from the terminal, or runs standard input if that is\n"
    "not a terminal. The script finds its arguments in the table 'arg' and in '...'.\n"
    "\n"
    "N is 1 to 1024, or 0: then tasks run in the script's own process, for debugging. Without it a pool has as many\n"
    "workers as there are processors. SIZE is a number of bytes, or of KiB, MiB or GiB with the suffix K, M or G, or\n"
    "a share of what is free, such as 50%. The value of an option with two dashes can also follow an equals sign:\n"
    "--workers=4.\n"
    "\n"
    "Environment: LUA_INIT_5_4 or else LUA_INIT is executed first, or the file that it names as '@file'; LUA_PATH_5_4\n"
    "or LUA_PATH and LUA_CPATH_5_4 or LUA_CPATH say where 'require' looks; SHMX_TRACE is a file as with --trace.\n"
    "-E ignores all of them.\n"
    "\n"
    "Exit status: 0, or 1 after an error, or what the script gives to os.exit. Ctrl-C raises the error "
    "\"interrupted!\"\n"
    "in the script; a second Ctrl-C ends it at once.\n"
    "\n"
    "  local shmx = require \"shmx\"\n"
    "  local function squares(n)\n"
    "    local a = shmx.array(\"i64\", n)\n"
    "    for i = 1, n do a[i] = i * i end\n"
    "    return a                              -- handed over, not copied\n"
    "  end\n"
    "  do\n"
    "    local pool <close> = shmx.pool { workers = 4 }\n"
    "    print(pool:submit(squares, 1000):get())\n"
    "  end\n";

static void show_options(FILE *out, const char *program) {
  fprintf(out, "usage: %s [options] [script [args]]\n", program);
  fputs(help_options, out);
}

/* --- options --- */

enum option_id {
  OPTION_STAT,
  OPTION_LIBRARY,
  OPTION_INTERACTIVE,
  OPTION_SHOW_LUA,
  OPTION_NO_ENVIRONMENT,
  OPTION_WARNINGS,
  OPTION_WORKERS,
  OPTION_MEMORY,
  OPTION_PROGRESS,
  OPTION_NO_PROGRESS,
  OPTION_TRACE,
  OPTION_REPORT,
  OPTION_JOBLOG,
  OPTION_RESUME,
  OPTION_HELP,
  OPTION_VERSION
};

/* How the value is given: glued to a short option, after "=" in a long one, or as the next argument. */
enum value_rule {
  VALUE_NONE,
  VALUE_NO_DASH, /* the next argument is no value if it begins with '-' (the rule of lua) */
  VALUE_ANY
};

struct option {
  const char *name;
  enum option_id id;
  enum value_rule rule;
};

static const struct option option_table[] = {
    {"-e", OPTION_STAT, VALUE_NO_DASH},
    {"-l", OPTION_LIBRARY, VALUE_NO_DASH},
    {"-i", OPTION_INTERACTIVE, VALUE_NONE},
    {"-v", OPTION_SHOW_LUA, VALUE_NONE},
    {"-E", OPTION_NO_ENVIRONMENT, VALUE_NONE},
    {"-W", OPTION_WARNINGS, VALUE_NONE},
    {"-w", OPTION_WORKERS, VALUE_ANY},
    {"--workers", OPTION_WORKERS, VALUE_ANY},
    {"--memory", OPTION_MEMORY, VALUE_ANY},
    {"--progress", OPTION_PROGRESS, VALUE_NONE},
    {"--no-progress", OPTION_NO_PROGRESS, VALUE_NONE},
    {"--trace", OPTION_TRACE, VALUE_ANY},
    {"--report", OPTION_REPORT, VALUE_ANY},
    {"--joblog", OPTION_JOBLOG, VALUE_ANY},
    {"--resume", OPTION_RESUME, VALUE_ANY},
    {"--help", OPTION_HELP, VALUE_NONE},
    {"--version", OPTION_VERSION, VALUE_NONE},
};

/* What the command line says. Pointers go into argv. */
struct command {
  int argc;
  char **argv;
  const char *program;
  int script; /* index of the script; 0: there is none */
  bool stat, interactive, show_lua, no_environment, warnings, help, version;
  int workers;          /* -1: not said */
  const char *memory;   /* NULL: not said */
  const char *trace;    /* NULL: not said */
  const char *report;   /* the same */
  const char *joblog;   /* the same */
  const char *resume;   /* the same */
  const char *progress; /* the option that was given, or NULL */
};

struct argument {
  const struct option *option;
  const char *value; /* "" for an option that takes none */
};

enum scan { SCAN_END, SCAN_OPTION, SCAN_UNKNOWN, SCAN_NO_VALUE };

/* True if `text` is this option; *glued is the value within `text`, or NULL. */
static bool option_matches(const struct option *option, const char *text, const char **glued) {
  size_t length = strlen(option->name);
  bool is_long = option->name[1] == '-';
  *glued = NULL;
  if (strncmp(text, option->name, length) != 0) return false;
  const char *rest = text + length;
  if (*rest == '\0') return true;
  if (option->rule == VALUE_NONE || (is_long && *rest != '=')) return false;
  *glued = is_long ? rest + 1 : rest;
  return true;
}

static const struct option *option_find(const char *text, const char **glued) {
  for (size_t i = 0; i < sizeof option_table / sizeof option_table[0]; i++)
    if (option_matches(&option_table[i], text, glued)) return &option_table[i];
  return NULL;
}

/* Reads the option at argv[*index] and moves *index behind it, but not after an error. At the end of the options
 * *index is where the script stands if there is one. */
static enum scan scan_option(char **argv, int *index, struct argument *argument) {
  char **at = &argv[*index];
  if (*at == NULL || **at != '-' || strcmp(*at, "-") == 0) return SCAN_END;
  if (strcmp(*at, "--") == 0) {
    ++*index;
    return SCAN_END;
  }
  const char *glued = NULL;
  argument->option = option_find(*at, &glued);
  if (argument->option == NULL) return SCAN_UNKNOWN;
  if (argument->option->rule == VALUE_NONE || glued != NULL) {
    argument->value = glued != NULL ? glued : "";
    *index += 1;
    return SCAN_OPTION;
  }
  if (at[1] == NULL || (argument->option->rule == VALUE_NO_DASH && *at[1] == '-')) return SCAN_NO_VALUE;
  argument->value = at[1];
  *index += 2;
  return SCAN_OPTION;
}

static bool read_workers(const char *text, int *workers) {
  int count = 0;
  const char *digit = text;
  while (*digit >= '0' && *digit <= '9' && count <= SHMX_WORKERS_MAX) count = 10 * count + (*digit++ - '0');
  bool valid = *digit == '\0' && digit > text && count <= SHMX_WORKERS_MAX;
  if (valid) *workers = count;
  else shmx_run_complain("the number of workers must be an integer from 0 to %d, not '%s'", SHMX_WORKERS_MAX, text);
  return valid;
}

/* Looks at the form only: the library knows what is free. */
static bool check_memory(const char *text) {
  size_t digits = strspn(text, "0123456789");
  const char *unit = text + digits;
  bool formed = *unit == '\0' || (strchr("KkMmGg%", *unit) != NULL && unit[1] == '\0');
  bool zero = strspn(text, "0") == digits;
  bool beyond = *unit == '%' && strtol(text, NULL, 10) > 100;
  bool valid = formed && digits > 0 && !zero && !beyond;
  if (!valid)
    shmx_run_complain("the memory must be a size such as 512M or 4G, or a share such as 50%%, not '%s'", text);
  return valid;
}

static bool take_file(const struct argument *argument, const char **file) {
  *file = argument->value;
  if (**file == '\0') shmx_run_complain("'%s' needs the name of a file", argument->option->name);
  return **file != '\0';
}

static bool take_option(struct command *command, const struct argument *argument) {
  switch (argument->option->id) {
  case OPTION_STAT: command->stat = true; break;
  case OPTION_LIBRARY: break; /* its turn comes when options are run */
  case OPTION_INTERACTIVE: command->interactive = command->show_lua = true; break;
  case OPTION_SHOW_LUA: command->show_lua = true; break;
  case OPTION_NO_ENVIRONMENT: command->no_environment = true; break;
  case OPTION_WARNINGS: command->warnings = true; break;
  case OPTION_WORKERS: return read_workers(argument->value, &command->workers);
  case OPTION_MEMORY: command->memory = argument->value; return check_memory(argument->value);
  case OPTION_PROGRESS:
  case OPTION_NO_PROGRESS: command->progress = argument->option->name; break;
  case OPTION_TRACE: return take_file(argument, &command->trace);
  case OPTION_REPORT: return take_file(argument, &command->report);
  case OPTION_JOBLOG: return take_file(argument, &command->joblog);
  case OPTION_RESUME: return take_file(argument, &command->resume);
  case OPTION_HELP: command->help = true; break;
  case OPTION_VERSION: command->version = true; break;
  }
  return true;
}

static bool refuse_option(const struct command *command, const char *text, enum scan why) {
  if (why == SCAN_NO_VALUE) shmx_run_complain("'%s' needs argument", text);
  else shmx_run_complain("unrecognized option '%s'", text);
  show_options(stderr, command->program);
  return false;
}

/* Reads the whole command line; false after a complaint. */
static bool read_command(struct command *command) {
  int index = 1;
  struct argument argument;
  enum scan found;
  while ((found = scan_option(command->argv, &index, &argument)) == SCAN_OPTION)
    if (!take_option(command, &argument)) return false;
  if (found != SCAN_END) return refuse_option(command, command->argv[index], found);
  command->script = command->argv[index] != NULL ? index : 0;
  return true;
}

/* --- what Lua is told --- */

/* The table `arg`: the script at 0, its arguments from 1 on, the interpreter and its options below. Without a script
 * everything counts as argument of the interpreter at 0. */
static void publish_arguments(lua_State *L, const struct command *command) {
  lua_createtable(L, command->argc - command->script, command->script + 1);
  for (int i = 0; i < command->argc; i++) {
    lua_pushstring(L, command->argv[i]);
    lua_rawseti(L, -2, i - command->script);
  }
  lua_setglobal(L, "arg");
}

/* Pushes the list of what was given with -l: workers load the same libraries. */
static void push_libraries(lua_State *L, const struct command *command) {
  struct argument argument;
  int index = 1;
  lua_newtable(L);
  while (scan_option(command->argv, &index, &argument) == SCAN_OPTION) {
    if (argument.option->id != OPTION_LIBRARY) continue;
    lua_pushstring(L, argument.value);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
  }
}

/* Sets field `key` of the table on the top, unless nothing was said. */
static void set_text(lua_State *L, const char *key, const char *text) {
  lua_pushstring(L, text); /* nil for NULL */
  lua_setfield(L, -2, key);
}

static void publish_settings(lua_State *L, const struct command *command) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "shmx.settings");
  if (command->workers >= 0) {
    lua_pushinteger(L, command->workers);
    lua_setfield(L, -2, "workers");
  }
  set_text(L, "memory", command->memory);
  set_text(L, "trace", command->trace);
  set_text(L, "report", command->report);
  set_text(L, "joblog", command->joblog);
  set_text(L, "resume", command->resume);
  if (command->progress != NULL) {
    lua_pushboolean(L, strcmp(command->progress, "--progress") == 0);
    lua_setfield(L, -2, "progress");
  }
  lua_pushboolean(L, !command->no_environment);
  lua_setfield(L, -2, "environment");
  lua_pushboolean(L, command->warnings);
  lua_setfield(L, -2, "warnings");
  push_libraries(L, command);
  lua_setfield(L, -2, "libraries");
  lua_pop(L, 1);
}

static void open_state(lua_State *L, const struct command *command) {
  luaL_checkversion(L);
  if (command->no_environment) { /* the libraries look at this */
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  lua_gc(L, LUA_GCSTOP); /* nothing of this is garbage */
  luaL_openlibs(L);
  publish_arguments(L, command);
  publish_settings(L, command);
  shmx_open_preload(L);
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCGEN, 0, 0); /* as lua does */
}

/* --- running --- */

static void show_lua(void) {
  puts(LUA_COPYRIGHT);
  fflush(stdout);
}

/* LUA_INIT_5_4 or else LUA_INIT: "@file" or code. */
static int run_environment(lua_State *L) {
  const char *name = "=LUA_INIT" LUA_VERSUFFIX;
  const char *init = getenv(name + 1);
  if (init == NULL) init = getenv((name = "=LUA_INIT") + 1);
  if (init == NULL) return LUA_OK;
  return *init == '@' ? shmx_run_file(L, init + 1) : shmx_run_string(L, init, name);
}

/* Runs -e, -l and -W in the order given, up to the first error. */
static int run_options(lua_State *L, const struct command *command) {
  struct argument argument;
  int status = LUA_OK, index = 1;
  while (status == LUA_OK && scan_option(command->argv, &index, &argument) == SCAN_OPTION) {
    if (argument.option->id == OPTION_STAT) status = shmx_run_string(L, argument.value, "=(command line)");
    if (argument.option->id == OPTION_LIBRARY) status = shmx_run_library(L, argument.value);
    if (argument.option->id == OPTION_WARNINGS) lua_warning(L, "@on", 0);
  }
  return status;
}

/* "-" is standard input, unless "--" before it says that it is a name. */
static int run_script(lua_State *L, const struct command *command) {
  char **script = command->argv + command->script;
  bool is_input = strcmp(script[0], "-") == 0 && strcmp(script[-1], "--") != 0;
  return shmx_run_script(L, is_input ? NULL : script[0]);
}

/* From now on there is a prompt that what the supervisor draws must not tear. */
static void run_interactively(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "shmx.settings");
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "interactive");
  lua_pop(L, 1);
  shmx_repl_run(L);
}

/* What is left to do when options and script have run: -i, or standard input if there was nothing to run. The status
 * of that is no failure of the command, as in lua. */
static void run_input(lua_State *L, const struct command *command) {
  bool nothing = command->script == 0 && !command->stat && !command->show_lua;
  bool terminal = nothing && isatty(STDIN_FILENO);
  if (terminal) show_lua();
  if (command->interactive || terminal) run_interactively(L);
  else if (nothing) shmx_run_file(L, NULL);
}

/* Everything that needs a Lua state. Returns true if nothing failed. */
static int run_command(lua_State *L) {
  const struct command *command = lua_touserdata(L, 1);
  if (command->show_lua) show_lua();
  open_state(L, command);
  if (!command->no_environment && run_environment(L) != LUA_OK) return 0;
  if (run_options(L, command) != LUA_OK) return 0;
  if (command->script > 0 && run_script(L, command) != LUA_OK) return 0;
  run_input(L, command);
  lua_pushboolean(L, 1);
  return 1;
}

/* What was asked for and is not there is told, unless an error says why. */
static void tell_what_is_missing(const struct command *command) {
  static const char message[] = "no %s was written: no pool has started workers";
  if (shmx_host_trace_outcome()->begun) return;
  if (command->trace != NULL) shmx_run_complain(message, "trace");
  if (command->report != NULL) shmx_run_complain(message, "report");
}

static int run_in_state(struct command *command) {
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    shmx_run_complain("cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, run_command);
  lua_pushlightuserdata(L, command);
  int status = lua_pcall(L, 1, 1, 0);
  bool succeeded = status == LUA_OK && lua_toboolean(L, -1);
  shmx_run_report(L, status);
  lua_close(L);
  if (succeeded) tell_what_is_missing(command);
  return succeeded ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int show_about(const struct command *command) {
  if (command->help) {
    show_options(stdout, command->program);
    fputs(help_details, stdout);
  } else {
    puts("shmx-lua " SHMX_VERSION ", " LUA_RELEASE);
  }
  if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_SUCCESS;
  shmx_run_complain("cannot write to standard output: %s", strerror(errno));
  return EXIT_FAILURE;
}

/* The host makes descriptors of its own, and none may become a standard one. A standard descriptor that is closed is
 * opened in the wrong direction: using it fails with the same error as before. */
static void plug_standard_descriptors(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv) {
  char unnamed[] = "", *nothing[] = {unnamed, NULL};
  if (argc == 0) { /* execve can do that */
    argc = 1;
    argv = nothing;
  }
  if (shmx_host_is_meant(argv[0])) return shmx_host_main(argc, argv);
  struct command command = {.argc = argc, .argv = argv, .workers = -1};
  command.program = *argv[0] != '\0' ? argv[0] : "shmx-lua";
  plug_standard_descriptors();
  shmx_run_prefix(command.program);
  if (!read_command(&command)) return EXIT_FAILURE;
  if (command.help || command.version) return show_about(&command);
  return run_in_state(&command);
}
