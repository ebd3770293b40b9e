/* SPDX-License-Identifier: MIT */
/*
 * Memory when it is short: who waits for it gets it in the order of the tasks, the oldest first, as it comes free. While
 * somebody waits nobody keeps freed memory warm, and younger tasks stand back (warehouse.c). When nothing can come free
 * any more, because main and all workers wait, the oldest task is refused: an error, never a deadlock.
 *
 * The last seat. Main often takes results in the order of the tasks. When an old task has yet to ask for its memory and the
 * results of younger ones fill the budget, main waits for the old one, and nothing comes free. So who asks leaves room for
 * one more of its size while an older task of its pool has begun, and asks the supervisor for the last. That gives it away
 * when main sleeps for something else than such an older task.
 *
 * A waiter that dies is no waiter any more, and one that is stopped is none until it goes on. One that was told to take its
 * memory keeps its place until it says that it has (wants_bytes 0), so that nobody slips in between.
 */
#include "core/supervisor_private.h"

enum { ASK_NS = 100000000 }; /* so long a task waits before all are asked, though something may come free by itself */

static bool waits(const struct sup_peer *peer) {
  return peer->pool && !peer->dead && (atomic_load(&peer->shm->wants) & SHMX_WANTS_MEMORY);
}

/* True when memory may still come free: main does not wait, so it may let go of results; or some worker runs; or a process
 * that sleeps has left messages, or has not seen its notes. The bells come first: who sleeps writes no more. */
static bool may_come_free(struct sup *s) {
  bool all_asleep = true;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (atomic_load(&peer->shm->bell.word) != SHMX_BELL_ASLEEP) all_asleep = false;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) {
    if (shmx_ring_available(&peer->messages) != 0) return true;
    if (atomic_load(&peer->shm->notes.read) == peer->notes.index) continue;
    shmx_bell_ring(&peer->shm->bell, peer->pool ? -1 : s->main_bell);
    return true;
  }
  return !all_asleep || shmx_ledger_wants_pass(s->ledger);
}

static void answer_waiter(struct sup_peer *peer, enum shmx_answer answer) {
  atomic_store(&peer->shm->answer, answer);
  atomic_fetch_and(&peer->shm->wants, ~(uint32_t)SHMX_WANTS_MEMORY);
  shmx_bell_ring(&peer->shm->bell, -1);
}

/* Everybody gives back what is only kept warm, and main collects its garbage; who sleeps is woken for it. */
static void ask_to_trim(struct sup *s) {
  s->asked_at = s->now;
  atomic_fetch_add(&s->domain->trim, 1);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    shmx_bell_ring(&peer->shm->bell, peer->pool ? -1 : s->main_bell);
}

/* It waits, or was told to take memory and has not yet. */
static bool wants_memory(const struct sup_peer *peer) {
  return peer->pool && !peer->dead && !peer->stopped && atomic_load(&peer->shm->wants_bytes) > 0;
}

static struct sup_peer *oldest_waiter(struct sup *s) {
  struct sup_peer *oldest = NULL;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (wants_memory(peer) && (!oldest || atomic_load(&peer->shm->runs) < atomic_load(&oldest->shm->runs)))
      oldest = peer;
  return oldest;
}

/* Bytes that are free for the peer, in the budget and under its pool's cap; *limit: the smaller of the two. */
static uint64_t room_for(struct sup *s, const struct sup_peer *peer, uint64_t *limit) {
  const struct shmx_pool_map *map = &peer->pool->map;
  uint64_t budget = atomic_load(&s->domain->budget), used = shmx_domain_charged(s->domain);
  uint64_t cap = atomic_load(&map->shm->memory), room = used < budget ? budget - used : 0;
  *limit = cap > 0 && cap < budget ? cap : budget;
  if (cap == 0) return room;
  uint64_t made = shmx_pool_map_charged(map, s->domain), left = made < cap ? cap - made : 0;
  return left < room ? left : room;
}

/* The peer is not to have the last seat now. A worker rings main's bell before it says that it runs the task no more, so
 * main is awake if what it slept for has just ended. */
static bool may_not_sit(struct sup *s, struct sup_peer *peer) {
  struct shmx_pool_map *map = &peer->pool->map;
  uint64_t task = atomic_load(&peer->shm->runs), awaited = atomic_load(&s->domain->awaited);
  if (!shmx_board_has_older(map, task)) return false;
  if (awaited > 0 && shmx_board_may_run(map, awaited)) return awaited < task;
  bool sleeps = atomic_load(&s->domain->main.bell.word) != SHMX_BELL_AWAKE;
  return !sleeps || atomic_load(&s->domain->awaited) != awaited; /* it may have gone on to its next wait meanwhile */
}

/* There is room for the oldest waiter. It may take the last seat only if that is what it was given: until it takes its
 * memory, an older task may take the last but one. What follows is another shortage, also if as many bytes are used then: all
 * are asked again. */
static void serve(struct sup *s, struct sup_peer *oldest, bool is_last) {
  s->short_at = UINT64_MAX;
  if (is_last && may_not_sit(s, oldest)) return;
  answer_waiter(oldest, is_last ? SHMX_ANSWER_LAST_SEAT : SHMX_ANSWER_ROOM);
}

/* Nothing moves any more. Somebody may still keep freed memory warm, so all are asked for it first; when that has changed
 * nothing, the oldest task is refused. */
static void resolve_shortage(struct sup *s, struct sup_peer *oldest) {
  uint64_t used = shmx_domain_charged(s->domain);
  bool asked = s->short_at == used;
  s->short_at = asked ? UINT64_MAX : used;
  if (asked) answer_waiter(oldest, SHMX_ANSWER_REFUSED);
  else ask_to_trim(s);
}

void sup_serve_memory(struct sup *s) {
  struct sup_peer *oldest = oldest_waiter(s);
  s->memory_wanted = oldest != NULL;
  atomic_store(&s->domain->oldest_waiter, oldest ? atomic_load(&oldest->shm->runs) : 0);
  if (!oldest) {
    s->short_at = UINT64_MAX;
    s->asked_at = s->now;
    return;
  }
  if (!waits(oldest)) return;
  uint64_t limit, room = room_for(s, oldest, &limit), wanted = atomic_load(&oldest->shm->wants_bytes);
  if (wanted <= room) serve(s, oldest, wanted <= limit / 2 && wanted > room / 2);
  else if (!may_come_free(s)) resolve_shortage(s, oldest);
  else if (s->now - s->asked_at >= ASK_NS) ask_to_trim(s);
}
