/* SPDX-License-Identifier: MIT */
/*
 * The numbers of pool:stats(), as tables; lua/shmx/seeing.lua adds the workers.
 */
#include "bind/pool_stats.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/error.h"
#include "bind/pool_parts.h"

/* Sets field `key` of the table on the top. */
static void set_count(lua_State *L, const char *key, uint64_t count) {
  lua_pushinteger(L, (lua_Integer)count);
  lua_setfield(L, -2, key);
}

static void set_seconds(lua_State *L, const char *key, double nanoseconds) {
  lua_pushnumber(L, nanoseconds * 1e-9);
  lua_setfield(L, -2, key);
}

/* Sets field `key` of the table on the top to a table of times. Without any it has only the count. */
static void set_times(lua_State *L, const char *key, const struct shmx_histogram *times) {
  uint64_t count = atomic_load_explicit(&times->count, memory_order_relaxed);
  lua_createtable(L, 0, 6);
  set_count(L, "count", count);
  if (count > 0) {
    set_seconds(L, "mean", (double)times->sum / (double)count);
    set_seconds(L, "p50", (double)shmx_histogram_quantile(times, 0.5));
    set_seconds(L, "p90", (double)shmx_histogram_quantile(times, 0.9));
    set_seconds(L, "p99", (double)shmx_histogram_quantile(times, 0.99));
    set_seconds(L, "max", (double)times->most);
  }
  lua_setfield(L, -2, key);
}

/* Sets "memory": bytes, of all pools together. */
static void set_memory(lua_State *L) {
  struct shmx_host *host = shmx_host_running();
  lua_createtable(L, 0, 5);
  if (host && shmx_host_is_alive(host)) {
    struct shmx_domain_shm *domain = host->link.domain;
    uint64_t charged = shmx_domain_charged(domain), live = atomic_load(&domain->segment_bytes);
    shmx_domain_raise_peak(domain, charged);
    set_count(L, "live", live);
    set_count(L, "warm", charged > live ? charged - live : 0);
    set_count(L, "peak", atomic_load(&domain->peak));
    set_count(L, "segments", atomic_load(&domain->segments));
    set_count(L, "budget", atomic_load(&domain->budget));
  }
  lua_setfield(L, -2, "memory");
}

static void set_tasks(lua_State *L, const struct shmx_tally *tally, const struct shmx_pool_view *view) {
  lua_createtable(L, 0, 8);
  for (int status = SHMX_TASK_DONE; status < SHMX_TALLY_STATUSES; status++) {
    const char *name = shmx_task_status_name(status);
    if (name) set_count(L, name, tally->ended[status]);
  }
  set_count(L, "queued", view->queued);
  set_count(L, "running", view->running);
  lua_setfield(L, -2, "tasks");
}

void shmx_tally_push(lua_State *L, const struct shmx_tally *tally, const struct shmx_pool_view *view,
                     const struct shmx_histogram *handovers) {
  lua_createtable(L, 0, 8);
  set_tasks(L, tally, view);
  set_times(L, "run", &tally->run);
  set_times(L, "wait", &tally->wait);
  set_times(L, "handover", handovers);
  set_memory(L);
}

/* The tasks of the pool are at stack index 2, those that run are collected at 3. */
static void note_running(void *context, uint32_t ticket, uint32_t worker) {
  lua_State *L = context;
  lua_rawgeti(L, 2, (lua_Integer)ticket + 1);
  lua_rawseti(L, 3, worker);
}

int shmx_luapool_tally(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_test(L, 1);
  if (!pool) return shmx_error_without(L, "pool", "stats");
  struct shmx_pool_view view = {0};
  static struct shmx_histogram handovers; /* too large for a stack that may be small */
  memset(&handovers, 0, sizeof handovers);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, POOL_TASKS);
  lua_createtable(L, 0, 5);
  luaL_checkstack(L, 16, NULL);
  if (pool->core) {
    shmx_pool_view(pool->core, &view, note_running, L);
    shmx_pool_handovers(pool->core, &handovers);
  }
  shmx_tally_push(L, &pool->tally, &view, &handovers);
  lua_insert(L, 3);
  return 2;
}
