/* SPDX-License-Identifier: MIT */
/*
 * The supervisor in the ledger's simulator: it reads a few messages from some ring, makes passes, buries the dead,
 * starts workers, and checks each note, chore and answer that the ledger gives it against what is true.
 */
#include <inttypes.h>

#include "sim_world.h"

void sim_spawn(void) {
  if (sim.npeers == PEERS) return;
  struct process *p = &sim.peers[sim.npeers];
  *p = (struct process){.number = (uint32_t)sim.npeers, .alive = true};
  if (p->number != MAIN && shmx_ledger_join(sim.ledger, p->number) != 0) sim_fail("a worker could not join");
  sim_trace("supervisor: starts %u", p->number);
  sim.npeers++;
}

static void read_ring(struct process *p, unsigned most) {
  for (; most > 0 && p->read < p->written && !sim.failure; most--) {
    struct shmx_message m = p->ring[p->read++ % RING];
    int rc = shmx_ledger_message(sim.ledger, p->number, &m);
    sim_trace("supervisor: reads message %u of %u: %d", p->read, p->number, rc);
    if (rc != 0 && sim.broken == KEPT) sim_fail("an honest message was refused");
  }
}

bool sim_drained(const struct process *p) { return p->read == p->written && p->nread == p->nannounced; }

static void begin_pass(void) {
  sim_trace("supervisor: begins a pass");
  shmx_ledger_pass_begin(sim.ledger);
  sim.in_pass = true;
  for (int i = 1; i < sim.npeers; i++) sim.peers[i].target = sim.broken == FULL_PASS ? 0 : sim.peers[i].written;
}

static void continue_pass(void) {
  unsigned start = sim_draw((unsigned)sim.npeers);
  if (sim_draw(3) == 0) return;
  for (unsigned i = 0; i < (unsigned)sim.npeers; i++) {
    struct process *p = &sim.peers[(start + i) % (unsigned)sim.npeers];
    if (p->judged || p->read >= p->target) continue;
    read_ring(p, 1 + sim_draw(4));
    return;
  }
  sim_trace("supervisor: ends the pass");
  shmx_ledger_pass_end(sim.ledger);
  sim.in_pass = false;
}

/* A dead worker: read everything it said, then tell the ledger, give its task a verdict, tell main. */
static void bury(struct process *p) {
  if (sim.broken == DRAIN_FIRST) p->read = p->written, p->nread = p->nannounced;
  if (p->nread < p->nannounced && sim_draw(2)) return sim_read_announcement(p);
  if (p->read < p->written) return read_ring(p, 1 + sim_draw(4));
  if (!sim_drained(p)) return;
  sim_trace("supervisor: %u is dead and drained", p->number);
  shmx_ledger_died(sim.ledger, p->number);
  p->judged = true;
  for (int i = 0; i < SLOTS; i++)
    if (sim.slots[i].state == CLAIMED && sim.slots[i].worker == p->number)
      sim.slots[i].state = sim_draw(3) ? CRASHED : QUEUED; /* another attempt keeps the task's holds */
  sim.gone[sim.ngone++] = p->number;
}

void sim_deliver_note(struct process *p) {
  struct shmx_note note;
  if (p->notes_in - p->notes_out == RING || !shmx_ledger_next_note(sim.ledger, p->number, &note)) return;
  p->notes[p->notes_in++ % RING] = note;
  sim_trace("supervisor: note %" PRIu64 " about %d for %u", note.type, sim_index_of(note.id), p->number);
  if (note.type != SHMX_NOTE_FREE) return;
  struct segment *s = &sim.segments[sim_index_of(note.id)];
  if (s->state != LIVE || s->maker != p->number) sim_fail("freed twice, or to another");
  if (sim_needed(sim_index_of(note.id))) sim_fail("freed while it is needed");
  s->state = FREED;
}

static void punch(struct chunk *c, const struct shmx_chore *chore) {
  if (sim.peers[c->maker].alive || chore->size == 0 || (chore->offset | chore->size) % PAGE) sim_fail("a wrong punch");
  for (uint64_t page = chore->offset / PAGE; page < (chore->offset + chore->size) / PAGE && page < PAGES; page++) {
    c->punched[page] = true;
    if (sim_page_needed((int)(c - sim.chunks), (int)page)) sim_fail("punched while it is needed");
  }
}

void sim_do_chore(void) {
  struct shmx_chore chore;
  if (!shmx_ledger_next_chore(sim.ledger, &chore)) return;
  struct chunk *c = &sim.chunks[sim_index_of(chore.chunk)];
  sim_trace("supervisor: chore %d, chunk %d, %" PRIu64 " bytes at %" PRIu64, (int)chore.type, sim_index_of(chore.chunk),
            chore.size, chore.offset);
  if (c->closed || !c->read) sim_fail("a chore for a chunk that is not there");
  if (chore.type == SHMX_CHORE_PUNCH) return punch(c, &chore);
  if (sim_chunk_needed(sim_index_of(chore.chunk))) sim_fail("closed while it is needed");
  c->closed = true;
}

/* A process wants to freeze a segment. All rings are read first. */
static void answer(struct process *p) {
  uint64_t chunk;
  int i = sim.nsegments ? (int)sim_draw((unsigned)sim.nsegments) : 0;
  if (!p->alive || !p->refs[i]) return;
  for (int k = 1; k < sim.npeers; k++)
    if (!sim.peers[k].judged) read_ring(&sim.peers[k], RING);
  int rc = shmx_ledger_sole_holder(sim.ledger, p->number, sim.segments[i].id, &chunk);
  sim_trace("supervisor: may %u freeze segment %d: %d", p->number, i, rc);
  if (rc == 0 && sim_needed_by_others(p, i)) sim_fail("frozen while others need it");
  if (rc == 0 && chunk != sim.chunks[sim.segments[i].chunk].id) sim_fail("another chunk is to be sealed");
}

void sim_supervise(void) {
  struct process *p = &sim.peers[sim_draw(2) ? 1 + sim_draw((unsigned)sim.npeers - 1) : sim.bias];
  switch (sim_draw(8)) {
  case 0:
    if (!p->judged) read_ring(p, 1 + sim_draw(4));
    return;
  case 1:
    if (p->nread < p->nannounced) sim_read_announcement(p);
    return;
  case 2: return sim_do_chore();
  case 3: return sim_deliver_note(p);
  case 4:
    if (!p->alive && !p->judged) bury(p);
    return;
  case 5: return answer(p);
  default:
    if (sim.in_pass) return continue_pass();
    if (sim_draw(4) == 0 || shmx_ledger_wants_pass(sim.ledger)) begin_pass();
  }
}
