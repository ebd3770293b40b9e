/* SPDX-License-Identifier: MIT */
/*
 * Processes in the ledger's simulator: what workers and main do, as scripts of small steps, each of which is one
 * message, one compare-and-swap on the board, or one act in the process's own memory. A process can die between any
 * two.
 */
#include <stddef.h>

#include "sim_world.h"

/* -- Steps of a process -------------------------------------------------------------------------------------------- */

static void then(struct process *p, bool (*run)(struct process *, const struct action *), int type, int a, int b) {
  if (p->end == SCRIPT) return sim_fail("the simulator's script is too long");
  p->script[p->end++] = (struct action){run, type, a, b};
}

static bool say(struct process *p, enum shmx_message_type type, uint32_t peer, int segment, int chunk) {
  static const char *const types[] = {"",          "NOTIFY",    "HOLD",       "DISCARD",    "RELEASE",
                                      "TASK_HOLD", "TASK_DROP", "CHUNK_GONE", "READ_TO_END"};
  if (p->written - p->read == RING) return false;
  const struct segment *s = segment < 0 ? &(struct segment){0} : &sim.segments[segment];
  p->ring[p->written++ % RING] = (struct shmx_message){.head = shmx_message_head(type, peer),
                                                       .offset = s->offset,
                                                       .segment = s->id,
                                                       .chunk = chunk < 0 ? 0 : sim.chunks[chunk].id,
                                                       .size = s->size};
  sim_trace("%u: %s segment %d peer %u", p->number, types[type], segment, peer);
  return true;
}

/* The message of this type about segment a, to or from peer b. */
static bool do_say(struct process *p, const struct action *act) {
  enum shmx_message_type type = (enum shmx_message_type)act->type;
  if (!say(p, type, (uint32_t)act->b, act->a, sim.segments[act->a].chunk)) return false;
  if (type == SHMX_MSG_NOTIFY || type == SHMX_MSG_TASK_HOLD) sim.segments[act->a].shared = true;
  if (type == SHMX_MSG_RELEASE) p->held[act->a] = false;
  if (type == SHMX_MSG_NOTIFY || type == SHMX_MSG_TASK_HOLD || type == SHMX_MSG_HOLD) p->held[act->a] = true;
  return true;
}

static bool do_chunk_gone(struct process *p, const struct action *act) {
  return say(p, SHMX_MSG_CHUNK_GONE, 0, -1, act->a);
}

static bool do_read_to_end(struct process *p, const struct action *act) {
  return say(p, SHMX_MSG_READ_TO_END, (uint32_t)act->a, -1, -1);
}

static bool do_announce(struct process *p, const struct action *act) {
  if (sim.chunks[act->a].announced) return true;
  sim_trace("%u: announces chunk %d", p->number, act->a);
  sim.chunks[act->a].announced = true;
  p->announced[p->nannounced++] = act->a;
  return true;
}

void sim_read_announcement(struct process *p) {
  struct chunk *c = &sim.chunks[p->announced[p->nread++]];
  c->read = true;
  if (shmx_ledger_chunk(sim.ledger, p->number, c->id, CHUNK_SIZE) != 0) sim_fail("an announcement was refused");
}

static void map_chunk(struct process *p, int chunk) {
  struct chunk *c = &sim.chunks[chunk];
  if (c->maker == p->number || p->mapped[chunk]) return;
  while (!c->read && sim.peers[c->maker].nread < sim.peers[c->maker].nannounced)
    sim_read_announcement(&sim.peers[c->maker]);
  if (shmx_ledger_map(sim.ledger, p->number, c->id) != 0) sim_fail("a chunk could not be mapped");
  p->mapped[chunk] = true;
}

/* Maps segment a; b is the result's slot, if it is one. */
static bool do_map(struct process *p, const struct action *act) {
  map_chunk(p, sim.segments[act->a].chunk);
  sim_trace("%u: maps segment %d", p->number, act->a);
  if (sim_given_back(&sim.segments[act->a])) sim_fail("mapped after it was given back");
  p->refs[act->a]++;
  if (act->b < 0) return true;
  struct slot *s = &sim.slots[act->b];
  for (int i = 0; i < s->nresults; i++)
    if (s->results[i] == act->a) s->results[i] = -1;
  return true;
}

static bool do_discard(struct process *p, const struct action *act) {
  struct slot *s = &sim.slots[act->b];
  if (!say(p, SHMX_MSG_DISCARD, s->worker, s->results[act->a], -1)) return false;
  s->results[act->a] = -1;
  return true;
}

/* One reference less; after the last, the segment is free at once if nobody was told of it, or else RELEASE follows. */
static bool do_unref(struct process *p, const struct action *act) {
  struct segment *s = &sim.segments[act->a];
  if (p->refs[act->a] > 0 && --p->refs[act->a] > 0) return true;
  if (p->held[act->a]) {
    p->script[p->next] = (struct action){do_say, SHMX_MSG_RELEASE, act->a, 0};
    return false;
  }
  if (!s->shared && s->maker == p->number) s->state = REUSABLE;
  return true;
}

static void run_step(struct process *p) {
  struct action act = p->script[p->next];
  if (act.run(p, &act)) p->next++;
  if (p->next == p->end) p->next = p->end = 0;
}

void sim_unref(struct process *p, int segment) { then(p, do_unref, 0, segment, 0); }

/* -- Memory of a process ------------------------------------------------------------------------------------------- */

static bool is_taken(int chunk, uint32_t offset, uint32_t size) {
  for (int i = 0; i < sim.nsegments; i++) {
    const struct segment *s = &sim.segments[i];
    if (s->chunk == chunk && s->state != REUSABLE && s->offset < offset + size && offset < s->offset + s->size)
      return true;
  }
  return false;
}

static int find_room(const struct process *p, uint32_t size, uint32_t *offset) {
  for (int c = 0; c < sim.nchunks; c++) {
    if (sim.chunks[c].maker != p->number || sim.chunks[c].given_back) continue;
    for (*offset = 0; *offset + size <= CHUNK_SIZE; ++*offset)
      if (!is_taken(c, *offset, size)) return c;
  }
  *offset = 0;
  return -1;
}

static int new_chunk(const struct process *p) {
  if (sim.nchunks == CHUNKS) return -1;
  sim.chunks[sim.nchunks] =
      (struct chunk){.id = shmx_id_make(p->number, (uint64_t)sim.nchunks + 1), .maker = p->number};
  return sim.nchunks++;
}

/* A new segment with one reference, or -1 when the run has had enough. */
static int allocate(struct process *p) {
  uint32_t size = 1 + sim_draw(sim_draw(4) ? 5 : 9), offset;
  if (sim.nsegments == SEGMENTS) return -1;
  int chunk = find_room(p, size, &offset);
  if (chunk < 0 && (chunk = new_chunk(p)) < 0) return -1;
  sim.segments[sim.nsegments] = (struct segment){
      shmx_id_make(p->number, (uint64_t)sim.nsegments + 1), p->number, chunk, offset, size, false, LIVE};
  p->refs[sim.nsegments] = 1;
  sim_trace("%u: makes segment %d, chunk %d, %u bytes at %u", p->number, sim.nsegments, chunk, size, offset);
  return sim.nsegments++;
}

/* A segment that the process refers to, or -1. */
static int any_ref(const struct process *p) {
  int start = sim.nsegments ? (int)sim_draw((unsigned)sim.nsegments) : 0;
  for (int i = 0; i < sim.nsegments; i++)
    if (p->refs[(start + i) % sim.nsegments]) return (start + i) % sim.nsegments;
  return -1;
}

static bool chunk_in_use(int chunk) {
  for (int i = 0; i < sim.nsegments; i++)
    if (sim.segments[i].chunk == chunk && sim.segments[i].state != REUSABLE) return true;
  return false;
}

static void give_chunk_back(struct process *p) {
  for (int c = 0; c < sim.nchunks; c++) {
    if (sim.chunks[c].maker != p->number || sim.chunks[c].given_back || chunk_in_use(c)) continue;
    sim.chunks[c].given_back = true;
    if (sim.chunks[c].announced) then(p, do_chunk_gone, 0, c, 0);
    return;
  }
}

static bool uses_chunk(const struct process *p, int chunk) {
  for (int i = 0; i < sim.nsegments; i++)
    if (sim.segments[i].chunk == chunk && p->refs[i]) return true;
  return false;
}

void sim_read_note(struct process *p) {
  if (p->notes_out == p->notes_in) return;
  struct shmx_note note = p->notes[p->notes_out++ % RING];
  int i = sim_index_of(note.id);
  if (note.type == SHMX_NOTE_FREE) {
    sim.segments[i].state = REUSABLE;
  } else {
    if (uses_chunk(p, i)) sim_fail("a chunk that is in use was to be dropped");
    p->mapped[i] = false;
  }
}

/* -- Workers ------------------------------------------------------------------------------------------------------- */

/* The compare-and-swap that decides. If it fails, what was notified is taken back. */
static bool do_commit(struct process *p, const struct action *act) {
  struct slot *s = &sim.slots[act->a];
  if (s->state == CLAIMED) {
    sim_trace("%u: commits task %d", p->number, act->a);
    s->state = DONE;
    return true;
  }
  if (sim.broken != NOTIFY_FIRST && p->retracted < s->nresults) {
    p->retracted +=
        say(p, SHMX_MSG_DISCARD, p->number, s->results[p->retracted], sim.segments[s->results[p->retracted]].chunk);
    return false;
  }
  if (sim.broken == NOTIFY_FIRST) p->next = p->end - 1;
  s->nresults = 0;
  s->state = ENDED;
  return true;
}

static void plan_argument(struct process *p, int segment) {
  bool hold = sim.broken != HOLD_FIRST && (!p->held[segment] || sim_draw(3) == 0);
  if (hold) then(p, do_say, SHMX_MSG_HOLD, segment, SHMX_PEER_NONE);
  then(p, do_map, 0, segment, -1);
}

static void choose_results(struct process *p, struct slot *s) {
  s->nresults = 0;
  int wanted = (int)sim_draw(NAMES + 1);
  while (wanted-- > 0) {
    int segment = sim_draw(2) ? allocate(p) : s->nargs && sim_draw(2) ? s->args[0] : any_ref(p);
    if (segment >= 0 && !sim_names(s->results, s->nresults, segment)) s->results[s->nresults++] = segment;
  }
}

static void plan_notifies(struct process *p, const struct slot *s) {
  for (int i = 0; i < s->nresults; i++) {
    int chunk = sim.segments[s->results[i]].chunk;
    if (sim.chunks[chunk].maker == p->number) then(p, do_announce, 0, chunk, 0);
    then(p, do_say, SHMX_MSG_NOTIFY, s->results[i], MAIN);
  }
}

static void plan_late_holds(struct process *p, const struct slot *s) {
  for (int i = 0; i < s->nargs; i++)
    if (!p->held[s->args[i]]) then(p, do_say, SHMX_MSG_HOLD, s->args[i], SHMX_PEER_NONE);
}

static void plan_drops(struct process *p) {
  for (int i = 0; i < sim.nsegments; i++)
    if (p->refs[i] && sim_draw(3)) then(p, do_unref, 0, i, 0);
}

/* Claims a task and plans all of it. */
static void claim(struct process *p) {
  int n = (int)sim_draw(SLOTS);
  struct slot *s = &sim.slots[n];
  if (s->state != QUEUED) return;
  sim_trace("%u: claims task %d", p->number, n);
  s->state = CLAIMED;
  s->worker = p->number;
  p->retracted = 0;
  for (int i = 0; i < s->nargs; i++) plan_argument(p, s->args[i]);
  if (sim.broken != HOLD_FIRST) choose_results(p, s);
  if (sim.broken == NOTIFY_FIRST) then(p, do_commit, 0, n, 0);
  plan_notifies(p, s);
  if (sim.broken != NOTIFY_FIRST) then(p, do_commit, 0, n, 0);
  if (sim.broken == HOLD_FIRST) plan_late_holds(p, s);
  for (int i = 0; i < s->nargs; i++)
    if (sim_draw(2)) then(p, do_unref, 0, s->args[i], 0);
  plan_drops(p);
}

void sim_work(struct process *p) {
  unsigned what = sim_draw(8);
  if (p->next < p->end) return run_step(p);
  if (what < 3) return claim(p);
  if (what < 6) return sim_read_note(p);
  if (what == 6) return give_chunk_back(p);
  int segment = sim.calm ? -1 : sim_draw(8) ? any_ref(p) : allocate(p);
  if (segment >= 0 && sim_draw(2)) then(p, do_unref, 0, segment, 0);
}

/* -- Main ---------------------------------------------------------------------------------------------------------- */

static bool do_publish(struct process *p, const struct action *act) {
  sim_trace("%u: publishes task %d", p->number, act->a);
  sim.slots[act->a].state = QUEUED;
  return true;
}

static bool do_free_slot(struct process *p, const struct action *act) {
  (void)p;
  sim.slots[act->a].state = FREE;
  return true;
}

static void plan_task_drops(struct process *p, int n) {
  for (int i = 0; i < sim.slots[n].nargs; i++) then(p, do_say, SHMX_MSG_TASK_DROP, sim.slots[n].args[i], 0);
  then(p, do_free_slot, 0, n, 0);
}

static void plan_reading(struct process *p, int n) {
  struct slot *s = &sim.slots[n];
  sim_trace("%u: reads task %d", p->number, n);
  s->state = READING;
  for (int i = 0; i < s->nresults; i++) {
    if (sim_draw(4) == 0) {
      then(p, do_discard, 0, i, n);
      continue;
    }
    then(p, do_map, 0, s->results[i], n);
    then(p, do_say, SHMX_MSG_HOLD, s->results[i], (int)s->worker);
  }
  plan_task_drops(p, n);
}

/* A slot that the dead worker left behind. */
static void plan_left_slot(struct process *p, int n) {
  struct slot *s = &sim.slots[n];
  if (s->state == DONE) return plan_reading(p, n);
  if (s->state == CRASHED && sim_draw(2)) return then(p, do_publish, 0, n, 0); /* a retry keeps the task's holds */
  if (s->state == CRASHED || s->state == ENDED) return plan_task_drops(p, n);
  if (s->state == CANCELLED && sim.broken != DROP_LATE) return plan_task_drops(p, n);
  if (s->state == CANCELLED) then(p, do_free_slot, 0, n, 0);
}

static void plan_gone(struct process *p, uint32_t worker) {
  if (sim.broken == NOT_TOO_EARLY) then(p, do_read_to_end, 0, (int)worker, 0);
  for (int n = 0; n < SLOTS; n++)
    if (sim.slots[n].worker == worker && sim.slots[n].state != FREE && sim.slots[n].state != QUEUED)
      plan_left_slot(p, n);
  if (sim.broken != READ_TO_END && sim.broken != NOT_TOO_EARLY) then(p, do_read_to_end, 0, (int)worker, 0);
}

static void publish(struct process *p, int n) {
  struct slot *s = &sim.slots[n];
  *s = (struct slot){.state = RESERVED};
  int wanted = (int)sim_draw(NAMES);
  while (wanted-- > 0) {
    int segment = sim_draw(3) ? any_ref(p) : allocate(p);
    if (segment < 0 || sim_names(s->args, s->nargs, segment)) continue;
    s->args[s->nargs++] = segment;
    if (sim.segments[segment].maker == MAIN) then(p, do_announce, 0, sim.segments[segment].chunk, 0);
    then(p, do_say, SHMX_MSG_TASK_HOLD, segment, 0);
  }
  then(p, do_publish, 0, n, 0);
  for (int i = 0; i < s->nargs; i++)
    if (sim_draw(2)) then(p, do_unref, 0, s->args[i], 0);
}

/* The verdict "cancelled". The task's holds go at once only if nobody has claimed it. */
static void cancel(struct process *p, int n) {
  struct slot *s = &sim.slots[n];
  sim_trace("%u: cancels task %d", p->number, n);
  if (s->state == QUEUED) {
    s->state = RESERVED;
    plan_task_drops(p, n);
    return;
  }
  s->state = CANCELLED;
  if (sim.broken != DROP_LATE) return;
  for (int i = 0; i < s->nargs; i++) then(p, do_say, SHMX_MSG_TASK_DROP, s->args[i], 0);
}

static void look_at_slot(struct process *p, int n) {
  struct slot *s = &sim.slots[n];
  if (s->state == DONE) return plan_reading(p, n);
  if (s->state == ENDED && sim.broken == DROP_LATE) return then(p, do_free_slot, 0, n, 0);
  if (s->state == ENDED) return plan_task_drops(p, n);
  if (sim.calm) return;
  if (s->state == FREE) return publish(p, n);
  if ((s->state == QUEUED || s->state == CLAIMED) && sim_draw(6) == 0) cancel(p, n);
}

void sim_direct(struct process *p) {
  unsigned what = sim_draw(8);
  if (p->next < p->end) return run_step(p);
  if (what == 0 && sim.gone_read < sim.ngone) return plan_gone(p, sim.gone[sim.gone_read++]);
  if (what < 4) return look_at_slot(p, (int)sim_draw(SLOTS));
  if (what < 6) return sim_read_note(p);
  if (what == 6) return give_chunk_back(p);
  int segment = sim.calm ? -1 : any_ref(p);
  if (segment >= 0) then(p, do_unref, 0, segment, 0);
}
