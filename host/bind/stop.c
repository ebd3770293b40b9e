/* SPDX-License-Identifier: MIT */
/*
 * See stop.h. All that a signal handler may do with a Lua state is to set a hook. The hook may come late, when the task
 * has ended by itself, so it looks again: the next task must not suffer for the last one.
 */
#include "bind/stop.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdatomic.h>

#include "core/worker.h"
#include "os/os.h"

static lua_State *state;  /* of the worker */
static atomic_bool known; /* the task that runs knows that it is to stop */

static void interrupt(lua_State *L) {
  luaL_error(L, shmx_worker_has_timed_out() ? "the task has used up its time" : "the task was cancelled");
}

static void on_instruction(lua_State *L, lua_Debug *debug) {
  (void)debug;
  lua_sethook(L, NULL, 0, 0);
  if (shmx_worker_is_to_stop() && !known) interrupt(L);
}

static void look(void) {
  if (shmx_worker_is_to_stop())
    lua_sethook(state, on_instruction, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void on_signal(int signal) {
  (void)signal;
  if (!shmx_os_forked()) look(); /* children have not got the board */
}

void shmx_stop_listen(lua_State *L) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  state = L;
  sigemptyset(&action.sa_mask);
  sigaction(SHMX_OS_STOP_SIGNAL, &action, NULL);
}

void shmx_stop_begin(void) {
  atomic_store_explicit(&known, false, memory_order_relaxed);
  look(); /* the signal may have come when the worker had claimed the task and did not know it yet */
}

void shmx_stop_end(lua_State *L) {
  if (lua_gethook(L) == on_instruction) lua_sethook(L, NULL, 0, 0);
}

bool shmx_stop_ask(void) {
  bool stop = !shmx_os_forked() && shmx_worker_is_to_stop();
  if (stop) known = true;
  return stop;
}

void shmx_stop_obey(lua_State *L) {
  if (shmx_stop_ask()) interrupt(L);
}
