/* SPDX-License-Identifier: MIT */
/*
 * Bells: how a process sleeps until another has something for it.
 *
 * The sleeper writes ASLEEP into its word, looks once more for work, and then sleeps; who brings work looks at the word
 * after it has published the work, and only if it reads ASLEEP does it wake the sleeper, having changed the word back:
 * one system call for a whole run of messages, none while the receiver is awake. Both sides put a full fence between
 * their write and their look, so one of them sees the other. A sleeper who only NAPS will look again soon by itself, and is
 * woken by those who cannot wait for it.
 *
 * A worker sleeps on its word as a futex; main and the supervisor sleep in poll or epoll, and their bell is an eventfd.
 * A ringer that dies between changing the word and the wake-up would leave the sleeper asleep: for that the supervisor
 * rings everybody after each death (shmx_bell_ring_hard).
 */
#ifndef SHMX_CORE_BELL_H
#define SHMX_CORE_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/os.h"

enum { SHMX_BELL_AWAKE = 0, SHMX_BELL_ASLEEP = 1, SHMX_BELL_NAPS = 2 };

struct shmx_bell_shm {
  _Alignas(64) _Atomic uint32_t word;
};

/* The sleeper: about to sleep, or to nap. Look for work after this, and before sleeping. */
static inline void shmx_bell_prepare_as(struct shmx_bell_shm *bell, uint32_t word) {
  atomic_store_explicit(&bell->word, word, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
}
static inline void shmx_bell_prepare(struct shmx_bell_shm *bell) { shmx_bell_prepare_as(bell, SHMX_BELL_ASLEEP); }

/* The sleeper: awake again, or did not sleep. */
static inline void shmx_bell_awake(struct shmx_bell_shm *bell) {
  atomic_store_explicit(&bell->word, SHMX_BELL_AWAKE, memory_order_relaxed);
}

/* Wakes the sleeper whatever its word says. `eventfd` -1: it sleeps on a futex. */
static inline void shmx_bell_ring_hard(struct shmx_bell_shm *bell, int eventfd) {
  atomic_store(&bell->word, SHMX_BELL_AWAKE);
  if (eventfd < 0) shmx_os_futex_wake(&bell->word);
  else shmx_os_eventfd_ring(eventfd);
}

/* Wakes the sleeper if it sleeps; true if it did. Call after the work has been published. */
static inline bool shmx_bell_ring(struct shmx_bell_shm *bell, int eventfd) {
  atomic_thread_fence(memory_order_seq_cst);
  uint32_t asleep = SHMX_BELL_ASLEEP;
  if (atomic_load_explicit(&bell->word, memory_order_relaxed) != SHMX_BELL_ASLEEP) return false;
  if (!atomic_compare_exchange_strong(&bell->word, &asleep, SHMX_BELL_AWAKE)) return false;
  if (eventfd < 0) shmx_os_futex_wake(&bell->word);
  else shmx_os_eventfd_ring(eventfd);
  return true;
}

/* Wakes the sleeper even from a nap; true if it slept or napped. */
static inline bool shmx_bell_rouse(struct shmx_bell_shm *bell, int eventfd) {
  atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&bell->word, memory_order_relaxed) == SHMX_BELL_AWAKE) return false;
  if (atomic_exchange(&bell->word, SHMX_BELL_AWAKE) == SHMX_BELL_AWAKE) return false;
  if (eventfd < 0) shmx_os_futex_wake(&bell->word);
  else shmx_os_eventfd_ring(eventfd);
  return true;
}

#endif
