/* SPDX-License-Identifier: MIT */
/*
 * A domain inside of one test process: the memories of main and of two workers, and a thread that plays the supervisor
 * with the supervisor's own functions. There are no processes, no board and no deaths but those that a test acts out.
 */
#ifndef SHMX_TESTS_DOMAIN_KIT_H
#define SHMX_TESTS_DOMAIN_KIT_H

#include <pthread.h>

#include "check.h"
#include "core/memory_private.h"
#include "core/supervisor_private.h"

enum { KIT_MAIN, KIT_WORKER, KIT_OTHER, KIT_PARTIES };

struct kit_party {
  struct shmx_memory memory;
  struct shmx_link link;
  struct sup_peer *peer; /* the supervisor's end */
};

struct kit {
  struct kit_party party[KIT_PARTIES];
  struct sup_peer workers[KIT_PARTIES];
  struct sup_pool pool;
  struct sup sup;
  pthread_mutex_t lock; /* the supervisor's thread holds it in a round */
  pthread_t thread;
  _Atomic bool over;
};

static struct kit kit;

static void *kit_zeroed(size_t size) {
  void *bytes = aligned_alloc(64, (size + 63) / 64 * 64);
  CHECK(bytes);
  return memset(bytes, 0, size);
}

static void kit_round(struct sup *s) {
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_read_socket(s, peer);
  shmx_ledger_pass_begin(s->ledger);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_read_ring(s, peer);
  shmx_ledger_pass_end(s->ledger);
  sup_do_chores(s);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_write_notes(s, peer);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_answer_reader(s, peer);
  sup_serve_memory(s);
}

static void *kit_supervise(void *unused) {
  while (!atomic_load(&kit.over)) {
    pthread_mutex_lock(&kit.lock);
    kit_round(&kit.sup);
    pthread_mutex_unlock(&kit.lock);
    shmx_os_poll(kit.sup.bell, -1, shmx_os_now() + 100000);
    shmx_os_eventfd_clear(kit.sup.bell);
  }
  return unused;
}

static void kit_add(int index, uint32_t id, struct shmx_process_shm *shm) {
  struct kit_party *party = &kit.party[index];
  struct sup_peer *peer = index == KIT_MAIN ? &kit.sup.main : &kit.workers[index];
  int ends[2];
  CHECK(shmx_os_socketpair(ends) == 0);
  *peer = (struct sup_peer){.id = id, .pool = index == KIT_MAIN ? NULL : &kit.pool, .pidfd = -1, .socket = ends[0]};
  sup_peer_init(&kit.sup, peer, shm);
  if (index != KIT_MAIN) CHECK(shmx_ledger_join(kit.sup.ledger, id) == 0);
  party->peer = peer;
  shmx_link_init(&party->link, kit.sup.domain, shm);
  party->link.peer = id;
  party->link.charge = (uint32_t)(index == KIT_MAIN ? SHMX_CHARGE_MAIN : SHMX_CHARGE_FIRST_WORKER + index);
  party->link.socket = ends[1];
  party->link.supervisor_bell = kit.sup.bell;
  party->link.own_bell = index == KIT_MAIN ? kit.sup.main_bell : -1;
  party->memory.peer = id;
  shmx_memory_join(&party->memory, &party->link);
}

static void kit_open(void) {
  shmx_os_forked();
  kit.sup.epoll = -1;
  kit.sup.many_chunks = shmx_chunk_many();
  kit.sup.bell = shmx_os_eventfd();
  kit.sup.main_bell = shmx_os_eventfd();
  kit.sup.domain = kit_zeroed(sizeof *kit.sup.domain);
  kit.sup.ledger = shmx_ledger_create(shmx_os_page_size());
  kit.pool.map.shm = kit_zeroed(sizeof *kit.pool.map.shm);
  atomic_store(&kit.sup.domain->budget, UINT64_C(1) << 30);
  atomic_store(&kit.sup.domain->worker_charges, 8);
  kit_add(KIT_MAIN, SHMX_PEER_MAIN, &kit.sup.domain->main);
  kit_add(KIT_WORKER, 2, kit_zeroed(sizeof(struct shmx_process_shm)));
  kit_add(KIT_OTHER, 3, kit_zeroed(sizeof(struct shmx_process_shm)));
  pthread_mutex_init(&kit.lock, NULL);
  pthread_create(&kit.thread, NULL, kit_supervise, NULL);
}

static inline struct shmx_memory *kit_memory(int index) { return &kit.party[index].memory; }

static inline struct shmx_ledger_stats kit_stats(void) {
  struct shmx_ledger_stats stats;
  pthread_mutex_lock(&kit.lock);
  shmx_ledger_stats(kit.sup.ledger, &stats);
  pthread_mutex_unlock(&kit.lock);
  return stats;
}

/* Everybody does what is to be done between other things, until the ledger has so many segments. */
static inline void kit_await_segments(uint64_t count) {
  for (int64_t until = shmx_os_now() + 20000000000; kit_stats().segments != count; usleep(200)) {
    CHECK(shmx_os_now() < until);
    for (int i = 0; i < KIT_PARTIES; i++)
      if (kit.party[i].memory.link) shmx_memory_attend(&kit.party[i].memory);
  }
}

/* The worker is dead and drained, and main has read its results to the end. */
static inline void kit_bury(int index) {
  pthread_mutex_lock(&kit.lock);
  struct sup_peer *peer = kit.party[index].peer;
  struct shmx_message message = {.head = shmx_message_head(SHMX_MSG_READ_TO_END, peer->id)};
  kit_round(&kit.sup);
  shmx_ledger_died(kit.sup.ledger, peer->id);
  struct sup_peer **at = &kit.sup.peers;
  while (*at != peer) at = &(*at)->next;
  *at = peer->next;
  pthread_mutex_unlock(&kit.lock);
  kit.party[index].memory.link = NULL;
  CHECK(shmx_link_send(&kit.party[KIT_MAIN].link, &message) == 0);
}

/* Nobody was blamed for what he wrote. */
static inline bool kit_all_honest(void) {
  bool honest = true;
  pthread_mutex_lock(&kit.lock);
  for (int i = 0; i < KIT_PARTIES; i++) honest = honest && !kit.party[i].peer->poisoned;
  pthread_mutex_unlock(&kit.lock);
  return honest;
}

static void kit_close(void) {
  atomic_store(&kit.over, true);
  pthread_join(kit.thread, NULL);
}

#endif
