/* SPDX-License-Identifier: MIT */
/*
 * Taking in what has become of tasks.
 *
 * Tasks on the board are kept in a table of the pool's, by ticket, so that their ends find them. Ends are taken in
 * whenever main waits, submits or closes. Decoding runs in a protected call: a message that does not decode is that
 * task's failure.
 */
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bind/chain.h"
#include "bind/error.h"
#include "bind/joblog.h"
#include "bind/module.h"
#include "bind/output.h"
#include "bind/pool_parts.h"
#include "bind/scalar.h"
#include "bind/task.h"

const char *shmx_luapool_explain(int code) {
  switch (code) {
  case -EPIPE: return "the supervisor process of its pool has died";
  case -ESHUTDOWN: return "the pool is broken";
  case -ESTALE: return "an array belongs to a pool whose supervisor has died; send a copy of it (a:copy())";
  case -EXDEV: return "a mapped file cannot be handed over; load it in the worker, or send a copy (a:copy())";
  case -ENOENT: return "the memory it points to does not exist any more";
  case -EPROTO: return "its message makes no sense";
  case -EINVAL: return "there are too many workers";
  default: return shmx_explain(code);
  }
}

/* --- taking in --- */

static int decode(lua_State *L) {
  struct shmx_delivery delivery = shmx_delivery_of(lua_touserdata(L, 1));
  return shmx_codec_unpack(L, &delivery, 0);
}

/* Calls the constructor of failures (lua/shmx/failure.lua) with the task at `task` and what is on the stack above it:
 * {status, value, traceback, signal, exit code}. Leaves the failure. */
static void make_failure(lua_State *L, int task, const char *status, int count) {
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.failure");
  lua_insert(L, -count - 1);
  lua_pushvalue(L, task);
  lua_insert(L, -count - 1);
  lua_pushstring(L, status);
  lua_insert(L, -count - 1);
  if (shmx_call_whole(L, count + 2, 1) != LUA_OK) lua_pushfstring(L, "%s", lua_tostring(L, -1));
}

void shmx_luapool_fail(lua_State *L, int index, enum shmx_task_status status, int count) {
  struct shmx_task *task = lua_touserdata(L, index);
  task->status = (uint8_t)status;
  task->results = 1;
  make_failure(L, index, shmx_task_status_name(status), count);
  lua_setiuservalue(L, index, SHMX_TASK_RESULTS);
  if (status != SHMX_TASK_CANCELLED) shmx_task_guard(L, index);
}

/* Pushes the values of a message that has nothing but a few numbers, booleans and nils, which cannot go wrong. Returns how
 * many, or -1. */
static int decode_scalars(lua_State *L, const struct shmx_incoming *message) {
  const char *at = message->body, *end = at + message->size;
  if (message->nsegments > 0 || message->size < 2 || at[0] != 0 || (uint8_t)at[1] > SHMX_SCALARS) return -1;
  int count = at[1], top = lua_gettop(L);
  at += 2;
  for (int i = 0; i < count && at; i++) at = shmx_scalar_take(L, at, end);
  if (at == end) return count;
  lua_settop(L, top);
  return -1;
}

/* Pushes the values of the message, or the error with which that ends. */
static int decode_all(lua_State *L, struct shmx_incoming *message, int *status) {
  int base = lua_gettop(L);
  lua_pushcfunction(L, decode);
  lua_pushlightuserdata(L, message);
  *status = shmx_call_whole(L, 1, LUA_MULTRET);
  return lua_gettop(L) - base;
}

/* Segments remember the task that brought them. */
static void note_maker(const struct shmx_task *task, const struct shmx_incoming *message) {
  for (uint32_t i = 0; i < message->nsegments; i++)
    if (message->segments[i] && !message->segments[i]->own) message->segments[i]->task = (uint32_t)task->id;
}

/* Pushes why a task's values, or its error, could not be sent. */
static void push_unsent(lua_State *L, bool values, int why) {
  switch (why) {
  case -EXDEV: lua_pushliteral(L, "a mapped file cannot be handed over; return a copy (a:copy())"); break;
  case -EDQUOT:
  case -E2BIG:
    lua_pushfstring(L,
                    "the memory budget has no room for %s, or raise the budget (--memory, shmx.memory, or memory = of "
                    "the pool)",
                    values ? "the result; return less" : "its error; make that shorter");
    break;
  default:
    lua_pushfstring(L, "the system has no room for %s: %s", values ? "the result" : "its error", shmx_explain(why));
  }
}

/* What the worker has written instead of a message that it could not send. */
static void take_unsent(lua_State *L, int index, struct shmx_outcome *outcome) {
  int32_t why = -EPROTO;
  if (outcome->message.size == sizeof why) memcpy(&why, outcome->message.body, sizeof why);
  shmx_incoming_close(&outcome->message);
  push_unsent(L, shmx_result_meant((uint32_t)outcome->status) == SHMX_RESULT_VALUES, why);
  bool refused = shmx_result_kind((uint32_t)outcome->status) == SHMX_RESULT_REFUSED;
  shmx_luapool_fail(L, index, refused ? SHMX_TASK_REFUSED : SHMX_TASK_FAILED, 1);
}

static void take_done(lua_State *L, int index, struct shmx_task *task, struct shmx_outcome *outcome) {
  if (outcome->error < 0) {
    shmx_incoming_close(&outcome->message);
    lua_pushfstring(L, "its result cannot be had: %s", shmx_luapool_explain(outcome->error));
    shmx_luapool_fail(L, index, SHMX_TASK_FAILED, 1);
    return;
  }
  if (outcome->status & SHMX_RESULT_UNSENT) {
    take_unsent(L, index, outcome);
    return;
  }
  note_maker(task, &outcome->message);
  int status = LUA_OK, count = decode_scalars(L, &outcome->message);
  if (count < 0) count = decode_all(L, &outcome->message, &status);
  shmx_incoming_close(&outcome->message);
  if (status == LUA_OK && (outcome->status & SHMX_RESULT_PRINTED)) count = shmx_output_take(L, index, count);
  outcome->status = shmx_result_kind((uint32_t)outcome->status);
  if (status != LUA_OK) shmx_luapool_fail(L, index, SHMX_TASK_FAILED, count);
  else if (outcome->status == SHMX_RESULT_REFUSED) shmx_luapool_fail(L, index, SHMX_TASK_REFUSED, count);
  else if (outcome->status != SHMX_RESULT_VALUES) shmx_luapool_fail(L, index, SHMX_TASK_FAILED, count);
  else shmx_task_keep_results(L, task, index, count);
}

static void take_crashed(lua_State *L, int index, int status, const char *where) {
  const char *space = *where ? " " : "";
  if (WIFSIGNALED(status)) {
    const char *name = sigabbrev_np(WTERMSIG(status));
    lua_pushfstring(L, "its worker was killed by signal SIG%s (%s)%s%s", name ? name : "?", strsignal(WTERMSIG(status)),
                    space, where);
    lua_pushnil(L);
    lua_pushfstring(L, "SIG%s", name ? name : "?");
    shmx_luapool_fail(L, index, SHMX_TASK_CRASHED, 3);
  } else {
    lua_pushfstring(L, "its worker ended in it with exit code %d%s%s", WEXITSTATUS(status), space, where);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushinteger(L, WEXITSTATUS(status));
    shmx_luapool_fail(L, index, SHMX_TASK_CRASHED, 4);
  }
}

static void take_lost(lua_State *L, int index, struct shmx_pool *core) {
  const char *why;
  if (shmx_pool_ready(core, &why) < 0) lua_pushfstring(L, "its pool is broken: %s", why);
  else lua_pushstring(L, shmx_luapool_explain(-EPIPE));
  shmx_luapool_fail(L, index, SHMX_TASK_CRASHED, 1);
}

int shmx_luapool_fail_task(lua_State *L) {
  enum { POOL = 1, TASK = 2, BATCH = 3, HOW = 4, VALUE = 5, TRACEBACK = 6 };
  struct lua_pool *pool = shmx_luapool_test(L, POOL);
  struct shmx_task *task = shmx_task_check(L, TASK), *batch = shmx_task_check(L, BATCH);
  bool refused = strcmp(luaL_checkstring(L, HOW), "refused") == 0;
  task->id = batch->id; /* by which traces know what ran */
  task->worker = batch->worker;
  task->attempt = batch->attempt;
  lua_settop(L, TRACEBACK);
  shmx_luapool_fail(L, TASK, refused ? SHMX_TASK_REFUSED : SHMX_TASK_FAILED, 2);
  if (pool) pool->tally.ended[task->status]++;
  if (shmx_joblog_is_open) shmx_joblog_write(L, TASK);
  return 0;
}

static void take_end(lua_State *L, struct shmx_pool *core, struct shmx_task *task, int index,
                     struct shmx_outcome *outcome) {
  task->worker = (uint16_t)outcome->worker;
  task->attempt = (uint8_t)outcome->attempt;
  task->nanoseconds = outcome->nanoseconds;
  switch (outcome->end) {
  case SHMX_END_DONE: take_done(L, index, task, outcome); break;
  case SHMX_END_CRASHED:
    shmx_output_take_kept(L, index, outcome);
    take_crashed(L, index, outcome->status, outcome->where);
    break;
  case SHMX_END_LOST: take_lost(L, index, core); break;
  case SHMX_END_TIMED_OUT:
    lua_pushfstring(L, "it has not ended within its limit of %f seconds", (lua_Number)outcome->nanoseconds * 1e-9);
    shmx_luapool_fail(L, index, SHMX_TASK_TIMEOUT, 1);
    break;
  case SHMX_END_CANCELLED:
    lua_pushstring(L, outcome->worker > 0 ? "it was cancelled while it ran" : "it was cancelled before it began");
    shmx_luapool_fail(L, index, SHMX_TASK_CANCELLED, 1);
    break;
  case SHMX_END_LEFT: break;
  }
}

void shmx_luapool_end(lua_State *L, int index, struct shmx_outcome *outcome) {
  take_end(L, NULL, lua_touserdata(L, index), index, outcome);
}

int shmx_luapool_take_in(lua_State *L, int index, struct lua_pool *pool) {
  int count = 0;
  struct shmx_outcome outcome;
  luaL_checkstack(L, 16 + SHMX_SCALARS, NULL);
  lua_getiuservalue(L, index, POOL_TASKS);
  int tasks = lua_gettop(L);
  while (pool->core && shmx_pool_next(pool->core, &outcome)) {
    if (!outcome.lingers)
      shmx_cargo_drop(&pool->cargoes[outcome.ticket]); /* what runs below may use the ticket again */
    count++;
    if (outcome.end == SHMX_END_LEFT) continue;
    lua_rawgeti(L, tasks, outcome.ticket + 1);
    lua_pushboolean(L, false);
    lua_rawseti(L, tasks, outcome.ticket + 1); /* not nil: the table keeps its array part */
    struct shmx_task *task = shmx_task_test(L, -1);
    if (task) {
      take_end(L, pool->core, task, tasks + 1, &outcome);
      if (task->awaited) shmx_chain_note(L, tasks + 1);
      shmx_tally_add(&pool->tally, task, &outcome);
      if (shmx_joblog_is_open) shmx_joblog_write(L, tasks + 1);
    } else shmx_incoming_close(&outcome.message);
    lua_settop(L, tasks);
    if (pool->core && shmx_pool_is_empty(pool->core)) break;
  }
  lua_settop(L, tasks - 1);
  if (!pool->packing && shmx_chain_resolve(L)) count++; /* tasks may have ended without a worker */
  return count;
}
