/* SPDX-License-Identifier: MIT */
/*
 * The pools and the life of their workers: fork, ready, death, burial.
 *
 * The order of a burial matters. First the dead worker's socket and ring are read to their end; then its claimed task
 * gets its verdict; then its holds are dropped; only then is its lane marked DEAD, upon which main reads its results to
 * the end and says so, and the lane can be used again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/fault.h"
#include "core/supervisor_private.h"

/* --- opening --- */

static int pool_create(const struct shmx_request *request, int memory_fd, struct sup_pool **out) {
  struct shmx_pool_layout layout;
  if (!shmx_pool_layout(request->slots, request->lanes, request->config_size, &layout) || request->workers == 0 ||
      request->workers > request->lanes || shmx_os_memfd_check(memory_fd, layout.size) < 0)
    return -EPROTO;
  struct sup_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return -ENOMEM;
  pool->id = request->id;
  pool->wanted = request->workers;
  pool->directory = -1;
  pool->workers = shmx_workers_create(request->workers, request->lanes, shmx_os_cpus());
  pool->by_lane = calloc(request->lanes, sizeof(struct sup_peer *));
  pool->last_peers = calloc(request->lanes, sizeof *pool->last_peers);
  int r = pool->workers && pool->by_lane && pool->last_peers ? shmx_pool_map_attach(&pool->map, &layout, memory_fd)
                                                             : -ENOMEM;
  *out = pool;
  return r;
}

static void pool_destroy(struct sup_pool *pool) {
  if (!pool) return;
  shmx_workers_destroy(pool->workers);
  free(pool->by_lane);
  free(pool->last_peers);
  shmx_pool_map_detach(&pool->map);
  if (pool->directory >= 0) close(pool->directory);
  free(pool);
}

int sup_pool_open(struct sup *s, const struct shmx_request *request, int fds[3]) {
  struct sup_pool *pool = NULL;
  int r = pool_create(request, fds[0], &pool);
  close(fds[0]);
  if (r < 0) {
    close(fds[1]);
    if (fds[2] >= 0) close(fds[2]);
    pool_destroy(pool);
    return r;
  }
  pool->directory = fds[1];
  if (fds[2] >= 0) sup_progress_open(s, pool, request->progress, fds[2]);
  pool->next = s->pools;
  s->pools = pool;
  return 0; /* main has its answer before its workers are started, when the pool is tended next */
}

void sup_pool_forget(struct sup *s, uint64_t id) {
  for (struct sup_pool **at = &s->pools; *at; at = &(*at)->next) {
    struct sup_pool *pool = *at;
    if (pool->id != id) continue;
    if (shmx_workers_alive(pool->workers) > 0) {
      sup_poison(s, &s->main);
      return;
    }
    *at = pool->next;
    sup_progress_forget(s, pool);
    pool_destroy(pool);
    return;
  }
}

/* --- starting workers --- */

static void break_pool(struct sup *s, struct sup_pool *pool, const char *why) {
  struct shmx_pool_shm *shm = pool->map.shm;
  if (atomic_load(&shm->state) >= SHMX_POOL_BROKEN) return;
  pool->broken = true;
  snprintf(shm->broken, sizeof shm->broken, "%s", why);
  shmx_workers_close(pool->workers);
  atomic_store(&shm->state, SHMX_POOL_BROKEN);
  for (uint32_t lane = 0; lane < pool->lanes; lane++) {
    struct sup_peer *peer = pool->by_lane[lane];
    if (!peer || peer->dead) continue;
    peer->broken = true;
    shmx_os_pidfd_kill(peer->pidfd, SIGKILL);
  }
  shmx_bell_ring(&s->domain->main.bell, s->main_bell);
}

static const char *explain_start(int code) {
  switch (code) {
  case -EAGAIN: return SHMX_OS_TOO_MANY_PROCESSES;
  case -EUSERS: return "all pools together have too many";
  default: return shmx_os_explain(code);
  }
}

/* One at a time: the first have questions while the others are still to be forked. */
static void start_next_worker(struct sup *s, struct sup_pool *pool) {
  uint32_t lane, number;
  if (!shmx_workers_next(pool->workers, s->now, &lane, &number)) return;
  s->busy = true;
  int r = sup_worker_start(s, pool, lane, number);
  shmx_workers_event(pool->workers, lane, r < 0 ? SHMX_WORKER_FORK_FAILED : SHMX_WORKER_FORKED, s->now);
  if (r == 0 || !shmx_workers_hopeless(pool->workers)) return;
  char why[256];
  bool many = r == -EMFILE || r == -EAGAIN || r == -EUSERS;
  snprintf(why, sizeof why, "a worker cannot be started: %s%s", explain_start(r),
           many ? "; ask for fewer workers" : "");
  break_pool(s, pool, why);
}

/* --- the end of a worker --- */

static struct sup_peer *peer_by_pid(struct sup *s, pid_t pid) {
  struct sup_peer *peer = s->peers;
  while (peer && (peer->pid != pid || peer->dead || !peer->pool)) peer = peer->next;
  return peer;
}

void sup_pool_ask_to_scan(struct sup *s, struct sup_pool *pool) {
  atomic_fetch_add(&pool->map.shm->scans, 1);
  shmx_bell_ring_hard(&s->domain->main.bell, s->main_bell);
}

/* A worker that is stopped takes no task: a wake-up that it was given goes to others, and it gets none until it goes
 * on. */
static void worker_stopped(struct sup *s, struct sup_peer *peer, bool stopped) {
  struct shmx_pool_map *map = &peer->pool->map;
  peer->stopped = stopped;
  shmx_board_forget(map, peer->lane);
  if (!stopped) {
    shmx_bell_ring_hard(&peer->shm->bell, -1);
    return;
  }
  shmx_board_wake_all(map);
  sup_limits_stopped(s, peer);
  sup_pool_ask_to_scan(s, peer->pool); /* it may have stopped between a commit and the result ring, or the bell */
}

/* What shares the dead worker's process group goes now, before it is reaped and its number can be used again. */
static void worker_died(struct sup_peer *peer, int status) {
  kill(-peer->pid, SIGKILL);
  peer->dead = true;
  peer->status = status;
}

void sup_reap(struct sup *s) {
  char change;
  int status;
  pid_t pid;
  while ((pid = shmx_os_next_child(&change, &status)) > 0) {
    struct sup_peer *peer = peer_by_pid(s, pid); /* none: a descendant of a dead worker's */
    if (peer && change == 'x') worker_died(peer, status);
    else if (peer) worker_stopped(s, peer, change == 's');
    shmx_os_take_child(pid, change);
  }
}

/* There is no other attempt in a pool that ends in a hurry. */
bool sup_pool_may_retry(const struct sup_pool *pool, uint32_t slot, uint64_t word) {
  const struct shmx_pool_shm *shm = pool->map.shm;
  bool hurry = atomic_load(&shm->wish) == SHMX_WISH_CLOSE && atomic_load(&shm->kill_at) > 0;
  return !hurry && !pool->broken && shmx_limits_allow_retry(&pool->map, slot, word);
}

/* What becomes of a slot in this state, which the dead worker had, if not another attempt; SHMX_FREE: nothing. */
static enum shmx_state verdict_on(enum shmx_state state) {
  switch (state) {
  case SHMX_CLAIMED: return SHMX_CRASHED;
  case SHMX_EXPIRED:
  case SHMX_TIMED_OUT: return SHMX_TIMED_OUT_LEFT;
  case SHMX_WITHDRAWN: return SHMX_WITHDRAWN_LEFT;
  default: return SHMX_FREE;
  }
}

/* The dead worker may have written how long its attempt waited where the time of publication was. */
static bool queue_again(struct shmx_pool_map *map, uint32_t slot, uint64_t word) {
  if (map->slots[slot].waited) map->slots[slot].waited = (uint64_t)shmx_os_now();
  return shmx_board_retry(map, slot, word);
}

/* Decides on a slot that the dead worker had. True when its task has ended by that. Main can withdraw it meanwhile. What
 * ran in a pool that broke is queued again, where main finds it with what was never claimed, and says why. */
static bool judge_slot(struct sup_pool *pool, const struct sup_peer *peer, uint32_t slot) {
  struct shmx_pool_map *map = &pool->map;
  for (;;) {
    uint64_t word = atomic_load(&map->slots[slot].state);
    enum shmx_state state = shmx_word_state(word), verdict = verdict_on(state);
    if (verdict == SHMX_FREE || shmx_word_lane(word) != peer->lane) return false;
    bool open = state == SHMX_CLAIMED || state == SHMX_EXPIRED;
    bool again = peer->broken || sup_pool_may_retry(pool, slot, word);
    if (open && again && queue_again(map, slot, word)) return false;
    if (state == SHMX_CLAIMED) map->slots[slot].verdict = (uint32_t)peer->status;
    if (shmx_board_decide(map, slot, word, verdict)) return true;
  }
}

/* The dead worker's task gets its verdict, or its next attempt. What it committed keeps its results. Returns how many
 * tasks have ended with it. */
static uint32_t judge(struct sup_pool *pool, const struct sup_peer *peer) {
  uint32_t ended = 0;
  uint32_t used = atomic_load(&pool->map.shm->slots_used); /* looking at the others would make their pages */
  for (uint32_t i = 0; i < used && i < pool->map.layout.slots; i++) ended += judge_slot(pool, peer, i);
  return ended;
}

/* A worker that lives, or somebody in its process group: orphans of what its task has started come to us too. */
static bool is_known(void *context, pid_t pid) {
  return peer_by_pid(context, pid) || peer_by_pid(context, getpgid(pid));
}

static void describe_start_death(const struct sup_peer *peer, const struct shmx_lane_shm *lane, char *why,
                                 size_t room) {
  char text[SHMX_LANE_TEXT - 128]; /* room for the words around it */
  snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, lane->text);
  const char *space = text[0] ? " " : "";
  if (atomic_load(&lane->state) == SHMX_LANE_FAILED) {
    snprintf(why, room, "%s", text);
  } else if (WIFSIGNALED(peer->status)) {
    snprintf(why, room, "workers die while they start: signal SIG%s (%s)%s%s", sigabbrev_np(WTERMSIG(peer->status)),
             strsignal(WTERMSIG(peer->status)), space, text);
  } else {
    snprintf(why, room, "workers end while they start: exit code %d%s%s", WEXITSTATUS(peer->status), space, text);
  }
}

static void unlink_peer(struct sup *s, struct sup_peer *peer) {
  struct sup_peer **at = &s->peers;
  while (*at != peer) at = &(*at)->next;
  *at = peer->next;
}

/* True when it has ended by itself and in no task. */
static bool bury(struct sup *s, struct sup_pool *pool, struct sup_peer *peer) {
  struct shmx_lane_shm *lane = &pool->map.lanes[peer->lane];
  bool failed = atomic_load(&lane->state) == SHMX_LANE_FAILED;
  bool starting = shmx_workers_is_starting(pool->workers, peer->lane) && atomic_load(&lane->state) != SHMX_LANE_READY;
  SHMX_FAULT("s8");
  sup_read_socket(s, peer);
  sup_read_ring(s, peer);
  sup_output_end(s, peer);
  sup_trace_bury(s, peer);
  uint32_t crashed = judge(pool, peer);
  bool well = peer->status == 0 && crashed == 0;
  sup_progress_bury(pool, peer, crashed);
  shmx_ledger_died(s->ledger, peer->id);
  /* Its number may be given again in this round. */
  if (peer->round != s->round) s->serials = shmx_ledger_last_serial(s->ledger);
  if (!starting) shmx_workers_event(pool->workers, peer->lane, SHMX_WORKER_READY, s->now);
  shmx_workers_event(pool->workers, peer->lane, SHMX_WORKER_DIED, s->now);
  shmx_workers_event(pool->workers, peer->lane, SHMX_WORKER_DRAINED, s->now);
  shmx_board_forget(&pool->map, peer->lane);
  if (failed || shmx_workers_hopeless(pool->workers)) {
    char why[SHMX_LANE_TEXT];
    describe_start_death(peer, lane, why, sizeof why);
    break_pool(s, pool, why);
  }
  sup_unwatch(s, peer->pidfd);
  sup_unwatch(s, peer->socket);
  pool->by_lane[peer->lane] = NULL;
  unlink_peer(s, peer);
  atomic_store(&lane->state, SHMX_LANE_DEAD);
  atomic_fetch_add(&pool->map.shm->deaths, 1);
  sup_worker_free(s, peer);
  return well;
}

void sup_pool_read_to_end(struct sup *s, uint32_t id) {
  for (struct sup_pool *pool = s->pools; pool; pool = pool->next)
    for (uint32_t lane = 0; lane < pool->lanes; lane++) {
      struct shmx_lane_shm *shm = &pool->map.lanes[lane];
      if (atomic_load(&shm->peer) != id || pool->by_lane[lane]) continue;
      if (!shmx_workers_event(pool->workers, lane, SHMX_WORKER_READ_TO_END, s->now)) continue;
      atomic_store(&shm->peer, SHMX_PEER_NONE);
      atomic_store(&shm->state, SHMX_LANE_EMPTY);
    }
}

void sup_kill_all(struct sup *s) {
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) {
    if (!peer->pool || peer->dead) continue;
    kill(-peer->pid, SIGKILL);
    shmx_os_pidfd_kill(peer->pidfd, SIGKILL);
  }
  shmx_os_kill_strangers(is_known, s);
}

/* --- tending --- */

static bool is_dead(const struct sup_pool *pool, uint32_t lane) {
  return pool->by_lane[lane] && pool->by_lane[lane]->dead;
}

/* What the dead have started goes with them, also who has left their worker's group (worker_died). While a pool is closed,
 * these are looked for when its last worker has ended, not after each. */
static void kill_what_is_left(struct sup *s, const struct sup_pool *pool, uint32_t dead, bool over) {
  if (!over || shmx_workers_alive(pool->workers) == dead) shmx_os_kill_strangers(is_known, s);
}

/* A death may have swallowed a wake-up: main's, or one that the dead worker was to pass on, whose receiver then counts as
 * searching though it sleeps. A worker that has ended because there is nothing to do any more has swallowed none. */
static void bury_the_dead(struct sup *s, struct sup_pool *pool) {
  uint32_t dead = 0, well = 0;
  for (uint32_t lane = 0; lane < pool->lanes; lane++) dead += is_dead(pool, lane);
  if (dead == 0) return;
  bool over = atomic_load(&pool->map.shm->wish) == SHMX_WISH_CLOSE && !shmx_board_has_work(&pool->map);
  kill_what_is_left(s, pool, dead, over);
  for (uint32_t lane = 0; lane < pool->lanes; lane++)
    if (is_dead(pool, lane)) well += bury(s, pool, pool->by_lane[lane]);
  if (over && well == dead) return;
  shmx_board_wake_all(&pool->map);
  shmx_bell_ring_hard(&s->domain->main.bell, s->main_bell);
}

static void notice_ready(struct sup *s, struct sup_pool *pool) {
  struct shmx_pool_shm *shm = pool->map.shm;
  for (uint32_t lane = 0; lane < pool->lanes; lane++) {
    if (!shmx_workers_is_starting(pool->workers, lane)) continue;
    if (atomic_load(&pool->map.lanes[lane].state) != SHMX_LANE_READY) continue;
    shmx_workers_event(pool->workers, lane, SHMX_WORKER_READY, s->now);
    atomic_fetch_add(&shm->started, 1);
  }
  atomic_store(&shm->ready, shmx_workers_ready(pool->workers));
  if (atomic_load(&shm->state) != SHMX_POOL_OPENING || !shmx_workers_all_ready(pool->workers)) return;
  sup_progress_opened(s, pool);
  atomic_store(&shm->state, SHMX_POOL_OPEN);
  shmx_bell_ring(&s->domain->main.bell, s->main_bell);
}

static bool has_task(const struct sup_pool *pool, uint32_t lane) {
  uint32_t used = atomic_load(&pool->map.shm->slots_used);
  for (uint32_t i = 0; i < used && i < pool->map.layout.slots; i++) {
    uint64_t word = atomic_load(&pool->map.slots[i].state);
    if (verdict_on(shmx_word_state(word)) != SHMX_FREE && shmx_word_lane(word) == lane) return true;
  }
  return false;
}

/* There is nothing left to be claimed. Who is stopped without a task has to go on to see that, and keeps a pool open that
 * waits for nothing else. */
static void rouse_stopped(const struct sup_pool *pool) {
  for (uint32_t lane = 0; lane < pool->lanes; lane++) {
    const struct sup_peer *peer = pool->by_lane[lane];
    if (peer && peer->stopped && !has_task(pool, lane)) shmx_os_pidfd_kill(peer->pidfd, SIGCONT);
  }
}

static void follow_main(struct sup *s, struct sup_pool *pool) {
  struct shmx_pool_shm *shm = pool->map.shm;
  if (atomic_load(&shm->wish) != SHMX_WISH_CLOSE) return;
  int64_t kill_at = atomic_load(&shm->kill_at);
  bool late = kill_at > 0 && s->now >= kill_at;
  /* Who dies while tasks are queued is replaced. */
  bool over = late || !shmx_board_has_work(&pool->map) || atomic_load(&shm->state) == SHMX_POOL_BROKEN;
  if (over) shmx_workers_close(pool->workers);
  if (over) rouse_stopped(pool);
  if (late)
    for (uint32_t lane = 0; lane < pool->lanes; lane++)
      if (pool->by_lane[lane]) shmx_os_pidfd_kill(pool->by_lane[lane]->pidfd, SIGKILL);
  if (!over || shmx_workers_alive(pool->workers) > 0 || atomic_load(&shm->state) == SHMX_POOL_CLOSED) return;
  sup_progress_closed(s, pool);
  sup_settle(s); /* what the workers have made and nobody holds is gone before main hears of their end */
  atomic_store(&shm->state, SHMX_POOL_CLOSED);
  shmx_bell_ring_hard(&s->domain->main.bell, s->main_bell);
}

void sup_pool_tend(struct sup *s, struct sup_pool *pool) {
  notice_ready(s, pool);
  bury_the_dead(s, pool);
  if (pool->broken) break_pool(s, pool, "main wrote messages that make no sense into shared memory");
  follow_main(s, pool);
  start_next_worker(s, pool);
}

int64_t sup_pool_deadline(const struct sup_pool *pool) {
  int64_t kill = 0;
  if (atomic_load(&pool->map.shm->wish) == SHMX_WISH_CLOSE && shmx_workers_alive(pool->workers) > 0)
    kill = atomic_load(&pool->map.shm->kill_at);
  return sup_sooner(shmx_workers_deadline(pool->workers), kill > 0 ? kill : -1);
}
