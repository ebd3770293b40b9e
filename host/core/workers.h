/* SPDX-License-Identifier: MIT */
/*
 * The worker table of a pool: which lane has a worker in which state, and what is to be done next.
 *
 * A state machine without I/O: events go in, the caller asks for the next action. A lane that has lost its worker is
 * used again only after its rings are drained and main has read its results to the end; spare lanes bridge the time.
 *
 *   EMPTY --fork--> STARTING --ready--> READY --died--> DRAINING --drained--> UNREAD --read to end--> EMPTY
 *                       `------died------------------------^
 */
#ifndef SHMX_CORE_WORKERS_H
#define SHMX_CORE_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

struct shmx_workers;

enum shmx_worker_event {
  SHMX_WORKER_FORKED,      /* the action START was carried out */
  SHMX_WORKER_FORK_FAILED, /* it could not be */
  SHMX_WORKER_READY,
  SHMX_WORKER_DIED,        /* its process is gone */
  SHMX_WORKER_DRAINED,     /* its rings and socket are read, its task judged, its holds dropped */
  SHMX_WORKER_READ_TO_END, /* main has read its results; may come at any time after DRAINED */
  SHMX_WORKER_EVENTS
};

/* A table for `wanted` workers in `lanes` lanes, of which `together` may start at the same time: the first ones are ready
 * sooner if they have the processors for themselves. Starts that take long do not hold up the others for that. NULL without
 * memory. */
struct shmx_workers *shmx_workers_create(uint32_t wanted, uint32_t lanes, uint32_t together);
void shmx_workers_destroy(struct shmx_workers *table);

/* False when the event makes no sense in the lane's state: the table is unchanged. */
bool shmx_workers_event(struct shmx_workers *table, uint32_t lane, enum shmx_worker_event event, int64_t now);

/* No worker is started from now on. */
void shmx_workers_close(struct shmx_workers *table);

/* True when a worker is to be started now: in *lane, as the *number-th of the pool (from 1). */
bool shmx_workers_next(struct shmx_workers *table, int64_t now, uint32_t *lane, uint32_t *number);

/* When shmx_workers_next should be asked again though nothing has happened; -1: never. */
int64_t shmx_workers_deadline(const struct shmx_workers *table);

bool shmx_workers_is_starting(const struct shmx_workers *table, uint32_t lane);
uint32_t shmx_workers_ready(const struct shmx_workers *table); /* ready now */
uint32_t shmx_workers_alive(const struct shmx_workers *table); /* started, and not known to be dead */
bool shmx_workers_all_ready(const struct shmx_workers *table);

/* True when workers have died in start after start, or cannot be started at all: there is no point in going on. Never while
 * a pool that was complete still has a worker that is ready. */
bool shmx_workers_hopeless(const struct shmx_workers *table);

#endif
