/* SPDX-License-Identifier: MIT */
/*
 * The start of a worker: its number, its lane, its socket, the fork. What fails on the way leaves nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "core/supervisor_private.h"

static int take_charge(struct sup *s, uint32_t *charge) {
  for (*charge = SHMX_CHARGE_FIRST_WORKER; *charge < SHMX_CHARGES; ++*charge) {
    if (s->charge_used[*charge]) continue;
    s->charge_used[*charge] = true;
    uint32_t used = *charge + 1 - SHMX_CHARGE_FIRST_WORKER;
    if (used > atomic_load(&s->domain->worker_charges)) atomic_store(&s->domain->worker_charges, used);
    return 0;
  }
  return -EUSERS;
}

/* A lane as new: its rings empty, its indexes at zero. The records in the rings are as they are, for touching them would
 * make their pages. */
static void clear_lane(struct shmx_lane_shm *lane, const struct sup_peer *peer) {
  memset(&lane->process, 0, offsetof(struct shmx_process_shm, message));
  memset(&lane->results, 0, offsetof(struct shmx_lane_shm, text) - offsetof(struct shmx_lane_shm, results));
  lane->text[0] = 0;
  atomic_store(&lane->peer, peer->id);
  atomic_store(&lane->number, peer->number);
  atomic_store(&lane->charge, peer->charge);
  atomic_store(&lane->state, SHMX_LANE_STARTING);
}

/* Nobody has it after all. */
static void empty_lane(struct shmx_lane_shm *lane) {
  atomic_store(&lane->peer, SHMX_PEER_NONE);
  atomic_store(&lane->state, SHMX_LANE_EMPTY);
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* How many workers may search at a time. Main wants a core for itself: it brings the tasks. */
static uint32_t choose_searchers(void) {
  uint32_t cpus = shmx_os_cpus();
  return cpus > 1 ? cpus - 1 : 1;
}

/* In the child: becomes a worker. */
static _Noreturn void live(struct sup *s, struct sup_pool *pool, struct sup_peer *peer, int socket, int output) {
  int keep[] = {socket, s->bell, s->main_bell};
  qsort(keep, 3, sizeof *keep, by_number);
  int directory = pool->directory;
  if (fchdir(directory) < 0) {
  } /* a directory that is gone is main's affair; the worker then stays where we are */
  if (output >= 0) sup_output_attach(s, output);
  shmx_os_restore_files(s->files_before);
  if (shmx_os_settle_child(s->pid, keep, 3) < 0) _exit(1);
  struct shmx_worker_setup setup = {.domain = s->domain,
                                    .pool = pool->map,
                                    .lane = peer->lane,
                                    .peer = peer->id,
                                    .serials = s->serials,
                                    .charge = peer->charge,
                                    .searchers = choose_searchers(),
                                    .socket = socket,
                                    .supervisor_bell = s->bell,
                                    .main_bell = s->main_bell,
                                    .trace = sup_trace_shm(s)};
  for (struct sup_pool *other = s->pools; other; other = other->next)
    if (other != pool) shmx_pool_map_detach(&other->map);
  _exit(shmx_worker_main(&setup, s->runner));
}

static int fork_worker(struct sup *s, struct sup_pool *pool, struct sup_peer *peer) {
  int ends[2];
  int r = shmx_os_socketpair(ends);
  if (r < 0) return r;
  clear_lane(&pool->map.lanes[peer->lane], peer);
  if (pool->lanes <= peer->lane) pool->lanes = peer->lane + 1;
  atomic_store(&pool->map.shm->lanes_used, pool->lanes);
  int output = sup_output_create(s, pool, peer);
  peer->pid = shmx_syscalls.fork();
  if (peer->pid == 0) live(s, pool, peer, ends[1], output);
  r = peer->pid < 0 ? -errno : 0;
  close(ends[1]);
  if (output >= 0) close(output);
  peer->socket = ends[0];
  if (r == 0) r = shmx_os_pidfd(peer->pid);
  peer->pidfd = r;
  atomic_store(&pool->map.lanes[peer->lane].pid, r < 0 ? 0 : (uint32_t)peer->pid);
  if (r >= 0) return 0;
  if (peer->pid > 0) kill(peer->pid, SIGKILL), shmx_os_reap(peer->pid); /* it may be writing into its lane */
  empty_lane(&pool->map.lanes[peer->lane]);
  close(peer->socket);
  sup_output_end(s, peer);
  return r;
}

void sup_worker_free(struct sup *s, struct sup_peer *peer) {
  atomic_store(&s->domain->charged[peer->charge], 0);
  s->charge_used[peer->charge] = false;
  free(peer);
}

/* Gives it the next number to which nothing refers any more. By that main tells a lane's new worker from the last one. */
static int join(struct sup *s, struct sup_peer *peer) {
  for (uint32_t tries = 0; tries < s->most_peers; tries++) {
    if (s->last_peer == s->most_peers) {
      s->last_peer = SHMX_PEER_MAIN;
      s->round++;
      s->serials = shmx_ledger_last_serial(s->ledger);
    }
    peer->id = ++s->last_peer;
    peer->round = s->round;
    if (s->serials > SHMX_SERIALS_LAST) return -EOVERFLOW;
    uint32_t *last = &peer->pool->last_peers[peer->lane];
    int r = peer->id == *last ? -EEXIST : shmx_ledger_join(s->ledger, peer->id);
    if (r == 0) *last = peer->id;
    if (r != -EEXIST) return r;
  }
  return -EUSERS;
}

/* Nothing was ever heard of it, and main has nothing to read. */
static void unjoin(struct sup *s, const struct sup_peer *peer) {
  const struct shmx_message nothing_to_read = {.head = shmx_message_head(SHMX_MSG_READ_TO_END, peer->id)};
  shmx_ledger_message(s->ledger, SHMX_PEER_MAIN, &nothing_to_read);
  shmx_ledger_died(s->ledger, peer->id);
}

int sup_worker_start(struct sup *s, struct sup_pool *pool, uint32_t lane, uint32_t number) {
  struct sup_peer *peer = calloc(1, sizeof *peer);
  if (!peer) return -ENOMEM;
  *peer = (struct sup_peer){.pool = pool, .lane = lane, .number = number, .pidfd = -1};
  int r = take_charge(s, &peer->charge);
  if (r < 0) {
    free(peer);
    return r;
  }
  r = join(s, peer);
  if (r == 0) {
    r = fork_worker(s, pool, peer);
    if (r < 0) unjoin(s, peer);
  }
  if (r < 0) {
    sup_worker_free(s, peer);
    return r;
  }
  sup_peer_init(s, peer, &pool->map.lanes[lane].process);
  pool->by_lane[lane] = peer;
  sup_watch(s, peer->socket, &peer->socket_watch);
  sup_watch(s, peer->pidfd, &peer->died_watch);
  sup_output_watch(s, peer);
  sup_trace_meet(s, peer);
  return 0;
}
