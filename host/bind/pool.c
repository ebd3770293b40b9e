/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.pool`: opening and closing. What can be put together from its methods (execute, map, the closing
 * order) is in lua/shmx/pool.lua.
 */
#include "bind/pool.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/chain.h"
#include "bind/error.h"
#include "bind/module.h"
#include "bind/output.h"
#include "bind/pool_parts.h"
#include "bind/process.h"
#include "bind/task.h"
#include "core/host.h"
#include "core/pool_view.h"

/* --- checks --- */

static const char pool_tag;

struct lua_pool *shmx_luapool_test(lua_State *L, int index) {
  struct lua_pool *pool = lua_touserdata(L, index);
  return pool && lua_rawlen(L, index) == sizeof *pool && pool->tag == &pool_tag ? pool : NULL;
}

/* The pool at `index`, open or closed. */
static struct lua_pool *check_any(lua_State *L, int index) {
  struct lua_pool *pool = shmx_luapool_test(L, index);
  if (!pool) luaL_typeerror(L, index, SHMX_POOL_TYPE);
  return pool;
}

static struct lua_pool *check_open(lua_State *L, struct lua_pool *pool) {
  shmx_check_process(L);
  if (!pool->core) shmx_error(L, "the pool is closed");
  return pool;
}

struct lua_pool *shmx_luapool_check(lua_State *L, int index) {
  return check_open(L, check_any(L, index));
}

struct lua_pool *shmx_luapool_check_self(lua_State *L, const char *name) {
  struct lua_pool *pool = shmx_luapool_test(L, 1);
  if (!pool) shmx_error_without(L, "pool", name);
  return check_open(L, pool);
}

/* pool:check(name): raises an error unless it is a pool and open, for the method of this name */
static int pool_check(lua_State *L) {
  shmx_luapool_check_self(L, luaL_checkstring(L, 2));
  return 0;
}

/* --- opening and closing --- */

/* In a protected call, for the position of its errors: pool, settings, given. What the script has given is its argument. */
static int pack_configuration(lua_State *L) {
  static const struct shmx_pack_names names = {"argument", 1};
  struct lua_pool *pool = lua_touserdata(L, 1);
  shmx_codec_pack(L, &pool->packet, 2, 2, SHMX_PACK_FUNCTIONS, &names);
  if (shmx_packet_take(&pool->packet, &pool->configuration) < 0) return luaL_error(L, "not enough memory");
  return 0;
}

/* A pool without workers, on the top. */
static struct lua_pool *push_pool(lua_State *L) {
  struct lua_pool *pool = lua_newuserdatauv(L, sizeof *pool, POOL_VALUES);
  memset(pool, 0, sizeof *pool);
  pool->tag = &pool_tag;
  shmx_packet_init(&pool->packet);
  luaL_setmetatable(L, SHMX_POOL_TYPE);
  lua_newtable(L);
  lua_setiuservalue(L, -2, POOL_TASKS);
  shmx_plains_init(L, &pool->plains, POOL_PLAINS);
  return pool;
}

/* Starts the workers with the packet as configuration; the other options are core.open's arguments. 0 or -errno. */
static int start_workers(lua_State *L, struct lua_pool *pool, struct shmx_host *host) {
  struct shmx_cargo *cargo = &pool->configuration;
  struct shmx_code_ref *codes = lua_newuserdatauv(L, (cargo->ncodes + 1) * sizeof *codes, 0);
  int r = 0;
  for (uint32_t i = 0; i < cargo->ncodes; i++)
    codes[i] = shmx_luapool_code_ref(host->memory, shmx_cargo_code(cargo, i), &r);
  struct shmx_pool_options options = {.workers = (uint32_t)luaL_checkinteger(L, 1),
                                      .memory = (uint64_t)luaL_checkinteger(L, 2),
                                      .worker_tasks = (uint64_t)luaL_checkinteger(L, 7),
                                      .grace = (int64_t)shmx_task_timeout(luaL_checknumber(L, 6)),
                                      .config = {.body = pool->packet.body,
                                                 .size = pool->packet.size,
                                                 .segments = (struct shmx_segment *const *)shmx_cargo_items(cargo),
                                                 .nsegments = cargo->nsegments,
                                                 .codes = codes,
                                                 .ncodes = cargo->ncodes},
                                      .progress = (enum shmx_progress_mode)luaL_checkinteger(L, 4),
                                      .output = shmx_output_check_mode(L, 5)};
  if (r < 0) return r;
  pool->cargoes = calloc(SHMX_SLOTS, sizeof *pool->cargoes);
  return pool->cargoes ? shmx_pool_open(host, &options, &pool->core) : -ENOMEM;
}

/* Pushes the path of the supervisor's program, and starts it if need be. A dead one's pools that nobody refers to any more
 * must not stand in the way. 0 or -errno. */
static int start_host(lua_State *L, struct shmx_host **host) {
  const char *helper = shmx_push_path(L, "libexec/shmx/shmx-host");
  int r = shmx_host_start(helper, host);
  if (r != -EPIPE) return r;
  lua_gc(L, LUA_GCCOLLECT);
  return shmx_host_start(helper, host);
}

struct shmx_host *shmx_luapool_start_host(lua_State *L) {
  struct shmx_host *host;
  int r = start_host(L, &host);
  if (r == -EPIPE) shmx_error(L, "the supervisor process has died; close the pools that it had, then open new ones");
  if (r < 0)
    shmx_error(L, "the supervisor %s cannot be started: %s", lua_tostring(L, -1),
               r == -EAGAIN ? SHMX_OS_TOO_MANY_PROCESSES : shmx_explain(r));
  lua_pop(L, 1);
  return host;
}

/* core.open(workers, memory, settings, progress, output, grace, worker_tasks, timeout, retries, given) -> pool. The workers
 * get `settings`, and then `given`, which has `init` (see set_up in bind/runner_start.c). */
static int open_pool(lua_State *L) {
  shmx_check_process(L);
  lua_settop(L, 10);
  struct lua_pool *pool = push_pool(L);
  shmx_luapool_set_limits(L, pool, 8, 9);
  int index = lua_gettop(L);
  struct shmx_host *host = shmx_luapool_start_host(L);
  lua_pushcfunction(L, pack_configuration);
  lua_pushlightuserdata(L, pool);
  lua_pushvalue(L, 3);
  lua_pushvalue(L, 10);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) shmx_luapool_refuse(L, NULL);
  int r = start_workers(L, pool, host);
  if (r < 0) return shmx_error(L, "a pool cannot be opened: %s", shmx_luapool_explain(r));
  lua_settop(L, index);
  shmx_luapool_note(L, pool);
  return 1;
}

/* pool:ready() -> true, or false while workers start, or nil and why it is broken */
static int pool_ready(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check(L, 1);
  const char *why;
  int ready = shmx_pool_ready(pool->core, &why);
  if (ready == 0 && !shmx_host_is_alive(shmx_host_running())) why = shmx_luapool_explain(-EPIPE), ready = -1;
  if (ready >= 0) {
    lua_pushboolean(L, ready);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, why);
  return 2;
}

/* pool:cancel_queued(): takes back every task that no worker has claimed */
static int pool_cancel_queued(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check(L, 1);
  lua_getiuservalue(L, 1, POOL_TASKS);
  lua_Unsigned count = lua_rawlen(L, -1);
  for (lua_Unsigned i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i);
    struct shmx_task *task = shmx_task_test(L, -1);
    if (task && task->status == SHMX_TASK_QUEUED) shmx_pool_cancel(pool->core, task->ticket, false);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  shmx_luapool_take_in(L, 1, pool);
  return 0;
}

/* pool:stop([seconds]): the workers are to end, at the latest after so many seconds */
static int pool_stop(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check(L, 1);
  int64_t deadline = shmx_luapool_deadline(L, 2, "stop");
  pool->closing = true;
  shmx_pool_close(pool->core, deadline < 0 ? 0 : deadline);
  return 0;
}

static int pool_stopped(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check(L, 1);
  lua_pushboolean(L, shmx_pool_is_closed(pool->core));
  return 1;
}

static int pool_in_flight(lua_State *L) {
  struct lua_pool *pool = check_any(L, 1);
  lua_pushinteger(L, pool->core ? shmx_pool_in_flight(pool->core) : 0);
  return 1;
}

static int pool_is_open(lua_State *L) {
  struct lua_pool *pool = check_any(L, 1);
  lua_pushboolean(L, pool->core != NULL);
  return 1;
}

/* pool:worker(i) -> pid, state, tasks done; nil while there is none */
static int pool_worker(lua_State *L) {
  static const char *const states[] = {"", "starting", "ready", "failed", "dead"};
  struct lua_pool *pool = shmx_luapool_check(L, 1);
  struct shmx_worker_info info;
  if (!shmx_pool_worker(pool->core, (uint32_t)luaL_checkinteger(L, 2), &info)) return 0;
  lua_pushinteger(L, info.pid);
  lua_pushstring(L, states[info.state]);
  lua_pushinteger(L, (lua_Integer)info.ended);
  return 3;
}

static void drop_cargoes(struct lua_pool *pool) {
  for (uint32_t ticket = 0; ticket < pool->tickets; ticket++) shmx_cargo_drop(&pool->cargoes[ticket]);
  free(pool->cargoes);
  pool->cargoes = NULL;
  pool->tickets = 0;
}

static void destroy(struct lua_pool *pool) {
  struct shmx_pool *core = pool->core;
  pool->core = NULL;
  if (!pool->packing) { /* else whoever closes it does so in the middle of a submit */
    shmx_packet_fini(&pool->packet);
    shmx_packet_init(&pool->packet);
    shmx_cargo_drop(&pool->outgoing);
  }
  shmx_pool_destroy(core);
  drop_cargoes(pool);
  shmx_plains_drop(&pool->plains);
  shmx_cargo_drop(&pool->configuration);
}

/* pool:release(): frees a pool that has stopped; what is still on the board is lost */
static int pool_release(lua_State *L) {
  struct lua_pool *pool = check_any(L, 1);
  if (!shmx_os_forked()) destroy(pool);
  return 0;
}

/* Ends it at once: nobody can ask for results any more. Runs no Lua and does not raise. */
static int pool_gc(lua_State *L) {
  struct lua_pool *pool = check_any(L, 1);
  if (shmx_os_forked()) return 0;
  if (pool->core) {
    struct shmx_outcome outcome;
    shmx_pool_close(pool->core, 1);
    for (;;) {
      while (shmx_pool_next(pool->core, &outcome)) shmx_incoming_close(&outcome.message);
      if (shmx_pool_is_closed(pool->core)) break;
      shmx_pool_wait(pool->core, 0, -1);
    }
  }
  destroy(pool);
  return 0;
}

static const luaL_Reg methods[] = {{"submit", shmx_luapool_submit},
                                   {"submit_batch", shmx_luapool_submit_batch},
                                   {"submit_with", shmx_luapool_submit_with},
                                   {"publish", shmx_luapool_publish},
                                   {"wait", shmx_luapool_wait},
                                   {"ready", pool_ready},
                                   {"cancel_queued", pool_cancel_queued},
                                   {"stop", pool_stop},
                                   {"stopped", pool_stopped},
                                   {"in_flight", pool_in_flight},
                                   {"is_open", pool_is_open},
                                   {"worker", pool_worker},
                                   {"tally", shmx_luapool_tally},
                                   {"release", pool_release},
                                   {"check", pool_check},
                                   {NULL, NULL}};

static int is_task(lua_State *L) {
  lua_pushboolean(L, shmx_task_test(L, 1) != NULL);
  return 1;
}

/* __index of pools: a method, or for "workers" what the function returns. In C because every call of a method comes by. */
static int index_pool(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "workers") != 0)
    return shmx_error(L, "a pool has no field or method \"%s\"", luaL_tolstring(L, 2, NULL));
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* core.pool_index(methods, list_workers) -> function */
static int pool_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_pushcclosure(L, index_pool, 2);
  return 1;
}

/* core.name(f) -> what a task of the function would be called */
static int name_function(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  shmx_task_push_name(L, 1);
  return 1;
}

/* core.last_task() -> the number of the task that was made last */
static int last_task(lua_State *L) {
  lua_pushinteger(L, shmx_task_last());
  return 1;
}

static int is_pool(lua_State *L) {
  lua_pushboolean(L, shmx_luapool_test(L, 1) != NULL);
  return 1;
}

static const luaL_Reg functions[] = {{"open", open_pool},        {"is_pool", is_pool},
                                     {"is_task", is_task},       {"name", name_function},
                                     {"last_task", last_task},   {"fail_task", shmx_luapool_fail_task},
                                     {"pool_index", pool_index}, {NULL, NULL}};

void shmx_pool_open_type(lua_State *L) {
  luaL_newmetatable(L, SHMX_POOL_TYPE);
  lua_pushcfunction(L, pool_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "methods");
  lua_setfield(L, -2, "pool_type"); /* its other metamethods are set by lua/shmx/pool.lua */
  luaL_setfuncs(L, functions, 0);
  lua_pushinteger(L, SHMX_WORKERS_MAX);
  lua_setfield(L, -2, "workers_max");
  shmx_luapool_open_waiting(L);
  shmx_chain_open(L);
}
