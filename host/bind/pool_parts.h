/* SPDX-License-Identifier: MIT */
/*
 * What the files of the userdata `shmx.pool` share: pool_submit.c brings tasks onto the board, pool_take.c takes in what
 * has become of them, pool_wait.c waits for that, pool.c has the rest.
 */
#ifndef SHMX_BIND_POOL_PARTS_H
#define SHMX_BIND_POOL_PARTS_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind/codec.h"
#include "bind/plain.h"
#include "bind/pool_stats.h"
#include "bind/task.h"
#include "core/pool.h"

/* A pool's values: its tasks on the board, by ticket + 1, and its plain functions. */
enum { POOL_TASKS = 1, POOL_PLAINS = 2, POOL_VALUES = 2 };

struct lua_pool {
  const void *tag;        /* tells a pool from any other userdata of its size */
  struct shmx_pool *core; /* NULL once closed */
  struct shmx_packet packet;
  struct shmx_plains plains;
  struct shmx_cargo outgoing;      /* of the message that is being submitted */
  struct shmx_cargo *cargoes;      /* of the tasks on the board, by ticket: what they need until they have ended */
  uint32_t tickets;                /* higher ones have never been used */
  uint32_t submits;                /* calls of submit so far */
  struct shmx_cargo configuration; /* what it brings with it must live as long as workers may start */
  struct shmx_tally tally;         /* of the tasks that have ended */
  bool packing;                    /* the packet is in use: what runs meanwhile must not submit */
  bool closing;                    /* its workers have been told to end */
  struct shmx_limits limits;       /* of a task that has none of its own; attempts 0: none */
  struct shmx_limits chosen;       /* that the core knows for what is submitted next */
};

/* A sentence for a code of the core's. */
const char *shmx_luapool_explain(int code);

/* The pool at a stack index, which must be open. */
struct lua_pool *shmx_luapool_check(lua_State *L, int index);

/* The pool at index 1, for the method of this name, which may have been called with a dot. */
struct lua_pool *shmx_luapool_check_self(lua_State *L, const char *name);

/* A pool, open or closed; NULL: the value is none. */
struct lua_pool *shmx_luapool_test(lua_State *L, int index);

/* Takes in every end that there is; the pool is at stack index `index`. Returns how many. */
int shmx_luapool_take_in(lua_State *L, int index, struct lua_pool *pool);

/* A number of seconds at a stack index, an argument of this function, as a point in time (shmx_os_now); none, nil and what
 * never comes: -1. */
int64_t shmx_luapool_deadline(lua_State *L, int index, const char *function);

/* Sleeps until something may have changed, for this task's sake or, with 0, for any. False when the deadline has passed. */
bool shmx_luapool_sleep(lua_State *L, struct lua_pool *pool, lua_Integer task, int64_t deadline);

/* The pool on the top is open from now on: waiting for tasks of several pools finds it. */
void shmx_luapool_note(lua_State *L, struct lua_pool *pool);

/* pool:wait([seconds]) -> boolean: sleeps until something has ended or changed, and takes it in */
int shmx_luapool_wait(lua_State *L);

/* Adds to the module on the top what waits for tasks, whatever pool they are of, and to tasks their methods. */
void shmx_luapool_open_waiting(lua_State *L);

/* What a message says of a function prototype; *error is set when that fails. */
struct shmx_code_ref shmx_luapool_code_ref(struct shmx_memory *memory, struct shmx_code *code, int *error);

/* Raises the error on the top again; a text gets the script's position, and "task NAME, " before it when it has a name. */
void shmx_luapool_refuse(lua_State *L, const char *name);

/* The pool's limits of a task, from stack indexes: seconds, retries; nil: none. */
void shmx_luapool_set_limits(lua_State *L, struct lua_pool *pool, int timeout, int retries);

/* pool:submit(f, ...) -> task */
int shmx_luapool_submit(lua_State *L);

/* pool:submit_with(name, timeout, retries, f, ...) -> task: the same with these, unless they are nil */
int shmx_luapool_submit_with(lua_State *L);

/* pool:submit_batch(f, list, first, most) -> task, count: submits a batch (batch.h) of the elements from `first` on, at most
 * `most`, as far as they are for one. Without any: nil, 0. */
int shmx_luapool_submit_batch(lua_State *L);

/* Ends the task at `index` (positive), which has not succeeded, with `count` values on the top, which are taken: the value
 * of its failure, and perhaps a traceback, a signal and an exit code. */
void shmx_luapool_fail(lua_State *L, int index, enum shmx_task_status status, int count);

/* The task at `index` (positive) has ended so. */
void shmx_luapool_end(lua_State *L, int index, struct shmx_outcome *outcome);

/* core.fail_task(pool, task, batch, how, value, traceback): the task, which has not been submitted, has run in a batch of the
 * pool's, and failed */
int shmx_luapool_fail_task(lua_State *L);

/* pool:publish(task, timeout, retries): submits a task that was made by shmx.task, with these limits if it has none */
int shmx_luapool_publish(lua_State *L);

#endif
