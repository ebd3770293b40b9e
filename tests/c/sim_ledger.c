/* SPDX-License-Identifier: MIT */
/*
 * A seeded simulator of the handover around the real ledger: main, workers, the board, the control rings and sockets as
 * queues (sim_process.c), and a supervisor that reads them bit by bit, makes passes, notices deaths and replaces
 * workers (sim_supervisor.c). Everything that a process does is a script of small steps; any process may be chosen for
 * the next step and a worker may die between any two. One seed decides everything.
 *
 * What is checked, at each step: a segment is freed, punched or closed only while no live process has it mapped, no
 * unread committed result names it and no published task needs it; nobody maps what was given back; who is said to keep a
 * segment alone does; and, while all keep the rules, the ledger refuses nothing. And whenever everything has been read:
 * exactly what somebody uses is live, every other page of a dead worker's chunk has been given back, and after the last
 * process nothing is left.
 *
 *   sim_ledger                  many seeds with the rules of the handover kept, which must pass, and with each rule
 *                               broken, which must be caught
 *   sim_ledger SEED [RULE]      one seed, step by step; RULE is broken
 *   sim_ledger runs COUNT       so many seeds, from 1
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"

struct world sim;

static const char *const rule_names[RULES] = {"kept",        "notify-first",  "full-pass",  "drain-first",
                                              "read-to-end", "not-too-early", "hold-first", "drop-late"};

/* -- Chance, trace, failure ---------------------------------------------------------------------------------------- */

unsigned sim_draw(unsigned below) {
  sim.random += 0x9E3779B97F4A7C15u;
  uint64_t z = (sim.random ^ (sim.random >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (unsigned)((z ^ (z >> 31)) % below);
}

void sim_trace(const char *format, ...) {
  if (!sim.trace) return;
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
}

void sim_fail(const char *what) {
  sim_trace("FAILED: %s", what);
  if (!sim.failure) sim.failure = what;
}

/* -- What must hold ------------------------------------------------------------------------------------------------ */

bool sim_names(const int *list, int n, int segment) {
  for (int i = 0; i < n; i++)
    if (list[i] == segment) return true;
  return false;
}

static bool slot_needs(const struct slot *s, int segment) {
  if (!sim.peers[MAIN].alive) return false;
  bool running = s->state == QUEUED || s->state == CLAIMED || (s->state == CANCELLED && sim.peers[s->worker].alive);
  if (running && sim_names(s->args, s->nargs, segment)) return true;
  return (s->state == DONE || s->state == READING) && sim_names(s->results, s->nresults, segment);
}

bool sim_needed(int segment) {
  for (int i = 1; i < sim.npeers; i++)
    if (sim.peers[i].alive && sim.peers[i].refs[segment]) return true;
  for (int i = 0; i < SLOTS; i++)
    if (slot_needs(&sim.slots[i], segment)) return true;
  return false;
}

bool sim_needed_by_others(const struct process *p, int segment) {
  for (int i = 1; i < sim.npeers; i++)
    if (i != (int)p->number && sim.peers[i].alive && sim.peers[i].refs[segment]) return true;
  for (int i = 0; i < SLOTS; i++) {
    bool own = p->number == MAIN && sim.slots[i].state == READING;
    if (!own && slot_needs(&sim.slots[i], segment)) return true;
  }
  return false;
}

static bool touches(const struct segment *s, int page) {
  return s->offset < (uint32_t)(page + 1) * PAGE && s->offset + s->size > (uint32_t)page * PAGE;
}

bool sim_page_needed(int chunk, int page) {
  for (int i = 0; i < sim.nsegments; i++)
    if (sim.segments[i].chunk == chunk && sim.segments[i].state == LIVE && touches(&sim.segments[i], page) &&
        sim_needed(i))
      return true;
  return false;
}

bool sim_chunk_needed(int chunk) {
  for (int page = 0; page < PAGES; page++)
    if (sim_page_needed(chunk, page)) return true;
  return false;
}

bool sim_given_back(const struct segment *s) {
  if (s->state != LIVE || sim.chunks[s->chunk].closed) return true;
  for (int page = 0; page < PAGES; page++)
    if (sim.chunks[s->chunk].punched[page] && touches(s, page)) return true;
  return false;
}

int sim_index_of(uint64_t id) { return (int)(id & 0xFFFF) - 1; }

/* -- A run --------------------------------------------------------------------------------------------------------- */

static int workers_alive(void) {
  int n = 0;
  for (int i = MAIN + 1; i < sim.npeers; i++) n += sim.peers[i].alive;
  return n;
}

static void kill_peer(struct process *p) {
  sim_trace("%u: dies", p->number);
  p->alive = false;
  memset(p->refs, 0, sizeof p->refs);
  p->next = p->end = 0;
}

static void step(void) {
  struct process *p = &sim.peers[1 + sim_draw((unsigned)sim.npeers - 1)];
  if (sim_draw(16) < sim.pace) return sim_supervise();
  if (!sim.calm && sim_draw(60) == 0 && p->number != MAIN && p->alive) return kill_peer(p);
  if (!p->alive || !sim.peers[MAIN].alive) return; /* without main, workers are not let run on */
  if (workers_alive() < WORKERS && sim_draw(8) == 0) return sim_spawn();
  if (p->number == MAIN) return sim_direct(p);
  sim_work(p);
}

static bool at_rest(const struct process *p) {
  bool told = p->notes_in == p->notes_out || !p->alive;
  return told && sim_drained(p) && p->next == p->end && p->judged == !p->alive;
}

static bool settled(void) {
  for (int i = 1; i < sim.npeers; i++)
    if (!at_rest(&sim.peers[i])) return false;
  for (int i = 0; i < SLOTS && sim.peers[MAIN].alive; i++)
    if (sim.slots[i].state != FREE) return false;
  return !sim.in_pass && !shmx_ledger_wants_pass(sim.ledger) && (sim.gone_read == sim.ngone || !sim.peers[MAIN].alive);
}

/* Everything that was begun is brought to its end; nobody begins anything new. */
static void settle(void) {
  sim.calm = true;
  for (int limit = 0; !sim.failure && !settled(); limit++) {
    for (int i = 0; i < 50 && !sim.failure; i++) step();
    if (limit == 2000) sim_fail("it does not come to rest");
  }
  for (int i = 0; i < 4000 && !sim.failure; i++) { /* notes and chores that nothing announces */
    if (i < 2 * CHUNKS * PAGES) sim_do_chore();
    struct process *p = &sim.peers[1 + i % (sim.npeers - 1)];
    if (!p->alive) continue;
    sim_deliver_note(p);
    sim_read_note(p);
  }
  sim.calm = false;
}

static void check_orphan(int chunk) {
  const struct chunk *c = &sim.chunks[chunk];
  if (!c->read || c->closed) return;
  if (!sim_chunk_needed(chunk)) return sim_fail("an orphaned chunk is kept");
  for (int page = 0; page < PAGES; page++)
    if (!c->punched[page] && !sim_page_needed(chunk, page)) sim_fail("a page of an orphaned chunk is kept");
}

/* What is live is exactly what somebody uses. */
static void check_rest(void) {
  struct shmx_ledger_stats stats;
  uint64_t bytes = 0, segments = 0;
  shmx_ledger_stats(sim.ledger, &stats);
  for (int i = 0; i < sim.nsegments; i++) {
    const struct segment *s = &sim.segments[i];
    if (!s->shared) continue;
    bool in_use = sim_needed(i);
    segments += in_use;
    bytes += in_use ? s->size : 0;
    if (!in_use && s->state == LIVE && sim.peers[s->maker].alive) sim_fail("a segment that nobody uses is kept");
  }
  if (stats.segments != segments || stats.bytes != bytes) sim_fail("the ledger counts other segments than there are");
  if (stats.transit_bytes != 0) sim_fail("something is in transit for ever");
  for (int c = 0; c < sim.nchunks; c++)
    if (!sim.peers[sim.chunks[c].maker].alive) check_orphan(c);
}

static void rest(void) {
  if (!sim.failure) settle();
  if (!sim.failure) check_rest();
}

static void drop_all_refs(void) {
  for (int i = 1; i < sim.npeers; i++)
    for (int s = 0; s < sim.nsegments && sim.peers[i].alive; s++)
      for (int n = sim.peers[i].refs[s]; n > 0; n--) {
        while (sim.peers[i].end == SCRIPT && !sim.failure) step();
        sim_unref(&sim.peers[i], s);
      }
}

static void kill_all(void) {
  for (int left = sim.npeers; left > 1; left--) {
    int i = 1 + (int)sim_draw((unsigned)sim.npeers - 1);
    if (sim.peers[i].alive) kill_peer(&sim.peers[i]);
    for (int n = (int)sim_draw(20); n > 0 && !sim.failure; n--) sim_supervise();
  }
  for (int i = 1; i < sim.npeers; i++)
    if (sim.peers[i].alive) kill_peer(&sim.peers[i]);
}

static void check_end(void) {
  struct shmx_ledger_stats stats;
  shmx_ledger_stats(sim.ledger, &stats);
  if (stats.segments || stats.chunks || stats.bytes || stats.orphan_bytes) sim_fail("something is left after the last");
}

static const char *simulate(uint64_t seed, enum rule broken, bool tracing) {
  memset(&sim, 0, sizeof sim);
  sim.random = seed;
  sim.pace = 3 + sim_draw(10);
  sim.bias = sim_draw(2) ? MAIN : 1 + sim_draw(WORKERS + 1);
  sim.broken = broken;
  sim.trace = tracing;
  sim.npeers = MAIN;
  sim.ledger = shmx_ledger_create(PAGE);
  if (!sim.ledger) return "no memory";
  for (int i = 0; i < 1 + WORKERS; i++) sim_spawn();
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < STEPS && !sim.failure; i++) step();
    rest();
  }
  if (sim_draw(2)) {
    drop_all_refs();
    rest();
  }
  for (int i = (int)sim_draw(STEPS); i > 0 && !sim.failure; i--) step();
  kill_all();
  if (!sim.failure) settle();
  if (!sim.failure) check_end();
  shmx_ledger_destroy(sim.ledger);
  return sim.failure;
}

/* -- The command --------------------------------------------------------------------------------------------------- */

/* The first seed of `count` that fails, or 0. */
static uint64_t first_failure(uint64_t count, enum rule broken) {
  for (uint64_t seed = 1; seed <= count; seed++)
    if (simulate(seed, broken, false)) return seed;
  return 0;
}

static int run_all(uint64_t count) {
  enum { ENOUGH = 2000 };
  uint64_t seed = first_failure(count, KEPT);
  if (seed) {
    fprintf(stderr, "seed %" PRIu64 " fails: %s\n", seed, sim.failure);
    return 1;
  }
  printf("%" PRIu64 " runs passed\n", count);
  int missed = 0;
  for (int rule = KEPT + 1; rule < RULES; rule++) {
    seed = first_failure(ENOUGH, (enum rule)rule);
    if (seed) {
      printf("%s broken: caught by seed %" PRIu64 ": %s\n", rule_names[rule], seed, sim.failure);
    } else {
      fprintf(stderr, "%s broken: not caught by %d seeds\n", rule_names[rule], ENOUGH);
      missed = 1;
    }
  }
  return missed;
}

static enum rule rule_named(const char *name) {
  for (int rule = KEPT; rule < RULES; rule++)
    if (!strcmp(rule_names[rule], name)) return (enum rule)rule;
  fprintf(stderr, "sim_ledger: no rule is called %s\n", name);
  exit(2);
}

int main(int argc, char **argv) {
  enum { QUICK = 2000 };
  if (argc > 2 && !strcmp(argv[1], "runs")) return run_all(strtoull(argv[2], NULL, 10));
  if (argc < 2) return run_all(QUICK);
  const char *failure = simulate(strtoull(argv[1], NULL, 10), argc > 2 ? rule_named(argv[2]) : KEPT, true);
  puts(failure ? failure : "passed");
  return failure != NULL;
}
