/* SPDX-License-Identifier: MIT */
/*
 * The module `shmx.core` and where the installation lies (see module.h).
 *
 * The first thing that the module makes is a guard, a userdata whose finalizer stops the supervisor: finalizers run in
 * the reverse order of their making, so every pool and array of the state is closed by then.
 */
#include "bind/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/alone.h"
#include "bind/api.h"
#include "bind/array.h"
#include "bind/batch.h"
#include "bind/error.h"
#include "bind/files.h"
#include "bind/inside.h"
#include "bind/joblog.h"
#include "bind/pool.h"
#include "bind/pool_parts.h"
#include "bind/process.h"
#include "bind/runner.h"
#include "bind/survey.h"
#include "bind/task.h"
#include "core/host.h"
#include "core/terminal.h"

#define HELPER "libexec/shmx/shmx-host"

/* --- the installation --- */

static bool is_root(const char *directory) {
  char path[PATH_MAX + sizeof HELPER];
  int n = snprintf(path, sizeof path, "%s/%s", directory, HELPER);
  return n > 0 && (size_t)n < sizeof path && access(path, X_OK) == 0;
}

/* The file that this code was loaded from: a program or core.so. */
static bool find_self(char path[PATH_MAX]) {
  Dl_info info;
  char program[PATH_MAX];
  if (!realpath("/proc/self/exe", program)) return false;
  if (dladdr((const void *)&find_self, &info) && info.dli_fname && strstr(info.dli_fname, ".so"))
    return realpath(info.dli_fname, path) != NULL;
  memcpy(path, program, sizeof program);
  return true;
}

/* The nearest directory above that file in which the helper program lies at its place. */
static bool find_root(char path[PATH_MAX]) {
  if (!find_self(path)) return false;
  for (int level = 0; level < 6; level++) {
    char *slash = strrchr(path, '/');
    if (!slash) return false;
    *slash = 0;
    if (is_root(path)) return true;
  }
  return false;
}

const char *shmx_push_path(lua_State *L, const char *file) {
  static char root[PATH_MAX];
  if (!root[0] && !find_root(root)) {
    root[0] = 0;
    if (access("/proc/self/exe", F_OK) < 0) shmx_error(L, "/proc/self/exe cannot be read; shmx needs /proc");
    shmx_error(L, "shmx is not installed completely: %s is in none of the directories above the program", HELPER);
  }
  return lua_pushfstring(L, "%s/%s", root, file);
}

/* --- what `require` finds --- */

/* The modules that are written in Lua, compiled. A stock Lua finds their files by itself. */
#include "bind/parts.inc" /* made by host/precompile.c */
static const struct {
  const char *name;
  const unsigned char *bytes;
  size_t size;
} parts[] = {{"shmx", part_init, sizeof part_init},
             {"shmx.pool", part_pool, sizeof part_pool},
             {"shmx.alone", part_alone, sizeof part_alone},
             {"shmx.chain", part_chain, sizeof part_chain},
             {"shmx.failure", part_failure, sizeof part_failure},
             {"shmx.fill", part_fill, sizeof part_fill},
             {"shmx.joblog", part_joblog, sizeof part_joblog},
             {"shmx.map", part_map, sizeof part_map},
             {"shmx.options", part_options, sizeof part_options},
             {"shmx.outputs", part_outputs, sizeof part_outputs},
             {"shmx.folder", part_folder, sizeof part_folder},
             {"shmx.seeing", part_seeing, sizeof part_seeing},
             {"shmx.stream", part_stream, sizeof part_stream}};

/* The loader of parts[i], which is its upvalue. Nothing of what it makes is garbage, so nothing is collected meanwhile. */
static int load_part(lua_State *L) {
  lua_Integer i = lua_tointeger(L, lua_upvalueindex(1));
  int collects = lua_gc(L, LUA_GCISRUNNING);
  lua_gc(L, LUA_GCSTOP);
  int status = luaL_loadbufferx(L, (const char *)parts[i].bytes, parts[i].size, parts[i].name, "b");
  if (status == LUA_OK) {
    lua_pushvalue(L, 1);
    status = lua_pcall(L, 1, 1, 0);
  }
  if (collects) lua_gc(L, LUA_GCRESTART);
  return status == LUA_OK ? 1 : lua_error(L);
}

void shmx_open_preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    lua_pushinteger(L, (lua_Integer)i);
    lua_pushcclosure(L, load_part, 1);
    lua_setfield(L, -2, parts[i].name);
  }
  lua_pushcfunction(L, luaopen_shmx_core);
  lua_setfield(L, -2, "shmx.core");
  lua_pop(L, 1);
}

/* --- errors --- */

/* core.where() -> "script.lua:12: " */
static int where(lua_State *L) {
  shmx_push_where(L);
  return 1;
}

static bool calling_whole;

bool shmx_is_calling_whole(void) { return calling_whole; }

/* The hook of another command than ours does not ask, so one that is set already is put aside. */
int shmx_call_whole(lua_State *L, int arguments, int results) {
  bool outer = calling_whole;
  lua_Hook hook = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  if (hook) lua_sethook(L, NULL, 0, 0);
  calling_whole = true;
  int status = lua_pcall(L, arguments, results, 0);
  calling_whole = outer;
  if (hook && !lua_gethook(L)) lua_sethook(L, hook, mask, count);
  return status;
}

/* --- small functions --- */

static int get_clock(lua_State *L) {
  shmx_check_end(L, 0, "clock");
  lua_pushnumber(L, (lua_Number)shmx_os_now() * 1e-9);
  return 1;
}

static int get_pid(lua_State *L) {
  shmx_check_end(L, 0, "pid");
  lua_pushinteger(L, getpid());
  return 1;
}

static int get_cpus(lua_State *L) {
  shmx_check_end(L, 0, "cpus");
  lua_pushinteger(L, shmx_os_cpus());
  return 1;
}

/* core.kill(pid): SIGKILL */
static int kill_process(lua_State *L) {
  lua_Integer pid = luaL_checkinteger(L, 1);
  luaL_argcheck(L, pid > 1 && pid <= INT_MAX, 1, "a process number expected");
  lua_pushboolean(L, kill((pid_t)pid, SIGKILL) == 0);
  return 1;
}

/* core.budget([bytes]) -> bytes: the memory budget; setting it first when given, 0 for the default */
static int budget(lua_State *L) {
  struct shmx_memory *memory = shmx_memory_here();
  if (!memory) return luaL_error(L, "not enough memory");
  if (!lua_isnoneornil(L, 1)) shmx_memory_set_budget(memory, (uint64_t)luaL_checkinteger(L, 1));
  lua_pushinteger(L, (lua_Integer)shmx_memory_budget(memory));
  return 1;
}

/* core.available() -> bytes: memory that the machine, or the cgroup, has free */
static int available(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)shmx_os_memory_available());
  return 1;
}

/* core.ledger() -> segments, bytes, charged bytes: what the supervisor knew when it last looked; nil without one. The
 * charge counts whole chunks, warm ones included. */
static int ledger(lua_State *L) {
  struct shmx_host *host = shmx_host_running();
  if (!host || !shmx_host_is_alive(host)) return 0;
  shmx_memory_attend(host->memory);
  shmx_link_wait_read(&host->link);
  struct shmx_domain_shm *domain = host->link.domain;
  lua_pushinteger(L, (lua_Integer)atomic_load(&domain->segments));
  lua_pushinteger(L, (lua_Integer)atomic_load(&domain->segment_bytes));
  lua_pushinteger(L, (lua_Integer)shmx_domain_charged(domain));
  return 3;
}

/* core.settings() -> table: what the command was told by its options, and whether it has a prompt by now (interactive) */
static int settings(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "shmx.settings");
  return 1;
}

/* core.on_failure(f): f, a function of a part of this library, makes the failures of tasks (see bind/pool.c) */
static int on_failure(lua_State *L) {
  lua_Debug info;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_getinfo(L, ">S", &info);
  const char *slash = strrchr(info.source, '/');
  lua_pushlstring(L, info.source, slash ? (size_t)(slash - info.source) + 1 : strlen(info.source));
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.folder");
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.failure");
  return 0;
}

/* core.interrupted() -> boolean: has Ctrl-C come? Scripts run with a handler, which lets the next one end the process, here as
 * in lua. */
static int interrupted(lua_State *L) {
  lua_pushboolean(L, shmx_os_dies_of(SIGINT));
  return 1;
}

/* core.terminal() -> boolean: is standard error a terminal that bars can be drawn on? */
static int terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDERR_FILENO) && !(shmx_terminal_flags() & SHMX_TERMINAL_DUMB));
  return 1;
}

static int in_worker(lua_State *L) {
  lua_pushboolean(L, shmx_runner_is_here());
  return 1;
}

static const char *const file_names[SHMX_WANTS] = {"trace", "report"};

/* core.trace(trace, report): the next supervisor writes these files, of which one may be nil; an error when it cannot */
static int trace(lua_State *L) {
  const char *const paths[SHMX_WANTS] = {luaL_optstring(L, 1, NULL), luaL_optstring(L, 2, NULL)};
  enum shmx_trace_want which;
  int r = shmx_host_trace(paths[SHMX_WANT_TRACE], paths[SHMX_WANT_REPORT], &which);
  if (r == 0) return 0;
  if (which == SHMX_WANTS) return shmx_error(L, "nothing can be traced: %s", shmx_luapool_explain(r));
  const char *path = paths[which] ? paths[which] : "/dev/null";
  const char *why = r == -ESPIPE ? "it is no regular file" : shmx_os_explain(r);
  return shmx_error(L, "the %s cannot be written: %s: %s", file_names[which], path, why);
}

/* core.trace_failure(task, text): what a failed task says */
static int trace_failure(lua_State *L) {
  struct shmx_host *host = shmx_host_running();
  if (!host || !host->link.trace) return 0;
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  shmx_trace_failure(host->link.trace, (uint32_t)luaL_checkinteger(L, 1), text, size);
  return 0;
}

static const luaL_Reg functions[] = {{"clock", get_clock},
                                     {"pid", get_pid},
                                     {"cpus", get_cpus},
                                     {"budget", budget},
                                     {"available", available},
                                     {"settings", settings},
                                     {"on_failure", on_failure},
                                     {"terminal", terminal},
                                     {"in_worker", in_worker},
                                     {"interrupted", interrupted},
                                     {"kill", kill_process},
                                     {"where", where},
                                     {"ledger", ledger},
                                     {"trace", trace},
                                     {"trace_failure", trace_failure},
                                     {NULL, NULL}};

/* --- the module --- */

static int stop_host(lua_State *L) {
  const struct shmx_trace_outcome *outcome = shmx_host_trace_outcome();
  uint32_t task;
  (void)L;
  if (shmx_runner_is_guest(&task)) return 0; /* the host is main's */
  shmx_runner_closes();
  shmx_host_stop();
  for (int i = 0; i < SHMX_WANTS && !shmx_os_forked(); i++)
    if (outcome->error[i] < 0)
      fprintf(stderr, "shmx: the %s could not be written: %s: %s; what was there before is unchanged\n", file_names[i],
              outcome->path[i], shmx_os_explain(outcome->error[i]));
  return 0;
}

static void make_guard(lua_State *L) {
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, stop_host);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.guard");
}

extern const char lua_ident[] __attribute__((weak)); /* "$LuaVersion: Lua 5.4.4 ..." of the Lua that runs */

/* Refuses another release of Lua than the helper program was built for: bytecode goes from one to the other. */
static void check_release(lua_State *L) {
  luaL_checkversion(L);
  if (!lua_ident || strstr(lua_ident, LUA_RELEASE)) return;
  luaL_error(L, "shmx was built for %s, but this is another release of Lua: %s", LUA_RELEASE, lua_ident);
}

__attribute__((visibility("default"))) int luaopen_shmx_core(lua_State *L) {
  check_release(L);
  shmx_check_process(L);
  make_guard(L);
  luaL_newlib(L, functions);
  lua_pushliteral(L, SHMX_VERSION);
  lua_setfield(L, -2, "version");
  shmx_array_open(L);
  shmx_task_open(L);
  shmx_pool_open_type(L);
  shmx_batch_open(L);
  shmx_inside_open(L);
  shmx_alone_open(L);
  shmx_api_open(L);
  shmx_files_open(L);
  shmx_joblog_register(L);
  shmx_survey_register(L);
  return 1;
}
