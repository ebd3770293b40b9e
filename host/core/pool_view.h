/* SPDX-License-Identifier: MIT */
/*
 * A look at a pool's board, for people who ask what is going on. It takes as long as the board is large, and what it says
 * may be history by the time it is read; nothing waits for it.
 */
#ifndef SHMX_CORE_POOL_VIEW_H
#define SHMX_CORE_POOL_VIEW_H

#include "core/pool.h"

struct shmx_pool_view {
  uint32_t queued;  /* tasks that no worker has claimed */
  uint32_t running; /* tasks that one has */
};

/* Counts, and calls `visit` with each task that runs: its ticket and the number of its worker. */
void shmx_pool_view(const struct shmx_pool *pool, struct shmx_pool_view *view,
                    void (*visit)(void *context, uint32_t ticket, uint32_t worker), void *context);

/* The number of the worker that has the task; 0: none. */
uint32_t shmx_pool_worker_of(const struct shmx_pool *pool, uint32_t ticket);

/* The worker with this number (from 1): false when there is none now. */
struct shmx_worker_info {
  uint32_t pid;
  enum shmx_lane_state state;
  uint64_t ended;
};
bool shmx_pool_worker(const struct shmx_pool *pool, uint32_t number, struct shmx_worker_info *info);

/* Adds the times of the handovers that the pool's workers have completed. */
void shmx_pool_handovers(const struct shmx_pool *pool, struct shmx_histogram *times);

#endif
