/* SPDX-License-Identifier: MIT */
/*
 * See pool.h: how pools are opened and closed.
 *
 * Main makes the mapping and fills in what workers are to find there; then the supervisor gets it, and starts them. The
 * pool is closed by a wish in the mapping, and when no worker is left main lets go of everything and the supervisor forgets
 * it. Half-made pools are destroyed in the same way. If main dies here, the supervisor has the mapping or it has not; either
 * way it ends with main, and the mapping with both.
 */
#include "core/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "core/pool_private.h"
#include "core/terminal.h"

enum { SPARE_LANES = 16 };

/* --- opening --- */

/* The configuration is an envelope like any message, large enough never to need a carrier. */
static int write_config(struct shmx_pool *pool, const struct shmx_pool_options *options, uint32_t *size) {
  uint64_t room = shmx_envelope_size(&options->config);
  if (room > UINT32_MAX) return -EMSGSIZE;
  pool->config = malloc(room);
  if (!pool->config) return -ENOMEM;
  return shmx_envelope_write(pool->host->memory, &options->config, shmx_memory_task_hold, pool->config, (uint32_t)room,
                             size, &pool->config_sent);
}

static int create_mapping(struct shmx_pool *pool, const struct shmx_pool_options *options, int *fd) {
  struct shmx_pool_layout layout;
  uint64_t lanes = options->workers + (uint64_t)options->workers + SPARE_LANES;
  if (lanes > SHMX_LANES_MAX) lanes = SHMX_LANES_MAX;
  if (options->workers == 0 || options->workers > SHMX_WORKERS_MAX) return -EINVAL;
  uint32_t config_size;
  int r = write_config(pool, options, &config_size);
  if (r < 0) return r;
  if (!shmx_pool_layout(SHMX_SLOTS, (uint32_t)lanes, config_size, &layout)) return -EINVAL;
  *fd = shmx_os_memfd("shmx", layout.size);
  if (*fd < 0) return *fd;
  r = shmx_pool_map_attach(&pool->map, &layout, *fd);
  if (r < 0) return r;
  shmx_os_keep_from_children(pool->map.shm, layout.size);
  atomic_store(&pool->map.shm->memory, options->memory);
  atomic_store(&pool->map.shm->worker_tasks, options->worker_tasks);
  atomic_store(&pool->map.shm->grace, options->grace);
  memcpy(pool->map.config, pool->config, config_size);
  return 0;
}

static int create_tables(struct shmx_pool *pool) {
  uint32_t slots = pool->map.layout.slots, lanes = pool->map.layout.lanes;
  pool->found_capacity = 2 * slots; /* every slot and every lane once */
  pool->slots = calloc(slots, sizeof *pool->slots);
  pool->free = calloc(slots, sizeof *pool->free);
  pool->lanes = calloc(lanes, sizeof *pool->lanes);
  pool->found = calloc(pool->found_capacity, sizeof *pool->found);
  pool->lingering = calloc(lanes, sizeof *pool->lingering);
  return pool->slots && pool->free && pool->lanes && pool->found && pool->lingering ? 0 : -ENOMEM;
}

static int ask_to_open(struct shmx_pool *pool, const struct shmx_pool_options *options, int memory_fd) {
  struct shmx_request request = {.type = SHMX_REQ_OPEN,
                                 .id = pool->id,
                                 .slots = pool->map.layout.slots,
                                 .lanes = pool->map.layout.lanes,
                                 .config_size = pool->map.layout.config_size,
                                 .workers = options->workers};
  int fds[3] = {memory_fd, shmx_os_directory(), -1};
  if (fds[1] < 0) return fds[1];
  if (options->progress != SHMX_PROGRESS_NONE) fds[2] = shmx_terminal_open(STDERR_FILENO);
  pool->shown = fds[2] >= 0; /* without standard error it is not shown, and that is no failure */
  if (pool->shown) request.progress = options->progress;
  if (request.progress == SHMX_PROGRESS_BARS) pool->host->draws = true;
  int r = shmx_link_request(&pool->host->link, &request, fds, pool->shown ? 3 : 2), fd = -1;
  close(fds[1]);
  if (pool->shown) close(fds[2]);
  if (r == 0) r = shmx_link_answer(&pool->host->link, &request, &fd);
  if (r == 0 && fd >= 0) close(fd);
  return r < 0 ? r : request.error;
}

static enum shmx_pool_names choose_names(const struct shmx_pool *pool) {
  if (pool->output == SHMX_OUTPUT_LABEL || pool->host->link.trace) return SHMX_NAMES_PLAIN;
  return pool->shown ? SHMX_NAMES_WITH_ARGUMENTS : SHMX_NAMES_NONE;
}

int shmx_pool_open(struct shmx_host *host, const struct shmx_pool_options *options, struct shmx_pool **out) {
  struct shmx_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return -ENOMEM;
  int fd = -1;
  pool->host = host;
  pool->id = ++host->next_pool;
  pool->wanted = options->workers;
  pool->output = options->output;
  host->pools++;
  int r = create_mapping(pool, options, &fd);
  if (r == 0) r = create_tables(pool);
  if (r == 0) r = ask_to_open(pool, options, fd);
  if (fd >= 0) close(fd);
  if (r < 0) {
    shmx_pool_destroy(pool);
    return r;
  }
  pool->names = choose_names(pool);
  *out = pool;
  return 0;
}

int shmx_pool_ready(struct shmx_pool *pool, const char **why) {
  uint32_t state = pool->known_state = atomic_load(&pool->map.shm->state);
  *why = pool->map.shm->broken;
  pool->map.shm->broken[SHMX_LANE_TEXT - 1] = 0;
  return state == SHMX_POOL_OPENING ? 0 : state == SHMX_POOL_BROKEN ? -1 : 1;
}

/* --- closing --- */

void shmx_pool_close(struct shmx_pool *pool, int64_t kill_at) {
  atomic_store(&pool->map.shm->kill_at, kill_at);
  atomic_store(&pool->map.shm->wish, SHMX_WISH_CLOSE);
  SHMX_FAULT("m6");
  shmx_board_wake_all(&pool->map);
  shmx_link_urge(&pool->host->link);
}

bool shmx_pool_is_closed(struct shmx_pool *pool) {
  pool->known_state = atomic_load(&pool->map.shm->state);
  return pool->host->link.dead || pool->known_state == SHMX_POOL_CLOSED;
}

/* Lets go of what ends brought that nobody took, and tells that the dead workers' results are read to the end. */
static void drain(struct shmx_pool *pool) {
  struct shmx_outcome outcome;
  while (shmx_pool_next(pool, &outcome)) shmx_incoming_close(&outcome.message);
}

void shmx_pool_destroy(struct shmx_pool *pool) {
  if (!pool) return;
  if (pool->map.shm && pool->found) drain(pool);
  pool->host->pools--;
  for (uint32_t i = 0; pool->slots && i < pool->fresh; i++)
    if (pool->slots[i].used) shmx_pool_drop_sent(pool, &pool->slots[i].sent);
  shmx_pool_drop_sent(pool, &pool->config_sent);
  struct shmx_request request = {.type = SHMX_REQ_FORGET, .id = pool->id};
  if (pool->map.shm && !pool->host->link.dead) shmx_link_request(&pool->host->link, &request, NULL, 0);
  shmx_pool_map_detach(&pool->map);
  free(pool->slots);
  free(pool->free);
  free(pool->lanes);
  free(pool->found);
  free(pool->lingering);
  free(pool->config);
  free(pool);
}
