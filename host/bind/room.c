/* SPDX-License-Identifier: MIT */
/*
 * See room.h. The runner knows one state, the worker's. While something runs in a room, the room is that one; afterwards it
 * is put back, so that rooms can follow each other, and one can run in the other.
 */
#include "bind/room.h"

#include <stdlib.h>

#include "bind/runner_parts.h"

static void swap_output(struct shmx_room_output *output) {
  struct shmx_room_output other = {stdout, stderr, shmx_output_mode};
  fflush(stdout);
  stdout = output->out;
  stderr = output->err;
  shmx_output_choose(output->mode);
  *output = other;
}

static void swap(struct shmx_room *room) {
  struct shmx_room other = shmx_here;
  shmx_here = *room;
  *room = other;
}

static void enter(struct shmx_room *room) {
  if (!room->prints_itself) swap_output(&room->output);
  swap(room);
}

static void leave(struct shmx_room *room) {
  swap(room);
  if (!room->prints_itself) swap_output(&room->output);
}

static void close_stream(FILE *stream, FILE *main_stream) {
  if (stream != main_stream) fclose(stream);
}

struct shmx_room *shmx_room_create(void) {
  struct shmx_room *room = calloc(1, sizeof *room);
  if (!room) return NULL;
  room->guest = true;
  room->output = (struct shmx_room_output){stdout, stderr, SHMX_OUTPUT_PASS};
  room->quota = calloc(1, sizeof *room->quota);
  if (room->quota) return room;
  free(room);
  return NULL;
}

void shmx_room_destroy(struct shmx_room *room) {
  if (!room) return;
  enter(room);
  if (shmx_here.L) lua_close(shmx_here.L);
  shmx_packet_fini(&shmx_here.packet);
  leave(room);
  close_stream(room->output.out, stdout);
  close_stream(room->output.err, stderr);
  free(room->quota);
  free(room);
}

int shmx_room_start(struct shmx_room *room, const struct shmx_incoming *config, char *text, size_t size) {
  enter(room);
  int r = shmx_lua_runner.start(NULL, 0, config, text, size);
  leave(room);
  return r;
}

enum shmx_result shmx_room_run(struct shmx_room *room, uint32_t task, const struct shmx_incoming *arguments,
                               struct shmx_outgoing *result) {
  enter(room);
  enum shmx_result verdict = shmx_lua_runner.run(NULL, task, 0, arguments, result);
  leave(room);
  return verdict;
}

void shmx_room_done(struct shmx_room *room) {
  enter(room);
  shmx_lua_runner.done(NULL);
  leave(room);
}
