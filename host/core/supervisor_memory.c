/* SPDX-License-Identifier: MIT */
/*
 * Memory when it is short: who waits for it gets it in the order of the tasks, the oldest first, as it comes free. While
 * somebody waits nobody keeps freed memory warm, and younger tasks stand back (warehouse.c). When nothing can come free
 * any more, because main and all workers wait, the oldest task is refused: an error, never a deadlock.
 *
 * A waiter that dies is no waiter any more; one that was told to take its memory keeps its place until it says that it
 * has (wants_bytes 0), so that nobody slips in between.
 */
#include "core/supervisor_private.h"

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

static void answer_waiter(struct sup_peer *peer, bool refuse) {
  atomic_store(&peer->shm->refused, refuse);
  atomic_fetch_and(&peer->shm->wants, ~(uint32_t)SHMX_WANTS_MEMORY);
  shmx_bell_ring(&peer->shm->bell, -1);
}

/* Everybody gives back what is only kept warm; who sleeps is woken for it. */
static void ask_to_trim(struct sup *s) {
  atomic_fetch_add(&s->domain->trim, 1);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    shmx_bell_ring(&peer->shm->bell, peer->pool ? -1 : s->main_bell);
}

/* A peer that waits, or that was told to take memory and has not yet. */
static bool is_served(const struct sup_peer *peer) {
  return peer->pool && !peer->dead && atomic_load(&peer->shm->wants_bytes) > 0;
}

static struct sup_peer *oldest_waiter(struct sup *s) {
  struct sup_peer *oldest = NULL;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (is_served(peer) && (!oldest || atomic_load(&peer->shm->wants_order) < atomic_load(&oldest->shm->wants_order)))
      oldest = peer;
  return oldest;
}

static bool fits(struct sup *s, const struct sup_peer *peer) {
  uint64_t wanted = atomic_load(&peer->shm->wants_bytes), budget = atomic_load(&s->domain->budget);
  uint64_t cap = atomic_load(&peer->pool->map.shm->memory), used = shmx_domain_charged(s->domain);
  if (used > budget || wanted > budget - used) return false;
  if (cap == 0) return true;
  uint64_t made = shmx_pool_map_charged(&peer->pool->map, s->domain);
  return made <= cap && wanted <= cap - made;
}

/* Nothing moves any more. Somebody may still keep freed memory warm, so all are asked for it first; when that has changed
 * nothing, the oldest task is refused. */
static void resolve_shortage(struct sup *s, struct sup_peer *oldest) {
  uint64_t used = shmx_domain_charged(s->domain);
  bool asked = s->short_at == used;
  s->short_at = asked ? UINT64_MAX : used;
  if (asked) answer_waiter(oldest, true);
  else ask_to_trim(s);
}

void sup_serve_memory(struct sup *s) {
  struct sup_peer *oldest = oldest_waiter(s);
  s->memory_wanted = oldest != NULL;
  atomic_store(&s->domain->oldest_waiter, oldest ? atomic_load(&oldest->shm->wants_order) : 0);
  if (!oldest) s->short_at = UINT64_MAX;
  if (!oldest || !waits(oldest)) return;
  if (fits(s, oldest)) answer_waiter(oldest, false);
  else if (!may_come_free(s)) resolve_shortage(s, oldest);
}
