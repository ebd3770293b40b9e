/* SPDX-License-Identifier: MIT */
/*
 * A pool as main sees it: tasks go onto the board, their ends come back, in whatever order they end.
 *
 * A task in here is a slot, known by its number (the ticket) until its end has been taken with shmx_pool_next. Nothing
 * here calls back, and nothing blocks but shmx_pool_wait.
 */
#ifndef SHMX_CORE_POOL_H
#define SHMX_CORE_POOL_H

#include "core/board.h"
#include "core/envelope.h"
#include "core/host.h"
#include "core/limits.h"
#include "core/output.h"

struct shmx_pool_options {
  uint32_t workers;
  uint64_t memory;                  /* cap for what the workers make, bytes; 0: the domain's budget alone */
  uint64_t worker_tasks;            /* after so many a worker is replaced; 0: never */
  int64_t grace;                    /* nanoseconds that a running task has to end when it is cancelled */
  struct shmx_outgoing config;      /* for the runner's `start` */
  enum shmx_progress_mode progress; /* on standard error */
  enum shmx_output_mode output;     /* what becomes of what tasks print */
};

struct shmx_pool;

enum shmx_end {
  SHMX_END_DONE,      /* the message has its results, or its error */
  SHMX_END_CRASHED,   /* the worker died in it */
  SHMX_END_TIMED_OUT, /* it used up its time */
  SHMX_END_CANCELLED, /* taken back */
  SHMX_END_LOST,      /* the pool broke, or the supervisor died, before it ended */
  SHMX_END_LEFT       /* no end: the task timed out or was cancelled before, and now its worker has let go of it too */
};

struct shmx_outcome {
  uint32_t ticket;
  enum shmx_end end;
  int status;       /* CRASHED: as waitpid gives it; DONE: enum shmx_result */
  int error;        /* DONE: 0, or why the message or a segment of it could not be had */
  uint32_t worker;  /* its number, from 1; 0: none */
  uint32_t attempt; /* from 1 */
  bool lingers;     /* its worker has not let go of it: what it needs is to be kept until LEFT comes */
  uint64_t nanoseconds;
  uint64_t waited;              /* nanoseconds on the board before a worker had it; 0: it was not measured */
  char where[SHMX_LANE_TEXT];   /* CRASHED: the worker's last words, perhaps "" */
  struct shmx_incoming message; /* DONE; the caller closes it with shmx_incoming_close */
  const char
      *kept; /* CRASHED: what the task had printed when all of that is captured; until the next call for the pool */
  uint32_t kept_size;
  char place[SHMX_SLOT_RESULT]; /* of the body when it is small: the outcome must not be moved */
};

/* Opens a pool; its workers are on their way when it returns. 0; -EINVAL: too many workers; -errno. */
int shmx_pool_open(struct shmx_host *host, const struct shmx_pool_options *options, struct shmx_pool **out);

/* 0 while the workers start, 1 when all have been ready, -1 when the pool is broken; *why then says why. */
int shmx_pool_ready(struct shmx_pool *pool, const char **why);

/* What the names of tasks are for: labels, traces and reports, which count by name, want that alone; progress by itself wants
 * the arguments too. */
enum shmx_pool_names { SHMX_NAMES_NONE = 0, SHMX_NAMES_PLAIN, SHMX_NAMES_WITH_ARGUMENTS };
enum shmx_pool_names shmx_pool_wants_names(const struct shmx_pool *pool);

/* Publishes a task; `name` (copied, cut; may be NULL) is for the progress. 0 and its ticket; -EAGAIN: the board is full,
 * take ends and try again; -EPIPE: the supervisor is gone; -ESHUTDOWN: the pool is broken; or -errno, with nothing handed
 * over. */
int shmx_pool_submit(struct shmx_pool *pool, const struct shmx_outgoing *message, uint32_t task, const char *name,
                     uint32_t *ticket);

/* The limits of the tasks that are submitted from now on; NULL: none. */
void shmx_pool_limit(struct shmx_pool *pool, const struct shmx_limits *limits);

/* Takes a task back that no worker has claimed yet, or, with `running`, that has not ended; false when it is too late.
 * Its end comes as CANCELLED. What a worker has claimed stays held until that has let go of it: that comes as LEFT, like
 * that of a task that timed out, with a ticket that is free then. */
bool shmx_pool_cancel(struct shmx_pool *pool, uint32_t ticket, bool running);

/* The next end of a task, if there is one. */
bool shmx_pool_next(struct shmx_pool *pool, struct shmx_outcome *outcome);

/* The task, by its number, whose end main wants before it goes on; 0: any. Younger ones that wait for memory stand back for
 * it. Each wait says so anew. */
void shmx_pool_await(struct shmx_pool *pool, uint64_t task);

/* Sleeps until shmx_pool_next, shmx_pool_ready or shmx_pool_is_closed may have something new, or until `deadline` (< 0:
 * none); `task` as for shmx_pool_await. 0, -EINTR (a signal), -ETIMEDOUT, or -EPIPE: the supervisor is gone (then all
 * ends come as LOST). */
int shmx_pool_wait(struct shmx_pool *pool, uint64_t task, int64_t deadline);
/* The same for any task of several pools, at least one. */
int shmx_pool_wait_any(struct shmx_pool *const *pools, uint32_t count, int64_t deadline);

/* Tells the workers to end when the board is empty; those that still run at `kill_at` (shmx_os_now; 0: never) are killed. */
void shmx_pool_close(struct shmx_pool *pool, int64_t kill_at);
bool shmx_pool_is_closed(struct shmx_pool *pool);

/* Frees what main has of it. Ends that were not taken are lost; the pool should be closed. */
void shmx_pool_destroy(struct shmx_pool *pool);

/* True when a worker has claimed the task, whose end has not been taken yet. */
bool shmx_pool_is_claimed(const struct shmx_pool *pool, uint32_t ticket);
/* Its number of attempts so far, this one included. */
uint32_t shmx_pool_attempt(const struct shmx_pool *pool, uint32_t ticket);
uint32_t shmx_pool_in_flight(const struct shmx_pool *pool);

/* True when all ends have been taken, so that shmx_pool_next need not look for more until something is submitted. */
bool shmx_pool_is_empty(const struct shmx_pool *pool);

/* The pool's mapping, to look at (pool_view.h). */
const struct shmx_pool_map *shmx_pool_map_of(const struct shmx_pool *pool);

#endif
