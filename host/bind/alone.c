/* SPDX-License-Identifier: MIT */
/*
 * See alone.h. A message is not sent: the receiver reads the very packet that the sender has written, and an array in it
 * is the same memory, as always.
 */
#include "bind/alone.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/chain.h"
#include "bind/error.h"
#include "bind/joblog.h"
#include "bind/pool_parts.h"
#include "bind/room.h"
#include "bind/task.h"
#include "core/output.h"

#define ROOM_TYPE "shmx.room"

struct lua_room {
  struct shmx_room *room; /* NULL: closed */
  struct shmx_packet packet;
  struct shmx_tally tally; /* of the tasks that have ended */
  bool busy;               /* a task runs */
};

static int room_gc(lua_State *L) {
  struct lua_room *room = luaL_checkudata(L, 1, ROOM_TYPE);
  if (room->busy) return luaL_error(L, "a task cannot close the pool that it runs in");
  shmx_room_destroy(room->room);
  room->room = NULL;
  shmx_packet_fini(&room->packet);
  return 0;
}

/* The packet as it is received; what it needs is pushed. */
static struct shmx_incoming receive(lua_State *L, const struct shmx_packet *packet) {
  struct shmx_code_view *codes = lua_newuserdatauv(L, (packet->ncodes + 1) * sizeof *codes, 0);
  for (uint32_t i = 0; i < packet->ncodes; i++) codes[i] = shmx_code_view_of(packet->codes[i]);
  return (struct shmx_incoming){.body = packet->body,
                                .size = packet->size,
                                .segments = packet->segments,
                                .nsegments = packet->nsegments,
                                .codes = codes,
                                .ncodes = packet->ncodes};
}

/* In a protected call, for the position of its errors: room, values... */
static int pack(lua_State *L) {
  static const struct shmx_pack_names names = {"argument", 1}; /* behind the settings, or behind the function */
  struct lua_room *room = lua_touserdata(L, 1);
  shmx_packet_reset(&room->packet);
  shmx_codec_pack(L, &room->packet, 2, lua_gettop(L) - 1, SHMX_PACK_FUNCTIONS, &names);
  return 0;
}

/* Makes a message of the `count` values on the top, which are taken. Errors call the task by `name`. */
static void make_message(lua_State *L, struct lua_room *room, int count, const char *name) {
  lua_pushcfunction(L, pack);
  lua_insert(L, -count - 1);
  lua_pushlightuserdata(L, room);
  lua_insert(L, -count - 1);
  if (lua_pcall(L, count + 1, 0, 0) != LUA_OK) shmx_luapool_refuse(L, name);
}

/* core.room(settings, given) -> room; as core.open */
static int open_room(lua_State *L) {
  char text[SHMX_LANE_TEXT];
  lua_settop(L, 2);
  struct lua_room *room = lua_newuserdatauv(L, sizeof *room, 1);
  memset(room, 0, sizeof *room);
  shmx_packet_init(&room->packet);
  luaL_setmetatable(L, ROOM_TYPE);
  room->room = shmx_room_create();
  if (!room->room) return luaL_error(L, "not enough memory");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  make_message(L, room, 2, NULL);
  struct shmx_incoming configuration = receive(L, &room->packet);
  if (shmx_room_start(room->room, &configuration, text, sizeof text) == 0) {
    lua_pushvalue(L, 3);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, text);
  return 2;
}

/* The result as it is received: the segments are held by it, as those of any message. False without memory. */
static bool take_result(const struct shmx_outgoing *result, struct shmx_outcome *outcome) {
  struct shmx_incoming *message = &outcome->message;
  shmx_incoming_init(message);
  message->body = result->body;
  message->size = result->size;
  if (result->nsegments == 0) return true;
  message->segments = malloc(result->nsegments * sizeof *message->segments);
  if (!message->segments) return false;
  for (uint32_t i = 0; i < result->nsegments; i++) {
    message->segments[i] = result->segments[i];
    shmx_segment_retain(message->segments[i]);
  }
  message->nsegments = result->nsegments;
  return true;
}

/* What became of the task at index 2; none of them waits for a worker. */
static void take_end(lua_State *L, struct lua_room *room, struct shmx_outcome *outcome) {
  shmx_luapool_end(L, 2, outcome);
  outcome->waited = 1;
  shmx_tally_add(&room->tally, shmx_task_check(L, 2), outcome);
  if (shmx_joblog_is_open) shmx_joblog_write(L, 2);
}

/* room:run(task): the task, which has its function and arguments, has ended when this returns. Its inputs are done. */
static int run_task(lua_State *L) {
  struct lua_room *room = luaL_checkudata(L, 1, ROOM_TYPE);
  struct shmx_task *task = shmx_task_check(L, 2);
  struct shmx_outgoing result;
  struct shmx_outcome outcome = {.end = SHMX_END_DONE, .attempt = 1};
  lua_settop(L, 2);
  if (!room->room) return shmx_error(L, "the pool is closed");
  lua_getiuservalue(L, 2, SHMX_TASK_NAME);
  const char *name = lua_tostring(L, -1);
  int count = shmx_task_push_kept(L, 2);
  if (!shmx_chain_fill_in(L, 5, count - 1)) return luaL_error(L, "an input is not there");
  luaL_checkstack(L, count + 8, "too many arguments");
  for (int i = 0; i < count; i++) lua_pushvalue(L, 4 + i);
  make_message(L, room, count, name);
  struct shmx_incoming arguments = receive(L, &room->packet);
  shmx_output_name(name);
  int64_t begin = shmx_os_now();
  room->busy = true;
  outcome.status = (int)shmx_room_run(room->room, (uint32_t)task->id, &arguments, &result);
  room->busy = false;
  outcome.nanoseconds = (uint64_t)(shmx_os_now() - begin);
  shmx_task_describe_arguments(L, 2, 4, count);
  if (!take_result(&result, &outcome)) return luaL_error(L, "not enough memory");
  take_end(L, room, &outcome);
  shmx_room_done(room->room);
  shmx_packet_reset(&room->packet);
  return 0;
}

/* room:tally() -> table, as that of a pool */
static int tally(lua_State *L) {
  static const struct shmx_pool_view nothing;
  static const struct shmx_histogram none;
  struct lua_room *room = luaL_checkudata(L, 1, ROOM_TYPE);
  shmx_tally_push(L, &room->tally, &nothing, &none);
  return 1;
}

static const luaL_Reg methods[] = {{"run", run_task}, {"tally", tally}, {"close", room_gc}, {NULL, NULL}};

void shmx_alone_open(lua_State *L) {
  luaL_newmetatable(L, ROOM_TYPE);
  lua_pushcfunction(L, room_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, open_room);
  lua_setfield(L, -2, "room");
}
