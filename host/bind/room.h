/* SPDX-License-Identifier: MIT */
/*
 * Tasks in main, for a pool without workers: a Lua state with the life of a worker's, but in this process. While something
 * runs in it, this process is a worker in the eyes of what runs.
 */
#ifndef SHMX_BIND_ROOM_H
#define SHMX_BIND_ROOM_H

#include "core/worker.h"

struct shmx_room;
struct shmx_room *shmx_room_create(void); /* NULL without memory */
void shmx_room_destroy(struct shmx_room *room);

/* As the functions of struct shmx_runner. */
int shmx_room_start(struct shmx_room *room, const struct shmx_incoming *config, char *text, size_t size);
enum shmx_result shmx_room_run(struct shmx_room *room, uint32_t task, const struct shmx_incoming *arguments,
                               struct shmx_outgoing *result);
void shmx_room_done(struct shmx_room *room);

#endif
