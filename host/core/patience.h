/* SPDX-License-Identifier: MIT */
/*
 * Patience: how a process waits for another one that is likely to be quick, before it sleeps.
 *
 * First it looks again and again. Then it lets others run between two looks, because with more processes than cores the
 * one that it waits for may need the very core that it looks on. When nothing has come for about as long as being woken
 * would take, it gives up.
 *
 * Whoever has woken another often shares its core with it: the kernel likes to run the woken where the waker runs. So the
 * next wait does not begin with looks, which would keep the core from the other, but by giving it away. (A worker that was
 * woken gives it back sooner, when its first task has ended: worker.c.)
 *
 * A worker that looks for a task on the core of somebody who also waits only takes turns with that one: it sleeps after a
 * few. As long as two processes take turns, the kernel may move one to the idle core, and there the next wake-up costs
 * twice as much as beside its waker.
 *
 * Giving the core away need not help: who was woken may have more of it to come than the one who woke it, and then the kernel
 * gives it back at once. A worker that so keeps main from seeing its last result sleeps (worker.c).
 *
 * The kernel leaves processes that never sleep where they are, even two that wait for each other on one core beside an idle
 * one. Who has had to share its core for a while, without a sleep between, tries another.
 */
#ifndef SHMX_CORE_PATIENCE_H
#define SHMX_CORE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/os.h"

enum {
  SHMX_PATIENCE_LOOKS = 64,
  SHMX_PATIENCE_NS = 100000,
  SHMX_PATIENCE_SHARED_NS = 1500, /* a core that was given away and comes back later than this has run somebody else */
  SHMX_PATIENCE_SHARED_MAX = 16,
  SHMX_PATIENCE_TURNS_MAX = 4,     /* of a worker that looks for a task */
  SHMX_PATIENCE_STAY_NS = 10000000 /* on the new core */
};

/* All zero: a new one. It serves for many waits. */
struct shmx_patience {
  uint32_t looks;
  uint32_t turns;  /* times in this wait that somebody else had the core */
  bool shares;     /* somebody whom we have woken may need this core */
  uint32_t shared; /* times that the core had somebody else to run, less those that it had not */
  int64_t moved;   /* when it last tried another core */
  int64_t until;   /* shmx_os_now; 0: still in the looks that come first */
};

/* A wait begins. */
static inline void shmx_patience_begin(struct shmx_patience *patience) {
  patience->looks = patience->shares ? SHMX_PATIENCE_LOOKS : 0;
  patience->shares = false;
  patience->turns = 0;
  patience->until = 0;
}

/* The next wait begins by giving the core away. */
static inline void shmx_patience_share(struct shmx_patience *patience) { patience->shares = true; }

/* The process goes to sleep: the kernel chooses its core anew when it wakes up. */
static inline void shmx_patience_sleeps(struct shmx_patience *patience) { patience->shared = 0; }

/* Lets others run, at the time `now`. */
static inline void shmx_patience_yield(struct shmx_patience *patience, int64_t now) {
  shmx_os_yield();
  int64_t then = shmx_os_now();
  if (then - now < SHMX_PATIENCE_SHARED_NS) {
    if (patience->shared > 0) patience->shared--;
    return;
  }
  patience->turns++;
  if (++patience->shared >= SHMX_PATIENCE_SHARED_MAX && then - patience->moved > SHMX_PATIENCE_STAY_NS) {
    patience->shared = 0;
    patience->moved = then;
    shmx_os_change_core();
  }
}

/* Who waits takes turns with somebody else, and that has brought nothing. */
static inline bool shmx_patience_takes_turns(const struct shmx_patience *patience) {
  return patience->turns >= SHMX_PATIENCE_TURNS_MAX;
}

/* Who waits has given its core away already, for as long as others wanted it. */
static inline bool shmx_patience_yields(const struct shmx_patience *patience) { return patience->until != 0; }

/* Between two looks. False when it is over. */
static inline bool shmx_patience_lasts(struct shmx_patience *patience) {
  if (patience->looks < SHMX_PATIENCE_LOOKS) {
    patience->looks++;
    shmx_os_pause();
    return true;
  }
  int64_t now = shmx_os_now();
  if (patience->until == 0) patience->until = now + SHMX_PATIENCE_NS;
  if (now >= patience->until) return false;
  shmx_patience_yield(patience, now);
  return true;
}

#endif
