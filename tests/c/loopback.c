/* SPDX-License-Identifier: MIT */
/*
 * The module `loopback`: see loopback.h. Deliveries are made up: they point to the segments and codes of the packet.
 */
#include "loopback.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/array.h"
#include "bind/code.h"
#include "bind/codec.h"

#define PACKET_TYPE "loopback.packet"
#define WORKER_TYPE "loopback.worker"

static const struct shmx_pack_names arguments = {"argument", 0}, call = {"argument", 1}, results = {"result", 0};

static int packet_gc(lua_State *L) {
  shmx_packet_fini(luaL_checkudata(L, 1, PACKET_TYPE));
  return 0;
}

static struct shmx_packet *new_packet(lua_State *L) {
  if (luaL_newmetatable(L, PACKET_TYPE)) {
    lua_pushcfunction(L, packet_gc);
    lua_setfield(L, -2, "__gc");
  }
  struct shmx_packet *packet = lua_newuserdatauv(L, sizeof *packet, 0);
  shmx_packet_init(packet);
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
  return packet;
}

/* What the receiver would see of a packet; pushes what the delivery needs. */
static struct shmx_delivery deliver(lua_State *L, const struct shmx_packet *packet) {
  struct shmx_code_view *codes = lua_newuserdatauv(L, (packet->ncodes + 1) * sizeof *codes, 0);
  for (uint32_t i = 0; i < packet->ncodes; i++) codes[i] = shmx_code_view_of(packet->codes[i]);
  return (struct shmx_delivery){packet->body, packet->size, packet->segments, packet->nsegments, codes, packet->ncodes};
}

static int there_and_back(lua_State *L, const struct shmx_pack_names *names, unsigned flags) {
  int count = lua_gettop(L);
  struct shmx_packet *packet = new_packet(L);
  shmx_codec_pack(L, packet, 1, count, flags, names);
  luaL_argcheck(L, lua_gettop(L) == count + 1, 1, "the stack has changed");
  struct shmx_delivery delivery = deliver(L, packet);
  return shmx_codec_unpack(L, &delivery, flags);
}

/* arguments(...): the values as a worker would get them; results(...): as main would. */
static int loopback_arguments(lua_State *L) { return there_and_back(L, &arguments, SHMX_PACK_FUNCTIONS); }
static int loopback_results(lua_State *L) { return there_and_back(L, &results, 0); }

/* encode(...): the body of the message of arguments, how many segments, and how many codes it refers to. */
static int loopback_encode(lua_State *L) {
  int count = lua_gettop(L);
  struct shmx_packet *packet = new_packet(L);
  shmx_codec_pack(L, packet, 1, count, SHMX_PACK_FUNCTIONS, &arguments);
  lua_pushlstring(L, packet->body, packet->size);
  lua_pushinteger(L, packet->nsegments);
  lua_pushinteger(L, packet->ncodes);
  return 3;
}

/* decode(body [, function [, array]]): the values; with a function the message may carry that one (a damaged copy if
 * `damage` follows: the position of a byte to change), and arrays lie in the array's segment. */
static int loopback_decode(lua_State *L) {
  struct shmx_delivery delivery = {.body = luaL_checklstring(L, 1, &delivery.size)};
  struct shmx_array *array = shmx_array_test(L, 3);
  lua_Integer damage = luaL_optinteger(L, 4, 0);
  unsigned flags = 0;
  struct shmx_code_view view;
  if (array) {
    delivery.segments = &array->segment;
    delivery.nsegments = 1;
  }
  if (lua_isfunction(L, 2)) {
    bool known;
    const struct shmx_code *code = shmx_code_dump(L, 2, &known);
    char *bytes = lua_newuserdatauv(L, code->segment->size, 0);
    memcpy(bytes, code->segment->data, code->segment->size);
    if (damage > 0) bytes[(size_t)damage % code->segment->size] ^= 1;
    view = shmx_code_view_of(code);
    view.bytes = bytes;
    delivery.codes = &view;
    delivery.ncodes = 1;
    flags = SHMX_PACK_FUNCTIONS;
  }
  return shmx_codec_unpack(L, &delivery, flags);
}

/* stats(): entries, bytes and dumps of the sender's cache. */
static int loopback_stats(lua_State *L) {
  struct shmx_code_stats stats;
  shmx_code_stats(L, &stats);
  lua_pushinteger(L, (lua_Integer)stats.entries);
  lua_pushinteger(L, (lua_Integer)stats.bytes);
  lua_pushinteger(L, (lua_Integer)stats.dumps);
  return 3;
}

/* cargo(...): packs, takes the tables out, packs nothing into the same packet, and lets go of them; returns how many
 * references the first segment had in each state. */
static int loopback_cargo(lua_State *L) {
  int count = lua_gettop(L);
  struct shmx_packet *packet = new_packet(L);
  struct shmx_cargo cargo;
  shmx_codec_pack(L, packet, 1, count, SHMX_PACK_FUNCTIONS, &arguments);
  struct shmx_segment *segment = packet->nsegments > 0 ? packet->segments[0] : packet->codes[0]->segment;
  struct shmx_code *code = packet->ncodes > 0 ? packet->codes[0] : NULL;
  lua_pushinteger(L, segment->refs);
  lua_pushinteger(L, code ? code->users : 0);
  if (shmx_packet_take(packet, &cargo) != 0) return luaL_error(L, "not enough memory");
  shmx_packet_reset(packet);
  lua_pushinteger(L, segment->refs);
  lua_pushinteger(L, code ? code->users : 0);
  shmx_cargo_drop(&cargo);
  lua_pushinteger(L, segment->refs);
  lua_pushinteger(L, code ? code->users : 0);
  return 6;
}

/* The worker: a second state. */

struct job {
  struct shmx_delivery delivery;
  struct shmx_packet *reply; /* lies in the worker's state */
};

static int run_job(lua_State *W) {
  struct job *job = lua_touserdata(W, 1);
  lua_settop(W, 0);
  int count = shmx_codec_unpack(W, &job->delivery, SHMX_PACK_FUNCTIONS);
  lua_call(W, count - 1, LUA_MULTRET);
  count = lua_gettop(W);
  job->reply = new_packet(W);
  lua_setfield(W, LUA_REGISTRYINDEX, PACKET_TYPE ".reply");
  shmx_codec_pack(W, job->reply, 1, count, 0, &results);
  return 0;
}

static lua_State *check_worker(lua_State *L) {
  lua_State **worker = luaL_checkudata(L, 1, WORKER_TYPE);
  luaL_argcheck(L, *worker, 1, "the worker is closed");
  return *worker;
}

/* Raises the error on the top of the worker's stack in `L`. */
static int pass_error(lua_State *L, lua_State *W) {
  lua_pushstring(L, luaL_tolstring(W, -1, NULL));
  lua_settop(W, 0);
  return lua_error(L);
}

/* worker:run(f, ...): what f(...) returns in the worker. */
static int worker_run(lua_State *L) {
  lua_State *W = check_worker(L);
  int count = lua_gettop(L) - 1;
  struct shmx_packet *packet = new_packet(L);
  shmx_codec_pack(L, packet, 2, count, SHMX_PACK_FUNCTIONS, &call);
  struct job job = {.delivery = deliver(L, packet)};
  lua_pushcfunction(W, run_job);
  lua_pushlightuserdata(W, &job);
  if (lua_pcall(W, 1, 0, 0) != LUA_OK) return pass_error(L, W);
  struct shmx_delivery reply = deliver(L, job.reply);
  return shmx_codec_unpack(L, &reply, 0);
}

/* worker:eval(code): runs code there, without any codec, and returns a string. */
static int worker_eval(lua_State *L) {
  lua_State *W = check_worker(L);
  if (luaL_dostring(W, luaL_checkstring(L, 2))) return pass_error(L, W);
  lua_pushstring(L, lua_gettop(W) > 0 ? luaL_tolstring(W, -1, NULL) : "");
  lua_settop(W, 0);
  return 1;
}

static int worker_close(lua_State *L) {
  lua_State **worker = luaL_checkudata(L, 1, WORKER_TYPE);
  if (*worker) lua_close(*worker);
  *worker = NULL;
  return 0;
}

static int loopback_worker(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"run", worker_run}, {"eval", worker_eval}, {"close", worker_close}, {"__gc", worker_close}, {NULL, NULL}};
  lua_State **worker = lua_newuserdatauv(L, sizeof *worker, 0);
  *worker = NULL;
  if (luaL_newmetatable(L, WORKER_TYPE)) {
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
  *worker = luaL_newstate();
  if (!*worker) return luaL_error(L, "not enough memory");
  loopback_open_libs(*worker);
  return 1;
}

/* States that run out of memory. */

struct allocator {
  lua_Integer left; /* allocations that succeed, then none does; negative: all do */
};

static void *allocate(void *context, void *block, size_t old, size_t new) {
  struct allocator *a = context;
  if (new == 0) {
    free(block);
    return NULL;
  }
  if (!block || new > old) {
    if (a->left == 0) return NULL;
    if (a->left > 0) a->left--;
  }
  return realloc(block, new);
}

/* Runs `code` in a fresh state that has k allocations left; 0: no error; the error is left on the stack of `L`. */
static int run_failing(lua_State *L, const char *code, lua_Integer k) {
  struct allocator allocator = {.left = -1};
  lua_State *S = lua_newstate(allocate, &allocator);
  if (!S) return luaL_error(L, "not enough memory");
  loopback_open_libs(S);
  int rc = luaL_loadstring(S, code);
  lua_gc(S, LUA_GCSTOP);
  allocator.left = k;
  if (rc == LUA_OK) rc = lua_pcall(S, 0, 0, 0);
  allocator.left = -1;
  if (rc != LUA_OK) lua_pushstring(L, luaL_tolstring(S, -1, NULL));
  lua_close(S);
  return rc;
}

/* failures(code): runs code in fresh states that have k allocations left, for k = 0, 1, ..., until it passes; returns how
 * many failed. Any error but one about memory is raised. */
static int loopback_failures(lua_State *L) {
  const char *code = luaL_checkstring(L, 1);
  lua_Integer k = 0;
  while (run_failing(L, code, k) != LUA_OK) {
    if (!strstr(lua_tostring(L, -1), "memory")) return lua_error(L);
    lua_pop(L, 1);
    k++;
  }
  lua_pushinteger(L, k);
  return 1;
}

/* tcp(): a userdata that cannot travel; light(): a light userdata. */
static int loopback_tcp(lua_State *L) {
  lua_newuserdatauv(L, 1, 0);
  luaL_newmetatable(L, "tcp{client}");
  lua_setmetatable(L, -2);
  return 1;
}

static int loopback_light(lua_State *L) {
  lua_pushlightuserdata(L, L);
  return 1;
}

int luaopen_loopback(lua_State *L) {
  static const luaL_Reg functions[] = {{"arguments", loopback_arguments},
                                       {"results", loopback_results},
                                       {"encode", loopback_encode},
                                       {"decode", loopback_decode},
                                       {"stats", loopback_stats},
                                       {"cargo", loopback_cargo},
                                       {"worker", loopback_worker},
                                       {"failures", loopback_failures},
                                       {"tcp", loopback_tcp},
                                       {"light", loopback_light},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}

static int open_arrays(lua_State *L) {
  lua_newtable(L);
  shmx_array_open(L);
  return 1;
}

void loopback_open_libs(lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "shmx", open_arrays, 0);
  luaL_requiref(L, "loopback", luaopen_loopback, 0);
  lua_settop(L, 0);
}
