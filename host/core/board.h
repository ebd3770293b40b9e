/* SPDX-License-Identifier: MIT */
/*
 * The board: how tasks get from main to workers, and who says what became of them.
 *
 * Each slot has one state word {generation, attempt, lane, state} that decides. Every change of it is one
 * compare-and-swap on the exact old word, so exactly one of a claim and a cancel, or of a commit and a verdict, wins.
 * What belongs to a state is written before the change and read after it.
 *
 * The todo queue only says where to look. An entry is {generation, slot}; claimers try the slot's word first and move
 * `head` on afterwards, so a claimer that dies in between loses nothing: the next one sees an entry whose slot is no
 * longer queued in that generation and steps over it. The same makes an entry harmless that is read twice or late.
 *
 * A second queue is the supervisor's, for tasks that are tried again: a queue has one publisher. Retries come first. A slot
 * that was published again may still have an old entry in the other queue; whichever is met first will do.
 *
 * Waking. Who publishes wakes one idle worker, unless some worker is searching: that one will see the task. Who finds a
 * task by searching stops to search and then, if there are more tasks, wakes the next (which counts as searching from then
 * on, before it even runs). So the first of a run of tasks costs a wake-up and the others none, and workers that are not
 * needed sleep on. Publisher and searcher each write first and then look, with a full fence between: one sees the other.
 *
 * Dying here: before the claiming swap, the task is still queued; after it, the word names the dead worker, and the
 * supervisor finds it by scanning the board. Before the committing swap, the verdict is the supervisor's; after it, the
 * result stands, whether or not the dead worker still got to the result ring (main scans the board for it too).
 */
#ifndef SHMX_CORE_BOARD_H
#define SHMX_CORE_BOARD_H

#include "core/layout.h"

static inline uint64_t shmx_word(uint32_t generation, uint32_t attempt, uint32_t lane, enum shmx_state state) {
  return (uint64_t)generation << 32 | (uint64_t)(attempt & 0xFF) << 24 | (uint64_t)(lane & 0xFFFF) << 8 | state;
}
static inline uint32_t shmx_word_generation(uint64_t word) { return (uint32_t)(word >> 32); }
static inline uint32_t shmx_word_attempt(uint64_t word) { return (uint32_t)(word >> 24) & 0xFF; }
static inline uint32_t shmx_word_lane(uint64_t word) { return (uint32_t)(word >> 8) & 0xFFFF; }
static inline enum shmx_state shmx_word_state(uint64_t word) { return (enum shmx_state)(word & 0xFF); }

/* Main: makes the filled slot claimable in this generation and queues it. False when the queue is full, because its
 * oldest entries are still to be claimed; the slot is unchanged then. */
bool shmx_board_publish(struct shmx_pool_map *map, uint32_t slot, uint32_t generation);

/* Worker: claims the oldest queued task. False when there is none; *word is the claimed slot's state. */
bool shmx_board_claim(struct shmx_pool_map *map, uint32_t lane, uint32_t *slot, uint64_t *word);

/* Supervisor: makes a task, whose state is `from` and whose worker is dead, claimable for its next attempt. False when
 * somebody else has decided, or there is no room. */
bool shmx_board_retry(struct shmx_pool_map *map, uint32_t slot, uint64_t from);

/* True while an entry of a queue may still be claimed. */
bool shmx_board_has_work(struct shmx_pool_map *map);

/* Changes the slot's state from the exact word `from`; false when somebody else was first. */
bool shmx_board_decide(struct shmx_pool_map *map, uint32_t slot, uint64_t from, enum shmx_state state);

/* After a publication: wakes one worker that sleeps for want of a task, if there is one and nobody is searching. True if
 * it did. */
bool shmx_board_wake_one(struct shmx_pool_map *map);

/* Supervisor: wakes all of them, whatever their bells say. */
void shmx_board_wake_all(struct shmx_pool_map *map);

/* Worker: it begins to search; false when `limit` workers search already. */
bool shmx_board_search(struct shmx_pool_map *map, uint32_t lane, uint32_t limit);
/* Worker: it has found a task, or gives up. */
void shmx_board_stop_search(struct shmx_pool_map *map, uint32_t lane);

/* Worker: it lies down for want of a task; look for one after this. */
void shmx_board_lie_down(struct shmx_pool_map *map, uint32_t lane);
/* Worker: it is up again, and counts as searching. */
void shmx_board_get_up(struct shmx_pool_map *map, uint32_t lane);

/* Supervisor: a worker that is dead, or stopped, neither sleeps for want of a task nor searches. */
void shmx_board_forget(struct shmx_pool_map *map, uint32_t lane);

/* True when a task with a smaller number than this may have begun: a worker may have claimed it, or it may wait for its
 * next attempt. */
bool shmx_board_has_older(struct shmx_pool_map *map, uint64_t task);
/* True when the task with this number may have begun. */
bool shmx_board_may_run(struct shmx_pool_map *map, uint64_t task);

/* True when the lane sleeps for want of a task. */
bool shmx_board_is_idle(const struct shmx_pool_map *map, uint32_t lane);

#endif
