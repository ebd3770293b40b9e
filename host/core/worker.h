/* SPDX-License-Identifier: MIT */
/*
 * The worker's loop: claims tasks, has them run, commits what they return, and sleeps when there is nothing to do. It
 * knows no Lua; what a task is, the runner knows.
 */
#ifndef SHMX_CORE_WORKER_H
#define SHMX_CORE_WORKER_H

#include "core/envelope.h"
#include "core/layout.h"

/* What the core asks of the bindings. */
struct shmx_runner {
  void *context;
  /* In the supervisor, before any worker is forked: makes what is the same in all workers, so that they are born with it.
   * Runs nothing of the user's. */
  void (*prepare)(void *context);
  /* Makes ready to run tasks, from the pool's configuration (`error`: why it could not be had). 0, or -1 with the reason
   * in `text`. */
  int (*start)(void *context, int error, const struct shmx_incoming *config, char *text, size_t room);
  /* Runs one task; `error` is 0 or why its arguments could not be had. *result stays valid until `done`. */
  enum shmx_result (*run)(void *context, uint32_t task, int error, const struct shmx_incoming *arguments,
                          struct shmx_outgoing *result);
  /* The result has been sent. */
  void (*done)(void *context);
  /* True when the worker is to end after this task, and be replaced. */
  bool (*is_spent)(void *context);
  /* The worker crashes, at the instruction `place` (NULL: it exits, or that is not known): says in `text` where, as far as
   * it can be told, as "in FILE, called at LINE" or "". May do nothing that a signal handler may not. */
  void (*last_words)(void *context, const void *place, char *text, size_t room);
  /* The worker is about to sleep: collect garbage that holds arrays. `for_long`: it has been idle for a while, so this may
   * take its time. */
  void (*idle)(void *context, bool for_long);
};

/* What a worker is born with. */
struct shmx_worker_setup {
  struct shmx_domain_shm *domain;
  struct shmx_pool_map pool;
  uint32_t lane, peer, charge;
  uint64_t serials;   /* see struct shmx_link */
  uint32_t searchers; /* how many workers may search for a task at the same time: more find it no sooner */
  int socket, supervisor_bell, main_bell;
  struct shmx_trace_shm *trace; /* NULL: nothing is recorded */
};

/* What this worker does; NULL in any other process. The task's fields are 0 before the first one. */
struct shmx_worker_task {
  uint32_t number;  /* the worker's, from 1 */
  uint32_t task;    /* its number */
  uint32_t attempt; /* from 1 */
  uint32_t slot;
};
const struct shmx_worker_task *shmx_worker_now(void);

/* True when it runs a task that was cancelled, or has used up its time. May be called in a signal handler. */
bool shmx_worker_is_to_stop(void);
/* The task that it runs is done so far; for the progress. */
void shmx_worker_progress(double fraction);
/* Which of the two it is, when it is to stop. */
bool shmx_worker_has_timed_out(void);

/* Runs until the pool closes; returns the exit status. */
int shmx_worker_main(struct shmx_worker_setup *setup, const struct shmx_runner *runner);

#endif
