/* SPDX-License-Identifier: MIT */
/*
 * The Lua module `process` for the tests in tests/faults: what a script needs to harm processes, itself included, and
 * what plain Lua cannot do. It knows nothing of shmx, as a C module of a user's that forks would not.
 */
#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int luaopen_process(lua_State *L);

/* fork() -> number of the child, 0 in the child */
static int process_fork(lua_State *L) {
  pid_t pid = fork();
  if (pid < 0) return luaL_error(L, "fork: %s", strerror(errno));
  lua_pushinteger(L, pid);
  return 1;
}

/* wait(pid) -> exit code, or nil and the number of the signal that ended it */
static int process_wait(lua_State *L) {
  int status;
  while (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0)
    if (errno != EINTR) return luaL_error(L, "waitpid: %s", strerror(errno));
  if (WIFEXITED(status)) {
    lua_pushinteger(L, WEXITSTATUS(status));
    return 1;
  }
  luaL_pushfail(L);
  lua_pushinteger(L, WTERMSIG(status));
  return 2;
}

/* leave(code): ends the process at once, without finalizers or flushing */
static int process_leave(lua_State *L) { _exit((int)luaL_checkinteger(L, 1)); }

/* kill(pid, signal) -> boolean; the signal by name, such as "STOP" */
static int process_kill(lua_State *L) {
  static const char *const names[] = {"KILL", "TERM", "INT", "HUP", "STOP", "CONT", "ABRT", "SEGV", "URG", NULL};
  static const int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGSTOP, SIGCONT, SIGABRT, SIGSEGV, SIGURG};
  lua_Integer pid = luaL_checkinteger(L, 1);
  luaL_argcheck(L, pid > 1, 1, "a process number expected");
  lua_pushboolean(L, kill((pid_t)pid, signals[luaL_checkoption(L, 2, NULL, names)]) == 0);
  return 1;
}

/* sleep(seconds) */
static int process_sleep(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1), whole = floor(seconds);
  struct timespec left = {.tv_sec = (time_t)whole, .tv_nsec = (long)((seconds - whole) * 1e9)};
  while (nanosleep(&left, &left) < 0 && errno == EINTR) {
  }
  return 0;
}

static int process_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

static int process_parent(lua_State *L) {
  lua_pushinteger(L, getppid());
  return 1;
}

static const luaL_Reg functions[] = {
    {"fork", process_fork},   {"wait", process_wait}, {"leave", process_leave},   {"kill", process_kill},
    {"sleep", process_sleep}, {"pid", process_pid},   {"parent", process_parent}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_process(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
