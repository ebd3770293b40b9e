/* SPDX-License-Identifier: MIT */
/*
 * See board.h.
 */
#include "core/board.h"

static uint64_t entry_of(uint32_t slot, uint32_t generation) { return (uint64_t)generation << 32 | slot; }

/* The slot word when the entry can still be claimed, else 0. The slot number is input from shared memory. */
static uint64_t claimable(struct shmx_pool_map *map, uint64_t entry) {
  uint32_t slot = (uint32_t)entry;
  if (slot >= map->layout.slots) return 0;
  uint64_t word = atomic_load_explicit(&map->slots[slot].state, memory_order_acquire);
  if (shmx_word_state(word) != SHMX_QUEUED || shmx_word_generation(word) != (uint32_t)(entry >> 32)) return 0;
  return word;
}

/* A queue with its entries. */
struct queue {
  struct shmx_queue_shm *shm;
  _Atomic uint64_t *entries;
};

static struct queue todo_of(struct shmx_pool_map *map) { return (struct queue){&map->shm->todo, map->entries}; }
static struct queue again_of(struct shmx_pool_map *map) { return (struct queue){&map->shm->again, map->again}; }

static uint64_t capacity_of(const struct shmx_pool_map *map) { return 2 * (uint64_t)map->layout.slots; }

static _Atomic uint64_t *entry_at(const struct shmx_pool_map *map, struct queue queue, uint64_t position) {
  return &queue.entries[position & (capacity_of(map) - 1)];
}

/* The first position whose entry can be claimed, and its entry and word. Steps over those that cannot, moving `head`. */
static bool first_in(struct shmx_pool_map *map, struct queue queue, uint64_t *position, uint64_t *entry,
                     uint64_t *word) {
  for (;;) {
    uint64_t head = atomic_load(&queue.shm->head), tail = atomic_load(&queue.shm->tail);
    if (head == tail) return false;
    /* More than there is room for: `head` has moved on meanwhile, or somebody scribbled over one of the two. */
    if (tail - head > capacity_of(map) && atomic_load(&queue.shm->head) == head) return false;
    *entry = atomic_load_explicit(entry_at(map, queue, head), memory_order_relaxed);
    *word = claimable(map, *entry);
    *position = head;
    if (*word) return true;
    atomic_compare_exchange_strong(&queue.shm->head, &head, head + 1);
  }
}

static bool first(struct shmx_pool_map *map, struct queue *queue, uint64_t *position, uint64_t *entry, uint64_t *word) {
  *queue = again_of(map);
  if (first_in(map, *queue, position, entry, word)) return true;
  *queue = todo_of(map);
  return first_in(map, *queue, position, entry, word);
}

bool shmx_board_has_work(struct shmx_pool_map *map) {
  struct queue queue;
  uint64_t position, entry, word;
  return first(map, &queue, &position, &entry, &word);
}

/* The place for the next entry. False when the queue is full. */
static bool has_room(struct shmx_pool_map *map, struct queue queue, uint64_t *tail) {
  uint64_t position, entry, word;
  *tail = atomic_load_explicit(&queue.shm->tail, memory_order_relaxed);
  if (*tail - queue.shm->seen < capacity_of(map)) return true;
  first_in(map, queue, &position, &entry, &word); /* entries that nobody can claim any more make room */
  queue.shm->seen = atomic_load(&queue.shm->head);
  return *tail - queue.shm->seen < capacity_of(map);
}

static void append(struct shmx_pool_map *map, struct queue queue, uint64_t tail, uint64_t entry) {
  atomic_store_explicit(entry_at(map, queue, tail), entry, memory_order_relaxed);
  atomic_store_explicit(&queue.shm->tail, tail + 1, memory_order_release);
}

bool shmx_board_publish(struct shmx_pool_map *map, uint32_t slot, uint32_t generation) {
  uint64_t tail;
  if (!has_room(map, todo_of(map), &tail)) return false;
  atomic_store_explicit(&map->slots[slot].state, shmx_word(generation, 1, SHMX_LANE_NONE, SHMX_QUEUED),
                        memory_order_release);
  append(map, todo_of(map), tail, entry_of(slot, generation));
  return true;
}

bool shmx_board_retry(struct shmx_pool_map *map, uint32_t slot, uint64_t from) {
  uint64_t tail;
  uint32_t generation = shmx_word_generation(from);
  uint64_t queued = shmx_word(generation, shmx_word_attempt(from) + 1, SHMX_LANE_NONE, SHMX_QUEUED);
  if (!has_room(map, again_of(map), &tail)) return false;
  if (!atomic_compare_exchange_strong(&map->slots[slot].state, &from, queued)) return false;
  append(map, again_of(map), tail, entry_of(slot, generation));
  return true;
}

bool shmx_board_claim(struct shmx_pool_map *map, uint32_t lane, uint32_t *slot, uint64_t *word) {
  struct queue queue;
  uint64_t position, entry, queued;
  while (first(map, &queue, &position, &entry, &queued)) {
    *slot = (uint32_t)entry;
    *word = shmx_word(shmx_word_generation(queued), shmx_word_attempt(queued), lane, SHMX_CLAIMED);
    bool ours = atomic_compare_exchange_strong(&map->slots[*slot].state, &queued, *word);
    atomic_compare_exchange_strong(&queue.shm->head, &position, position + 1);
    if (ours) return true;
  }
  return false;
}

bool shmx_board_decide(struct shmx_pool_map *map, uint32_t slot, uint64_t from, enum shmx_state state) {
  return atomic_compare_exchange_strong(&map->slots[slot].state, &from, (from & ~UINT64_C(0xFF)) | state);
}

/* --- which tasks have begun --- */

/* What the worker in the lane says of the task that it has claimed; 0: none. */
static uint64_t run_by(const struct shmx_pool_map *map, uint32_t lane) {
  if (atomic_load(&map->lanes[lane].state) != SHMX_LANE_READY) return 0;
  return atomic_load(&map->lanes[lane].process.runs);
}

static bool has_retries(struct shmx_pool_map *map) {
  uint64_t position, entry, word;
  return first_in(map, again_of(map), &position, &entry, &word);
}

/* True when some worker has claimed such a task, seen from this one, or retries wait, which may be of any. */
static bool has_begun(struct shmx_pool_map *map, bool (*is_such)(uint64_t number, uint64_t task), uint64_t task) {
  for (uint32_t lane = 0; lane < shmx_pool_map_lanes(map); lane++)
    if (is_such(run_by(map, lane), task)) return true;
  return has_retries(map);
}

static bool is_older(uint64_t number, uint64_t task) { return number > 0 && number < task; }

static bool may_be(uint64_t number, uint64_t task) { return number == task || number == SHMX_RUNS_ANY; }

bool shmx_board_has_older(struct shmx_pool_map *map, uint64_t task) { return has_begun(map, is_older, task); }

bool shmx_board_may_run(struct shmx_pool_map *map, uint64_t task) { return has_begun(map, may_be, task); }

/* --- who sleeps, who searches --- */

static uint32_t words_of(const struct shmx_pool_map *map) { return (map->layout.lanes + 31) / 32; }
static _Atomic uint64_t *word_of(const struct shmx_pool_map *map, uint32_t lane) {
  return &map->shm->waiting[lane / 32];
}
static uint64_t idle_bit(uint32_t lane) { return UINT64_C(1) << (lane % 32); }
static uint64_t search_bit(uint32_t lane) { return UINT64_C(1) << (32 + lane % 32); }

static uint32_t count_searching(const struct shmx_pool_map *map) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < words_of(map); i++)
    count += (uint32_t)__builtin_popcountll(atomic_load_explicit(&map->shm->waiting[i], memory_order_relaxed) >> 32);
  return count;
}

/* Asked at each publication, where counting would take longer: it is a call where the processor may not have it. */
static bool somebody_searches(const struct shmx_pool_map *map) {
  for (uint32_t i = 0; i < words_of(map); i++)
    if (atomic_load_explicit(&map->shm->waiting[i], memory_order_relaxed) >> 32) return true;
  return false;
}

bool shmx_board_search(struct shmx_pool_map *map, uint32_t lane, uint32_t limit) {
  if (count_searching(map) >= limit) return false;
  atomic_fetch_or(word_of(map, lane), search_bit(lane));
  return true;
}

void shmx_board_stop_search(struct shmx_pool_map *map, uint32_t lane) {
  atomic_fetch_and(word_of(map, lane), ~search_bit(lane));
}

void shmx_board_lie_down(struct shmx_pool_map *map, uint32_t lane) {
  atomic_fetch_or(word_of(map, lane), idle_bit(lane));
}

/* From idle to searching in one step: if it were two, somebody could find, do and finish a task in between. */
static bool rouse(_Atomic uint64_t *word, uint32_t lane) {
  uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
  while (old & idle_bit(lane))
    if (atomic_compare_exchange_weak(word, &old, (old & ~idle_bit(lane)) | search_bit(lane))) return true;
  return false;
}

void shmx_board_get_up(struct shmx_pool_map *map, uint32_t lane) {
  if (!rouse(word_of(map, lane), lane)) atomic_fetch_or(word_of(map, lane), search_bit(lane));
}

void shmx_board_forget(struct shmx_pool_map *map, uint32_t lane) {
  atomic_fetch_and(word_of(map, lane), ~(idle_bit(lane) | search_bit(lane)));
}

bool shmx_board_is_idle(const struct shmx_pool_map *map, uint32_t lane) {
  return atomic_load(word_of(map, lane)) & idle_bit(lane);
}

bool shmx_board_wake_one(struct shmx_pool_map *map) {
  atomic_thread_fence(memory_order_seq_cst);
  if (somebody_searches(map)) return false;
  for (uint32_t lane = 0; lane < map->layout.lanes; lane += 32) {
    _Atomic uint64_t *word = word_of(map, lane);
    uint32_t idle = (uint32_t)atomic_load_explicit(word, memory_order_relaxed);
    for (; idle; idle &= idle - 1) {
      uint32_t sleeper = lane + (uint32_t)__builtin_ctz(idle);
      if (sleeper >= map->layout.lanes || !rouse(word, sleeper)) continue;
      return shmx_bell_ring(&map->lanes[sleeper].process.bell, -1);
    }
  }
  return false;
}

void shmx_board_wake_all(struct shmx_pool_map *map) {
  for (uint32_t i = 0; i < shmx_pool_map_lanes(map); i++)
    if (atomic_load(&map->lanes[i].state) == SHMX_LANE_READY) shmx_bell_ring_hard(&map->lanes[i].process.bell, -1);
}
