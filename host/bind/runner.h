/* SPDX-License-Identifier: MIT */
/*
 * The task runner: a worker's Lua state, and how a task runs in it (see core/worker.h).
 */
#ifndef SHMX_BIND_RUNNER_H
#define SHMX_BIND_RUNNER_H

#include <lua.h>
#include <stdbool.h>

#include "core/worker.h"

extern const struct shmx_runner shmx_lua_runner;

/* True in a worker. */
bool shmx_runner_is_here(void);

/* The worker's Lua state is being closed. */
void shmx_runner_closes(void);

/* In a worker, after a protected call that ended with `status`: true when that was for want of memory because of the limit
 * of the worker's Lua heap. The worker is then replaced after this task. */
bool shmx_runner_met_limit(int status);

/* In a worker, in the middle of a task: true when the value on the top can be sent as a result; else pushes why not. */
bool shmx_runner_try_to_send(lua_State *L);

/* The same for an error value, in whose place its text goes when it cannot be sent. */
void shmx_runner_make_sendable(lua_State *L);

/* Tasks in main, for a pool without workers: a Lua state with the life of a worker's, but in this process. While something
 * runs in it, this process is a worker in the eyes of what runs. */
struct shmx_room;
struct shmx_room *shmx_room_create(void); /* NULL without memory */
void shmx_room_destroy(struct shmx_room *room);

/* As the functions of struct shmx_runner. */
int shmx_room_start(struct shmx_room *room, const struct shmx_incoming *config, char *text, size_t size);
enum shmx_result shmx_room_run(struct shmx_room *room, uint32_t task, const struct shmx_incoming *arguments,
                               struct shmx_outgoing *result);
void shmx_room_done(struct shmx_room *room);

/* True in a task that runs in main; its number. */
bool shmx_runner_is_guest(uint32_t *task);
/* True in such a task for what came as an argument, and which main holds therefore. */
bool shmx_runner_was_given(const struct shmx_segment *segment);

#endif
