/* SPDX-License-Identifier: MIT */
/*
 * What pool.c and pool_open.c share: main's own state of a pool. Its invariants are in pool.c.
 */
#ifndef SHMX_CORE_POOL_PRIVATE_H
#define SHMX_CORE_POOL_PRIVATE_H

#include "core/pool.h"

struct shmx_pool_slot {
  uint32_t generation;
  bool used, found;
  struct shmx_sent sent; /* held by the task until it has ended */
};

struct shmx_pool_lane {
  uint32_t peer; /* whose results are being read; 0: nobody's yet */
  bool ended;    /* its results are read to the end, or are about to be */
  struct shmx_ring results;
};

struct shmx_pool {
  struct shmx_host *host;
  struct shmx_pool_map map;
  uint64_t id;
  uint32_t wanted, deaths, scans;
  struct shmx_limits limits; /* of the next task; all zero: none */
  bool limited;
  bool shown; /* progress is */
  enum shmx_output_mode output;
  enum shmx_pool_names names;
  struct shmx_pool_slot *slots;
  uint32_t *free;        /* slots that are free; the one freed last is used first, because it is warm */
  uint32_t nfree, fresh; /* slots from `fresh` up have never been used */
  struct shmx_pool_lane *lanes;
  uint32_t *found; /* circular */
  uint32_t found_first, found_count, found_capacity;
  uint32_t in_flight;
  uint32_t known_state;            /* of the pool: what the caller has been told, or woken for */
  uint32_t *lingering, nlingering; /* slots; no more than there are lanes */
  uint64_t published, collected;   /* tasks */
  char *config;
  struct shmx_sent config_sent; /* what the configuration brings with it is held while workers may start */
};

/* The task needs what its message carried no more. */
void shmx_pool_drop_sent(struct shmx_pool *pool, struct shmx_sent *sent);

#endif
