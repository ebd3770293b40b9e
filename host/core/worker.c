/* SPDX-License-Identifier: MIT */
/*
 * See worker.h. The order of a task's end is what the handover rests on: every NOTIFY is in the control ring and the
 * result bytes are in the slot before the commit; the result ring and the bell come after it and may be missing.
 */
#include "core/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/board.h"
#include "core/fault.h"
#include "core/limits.h"
#include "core/link.h"
#include "core/output.h"
#include "core/trace.h"

enum { COOL_AFTER_NS = 1000000000 }; /* an idle worker gives warm memory back after this */

struct worker {
  struct shmx_pool_map *pool;
  struct shmx_lane_shm *shm;
  struct shmx_domain_shm *domain;
  const struct shmx_runner *runner;
  struct shmx_memory *memory;
  struct shmx_link link;
  struct shmx_trace trace;
  struct shmx_ring results;
  uint32_t lane;
  uint32_t trim_seen; /* the domain's count of trim requests when we last looked */
  int main_bell;
  uint32_t searchers; /* how many may search at the same time */
  bool searching;
  bool woken;                  /* no task has ended since */
  bool told;                   /* the task that runs has told its progress */
  bool leaving;                /* it takes no task any more */
  uint64_t most;               /* tasks that it runs; 0: as many as come */
  struct shmx_worker_task now; /* what it runs */
  _Atomic uint64_t word;       /* of that one's slot; 0: it runs nothing */
  int64_t free_since;          /* when the last task ended, if the worker has not waited since; else 0 */
  uint64_t ended;              /* tasks */
};

static int notify_main(struct shmx_memory *memory, struct shmx_segment *segment, struct shmx_segment_ref *ref) {
  return shmx_memory_notify(memory, segment, SHMX_PEER_MAIN, ref);
}

/* What was handed over with a message that nobody will read comes back. */
static void take_back(struct worker *w, struct shmx_sent *sent) {
  for (uint32_t i = 0; i < sent->nrefs; i++) {
    sent->refs[i].giver = w->link.peer;
    shmx_memory_discard(w->memory, &sent->refs[i]);
  }
  shmx_sent_fini(sent);
}

static int send_result(struct worker *w, struct shmx_slot_shm *slot, const struct shmx_outgoing *result,
                       struct shmx_sent *sent) {
  return shmx_envelope_write(w->memory, result, notify_main, slot->result, SHMX_SLOT_RESULT, &slot->result_size, sent);
}

/* Writes the result into the slot; when that is refused, why. */
static void write_result(struct worker *w, struct shmx_slot_shm *slot, const struct shmx_outgoing *result,
                         struct shmx_sent *sent) {
  int32_t why = send_result(w, slot, result, sent);
  if (why == 0) return;
  take_back(w, sent);
  slot->verdict = shmx_result_kind(slot->verdict) | SHMX_RESULT_UNSENT;
  int r = send_result(w, slot, &(struct shmx_outgoing){.body = &why, .size = sizeof why}, sent);
  assert(r == 0); /* it has its place in the slot, and refers to nothing */
  (void)r;
}

/* The task has ended. When main takes that in, it finds it counted. */
static void count_end(struct worker *w, uint32_t number) {
  if (w->told) atomic_store_explicit(&w->shm->thousandths, 0, memory_order_relaxed);
  w->told = false;
  atomic_store_explicit(&w->shm->last_slot, number, memory_order_relaxed);
  atomic_store_explicit(&w->shm->ended, ++w->ended, memory_order_relaxed);
}

/* Somebody else has decided what became of the task. That we have let go of it is said last. */
static void let_go(struct worker *w, uint32_t number, struct shmx_sent *sent) {
  take_back(w, sent);
  SHMX_FAULT("w12");
  for (;;) {
    uint64_t word = atomic_load(&w->pool->slots[number].state);
    enum shmx_state state = shmx_word_state(word);
    if (state != SHMX_TIMED_OUT && state != SHMX_WITHDRAWN) break;
    if (!shmx_board_decide(w->pool, number, word, (enum shmx_state)(state + 1))) continue;
    count_end(w, number);
    return;
  }
  w->leaving = true; /* its next attempt waits for our death */
}

/* Who has woken us often waits for this on the same core. */
static void give_core(struct worker *w) {
  w->woken = false;
  shmx_os_yield();
}

static void commit(struct worker *w, uint32_t number, uint64_t word, struct shmx_sent *sent) {
  SHMX_FAULT("w7");
  if (!shmx_board_decide(w->pool, number, word, SHMX_DONE)) {
    let_go(w, number, sent);
    return;
  }
  SHMX_FAULT("w8");
  shmx_sent_fini(sent);
  count_end(w, number);
  shmx_ring_push(&w->results, &number);
  shmx_bell_ring(&w->domain->main.bell, w->main_bell);
  if (w->woken) give_core(w);
}

/* From here on it can be asked what runs, and whether that is to stop. */
static void note_task(struct worker *w, uint32_t number, uint64_t word) {
  w->now.task = w->pool->slots[number].task;
  w->now.attempt = shmx_word_attempt(word);
  w->now.slot = number;
  atomic_store_explicit(&w->word, word, memory_order_relaxed);
}

static void run_task(struct worker *w, uint32_t number, uint64_t word) {
  struct shmx_slot_shm *slot = &w->pool->slots[number];
  struct shmx_incoming arguments;
  struct shmx_outgoing result;
  struct shmx_sent sent;
  char copy[SHMX_SLOT_ARGS];
  uint32_t size = *(volatile uint32_t *)&slot->args_size; /* read once */
  if (size > SHMX_SLOT_ARGS) size = 0;
  SHMX_FAULT("w1");
  memcpy(copy, slot->args, size);
  int64_t begin = w->free_since ? w->free_since : shmx_os_now();
  if (w->link.trace) shmx_trace_begin(w->link.trace, slot->task, number, shmx_word_attempt(word), begin);
  shmx_output_name(w->pool->names[number]);
  shmx_limits_begin(&w->link, number, word, begin);
  shmx_memory_set_order(w->memory, slot->task);
  note_task(w, number, word);
  int error = shmx_envelope_read(w->memory, copy, size, SHMX_PEER_NONE, true, &arguments);
  slot->verdict = w->runner->run(w->runner->context, slot->task, error, &arguments, &result);
  atomic_store_explicit(&w->word, 0, memory_order_relaxed);
  result.urgent = shmx_result_kind(slot->verdict) != SHMX_RESULT_VALUES;
  shmx_incoming_close(&arguments);
  write_result(w, slot, &result, &sent);
  bool ok = shmx_result_counted(slot->verdict) == SHMX_RESULT_VALUES;
  w->free_since = shmx_os_now();
  slot->nanoseconds = (uint64_t)(w->free_since - begin);
  if (slot->waited) slot->waited = (uint64_t)begin > slot->waited ? (uint64_t)begin - slot->waited : 1;
  if (!ok) atomic_fetch_add_explicit(&w->shm->failed, 1, memory_order_relaxed);
  if (w->link.trace) shmx_trace_end(w->link.trace, w->pool->names[number], slot);
  commit(w, number, word, &sent);
  shmx_limits_end(&w->link);
  if (w->leaving) return; /* the end of the task is still to come */
  w->runner->done(w->runner->context);
  shmx_memory_attend(w->memory);
}

static bool closing(struct worker *w) { return atomic_load(&w->pool->shm->wish) != SHMX_WISH_RUN; }

static bool has_reason_to_wake(struct worker *w) {
  return shmx_board_has_work(w->pool) || closing(w) || shmx_ring_available(&w->link.notes) > 0 ||
         atomic_load(&w->domain->trim) != w->trim_seen;
}

/* Main has not seen our last result: it was on this core when it published the task, and we have the core. The kernel lets
 * who was woken go first, and it may do so for longer than we look, however often we give the core away. */
static bool keeps_main_off(struct worker *w) {
  uint64_t count = w->results.index;
  if (!shmx_patience_yields(&w->link.patience) || count == 0) return false;
  if (shmx_ring_was_read(&w->results, count - 1)) return false;
  return atomic_load_explicit(&w->pool->shm->core, memory_order_relaxed) == shmx_os_core();
}

/* Looks for work as long as some is likely to come soon, and meanwhile does what the supervisor asks. */
static bool search(struct worker *w) {
  shmx_patience_begin(&w->link.patience);
  if (!w->searching) w->searching = shmx_board_search(w->pool, w->lane, w->searchers);
  if (!w->searching) return false;
  do {
    if (shmx_board_has_work(w->pool) || closing(w)) return true;
    shmx_memory_attend(w->memory);
  } while (shmx_patience_lasts(&w->link.patience) && !shmx_patience_takes_turns(&w->link.patience) &&
           !keeps_main_off(w));
  return false;
}

/* Tasks that were published while we searched woke nobody. */
static void stop_search(struct worker *w, bool found) {
  if (!w->searching) return;
  w->searching = false;
  shmx_board_stop_search(w->pool, w->lane);
  if (found && shmx_board_has_work(w->pool)) shmx_board_wake_one(w->pool);
}

/* Sleeps until there may be something to do. Open handovers make the supervisor wake us when it has acknowledged. */
static void sleep_idle(struct worker *w) {
  /* Without an alarm the kernel has less to do, at the begin of the sleep and when it is over. */
  int64_t deadline = shmx_memory_can_cool(w->memory) ? shmx_os_now() + COOL_AFTER_NS : -1;
  bool open = shmx_memory_settle(w->memory);
  if (open) {
    atomic_fetch_or(&w->link.self->wants, SHMX_WANTS_READ);
    shmx_link_urge(&w->link);
  }
  for (;;) {
    shmx_bell_prepare(&w->link.self->bell);
    shmx_board_lie_down(w->pool, w->lane);
    /* The acknowledgement may have come before the bell was prepared. */
    if (has_reason_to_wake(w) || (open && !shmx_memory_settle(w->memory))) break;
    if (shmx_link_sleep(&w->link, deadline) != -ETIMEDOUT) break;
    w->runner->idle(w->runner->context, true);
    shmx_memory_trim(w->memory);
    deadline = -1;
  }
  shmx_bell_awake(&w->link.self->bell);
  shmx_board_get_up(w->pool, w->lane);
  w->searching = true;
  w->woken = true;
  w->trim_seen = atomic_load(&w->domain->trim);
  shmx_memory_attend(w->memory);
}

static void work(struct worker *w) {
  uint32_t slot;
  uint64_t word;
  for (;;) {
    shmx_memory_set_order(w->memory, SHMX_RUNS_ANY); /* whoever sees what we claim sees this */
    if (shmx_board_claim(w->pool, w->lane, &slot, &word)) {
      stop_search(w, true);
      run_task(w, slot, word);
      if (w->leaving || w->runner->is_spent(w->runner->context) || (w->most > 0 && w->ended >= w->most)) return;
      continue;
    }
    shmx_memory_set_order(w->memory, 0);
    w->free_since = 0;
    if (closing(w)) return;
    if (search(w)) continue;
    stop_search(w, false);
    w->runner->idle(w->runner->context, false);
    SHMX_FAULT("w0");
    sleep_idle(w);
  }
}

static struct worker *here; /* this process is it */

const struct shmx_worker_task *shmx_worker_now(void) { return here ? &here->now : NULL; }

bool shmx_worker_is_to_stop(void) {
  uint64_t word = here ? atomic_load_explicit(&here->word, memory_order_relaxed) : 0;
  return word != 0 && atomic_load_explicit(&here->pool->slots[here->now.slot].state, memory_order_relaxed) != word;
}

bool shmx_worker_has_timed_out(void) {
  enum shmx_state state = shmx_word_state(atomic_load(&here->pool->slots[here->now.slot].state));
  return state == SHMX_TIMED_OUT || state == SHMX_EXPIRED;
}

void shmx_worker_progress(double fraction) {
  if (!here || shmx_os_forked() || atomic_load_explicit(&here->word, memory_order_relaxed) == 0) return;
  uint32_t thousandths = fraction > 0 ? fraction < 1 ? (uint32_t)(fraction * 1000) : 1000 : 0;
  here->told = true;
  atomic_store_explicit(&here->shm->thousandths, thousandths, memory_order_relaxed);
}

static void set_up(struct worker *w, struct shmx_worker_setup *setup, const struct shmx_runner *runner) {
  *w = (struct worker){.pool = &setup->pool,
                       .most = atomic_load(&setup->pool.shm->worker_tasks),
                       .now = {.number = atomic_load(&setup->pool.lanes[setup->lane].number)},
                       .shm = &setup->pool.lanes[setup->lane],
                       .domain = setup->domain,
                       .runner = runner,
                       .lane = setup->lane,
                       .main_bell = setup->main_bell,
                       .searchers = setup->searchers};
  shmx_link_init(&w->link, setup->domain, &w->shm->process);
  w->link.pool = w->pool;
  w->link.peer = setup->peer;
  w->link.serials = setup->serials;
  w->link.charge = setup->charge;
  w->link.socket = setup->socket;
  w->link.supervisor_bell = setup->supervisor_bell;
  shmx_ring_init(&w->results, &w->shm->results, shmx_pool_map_results(w->pool, w->lane), w->pool->layout.slots,
                 sizeof(uint32_t));
  shmx_os_keep_from_children(setup->domain, sizeof *setup->domain);
  shmx_os_keep_from_children(w->pool->shm, w->pool->layout.size);
  shmx_output_attach(shmx_pool_map_kept(w->pool, w->lane));
  if (!setup->trace) return;
  shmx_trace_attach(&w->trace, setup->trace, &w->link);
  shmx_os_keep_from_children(setup->trace, sizeof *setup->trace);
}

/* What a worker that crashes, or in which somebody calls exit, says of it, into the text of its lane. */
static struct {
  char *text;
  const struct shmx_runner *runner;
} last_words;

static void say_last_words(const void *place) {
  last_words.runner->last_words(last_words.runner->context, place, last_words.text, SHMX_LANE_TEXT);
}

static void say_last_words_at_exit(void) { say_last_words(NULL); }

static void prepare_last_words(struct worker *w) {
  w->shm->text[0] = 0;
  last_words.text = w->shm->text;
  last_words.runner = w->runner;
  shmx_os_watch_crashes(say_last_words);
  atexit(say_last_words_at_exit); /* the worker itself leaves by _exit */
}

/* Tells the supervisor that the worker's state has changed. */
static void announce(struct worker *w, enum shmx_lane_state state) {
  atomic_store(&w->shm->state, state);
  shmx_link_urge(&w->link);
}

/* What the configuration brought stays held: functions made from it may use it at any time. */
static int start(struct worker *w) {
  struct shmx_incoming config;
  int error =
      shmx_envelope_read(w->memory, w->pool->config, w->pool->layout.config_size, SHMX_PEER_NONE, true, &config);
  return w->runner->start(w->runner->context, error, &config, w->shm->text, SHMX_LANE_TEXT);
}

int shmx_worker_main(struct shmx_worker_setup *setup, const struct shmx_runner *runner) {
  struct worker w;
  SHMX_FAULT_ROLE('w');
  set_up(&w, setup, runner);
  here = &w;
  w.memory = shmx_memory_here();
  if (!w.memory) return 1;
  shmx_memory_join(w.memory, &w.link);
  shmx_memory_measure(w.memory, &w.shm->handovers);
  prepare_last_words(&w);
  if (start(&w) < 0) {
    announce(&w, SHMX_LANE_FAILED);
    return 1;
  }
  announce(&w, SHMX_LANE_READY);
  work(&w);
  SHMX_FAULT("w11");
  /* It may not leave while a handover is open. */
  if (shmx_memory_settle(w.memory)) shmx_link_wait_read(&w.link);
  return 0;
}
