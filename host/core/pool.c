/* SPDX-License-Identifier: MIT */
/*
 * See pool.h: how tasks are submitted, and their ends taken. Opening and closing is in pool_open.c.
 *
 * What main has found ended waits in `found` until it is taken: slots, and lanes of dead workers behind the last of their
 * results, upon which the supervisor hears READ_TO_END. A task that has its verdict before its worker has let go of it
 * *lingers*: it is no longer in flight, but its slot and what it holds are not free. Everything in the mapping that
 * workers write is input: slot numbers and state words are checked against what main knows of its slots.
 */
#include "core/pool.h"

#include <errno.h>
#include <string.h>

#include "core/fault.h"
#include "core/pool_private.h"

enum { AT_A_TIME = 16 }; /* ends that are read */
enum { LANE_MARK = 1 << 24, LEFT_MARK = 1 << 25 };

/* --- submitting --- */

void shmx_pool_drop_sent(struct shmx_pool *pool, struct shmx_sent *sent) {
  for (uint32_t i = 0; i < sent->nrefs; i++) shmx_memory_task_drop(pool->host->memory, &sent->refs[i]);
  shmx_sent_fini(sent);
}

static void free_slot(struct shmx_pool *pool, uint32_t number) {
  struct shmx_pool_slot *slot = &pool->slots[number];
  slot->used = slot->found = false;
  if (slot->sent.refs) shmx_pool_drop_sent(pool, &slot->sent);
  pool->free[pool->nfree++] = number;
}

static bool take_slot(struct shmx_pool *pool, uint32_t *number) {
  if (pool->nfree > 0) *number = pool->free[--pool->nfree];
  else if (pool->fresh < pool->map.layout.slots) {
    *number = pool->fresh++;
    atomic_store_explicit(&pool->map.shm->slots_used, pool->fresh, memory_order_relaxed);
  } else return false;
  pool->slots[*number].used = true;
  pool->slots[*number].generation++;
  return true;
}

enum shmx_pool_names shmx_pool_wants_names(const struct shmx_pool *pool) { return pool->names; }

/* A slot often gets the name that it had: then it is not written, and the worker's cache still has it. */
static void write_name(struct shmx_pool *pool, uint32_t slot, const char *name) {
  size_t length = name ? strnlen(name, SHMX_SLOT_NAME - 1) : 0;
  if (length > 0 && strncmp(pool->map.names[slot], name, SHMX_SLOT_NAME - 1) == 0) return;
  if (length > 0) memcpy(pool->map.names[slot], name, length);
  pool->map.names[slot][length] = 0;
}

/* The supervisor looks at the counters now and then while tasks run, and wants to be woken when it has stopped that. */
static void wake_watcher(struct shmx_pool *pool) {
  atomic_thread_fence(memory_order_seq_cst);
  if (!atomic_load_explicit(&pool->map.shm->watched, memory_order_relaxed)) return;
  atomic_store(&pool->map.shm->watched, 0);
  shmx_link_urge(&pool->host->link);
}

int shmx_pool_submit(struct shmx_pool *pool, const struct shmx_outgoing *message, uint32_t task, const char *name,
                     uint32_t *ticket) {
  if (pool->host->link.dead) return -EPIPE;
  if (atomic_load_explicit(&pool->map.shm->state, memory_order_relaxed) >= SHMX_POOL_BROKEN) return -ESHUTDOWN;
  if (!take_slot(pool, ticket)) return -EAGAIN;
  struct shmx_pool_slot *slot = &pool->slots[*ticket];
  struct shmx_slot_shm *shm = &pool->map.slots[*ticket];
  if (pool->limited) shmx_limits_write(&pool->map, *ticket, slot->generation, &pool->limits);
  int r = shmx_envelope_write(pool->host->memory, message, shmx_memory_task_hold, shm->args, SHMX_SLOT_ARGS,
                              &shm->args_size, &slot->sent);
  shm->task = task;
  shm->waited = shmx_histogram_samples(pool->published) ? (uint64_t)shmx_os_now() : 0;
  if (pool->names != SHMX_NAMES_NONE) write_name(pool, *ticket, name);
  SHMX_FAULT("m1");
  if (r == 0 && !shmx_board_publish(&pool->map, *ticket, slot->generation)) r = -EAGAIN;
  if (r < 0) {
    free_slot(pool, *ticket);
    return r;
  }
  pool->in_flight++;
  atomic_store_explicit(&pool->map.shm->published, ++pool->published, memory_order_relaxed);
  atomic_store_explicit(&pool->map.shm->core, shmx_os_core(), memory_order_relaxed);
  if (shmx_board_wake_one(&pool->map)) shmx_patience_share(&pool->host->link.patience);
  if (pool->shown) wake_watcher(pool);
  return 0;
}

void shmx_pool_limit(struct shmx_pool *pool, const struct shmx_limits *limits) {
  pool->limited = limits != NULL;
  if (limits) pool->limits = *limits;
}

static void push_found(struct shmx_pool *pool, uint32_t what) {
  pool->found[(pool->found_first + pool->found_count++) % pool->found_capacity] = what;
}

static void find_slot(struct shmx_pool *pool, uint32_t number) {
  pool->slots[number].found = true;
  __builtin_prefetch(pool->map.slots[number].result);
  push_found(pool, number);
}

/* The worker in the lane is to stop the task in this slot, which has been withdrawn. */
static void tell_to_stop(struct shmx_pool *pool, uint32_t lane, uint32_t ticket) {
  if (lane >= pool->map.layout.lanes) return;
  SHMX_FAULT("m7");
  atomic_store(&pool->map.lanes[lane].withdrawn, ticket + 1);
  atomic_store(&pool->map.shm->limited, 1);
  shmx_link_urge(&pool->host->link);
}

bool shmx_pool_cancel(struct shmx_pool *pool, uint32_t ticket, bool running) {
  struct shmx_pool_slot *slot = &pool->slots[ticket];
  if (!slot->used || slot->found || pool->host->link.dead) return false;
  for (;;) {
    uint64_t word = atomic_load(&pool->map.slots[ticket].state);
    enum shmx_state state = shmx_word_state(word);
    bool queued = state == SHMX_QUEUED, claimed = state == SHMX_CLAIMED || state == SHMX_EXPIRED;
    if (shmx_word_generation(word) != slot->generation || (!queued && !(running && claimed))) return false;
    if (!shmx_board_decide(&pool->map, ticket, word, queued ? SHMX_CANCELLED : SHMX_WITHDRAWN)) continue;
    if (queued) atomic_fetch_add_explicit(&pool->map.shm->cancelled, 1, memory_order_relaxed);
    else tell_to_stop(pool, shmx_word_lane(word), ticket);
    find_slot(pool, ticket);
    return true;
  }
}

/* --- taking ends --- */

/* True when the slot is in flight and its word says that it has ended. */
static bool has_ended(struct shmx_pool *pool, uint32_t number, uint64_t *word) {
  struct shmx_pool_slot *slot = &pool->slots[number];
  if (!slot->used || slot->found) return false;
  *word = atomic_load_explicit(&pool->map.slots[number].state, memory_order_acquire);
  enum shmx_state state = shmx_word_state(*word);
  return shmx_word_generation(*word) == slot->generation &&
         (state == SHMX_DONE || state == SHMX_CRASHED || state == SHMX_TIMED_OUT || state == SHMX_TIMED_OUT_LEFT);
}

static void begin_lane(struct shmx_pool *pool, uint32_t index, uint32_t peer) {
  struct shmx_lane_shm *shm = &pool->map.lanes[index];
  pool->lanes[index] = (struct shmx_pool_lane){.peer = peer};
  shmx_ring_init(&pool->lanes[index].results, &shm->results, shmx_pool_map_results(&pool->map, index),
                 pool->map.layout.slots, sizeof(uint32_t));
}

/* Another core has written the slots: they are asked for before the first is looked at. */
static void read_some(struct shmx_pool *pool, uint32_t index, int64_t count) {
  uint32_t numbers[AT_A_TIME];
  uint64_t word;
  for (int64_t i = 0; i < count; i++) {
    shmx_ring_take(&pool->lanes[index].results, &numbers[i]);
    if (numbers[i] < pool->map.layout.slots) __builtin_prefetch(&pool->map.slots[numbers[i]]);
  }
  for (int64_t i = 0; i < count; i++)
    if (numbers[i] < pool->map.layout.slots && has_ended(pool, numbers[i], &word) && shmx_word_lane(word) == index)
      find_slot(pool, numbers[i]);
}

static bool read_lane(struct shmx_pool *pool, uint32_t index) {
  struct shmx_pool_lane *lane = &pool->lanes[index];
  uint32_t peer = atomic_load_explicit(&pool->map.lanes[index].peer, memory_order_acquire);
  if (peer == SHMX_PEER_NONE) return false;
  if (peer != lane->peer) begin_lane(pool, index, peer);
  if (lane->ended) return false;
  int64_t count = shmx_ring_available(&lane->results);
  if (count <= 0) return false;
  for (; count > AT_A_TIME; count -= AT_A_TIME) read_some(pool, index, AT_A_TIME);
  read_some(pool, index, count);
  shmx_ring_done(&lane->results);
  return true;
}

static void read_lanes(struct shmx_pool *pool) {
  uint32_t lanes = shmx_pool_map_lanes(&pool->map);
  for (uint32_t index = 0; index < lanes; index++) read_lane(pool, index);
}

/* Ends that no ring tells of: of a worker that died or was stopped between the commit and the ring, and verdicts. `lane`
 * SHMX_LANE_NONE: of any worker. */
static void scan_for(struct shmx_pool *pool, uint32_t lane) {
  uint64_t word;
  for (uint32_t number = 0; number < pool->fresh; number++)
    if (has_ended(pool, number, &word) && (lane == SHMX_LANE_NONE || shmx_word_lane(word) == lane))
      find_slot(pool, number);
}

static void look_for_untold(struct shmx_pool *pool) {
  uint32_t scans = atomic_load(&pool->map.shm->scans);
  if (scans == pool->scans) return;
  pool->scans = scans;
  read_lanes(pool);
  scan_for(pool, SHMX_LANE_NONE);
}

static void look_for_dead(struct shmx_pool *pool) {
  uint32_t deaths = atomic_load(&pool->map.shm->deaths);
  if (deaths == pool->deaths) return;
  pool->deaths = deaths;
  for (uint32_t index = 0; index < shmx_pool_map_lanes(&pool->map); index++) {
    if (atomic_load(&pool->map.lanes[index].state) != SHMX_LANE_DEAD) continue;
    read_lane(pool, index);
    if (pool->lanes[index].ended) continue;
    if (pool->output != SHMX_OUTPUT_CAPTURE) shmx_output_salvage(shmx_pool_map_kept(&pool->map, index));
    scan_for(pool, index);
    pool->lanes[index].ended = true;
    push_found(pool, LANE_MARK + index);
  }
}

/* Without a supervisor, or in a pool that is broken or has no worker any more, what nobody will end ends now. */
static void look_for_lost(struct shmx_pool *pool) {
  bool dead = pool->host->link.dead;
  if (pool->in_flight == pool->found_count) return;
  if (!dead && atomic_load(&pool->map.shm->state) < SHMX_POOL_BROKEN) return;
  for (uint32_t number = 0; number < pool->fresh; number++) {
    struct shmx_pool_slot *slot = &pool->slots[number];
    uint64_t word = atomic_load(&pool->map.slots[number].state);
    if (!slot->used || slot->found) continue;
    bool queued = shmx_word_state(word) == SHMX_QUEUED;
    if (dead || (queued && shmx_board_decide(&pool->map, number, word, SHMX_CANCELLED))) find_slot(pool, number);
  }
}

static bool lingers(const struct shmx_pool *pool, uint32_t number) {
  enum shmx_state state = shmx_word_state(atomic_load(&pool->map.slots[number].state));
  return state == SHMX_TIMED_OUT || state == SHMX_WITHDRAWN;
}

/* Slots that their workers have let go of. */
static void look_for_left(struct shmx_pool *pool) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < pool->nlingering; i++) {
    if (lingers(pool, pool->lingering[i])) pool->lingering[kept++] = pool->lingering[i];
    else push_found(pool, LEFT_MARK + pool->lingering[i]);
  }
  pool->nlingering = kept;
}

static bool collect(struct shmx_pool *pool) {
  read_lanes(pool);
  look_for_untold(pool);
  if (pool->nlingering > 0) look_for_left(pool);
  look_for_dead(pool);
  look_for_lost(pool);
  return pool->found_count > 0;
}

static void read_to_end(struct shmx_pool *pool, uint32_t index) {
  struct shmx_message message = {.head = shmx_message_head(SHMX_MSG_READ_TO_END, pool->lanes[index].peer)};
  if (!pool->host->link.dead) shmx_link_send(&pool->host->link, &message);
}

static void read_result(struct shmx_pool *pool, uint32_t number, uint64_t word, struct shmx_outcome *outcome) {
  struct shmx_slot_shm *shm = &pool->map.slots[number];
  char copy[SHMX_SLOT_RESULT];
  uint32_t lane = shmx_word_lane(word);
  uint32_t size = *(volatile uint32_t *)&shm->result_size; /* read once: the worker could change it after the check */
  if (size > sizeof copy) size = 0;
  memcpy(copy, shm->result, size);
  /* The body may lie in the slot, which is used again: the outcome needs its own copy then. */
  outcome->error = shmx_envelope_read(pool->host->memory, copy, size, pool->lanes[lane].peer, true, &outcome->message);
  const char *body = outcome->message.body;
  if (body >= copy && body <= copy + sizeof copy) {
    memcpy(outcome->place, body, outcome->message.size);
    outcome->message.body = outcome->place;
  }
}

/* The lane is not used again before main has read all of the dead worker's results. */
static void read_last_words(const struct shmx_pool *pool, uint32_t lane, char text[SHMX_LANE_TEXT]) {
  text[0] = 0;
  if (lane >= pool->map.layout.lanes) return;
  memcpy(text, pool->map.lanes[lane].text, SHMX_LANE_TEXT);
  text[SHMX_LANE_TEXT - 1] = 0;
}

static void find_kept(struct shmx_pool *pool, uint32_t lane, struct shmx_outcome *outcome) {
  const struct shmx_kept_shm *kept = shmx_pool_map_kept(&pool->map, lane);
  uint32_t size = atomic_load_explicit(&kept->size, memory_order_acquire);
  outcome->kept = kept->bytes;
  outcome->kept_size = size <= SHMX_KEPT_BYTES ? size : 0;
}

static void describe(struct shmx_pool *pool, uint32_t number, struct shmx_outcome *outcome) {
  struct shmx_slot_shm *shm = &pool->map.slots[number];
  uint64_t word = atomic_load_explicit(&shm->state, memory_order_acquire);
  uint32_t lane = shmx_word_lane(word);
  enum shmx_state state = shmx_word_state(word);
  outcome->ticket = number;
  outcome->end = SHMX_END_LOST;
  outcome->lingers = false;
  outcome->status = outcome->error = 0;
  outcome->worker = outcome->kept_size = 0;
  outcome->attempt = shmx_word_attempt(word);
  outcome->nanoseconds = outcome->waited = 0;
  shmx_incoming_init(&outcome->message);
  if (lane < pool->map.layout.lanes)
    outcome->worker = atomic_load_explicit(&pool->map.lanes[lane].number, memory_order_relaxed);
  if (state == SHMX_DONE && lane < pool->map.layout.lanes) {
    outcome->end = SHMX_END_DONE;
    outcome->status = (int)shm->verdict;
    outcome->nanoseconds = shm->nanoseconds;
    outcome->waited = shm->waited;
    read_result(pool, number, word, outcome);
  } else if (state == SHMX_CRASHED) {
    outcome->end = SHMX_END_CRASHED;
    outcome->status = (int)shm->verdict;
    read_last_words(pool, lane, outcome->where);
    if (pool->output == SHMX_OUTPUT_CAPTURE && lane < pool->map.layout.lanes) find_kept(pool, lane, outcome);
  } else if (state == SHMX_TIMED_OUT || state == SHMX_TIMED_OUT_LEFT) {
    outcome->end = SHMX_END_TIMED_OUT;
    outcome->nanoseconds = (uint64_t)pool->map.limits[number].nanoseconds;
  } else if (state == SHMX_WITHDRAWN || state == SHMX_WITHDRAWN_LEFT) {
    outcome->end = SHMX_END_CANCELLED;
  } else if (state == SHMX_CANCELLED && !pool->host->link.dead) {
    const char *why;
    outcome->end = shmx_pool_ready(pool, &why) < 0 ? SHMX_END_LOST : SHMX_END_CANCELLED;
  }
}

/* The task's end has been described. Its slot is free, unless a worker still has it: true. */
static bool finish_slot(struct shmx_pool *pool, uint32_t number) {
  pool->in_flight--;
  atomic_store_explicit(&pool->map.shm->collected, ++pool->collected, memory_order_relaxed);
  bool lingering = lingers(pool, number);
  if (pool->nlingering == pool->map.layout.lanes) look_for_left(pool);
  /* Each lane has one at most. Where there are more, somebody has scribbled over the states. */
  lingering = lingering && pool->nlingering < pool->map.layout.lanes;
  if (lingering) pool->lingering[pool->nlingering++] = number;
  else free_slot(pool, number);
  return lingering;
}

static void finish_left(struct shmx_pool *pool, uint32_t number, struct shmx_outcome *outcome) {
  *outcome = (struct shmx_outcome){.ticket = number, .end = SHMX_END_LEFT};
  shmx_incoming_init(&outcome->message);
  free_slot(pool, number);
}

bool shmx_pool_next(struct shmx_pool *pool, struct shmx_outcome *outcome) {
  shmx_memory_attend(pool->host->memory);
  for (;;) {
    if (pool->found_count == 0 && !collect(pool)) return false;
    uint32_t what = pool->found[pool->found_first];
    pool->found_first = (pool->found_first + 1) % pool->found_capacity;
    pool->found_count--;
    if (what >= LEFT_MARK) {
      finish_left(pool, what - LEFT_MARK, outcome);
      return true;
    }
    if (what >= LANE_MARK) {
      read_to_end(pool, what - LANE_MARK);
      continue;
    }
    SHMX_FAULT("m2");
    describe(pool, what, outcome);
    outcome->lingers = finish_slot(pool, what);
    return true;
  }
}

/* A state that has changed after the caller was told of it, and before it decided to wait, is new too. */
static bool has_new_state(struct shmx_pool *pool) {
  uint32_t known = pool->known_state;
  pool->known_state = atomic_load(&pool->map.shm->state);
  return pool->known_state != known;
}

static bool something_new(struct shmx_pool *const *pools, uint32_t count) {
  bool found = false;
  for (uint32_t i = 0; i < count; i++) {
    if (collect(pools[i])) found = true;
    if (has_new_state(pools[i])) found = true;
  }
  return found || shmx_ring_available(&pools[0]->host->link.notes) > 0;
}

/* Slots have 32 bits of the number, which is all that there is to compare it with. */
void shmx_pool_await(struct shmx_pool *pool, uint64_t task) {
  atomic_store(&pool->host->link.domain->awaited, (uint32_t)task);
}

static int wait_for(struct shmx_pool *const *pools, uint32_t count, int64_t deadline) {
  struct shmx_host *host = pools[0]->host;
  struct shmx_link *link = &host->link;
  shmx_patience_begin(&link->patience);
  do {
    if (something_new(pools, count)) return 0;
    shmx_memory_attend(host->memory);
  } while ((deadline < 0 || shmx_os_now() < deadline) && shmx_patience_lasts(&link->patience));
  shmx_bell_prepare(&link->self->bell);
  SHMX_FAULT("m0");
  int r = something_new(pools, count) ? 0 : shmx_link_sleep(link, deadline);
  shmx_bell_awake(&link->self->bell);
  if (r == -EPIPE) shmx_host_mend(host);
  return r;
}

int shmx_pool_wait(struct shmx_pool *pool, uint64_t task, int64_t deadline) {
  shmx_pool_await(pool, task);
  return wait_for(&pool, 1, deadline);
}

int shmx_pool_wait_any(struct shmx_pool *const *pools, uint32_t count, int64_t deadline) {
  shmx_pool_await(pools[0], 0);
  return wait_for(pools, count, deadline);
}

/* --- looking --- */

bool shmx_pool_is_claimed(const struct shmx_pool *pool, uint32_t ticket) {
  return shmx_word_state(atomic_load(&pool->map.slots[ticket].state)) != SHMX_QUEUED;
}

uint32_t shmx_pool_attempt(const struct shmx_pool *pool, uint32_t ticket) {
  return shmx_word_attempt(atomic_load(&pool->map.slots[ticket].state));
}

const struct shmx_pool_map *shmx_pool_map_of(const struct shmx_pool *pool) { return &pool->map; }

uint32_t shmx_pool_in_flight(const struct shmx_pool *pool) { return pool->in_flight; }

bool shmx_pool_is_empty(const struct shmx_pool *pool) {
  return pool->in_flight == 0 && pool->found_count == 0 && pool->nlingering == 0;
}
