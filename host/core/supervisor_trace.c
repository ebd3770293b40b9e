/* SPDX-License-Identifier: MIT */
/*
 * The trace: the supervisor reads what processes have recorded (trace.h), adds what it does itself, and writes the file
 * (trace_file.h): a few times a second, when a ring is half full, when a worker is buried, and at the end, which comes when
 * main is gone, however it went. When a tick has found nothing to write there is no next one: who records something then
 * wakes us (shmx_trace_wake).
 *
 * What is in the rings was written by other processes. Nothing in it is believed further than that a wrong record makes a
 * wrong line of the trace.
 *
 * Steps of handovers are kept for the newest segments, so that a task can tell of its own (task.handovers).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/report.h"
#include "core/supervisor_private.h"
#include "core/supervisor_trace.h"
#include "core/trace_file.h"

enum {
  TICK_NS = 200000000,
  STEP_NS = 20, /* how long a step shows: less than passes between two of a process */
  KEPT = 1 << 14
};

struct counters {
  uint64_t live, charged, in_flight;
};

struct sup_trace {
  struct shmx_trace_shm *shm;
  struct shmx_trace_file file;
  struct shmx_report *report;           /* NULL: none is wanted */
  struct shmx_ring rings[SHMX_CHARGES]; /* we read */
  int64_t told_attempt[SHMX_CHARGES];   /* when the last attempt began whose end was read */
  int64_t tick;
  bool quiet;                        /* the last one had nothing to write */
  struct counters told;              /* last */
  char failure[SHMX_TRACE_TEXT + 1]; /* main's, as far as it has come */
  size_t failure_size;
  struct sup_handover kept[KEPT]; /* circular */
  uint64_t nkept;
  struct shmx_idmap by_segment;
};

/* --- events --- */

static struct shmx_trace_event event_of(const char *name, const char *category, char phase, int64_t time, pid_t pid) {
  return (struct shmx_trace_event){
      .name = name, .category = category, .phase = phase, .time = time, .process = (uint32_t)pid};
}

static void put_name(struct sup_trace *t, const char *what, pid_t pid, const char *name) {
  struct shmx_trace_event event = event_of(what, "__metadata", 'M', 0, pid);
  shmx_trace_file_begin(&t->file, &event);
  shmx_trace_file_text(&t->file, "name", name);
  shmx_trace_file_end(&t->file);
}

/* A process and its one thread; `place` is where viewers show it. */
static void introduce(struct sup_trace *t, pid_t pid, const char *name, uint32_t place) {
  struct shmx_trace_event event = event_of("process_sort_index", "__metadata", 'M', 0, pid);
  put_name(t, "process_name", pid, name);
  put_name(t, "thread_name", pid, name);
  shmx_trace_file_begin(&t->file, &event);
  shmx_trace_file_number(&t->file, "sort_index", place);
  shmx_trace_file_end(&t->file);
}

static void report_attempt(struct sup_trace *t, const struct sup_peer *peer, const struct shmx_trace_record *record,
                           const char *result) {
  struct shmx_report_attempt attempt = {.worker = peer->number,
                                        .time = record->time,
                                        .duration = record->duration,
                                        .waited = record->waited,
                                        .task = record->task,
                                        .attempt = record->attempt,
                                        .result = result};
  memcpy(attempt.name, record->name, sizeof attempt.name);
  shmx_report_attempt(t->report, &attempt);
}

static void put_attempt(struct sup_trace *t, const struct sup_peer *peer, const struct shmx_trace_record *record,
                        const char *result) {
  char name[SHMX_SLOT_NAME + 1];
  if (t->report) report_attempt(t, peer, record, result);
  memcpy(name, record->name, SHMX_SLOT_NAME);
  name[SHMX_SLOT_NAME] = 0;
  struct shmx_trace_event event = event_of(name[0] ? name : "task", "task", 'X', record->time, peer->pid);
  event.duration = record->duration;
  shmx_trace_file_begin(&t->file, &event);
  shmx_trace_file_number(&t->file, "task", record->task);
  shmx_trace_file_number(&t->file, "attempt", record->attempt);
  if (record->waited) shmx_trace_file_micros(&t->file, "waited_us", record->waited);
  shmx_trace_file_text(&t->file, "result", result);
  shmx_trace_file_end(&t->file);
}

/* An arrow from one step to another: it begins ('s') at the one and is finished ('f') at the other. There are two from
 * NOTIFY, since nothing says which comes first of its ends, ACKNOWLEDGE and HOLD. */
static void put_flow(struct sup_trace *t, const char *name, char phase, int64_t time, pid_t pid, uint64_t segment) {
  struct shmx_trace_event event = event_of(name, "handover", phase, time, pid);
  event.flow = segment;
  shmx_trace_file_begin(&t->file, &event);
  shmx_trace_file_end(&t->file);
}

static void put_step(struct sup_trace *t, const char *name, int64_t time, pid_t pid, uint64_t segment, uint64_t bytes,
                     uint32_t task) {
  struct shmx_trace_event event = event_of(name, "handover", 'X', time, pid);
  event.duration = STEP_NS;
  shmx_trace_file_begin(&t->file, &event);
  shmx_trace_file_number(&t->file, "segment", segment);
  if (bytes) shmx_trace_file_number(&t->file, "bytes", bytes);
  if (task) shmx_trace_file_number(&t->file, "task", task);
  shmx_trace_file_end(&t->file);
}

/* --- handovers --- */

static struct sup_handover *find_handover(struct sup_trace *t, uint64_t segment) {
  return shmx_idmap_get(&t->by_segment, segment);
}

/* It is over, or its place is needed. */
static void retire_handover(struct sup_trace *t, struct sup_handover *h) {
  if (t->report && h->segment && h->notify)
    shmx_report_handover(t->report, &(struct shmx_report_handover){.worker = h->worker,
                                                                   .notify = h->notify,
                                                                   .acknowledge = h->acknowledge,
                                                                   .hold = h->hold,
                                                                   .complete = h->complete,
                                                                   .bytes = h->bytes});
  *h = (struct sup_handover){.segment = h->segment};
}

/* The handover of this segment that is going on, or a new one in the place of the oldest. NULL without memory. */
static struct sup_handover *obtain_handover(struct sup_trace *t, uint64_t segment) {
  struct sup_handover *h = find_handover(t, segment);
  if (h) return h;
  h = &t->kept[t->nkept++ % KEPT];
  if (h->segment) shmx_idmap_remove(&t->by_segment, h->segment);
  retire_handover(t, h);
  *h = (struct sup_handover){.segment = segment};
  if (segment && shmx_idmap_put(&t->by_segment, segment, h) == 0) return h;
  h->segment = 0;
  return NULL;
}

static void note_notify(struct sup_trace *t, const struct sup_peer *giver, const struct shmx_trace_record *record) {
  struct sup_handover *h = obtain_handover(t, record->waited);
  if (!h) return;
  if (h->complete) retire_handover(t, h); /* given once more */
  h->giver = giver->id;
  h->worker = giver->number;
  h->notify = record->time;
  h->bytes = record->duration;
}

const struct sup_handover *sup_trace_handover(struct sup *s, uint64_t segment) {
  if (!s->trace) return NULL;
  sup_trace_read(s);
  return find_handover(s->trace, segment);
}

/* --- records --- */

/* What a control message means in the words of the handover; NULL: nothing. */
static const char *step_name(struct sup_trace *t, const struct sup_peer *peer, const struct shmx_trace_record *record) {
  struct sup_handover *h;
  switch (record->detail) {
  case SHMX_MSG_NOTIFY: return "NOTIFY";
  case SHMX_MSG_HOLD:
    h = record->peer == SHMX_PEER_NONE ? NULL : find_handover(t, record->waited);
    if (h) h->hold = record->time;
    return "HOLD";
  case SHMX_MSG_DISCARD: return "DISCARD";
  case SHMX_MSG_TASK_HOLD: return "TASK HOLD";
  case SHMX_MSG_TASK_DROP: return "TASK DROP";
  case SHMX_MSG_RELEASE:
    h = find_handover(t, record->waited);
    if (!h || h->giver != peer->id || h->complete) return "RELEASE";
    h->complete = record->time;
    return "TRANSFER COMPLETE";
  default: return NULL;
  }
}

static void take_message(struct sup_trace *t, const struct sup_peer *peer, const struct shmx_trace_record *record) {
  if (record->detail == SHMX_MSG_NOTIFY) note_notify(t, peer, record);
  const char *name = step_name(t, peer, record);
  if (!name) return;
  put_step(t, name, record->time, peer->pid, record->waited, record->duration, record->task);
  if (record->detail == SHMX_MSG_NOTIFY) {
    put_flow(t, "handover", 's', record->time, peer->pid, record->waited);
    put_flow(t, "acknowledgement", 's', record->time, peer->pid, record->waited);
  } else if (record->detail == SHMX_MSG_HOLD && record->peer != SHMX_PEER_NONE) {
    put_flow(t, "handover", 'f', record->time, peer->pid, record->waited);
  }
}

static void take_failure(struct sup_trace *t, const struct sup_peer *peer, const struct shmx_trace_record *record) {
  size_t size = strnlen(record->name, sizeof record->name);
  if (t->failure_size + size >= sizeof t->failure) size = 0;
  memcpy(t->failure + t->failure_size, record->name, size);
  t->failure_size += size;
  if (!record->detail) return;
  t->failure[t->failure_size] = 0;
  t->failure_size = 0;
  if (t->report) shmx_report_failure(t->report, record->task, t->failure);
  struct shmx_trace_event event = event_of("failure", "task", 'i', record->time, peer->pid);
  shmx_trace_file_begin(&t->file, &event);
  shmx_trace_file_number(&t->file, "task", record->task);
  shmx_trace_file_text(&t->file, "error", t->failure);
  shmx_trace_file_end(&t->file);
}

static void take_record(struct sup_trace *t, const struct sup_peer *peer, const struct shmx_trace_record *record) {
  static const char *const results[SHMX_TRACE_RESULTS] = {"done", "failed", "refused", "timeout", "cancelled"};
  switch (record->kind) {
  case SHMX_TRACE_ATTEMPT:
    t->told_attempt[peer->charge] = record->time;
    put_attempt(t, peer, record, record->detail < SHMX_TRACE_RESULTS ? results[record->detail] : "?");
    break;
  case SHMX_TRACE_MESSAGE: take_message(t, peer, record); break;
  case SHMX_TRACE_FAILURE: take_failure(t, peer, record); break;
  default: break;
  }
}

static void read_ring(struct sup_trace *t, const struct sup_peer *peer) {
  struct shmx_ring *ring = &t->rings[peer->charge];
  int64_t count = shmx_ring_available(ring);
  if (count <= 0) return;
  for (; count > 0; count--) {
    struct shmx_trace_record record;
    shmx_ring_take(ring, &record);
    take_record(t, peer, &record);
  }
  shmx_ring_done(ring);
}

void sup_trace_read(struct sup *s) {
  if (!s->trace) return;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) read_ring(s->trace, peer);
}

/* --- what the supervisor does itself --- */

void sup_trace_heard(struct sup *s, const struct shmx_message *message) {
  struct sup_trace *t = s->trace;
  if (!t || shmx_message_type(message) != SHMX_MSG_NOTIFY) return;
  struct sup_handover *h = obtain_handover(t, message->segment);
  int64_t now = shmx_os_now();
  if (h && h->complete) retire_handover(t, h);
  if (h) h->acknowledge = now;
  put_step(t, "ACKNOWLEDGE", now, s->pid, message->segment, message->size, 0);
  put_flow(t, "acknowledgement", 'f', now, s->pid, message->segment);
}

void sup_trace_noted(struct sup *s, const struct shmx_note *note) {
  if (!s->trace || note->type == SHMX_NOTE_DROP_CHUNK) return;
  put_step(s->trace, "FREE", shmx_os_now(), s->pid, note->id, 0, 0);
}

static void put_counter(struct sup *s, const char *name, const char *key, uint64_t value, const char *other,
                        uint64_t second) {
  struct shmx_trace_event event = event_of(name, "pool", 'C', shmx_os_now(), s->pid);
  shmx_trace_file_begin(&s->trace->file, &event);
  shmx_trace_file_number(&s->trace->file, key, value);
  if (other) shmx_trace_file_number(&s->trace->file, other, second);
  shmx_trace_file_end(&s->trace->file);
}

static uint64_t count_in_flight(struct sup *s) {
  uint64_t count = 0;
  for (struct sup_pool *pool = s->pools; pool; pool = pool->next)
    count += atomic_load(&pool->map.shm->published) - atomic_load(&pool->map.shm->collected);
  return count;
}

static struct counters count(struct sup *s) {
  return (struct counters){.live = atomic_load(&s->domain->segment_bytes),
                           .charged = shmx_domain_charged(s->domain),
                           .in_flight = count_in_flight(s)};
}

static void put_counters(struct sup *s) {
  struct counters now = count(s), *told = &s->trace->told;
  if (now.live != told->live || now.charged != told->charged)
    put_counter(s, "memory", "live", now.live, "in chunks", now.charged);
  if (now.in_flight != told->in_flight) put_counter(s, "tasks", "in flight", now.in_flight, NULL, 0);
  *told = now;
}

/* --- workers come and go --- */

void sup_trace_meet(struct sup *s, const struct sup_peer *peer) {
  char name[32];
  if (!s->trace) return;
  snprintf(name, sizeof name, "worker %u", peer->number);
  introduce(s->trace, peer->pid, name, 2 + peer->number);
}

static const char *describe_end(int status, char text[64]) {
  const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
  if (WIFSIGNALED(status)) snprintf(text, 64, "killed by SIG%s", name ? name : "?");
  else snprintf(text, 64, "ended with exit code %d", WEXITSTATUS(status));
  return text;
}

/* What had been decided on the attempt before it ended so. */
static const char *describe_verdict(const struct sup_peer *peer, uint32_t slot) {
  uint64_t word = atomic_load(&peer->pool->map.slots[slot].state);
  enum shmx_state state = shmx_word_state(word);
  if (shmx_word_lane(word) != peer->lane) return "";
  return state == SHMX_EXPIRED || state == SHMX_TIMED_OUT ? "timeout, " : state == SHMX_WITHDRAWN ? "cancelled, " : "";
}

/* The attempt that the process has begun and not ended. */
static void put_unfinished(struct sup_trace *t, const struct sup_peer *peer, const char *end) {
  char result[80];
  struct shmx_trace_region *region = &t->shm->region[peer->charge];
  struct shmx_trace_record record = {.time = atomic_load_explicit(&region->begun, memory_order_acquire)};
  if (!peer->pool || record.time == 0 || record.time == t->told_attempt[peer->charge]) return;
  uint32_t slot = atomic_load(&region->begun_slot);
  record.task = atomic_load(&region->begun_task);
  record.attempt = (uint8_t)atomic_load(&region->begun_attempt);
  record.duration = (uint64_t)(shmx_os_now() - record.time);
  bool known = slot < peer->pool->map.layout.slots;
  if (known) memcpy(record.name, peer->pool->map.names[slot], SHMX_SLOT_NAME);
  snprintf(result, sizeof result, "%s%s", known ? describe_verdict(peer, slot) : "", end);
  put_attempt(t, peer, &record, result);
}

static void open_ring(struct sup_trace *t, uint32_t charge) {
  struct shmx_trace_region *region = &t->shm->region[charge];
  shmx_ring_init(&t->rings[charge], &region->ring, region->record, SHMX_TRACE_RECORDS,
                 sizeof(struct shmx_trace_record));
}

/* The ring as new, for the next process of this charge. */
static void renew_ring(struct sup_trace *t, uint32_t charge) {
  struct shmx_trace_region *region = &t->shm->region[charge];
  atomic_store(&region->ring.write, 0);
  atomic_store(&region->ring.read, 0);
  atomic_store(&region->begun, 0);
  t->told_attempt[charge] = 0;
  open_ring(t, charge);
}

void sup_trace_bury(struct sup *s, const struct sup_peer *peer) {
  char text[64];
  if (!s->trace) return;
  read_ring(s->trace, peer);
  put_unfinished(s->trace, peer, describe_end(peer->status, text));
  renew_ring(s->trace, peer->charge);
}

/* --- the file --- */

static void flush(struct sup *s) {
  struct sup_trace *t = s->trace;
  struct shmx_trace_target *target = &t->shm->target[SHMX_WANT_TRACE];
  shmx_trace_file_flush(&t->file);
  if (t->file.error == 0 || atomic_load(&target->error)) return;
  atomic_store(&target->error, t->file.error);
  shmx_trace_finish(target); /* the disk can have the room */
}

static void take_sample(struct sup *s) {
  if (!s->trace->report) return;
  struct counters now = count(s);
  shmx_report_sample(s->trace->report, s->now, now.live, now.charged, now.in_flight);
}

void sup_trace_tend(struct sup *s) {
  struct sup_trace *t = s->trace;
  if (!t) return;
  sup_trace_read(s);
  take_sample(s);
  if (s->now < t->tick) return;
  t->tick = s->now + TICK_NS;
  put_counters(s);
  t->quiet = t->file.used == 0;
  flush(s);
}

struct shmx_trace_shm *sup_trace_shm(const struct sup *s) {
  return s->trace ? s->trace->shm : NULL;
}

/* Whether there is anything to write, or has been a moment ago: then more is to be expected. As long as tasks are under way
 * their number can change without a record. */
static bool has_news(struct sup *s) {
  struct sup_trace *t = s->trace;
  if (!t->quiet || t->file.used > 0) return true;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (shmx_ring_available(&t->rings[peer->charge]) > 0) return true;
  struct counters now = count(s);
  return now.in_flight > 0 || memcmp(&now, &t->told, sizeof now) != 0;
}

/* As in plan() in supervisor.c: asked before a fence and after it, so that who has recorded something in between knows that
 * we rest, or we see it. */
int64_t sup_trace_deadline(struct sup *s) {
  if (!s->trace) return -1;
  bool news = has_news(s);
  atomic_store_explicit(&s->trace->shm->rests, !news, memory_order_relaxed);
  return news ? s->trace->tick : -1;
}

/* The trace in this mapping, written to this file, which is taken over on success. */
static int create(struct shmx_trace_shm *shm, int file, struct sup_trace **out) {
  struct sup_trace *t = calloc(1, sizeof *t);
  if (!t) return -ENOMEM;
  int r = shmx_trace_file_open(&t->file, file, shm->origin);
  if (r < 0) {
    free(t);
    return r;
  }
  t->shm = shm;
  shmx_idmap_init(&t->by_segment);
  for (uint32_t i = 0; i < SHMX_CHARGES; i++) open_ring(t, i);
  *out = t;
  return 0;
}

int sup_trace_open(struct sup *s, int memory, int file) {
  void *base = NULL;
  uint64_t size = (sizeof(struct shmx_trace_shm) + 4095) / 4096 * 4096;
  int r = s->trace ? -EEXIST : shmx_os_memfd_check(memory, size);
  if (r == 0) r = shmx_os_map(memory, size, &base);
  if (r == 0) r = create(base, file, &s->trace);
  close(memory);
  if (r < 0) {
    if (base) shmx_os_unmap(base, size);
    close(file);
    return r;
  }
  if (s->trace->shm->target[SHMX_WANT_REPORT].path[0])
    s->trace->report = shmx_report_create(s->trace->shm->origin, s->main.pid);
  introduce(s->trace, s->main.pid, "main", 0);
  introduce(s->trace, s->pid, "supervisor", 1);
  return 0;
}

static void write_report(struct sup_trace *t) {
  struct shmx_trace_target *target = &t->shm->target[SHMX_WANT_REPORT];
  for (int i = 0; i < KEPT; i++) retire_handover(t, &t->kept[i]);
  atomic_store(&target->error, shmx_report_write(t->report, target->temporary, shmx_os_now()));
  shmx_report_destroy(t->report);
}

void sup_trace_fini(struct sup *s) {
  struct sup_trace *t = s->trace;
  if (!t) return;
  sup_trace_read(s);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) put_unfinished(t, peer, "not finished");
  put_counters(s);
  flush(s);
  shmx_trace_file_close(&t->file);
  flush(s);
  if (t->report) write_report(t);
  for (int i = 0; i < SHMX_WANTS; i++) atomic_store(&t->shm->target[i].error, shmx_trace_finish(&t->shm->target[i]));
}
