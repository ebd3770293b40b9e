/* SPDX-License-Identifier: MIT */
/*
 * Patience: how a process waits for another one that is likely to be quick, before it sleeps.
 *
 * First it looks again and again. Then it lets others run between two looks, because with more processes than cores the
 * one that it waits for may need the very core that it looks on. When nothing has come for about as long as being woken
 * would take, it gives up.
 */
#ifndef SHMX_CORE_PATIENCE_H
#define SHMX_CORE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/os.h"

enum { SHMX_PATIENCE_LOOKS = 256, SHMX_PATIENCE_NS = 100000 };

/* All zero: fresh. */
struct shmx_patience {
  uint32_t looks;
  int64_t until; /* shmx_os_now; 0: still in the looks that come first */
};

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
  shmx_os_yield();
  return true;
}

#endif
