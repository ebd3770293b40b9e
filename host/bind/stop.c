/* SPDX-License-Identifier: MIT */
/*
 * See stop.h. All that a signal handler may do with a Lua state is to set a hook. The hook may come late, when the task
 * has ended by itself, so it looks again: the next task must not suffer for the last one.
 */
#include "bind/stop.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdatomic.h>

#include "bind/running.h"
#include "core/worker.h"
#include "os/os.h"

static lua_State *state;  /* of the worker: its main thread */
static atomic_bool known; /* the task that runs knows that it is to stop */

/* The coroutine that was interrupted last: the signal may come when what is to stop has been seen without it, and must not
 * disturb the closing of variables. */
static const lua_State *interrupted;

static void interrupt(lua_State *L) {
  interrupted = L;
  luaL_error(L, shmx_worker_has_timed_out() ? "the task has used up its time" : "the task was cancelled");
}

static void on_instruction(lua_State *L, lua_Debug *debug) {
  (void)debug;
  lua_sethook(L, NULL, 0, 0);
  if (shmx_worker_is_to_stop() && !known && L != interrupted) interrupt(L);
}

static void set_hook(lua_State *L) {
  lua_sethook(L, on_instruction, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* A coroutine without a frame is about to run, or has ended. */
void shmx_stop_look(void) {
  lua_Debug frame;
  lua_State *running = shmx_running();
  if (!shmx_worker_is_to_stop()) return;
  set_hook(running);
  if (!lua_getstack(running, 0, &frame)) set_hook(state);
}

static void on_signal(int signal) {
  (void)signal;
  if (!shmx_os_forked()) shmx_stop_look(); /* children have not got the board */
}

void shmx_stop_listen(lua_State *L) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  state = L;
  shmx_running_begin(L); /* the signal may come before anything has run */
  sigemptyset(&action.sa_mask);
  sigaction(SHMX_OS_STOP_SIGNAL, &action, NULL);
}

void shmx_stop_begin(void) {
  atomic_store_explicit(&known, false, memory_order_relaxed);
  interrupted = NULL;
  shmx_running_begin(state);
  shmx_stop_look(); /* the signal may have come when the worker had claimed the task and did not know it yet */
}

static bool is_to_stop(void) { return !shmx_os_forked() && shmx_worker_is_to_stop(); }

bool shmx_stop_ask(void) {
  bool stop = is_to_stop();
  if (stop) known = true;
  return stop;
}

void shmx_stop_obey(lua_State *L) {
  if (is_to_stop()) interrupt(L);
}
