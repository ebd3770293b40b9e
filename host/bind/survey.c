/* SPDX-License-Identifier: MIT */
/*
 * See survey.h. The supervisor is asked (core/survey.h); which task made a segment is what main remembers of it. The
 * mapping of an answer hangs on a userdata, since making tables can raise an error.
 */
#include "bind/survey.h"

#include <lauxlib.h>

#include "bind/error.h"
#include "bind/pool_parts.h"
#include "bind/process.h"
#include "core/survey.h"

#define SURVEY_TYPE "shmx.survey"

static int survey_gc(lua_State *L) {
  shmx_survey_close(lua_touserdata(L, 1));
  return 0;
}

/* Pushes the answer about one segment, or about all (0); NULL when there is no supervisor to ask. */
static struct shmx_survey *push_survey(lua_State *L, uint64_t segment) {
  struct shmx_memory *memory = shmx_memory_here();
  struct shmx_link *link = memory ? shmx_memory_link(memory) : NULL;
  struct shmx_survey *survey = lua_newuserdatauv(L, sizeof *survey, 0);
  *survey = (struct shmx_survey){0};
  luaL_setmetatable(L, SURVEY_TYPE);
  if (!link) return NULL;
  int r = shmx_survey_open(link, segment, survey);
  if (r == -EPIPE) return NULL;
  if (r < 0) shmx_error(L, "the supervisor cannot say what lives: %s", shmx_luapool_explain(r));
  return survey;
}

static void push_process(lua_State *L, uint32_t peer, uint32_t worker) {
  if (peer == SHMX_PEER_MAIN) lua_pushliteral(L, "main");
  else if (worker > 0) lua_pushfstring(L, "worker %d", (int)worker);
  else lua_pushliteral(L, "a worker that is gone");
}

static void push_holders(lua_State *L, const struct shmx_survey_item *item, const struct shmx_survey_holder *holders) {
  lua_Integer count = 0;
  lua_createtable(L, (int)item->nholders + 1, 0);
  for (uint32_t i = 0; i < item->nholders; i++) {
    push_process(L, holders[i].peer, holders[i].worker);
    lua_rawseti(L, -2, ++count);
  }
  if (item->task_holds == 0) return;
  lua_pushliteral(L, "a task");
  lua_rawseti(L, -2, ++count);
}

static void push_state(lua_State *L, const struct shmx_survey_item *item) {
  bool held = item->nholders + item->task_holds > 0;
  lua_pushstring(L, item->in_transit ? "in transit" : held ? "held" : "freed");
}

/* Sets field `key` of the table on the top to the number, unless it is 0. */
static void set_number(lua_State *L, const char *key, uint64_t number) {
  if (number == 0) return;
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, key);
}

static void push_item(lua_State *L, const struct shmx_survey_item *item, const struct shmx_survey_holder *holders) {
  const struct shmx_segment *known = shmx_memory_find(shmx_memory_here(), item->segment);
  uint32_t task = known ? known->task : 0; /* now: making tables collects garbage, and with it arrays */
  lua_createtable(L, 0, 7);
  set_number(L, "id", item->segment);
  set_number(L, "chunk", item->chunk);
  set_number(L, "task", task);
  lua_pushinteger(L, (lua_Integer)item->size);
  lua_setfield(L, -2, "bytes");
  push_process(L, shmx_id_maker(item->segment), item->maker);
  lua_setfield(L, -2, "maker");
  push_holders(L, item, holders);
  lua_setfield(L, -2, "holders");
  push_state(L, item);
  lua_setfield(L, -2, "state");
}

/* core.survey() -> list of tables, one for each segment that was handed over and lives; nil without a supervisor */
static int survey_all(lua_State *L) {
  const struct shmx_survey_item *item;
  const struct shmx_survey_holder *holders;
  shmx_check_process(L);
  struct shmx_survey *survey = push_survey(L, 0);
  if (!survey) return 0;
  lua_newtable(L);
  for (lua_Integer i = 1; shmx_survey_next(survey, &item, &holders); i++) {
    push_item(L, item, holders);
    lua_rawseti(L, -2, i);
  }
  shmx_survey_close(survey);
  return 1;
}

static void push_here(lua_State *L) {
  struct shmx_link *link = shmx_memory_link(shmx_memory_here());
  bool worker = link && link->peer != SHMX_PEER_MAIN;
  push_process(L, SHMX_PEER_MAIN, 0);
  if (!worker) return;
  lua_pop(L, 1);
  lua_pushliteral(L, "this worker");
}

/* (segment, handed over?) -> state, holders */
static int describe(lua_State *L) {
  const struct shmx_survey_item *item;
  const struct shmx_survey_holder *holders;
  shmx_check_process(L);
  uint64_t id = (uint64_t)luaL_checkinteger(L, 1);
  struct shmx_survey *survey = push_survey(L, id);
  if (survey && shmx_survey_next(survey, &item, &holders)) {
    push_state(L, item);
    push_holders(L, item, holders);
  } else {
    bool shared = lua_toboolean(L, 2);
    lua_pushstring(L, !shared ? "private" : survey ? "freed" : "lost");
    lua_newtable(L);
    if (!shared) {
      push_here(L);
      lua_rawseti(L, -2, 1);
    }
  }
  if (survey) shmx_survey_close(survey);
  return 2;
}

/* core.handover(segment) -> times of NOTIFY, ACKNOWLEDGE, TRANSFER COMPLETE; nil where it is not known */
static int handover(lua_State *L) {
  struct shmx_request request = {.type = SHMX_REQ_HANDOVER, .id = (uint64_t)luaL_checkinteger(L, 1)};
  struct shmx_link *link = shmx_memory_link(shmx_memory_here());
  int fd = -1;
  shmx_check_process(L);
  if (!link || !link->trace || shmx_link_wait_read(link) < 0) return 0;
  if (shmx_link_request(link, &request, NULL, 0) < 0 || shmx_link_answer(link, &request, &fd) < 0) return 0;
  for (int i = 0; i < 3; i++) {
    if (request.times[i] > 0) lua_pushnumber(L, (lua_Number)request.times[i] * 1e-9);
    else lua_pushnil(L);
  }
  return 3;
}

/* core.on_handovers(f): f finds the handovers of a task (see bind/task.c) */
static int on_handovers(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.handovers");
  return 0;
}

void shmx_survey_register(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"survey", survey_all}, {"handover", handover}, {"on_handovers", on_handovers}, {NULL, NULL}};
  luaL_newmetatable(L, SURVEY_TYPE);
  lua_pushcfunction(L, survey_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_pushcfunction(L, describe);
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.describe_segment");
  luaL_setfuncs(L, functions, 0);
}
