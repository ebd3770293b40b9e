/* SPDX-License-Identifier: MIT */
/*
 * Progress: what the supervisor sees of its pools as one bar on main's terminal (core/progress.h draws it), and what
 * workers print there as whole lines above it.
 *
 * Nobody tells the supervisor that a task has begun or ended. It adds up the workers' own counts, ten times a second
 * while tasks are in flight and a moment longer; then it asks main to ring at the next publication (`watched`) and
 * sleeps. When no task can be claimed and all workers are idle, every task has ended, whatever the counts say (a worker
 * that died between its commit and its count is missing one): the sum is set right then.
 *
 * One pool is shown at a time: the same as long as it has work, then the one opened last that has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/supervisor_private.h"

enum {
  LOOK_NS = SHMX_PROGRESS_FRAME_MS * 1000000,
  QUIET_NS = 2 * LOOK_NS,
  READ_BYTES = 32 << 10,
  LAST_READS = 40 /* of a dead worker's pipe: more than the largest holds */
};

static int64_t milliseconds(const struct sup *s) { return s->now / 1000000; }

/* --- counting --- */

void sup_progress_open(struct sup *s, struct sup_pool *pool, uint32_t mode, int fd) {
  struct sup_progress *progress = &s->progress;
  unsigned flags = shmx_terminal_flags() | (mode == SHMX_PROGRESS_BARS ? 0 : SHMX_TERMINAL_DUMB);
  if (progress->terminal) close(fd);
  else if (shmx_terminal_create(fd, s->main.pid, flags, &progress->terminal) < 0) return;
  pool->tally.seen = calloc(pool->map.layout.lanes, sizeof *pool->tally.seen);
  pool->tally.on = pool->tally.seen != NULL;
}

/* False when no task is in flight. The board is looked at first: a worker that took the last task from it was awake
 * before. */
static bool is_busy(struct sup_pool *pool) {
  if (shmx_board_has_work(&pool->map)) return true;
  for (uint32_t lane = 0; lane < pool->lanes; lane++) {
    if (!pool->by_lane[lane] || atomic_load(&pool->map.lanes[lane].state) != SHMX_LANE_READY) continue;
    if (!shmx_board_is_idle(&pool->map, lane)) return true;
  }
  return false;
}

static void add_lane(struct sup_tally *tally, const struct shmx_lane_shm *shm, uint32_t lane) {
  uint64_t ended = atomic_load(&shm->ended);
  uint32_t thousandths = atomic_load(&shm->thousandths);
  tally->done += ended;
  tally->thousandths += thousandths < 1000 ? thousandths : 1000;
  tally->failed += atomic_load(&shm->failed);
  if (ended == tally->seen[lane]) return;
  tally->seen[lane] = ended;
  tally->last_slot = atomic_load(&shm->last_slot);
}

static void count(struct sup *s, struct sup_pool *pool) {
  struct sup_tally *tally = &pool->tally, before = *tally;
  uint64_t published = atomic_load(&pool->map.shm->published), cancelled = atomic_load(&pool->map.shm->cancelled);
  bool busy = is_busy(pool);
  tally->total = published > cancelled ? published - cancelled : 0;
  tally->done = tally->buried;
  tally->thousandths = 0;
  tally->failed = tally->buried_failed;
  for (uint32_t lane = 0; lane < pool->lanes; lane++)
    if (pool->by_lane[lane]) add_lane(tally, &pool->map.lanes[lane], lane);
  if (!busy) tally->buried += tally->total - tally->done;
  if (!busy || tally->done > tally->total) tally->done = tally->total;
  if (tally->done != before.done || tally->total != before.total) tally->changed = s->now;
}

static bool in_flight(const struct sup_tally *tally) { return tally->done < tally->total; }

static bool is_lively(const struct sup *s, const struct sup_tally *tally) {
  return in_flight(tally) || (tally->total > 0 && s->now - tally->changed < QUIET_NS);
}

/* Counts the pool's tasks. True when that is to be repeated soon; if not, main rings when it publishes. */
static bool watch(struct sup *s, struct sup_pool *pool) {
  count(s, pool);
  if (is_lively(s, &pool->tally)) return true;
  if (atomic_load(&pool->map.shm->watched)) return false;
  atomic_store(&pool->map.shm->watched, 1);
  atomic_thread_fence(memory_order_seq_cst);
  count(s, pool);
  return is_lively(s, &pool->tally);
}

void sup_progress_bury(struct sup_pool *pool, const struct sup_peer *peer, uint32_t crashed) {
  struct sup_tally *tally = &pool->tally;
  const struct shmx_lane_shm *lane = &pool->map.lanes[peer->lane];
  if (!tally->on) return;
  tally->buried += atomic_load(&lane->ended) + crashed;
  tally->buried_failed += atomic_load(&lane->failed) + crashed;
  tally->seen[peer->lane] = 0;
}

/* --- the bar --- */

/* Workers that are to stop still run what is on the board: till then it is tasks that one waits for. */
static enum shmx_phase phase_of(const struct sup_pool *pool) {
  uint32_t state = atomic_load(&pool->map.shm->state);
  bool closing = atomic_load(&pool->map.shm->wish) == SHMX_WISH_CLOSE;
  if (state >= SHMX_POOL_BROKEN) return SHMX_PHASE_NONE;
  if (closing && (!in_flight(&pool->tally) || shmx_workers_alive(pool->workers) == 0)) return SHMX_PHASE_STOPPING;
  if (state == SHMX_POOL_OPENING) return SHMX_PHASE_STARTING;
  return pool->tally.total > 0 ? SHMX_PHASE_TASKS : SHMX_PHASE_NONE;
}

static bool has_work(const struct sup_pool *pool) {
  enum shmx_phase phase = phase_of(pool);
  return phase == SHMX_PHASE_TASKS ? in_flight(&pool->tally) : phase != SHMX_PHASE_NONE;
}

static void tell(struct sup *s, enum shmx_phase phase, uint64_t done, uint64_t total, uint64_t failed,
                 const char *name) {
  struct sup_progress *p = &s->progress;
  uint64_t thousandths = phase == SHMX_PHASE_TASKS && p->shown ? p->shown->tally.thousandths : 0;
  bool same = p->phase == phase && p->done == done && p->total == total && p->failed == failed;
  if (same && p->thousandths == thousandths) return;
  p->thousandths = thousandths;
  shmx_progress_part(p->terminal->progress, (double)thousandths / 1000);
  shmx_progress_set(p->terminal->progress, phase, done, total, name, failed, milliseconds(s));
  p->phase = phase;
  p->done = done;
  p->total = total;
  p->failed = failed;
  p->told = true;
}

/* The slot number and the name are other processes' bytes; the name may be that of a task which has the slot by now. */
static void tell_tasks(struct sup *s, const struct sup_pool *pool) {
  const struct sup_tally *tally = &pool->tally;
  char name[SHMX_SLOT_NAME + 1] = "";
  if (tally->done > 0 && tally->last_slot < pool->map.layout.slots)
    memcpy(name, pool->map.names[tally->last_slot], SHMX_SLOT_NAME);
  name[SHMX_SLOT_NAME] = 0;
  tell(s, SHMX_PHASE_TASKS, tally->done, tally->total, tally->failed, name[0] ? name : NULL);
}

static void finish_starting(struct sup *s, struct sup_pool *pool) {
  if (pool->tally.started) return;
  tell(s, SHMX_PHASE_STARTING, pool->wanted, pool->wanted, 0, NULL);
  pool->tally.started = true;
}

/* Between two looks a phase can have come to its end, or come and gone: it still gets its line. */
static void finish_phases(struct sup *s, struct sup_pool *pool, enum shmx_phase phase) {
  if (atomic_load(&pool->map.shm->state) == SHMX_POOL_OPEN) finish_starting(s, pool);
  if (s->progress.phase != SHMX_PHASE_STOPPING && phase == SHMX_PHASE_STOPPING && pool->tally.total > 0)
    tell_tasks(s, pool);
}

static void show(struct sup *s, struct sup_pool *pool) {
  enum shmx_phase phase = phase_of(pool);
  finish_phases(s, pool, phase);
  switch (phase) {
  case SHMX_PHASE_NONE: tell(s, phase, 0, 0, 0, NULL); break;
  case SHMX_PHASE_STARTING: tell(s, phase, shmx_workers_ready(pool->workers), pool->wanted, 0, NULL); break;
  case SHMX_PHASE_TASKS: tell_tasks(s, pool); break;
  case SHMX_PHASE_STOPPING:
    tell(s, phase, pool->wanted - shmx_workers_alive(pool->workers), pool->wanted, 0, NULL);
    break;
  }
}

static void show_pool(struct sup *s, struct sup_pool *pool) {
  if (s->progress.shown == pool) return;
  tell(s, SHMX_PHASE_NONE, 0, 0, 0, NULL);
  s->progress.shown = pool;
}

static void choose(struct sup *s) {
  if (s->progress.shown && has_work(s->progress.shown)) return;
  struct sup_pool *pool = s->pools;
  while (pool && !(pool->tally.on && has_work(pool))) pool = pool->next;
  if (pool) show_pool(s, pool);
}

/* Too much was queued for the terminal, and now it is not. */
static void resume_reading(struct sup *s) {
  s->progress.paused = false;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_output_watch(s, peer);
}

static void tick(struct sup *s) {
  struct sup_progress *p = &s->progress;
  int64_t now_ms = milliseconds(s), wait_ms = shmx_terminal_tick(p->terminal, now_ms);
  p->told = false;
  p->tick = wait_ms < 0 ? -1 : (now_ms + wait_ms) * 1000000;
  if (p->paused && !shmx_progress_full(p->terminal->progress)) resume_reading(s);
}

void sup_progress_tend(struct sup *s) {
  struct sup_progress *p = &s->progress;
  if (!p->terminal) return;
  p->look = -1;
  for (struct sup_pool *pool = s->pools; pool; pool = pool->next)
    if (pool->tally.on && atomic_load(&pool->map.shm->state) < SHMX_POOL_BROKEN && watch(s, pool))
      p->look = s->now + LOOK_NS;
  choose(s);
  if (p->shown) show(s, p->shown);
  if (p->told || (p->tick >= 0 && s->now >= p->tick)) tick(s);
}

int64_t sup_progress_deadline(const struct sup *s) {
  const struct sup_progress *p = &s->progress;
  if (!p->terminal) return -1;
  return sup_sooner(p->tick, p->look);
}

void sup_progress_forget(struct sup *s, struct sup_pool *pool) {
  if (s->progress.shown == pool) show_pool(s, NULL);
  free(pool->tally.seen);
}

/* What was shown becomes a line, which is there before main goes on. */
static void end_line(struct sup *s) {
  tell(s, SHMX_PHASE_NONE, 0, 0, 0, NULL);
  tick(s);
}

/* If main waits for it, the prompt comes behind the line. */
void sup_progress_opened(struct sup *s, struct sup_pool *pool) {
  if (!pool->tally.on) return;
  choose(s);
  if (s->progress.shown != pool) return;
  finish_starting(s, pool);
  end_line(s);
}

/* Main prints again behind the lines. */
void sup_progress_closed(struct sup *s, struct sup_pool *pool) {
  if (s->progress.shown != pool || !pool->tally.on) return;
  count(s, pool);
  show(s, pool);
  end_line(s);
  s->progress.shown = NULL;
}

void sup_progress_fini(struct sup *s) {
  if (!s->progress.terminal) return;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_output_end(s, peer);
  shmx_terminal_destroy(s->progress.terminal, shmx_os_now() / 1000000);
}

/* --- what workers print --- */

int sup_output_create(struct sup *s, struct sup_pool *pool, struct sup_peer *peer) {
  const struct shmx_terminal *terminal = s->progress.terminal;
  int ends[2];
  if (!pool->tally.on) return -1;
  if (!shmx_terminal_is_at(terminal, STDOUT_FILENO) && !shmx_terminal_is_at(terminal, STDERR_FILENO)) return -1;
  if (shmx_os_pipe(ends) < 0) return -1; /* it prints past us then, which may tear a line */
  peer->output = ends[0];
  return ends[1];
}

void sup_output_attach(struct sup *s, int fd) {
  for (int standard = STDOUT_FILENO; standard <= STDERR_FILENO; standard++)
    if (shmx_terminal_is_at(s->progress.terminal, standard)) dup2(fd, standard);
}

void sup_output_watch(struct sup *s, struct sup_peer *peer) {
  if (peer->output && !s->progress.paused) sup_watch(s, peer->output, &peer->output_watch);
}

static void pause_reading(struct sup *s) {
  s->progress.paused = true;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (peer->output) sup_ignore(s, peer->output);
}

/* One read. False when there was nothing: *over then says whether there never will be. */
static bool read_output(struct sup *s, struct sup_peer *peer, bool *over) {
  static char bytes[READ_BYTES];
  ssize_t n = read(peer->output, bytes, sizeof bytes);
  *over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
  if (n <= 0) return false;
  shmx_progress_lines(s->progress.terminal->progress, &peer->partial, bytes, (size_t)n); /* lost without memory */
  s->progress.told = true;
  return true;
}

static void close_output(struct sup *s, struct sup_peer *peer) {
  shmx_progress_flush(s->progress.terminal->progress, &peer->partial);
  shmx_text_fini(&peer->partial);
  s->progress.told = true;
  sup_unwatch(s, peer->output);
  peer->output = 0;
}

void sup_output_read(struct sup *s, struct sup_peer *peer) {
  bool over;
  if (!peer->output) return;
  if (!read_output(s, peer, &over) && over) close_output(s, peer);
  if (!s->progress.paused && shmx_progress_full(s->progress.terminal->progress)) pause_reading(s);
}

void sup_output_end(struct sup *s, struct sup_peer *peer) {
  bool over;
  if (!peer->output) return;
  for (int reads = 0; reads < LAST_READS && read_output(s, peer, &over); reads++) {
  }
  close_output(s, peer);
}
