/* SPDX-License-Identifier: MIT */
/*
 * Time limits of tasks: how main states them, how a worker says when its task has used up its time, and when the
 * supervisor believes that.
 *
 * A worker that claims a task with a limit writes the deadline into its own struct and rouses the supervisor only if
 * that would look later than the deadline by itself (`looks_at`): of a run of short tasks the first one rouses it.
 * The worker writes first and then looks, the supervisor too, with a full fence between: one sees the other.
 *
 * The supervisor does not blame a task for the time in which the supervisor itself did not run: what the task waited
 * for may have been the supervisor. It judges only deadlines that it has seen before they were over, and adds to them
 * what it was late by. What a worker waits for the supervisor, or for memory, it adds itself (shmx_limits_waited).
 */
#ifndef SHMX_CORE_LIMITS_H
#define SHMX_CORE_LIMITS_H

#include "core/board.h"
#include "core/link.h"

#define SHMX_LIMITS_MAX_NS (INT64_MAX / 4) /* longer is for ever */

struct shmx_limits {
  uint32_t attempts;   /* at most, from 1 */
  int64_t nanoseconds; /* that each may take; 0: as many as it wants */
};

/* Main, before it publishes the slot in this generation. */
void shmx_limits_write(struct shmx_pool_map *map, uint32_t slot, uint32_t generation, const struct shmx_limits *limits);

/* The nanoseconds that a task in this state may take; 0: it has no limit. */
int64_t shmx_limits_of(const struct shmx_pool_map *map, uint32_t slot, uint64_t word);

/* Worker: it has claimed the slot, at that time. */
void shmx_limits_begin(struct shmx_link *link, uint32_t slot, uint64_t word, int64_t begin);
/* Worker: the task has ended. */
void shmx_limits_end(struct shmx_link *link);
/* Worker: the task that runs has waited for so long for something that is not its own affair. */
void shmx_limits_waited(struct shmx_link *link, int64_t nanoseconds);

/* Supervisor: true when a task in this state may have another attempt. */
bool shmx_limits_allow_retry(const struct shmx_pool_map *map, uint32_t slot, uint64_t word);

/* Supervisor: what it knows of one worker's deadline. All zero at first. */
struct shmx_watch {
  int64_t deadline; /* as the worker says; 0: none */
  int64_t extra;    /* nanoseconds that the task has beyond it */
  bool judged;      /* this deadline has had its consequences */
};

/* Supervisor: the worker's deadline is this one now. */
void shmx_watch_note(struct shmx_watch *watch, int64_t deadline, int64_t now);
/* True when the task has used up its time, as is looked at `late` nanoseconds after it should have been. Once only. */
bool shmx_watch_is_over(struct shmx_watch *watch, int64_t now, int64_t late);
/* When to look again; -1: there is no need. */
int64_t shmx_watch_next(const struct shmx_watch *watch);

#endif
