/* SPDX-License-Identifier: MIT */
/*
 * See memory.h: the segments of a process and their life. Where their bytes come from is in warehouse.c, and how many
 * there may be in budget.c.
 *
 * Invariants: `segments` has every shared segment of which this process may still hear (own ones until FREE, foreign
 * ones while they have references). A foreign handle has references; an own shared one without references waits for
 * FREE, and may come back to life when another process hands it to us meanwhile.
 *
 * Dying here is harmless at any line: everything in this file is private memory, and the ring is read to its end.
 */
#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "core/limits.h"
#include "core/memory_private.h"
#include "core/trace.h"

enum { PIECE = 64 * 1024 }; /* stays in the cache while the kernel copies it */

struct shmx_memory *shmx_memory_here(void) {
  static struct shmx_memory *here;
  if (here) return here;
  shmx_os_forked(); /* from here on children can tell that they are children */
  here = calloc(1, sizeof *here);
  if (here) here->peer = SHMX_PEER_MAIN;
  return here;
}

bool shmx_memory_can_cool(const struct shmx_memory *memory) {
  return memory->live > 0 || memory->small || memory->large;
}

uint64_t shmx_memory_live(const struct shmx_memory *memory) { return memory->live; }
uint64_t shmx_memory_handled(const struct shmx_memory *memory) { return memory->handled; }

/* --- making and letting go --- */

int shmx_memory_alloc(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_segment **out) {
  struct shmx_segment *segment = calloc(1, sizeof *segment);
  if (!segment) return -ENOMEM;
  struct shmx_block *block;
  int r = shmx_warehouse_get(memory, size, flags, &block);
  if (r < 0) {
    free(segment);
    return r;
  }
  *segment = (struct shmx_segment){.id = shmx_id_make(memory->peer, ++memory->segment_serial),
                                   .size = size,
                                   .data = block->chunk->base + block->offset,
                                   .memory = memory,
                                   .chunk = block->chunk,
                                   .offset = (uint32_t)block->offset,
                                   .refs = 1,
                                   .own = true,
                                   .block = block};
  block->chunk->segments++;
  memory->live++;
  memory->handled += size + 1;
  SHMX_FAULT("w5");
  if (memory->link && memory->link->trace) shmx_trace_wake(memory->link->trace); /* more may be charged */
  if ((flags & SHMX_ALLOC_ZERO) && !block->clean) memset(segment->data, 0, size);
  *out = segment;
  return 0;
}

int shmx_segment_produce(struct shmx_segment *segment, shmx_producer *make, void *context) {
  static _Alignas(64) char piece[PIECE];
  struct shmx_chunk *chunk = segment->chunk;
  if (!chunk->unwritten) {
    make(context, 0, segment->data, segment->size);
    return 0;
  }
  for (uint64_t at = 0; at < segment->size; at += PIECE) {
    uint64_t size = segment->size - at < PIECE ? segment->size - at : PIECE;
    make(context, at, piece, size);
    int r = shmx_os_write(chunk->fd, at, piece, size);
    if (r < 0) return r;
  }
  chunk->unwritten = false;
  return 0;
}

void shmx_memory_set_order(struct shmx_memory *memory, uint64_t order) {
  atomic_store_explicit(&memory->link->self->runs, order, memory_order_relaxed);
}

void shmx_memory_measure(struct shmx_memory *memory, struct shmx_histogram *handovers) {
  memory->handovers = handovers;
}

struct shmx_link *shmx_memory_link(const struct shmx_memory *memory) {
  return memory->link;
}

const struct shmx_segment *shmx_memory_find(const struct shmx_memory *memory, uint64_t id) {
  return shmx_idmap_get(&memory->segments, id);
}

/* Sleeps until the supervisor has looked at our wish. False when it is refused. Who waits keeps nothing warm. */
static bool wait_for_memory(struct shmx_memory *memory, uint64_t size) {
  struct shmx_process_shm *self = memory->link->self;
  uint64_t wanted = shmx_warehouse_need(memory, size);
  shmx_memory_trim(memory);
  atomic_store(&self->wants_bytes, wanted);
  atomic_fetch_or(&self->wants, SHMX_WANTS_MEMORY);
  shmx_link_urge(memory->link);
  int64_t begin = shmx_os_now();
  for (;;) {
    shmx_memory_attend(memory); /* what we keep warm, others may need meanwhile */
    shmx_bell_prepare(&self->bell);
    if (!(atomic_load(&self->wants) & SHMX_WANTS_MEMORY)) break;
    shmx_link_sleep(memory->link, -1);
  }
  shmx_bell_awake(&self->bell);
  shmx_limits_waited(memory->link, shmx_os_now() - begin);
  uint32_t answer = atomic_load(&self->answer);
  memory->served = answer == SHMX_ANSWER_LAST_SEAT ? wanted : 0;
  return answer != SHMX_ANSWER_REFUSED;
}

bool shmx_memory_wait(struct shmx_memory *memory, uint64_t size) {
  return memory->link && memory->peer != SHMX_PEER_MAIN && wait_for_memory(memory, size);
}

void shmx_memory_end_wait(struct shmx_memory *memory) {
  struct shmx_link *link = memory->link;
  if (!link || atomic_load(&link->self->wants_bytes) == 0) return;
  memory->served = 0;
  atomic_store(&link->self->wants_bytes, 0); /* what was kept for us, others may have now */
  shmx_link_urge(link);
}

int shmx_memory_alloc_wait(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_segment **out) {
  int r = shmx_memory_alloc(memory, size, flags, out);
  while (r == -EDQUOT && shmx_memory_wait(memory, size)) r = shmx_memory_alloc(memory, size, flags, out);
  /* Meanwhile others that were set aside may have been read. */
  if (r == -EDQUOT && (flags & SHMX_ALLOC_URGENT)) r = shmx_memory_alloc(memory, size, flags, out);
  shmx_memory_end_wait(memory);
  return r;
}

uint32_t shmx_memory_asked(const struct shmx_memory *memory) {
  return memory->link ? atomic_load_explicit(&memory->link->domain->trim, memory_order_relaxed) : 0;
}

void shmx_memory_attend(struct shmx_memory *memory) {
  struct shmx_note note;
  shmx_memory_settle(memory);
  while (shmx_link_next_note(memory->link, &note)) shmx_memory_take_note(memory, &note);
  uint32_t asked = atomic_load_explicit(&memory->link->domain->trim, memory_order_relaxed);
  if (asked == memory->trimmed) return;
  memory->trimmed = asked;
  shmx_memory_trim(memory);
  shmx_link_urge(memory->link); /* somebody waits for it */
}

/* The bytes of an own segment that nobody uses any more. */
static void forget_own(struct shmx_segment *segment) {
  struct shmx_memory *memory = segment->memory;
  segment->chunk->segments--;
  shmx_warehouse_put(memory, segment->block);
  free(segment);
}

/* A foreign chunk stays mapped for the next segment in it. There is none in a sealed one, whose pages are there as long as
 * somebody has it mapped. Only workers keep it a little, who may get the same segment with their next task; main may be
 * away for long before it reads that the chunk is gone. */
static void forget_foreign(struct shmx_segment *segment) {
  struct shmx_memory *memory = segment->memory;
  struct shmx_chunk *chunk = segment->chunk;
  bool last = --chunk->segments == 0;
  if (last && chunk->retired) shmx_chunk_destroy(chunk);
  else if (last && chunk->sealed && memory->peer == SHMX_PEER_MAIN) shmx_warehouse_drop(memory, chunk->id);
  free(segment);
}

/* A message about the segment; errors mean that the supervisor is gone, and then nobody needs it. */
static int tell(struct shmx_memory *memory, enum shmx_message_type type, uint32_t peer, const struct shmx_segment *s) {
  struct shmx_message message = {shmx_message_head(type, peer), s->offset, s->id, s->chunk->id, s->size};
  return memory->link ? shmx_link_send(memory->link, &message) : -EPIPE;
}

void shmx_segment_retain(struct shmx_segment *segment) {
  if (segment->refs++ > 0) return;
  segment->memory->live++;
  segment->memory->handled += segment->size + 1;
}

void shmx_segment_release(struct shmx_segment *segment) {
  if (!segment || shmx_os_forked() || --segment->refs > 0) return;
  struct shmx_memory *memory = segment->memory;
  memory->live--;
  if (segment->shared && !segment->lost) {
    tell(memory, SHMX_MSG_RELEASE, SHMX_PEER_NONE, segment);
    SHMX_FAULT("m5");
    if (segment->own) {
      memory->awaited += segment->block->size;
      return;
    }
    shmx_idmap_remove(&memory->segments, segment->id);
  }
  /* Who lets go of a name may give it again at once. Only here is it certain that nobody is about to sleep. */
  bool named = segment->own && segment->chunk->named && memory->link;
  if (segment->own) forget_own(segment);
  else forget_foreign(segment);
  if (named) shmx_link_wait_read(memory->link);
}

/* --- handing over --- */

int shmx_memory_describe(struct shmx_memory *memory, struct shmx_segment *segment, struct shmx_segment_ref *ref) {
  if (segment->chunk->file) return -EXDEV;
  if (segment->lost || segment->chunk->retired) return -ESTALE;
  if (!memory->link) return -EPIPE;
  int r = segment->own ? shmx_warehouse_announce(memory, segment->chunk) : 0;
  if (r < 0) return r;
  *ref = (struct shmx_segment_ref){segment->id,     segment->chunk->id, segment->size,
                                   segment->offset, memory->peer,       shmx_freeze_describe(segment)};
  return 0;
}

/* From the message that follows on, the supervisor knows the segment, so nothing may fail in between. */
static int make_shared(struct shmx_memory *memory, struct shmx_segment *segment) {
  if (segment->shared) return 0;
  int r = shmx_idmap_put(&memory->segments, segment->id, segment);
  segment->shared = r == 0;
  return r;
}

static int make_room_for_handover(struct shmx_memory *memory) {
  if (memory->open_count < memory->open_capacity) return 0;
  size_t capacity = memory->open_capacity ? memory->open_capacity * 2 : 64;
  struct shmx_open_handover *grown = malloc(capacity * sizeof *grown);
  if (!grown) return -ENOMEM;
  for (size_t i = 0; i < memory->open_count; i++)
    grown[i] = memory->open[(memory->open_first + i) & (memory->open_capacity - 1)];
  free(memory->open);
  memory->open = grown;
  memory->open_capacity = capacity;
  memory->open_first = 0;
  return 0;
}

/* An open handover keeps a reference until the supervisor has read the NOTIFY. */
static void open_handover(struct shmx_memory *memory, struct shmx_segment *segment) {
  size_t last = (memory->open_first + memory->open_count++) & (memory->open_capacity - 1);
  bool measured = memory->handovers && shmx_histogram_samples(memory->opened++);
  memory->open[last] = (struct shmx_open_handover){segment, memory->link->messages.index, measured ? shmx_os_now() : 0};
  shmx_segment_retain(segment);
}

int shmx_memory_notify(struct shmx_memory *memory, struct shmx_segment *segment, uint32_t receiver,
                       struct shmx_segment_ref *ref) {
  int r = shmx_memory_describe(memory, segment, ref);
  if (r == 0) r = make_room_for_handover(memory);
  if (r == 0) r = make_shared(memory, segment);
  if (r < 0) return r;
  open_handover(memory, segment);
  r = tell(memory, SHMX_MSG_NOTIFY, receiver, segment);
  SHMX_FAULT("w6");
  return r;
}

bool shmx_memory_settle(struct shmx_memory *memory) {
  while (memory->open_count > 0) {
    struct shmx_open_handover *open = &memory->open[memory->open_first];
    if (!shmx_link_was_read(memory->link, open->number)) return true;
    SHMX_FAULT("w9");
    memory->open_first = (memory->open_first + 1) & (memory->open_capacity - 1);
    memory->open_count--;
    if (open->since) shmx_histogram_add(memory->handovers, (uint64_t)(shmx_os_now() - open->since));
    shmx_segment_release(open->segment);
    SHMX_FAULT("w10");
  }
  return false;
}

int shmx_memory_task_hold(struct shmx_memory *memory, struct shmx_segment *segment, struct shmx_segment_ref *ref) {
  int r = shmx_memory_describe(memory, segment, ref);
  if (r == 0) r = make_shared(memory, segment);
  return r < 0 ? r : tell(memory, SHMX_MSG_TASK_HOLD, SHMX_PEER_NONE, segment);
}

static void answer(struct shmx_memory *memory, enum shmx_message_type type, const struct shmx_segment_ref *ref) {
  struct shmx_message message = {shmx_message_head(type, ref->giver), ref->offset, ref->id, ref->chunk, ref->size};
  if (memory->link) shmx_link_send(memory->link, &message);
}

void shmx_memory_task_drop(struct shmx_memory *memory, const struct shmx_segment_ref *ref) {
  struct shmx_segment_ref dropped = *ref;
  dropped.giver = SHMX_PEER_NONE;
  answer(memory, SHMX_MSG_TASK_DROP, &dropped);
}

void shmx_memory_discard(struct shmx_memory *memory, const struct shmx_segment_ref *ref) {
  if (ref->giver != SHMX_PEER_NONE) answer(memory, SHMX_MSG_DISCARD, ref);
}

static int make_foreign(struct shmx_memory *memory, const struct shmx_segment_ref *ref, struct shmx_segment **out) {
  struct shmx_chunk *chunk;
  uint32_t maker = shmx_id_maker(ref->id);
  if (maker == memory->peer) return -EPROTO; /* ours, and long freed */
  if (shmx_id_maker(ref->chunk) != maker || ref->offset % SHMX_HEAP_ALIGN != 0) return -EPROTO;
  int r = shmx_warehouse_find(memory, ref->chunk, &chunk);
  if (r < 0) return r;
  if (ref->size > chunk->size || ref->offset > chunk->size - ref->size) return -EPROTO;
  struct shmx_segment *segment = calloc(1, sizeof *segment);
  if (!segment) return -ENOMEM;
  *segment = (struct shmx_segment){.id = ref->id,
                                   .size = ref->size,
                                   .data = chunk->base + ref->offset,
                                   .memory = memory,
                                   .chunk = chunk,
                                   .offset = ref->offset,
                                   .read_only = chunk->sealed,
                                   .shared = true};
  r = shmx_idmap_put(&memory->segments, ref->id, segment);
  if (r < 0) {
    free(segment);
    return r;
  }
  chunk->segments++;
  *out = segment;
  return 0;
}

int shmx_memory_adopt(struct shmx_memory *memory, const struct shmx_segment_ref *ref, struct shmx_segment **out) {
  struct shmx_segment *segment = shmx_idmap_get(&memory->segments, ref->id);
  int r = 0;
  if (!segment) r = make_foreign(memory, ref, &segment);
  else if (segment->chunk->id != ref->chunk || segment->offset != ref->offset || segment->size != ref->size)
    r = -EPROTO;
  if (r == 0) r = shmx_freeze_adopt(segment, ref->frozen);
  if (r < 0) {
    shmx_memory_discard(memory, ref);
    return r;
  }
  if (segment->own && segment->refs == 0) memory->awaited -= segment->block->size;
  shmx_segment_retain(segment);
  answer(memory, SHMX_MSG_HOLD, ref);
  SHMX_FAULT("m4");
  *out = segment;
  return 0;
}

int shmx_memory_look(struct shmx_memory *memory, uint64_t id, uint32_t offset, uint64_t size, const char **out) {
  struct shmx_chunk *chunk;
  int r = shmx_warehouse_find(memory, id, &chunk);
  if (r < 0) return r;
  if (size > chunk->size || offset > chunk->size - size) return -EPROTO;
  *out = chunk->base + offset;
  return 0;
}

void shmx_memory_take_note(struct shmx_memory *memory, const struct shmx_note *note) {
  if (note->type == SHMX_NOTE_DROP_CHUNK) shmx_warehouse_drop(memory, note->id);
  if (note->type != SHMX_NOTE_FREE && note->type != SHMX_NOTE_FREE_SEALED) return;
  struct shmx_segment *segment = shmx_idmap_get(&memory->segments, note->id);
  if (!segment || !segment->own || segment->refs > 0) return;
  if (note->type == SHMX_NOTE_FREE_SEALED && segment->chunk->large) segment->chunk->sealed = true;
  shmx_idmap_remove(&memory->segments, segment->id);
  memory->awaited -= segment->block->size;
  forget_own(segment);
}

/* --- joining and leaving a domain --- */

void shmx_memory_join(struct shmx_memory *memory, struct shmx_link *link) {
  memory->link = link;
  memory->peer = link->peer;
  if (memory->segment_serial < link->serials) memory->segment_serial = link->serials;
  if (memory->chunk_serial < link->serials) memory->chunk_serial = link->serials;
  atomic_store(&link->domain->charged[link->charge], memory->charged);
  shmx_warehouse_unload(memory);
}

/* Segments lose what made them shared. Those without references are freed; the others live on in this process alone. */
void shmx_memory_leave(struct shmx_memory *memory) {
  while (memory->open_count > 0) {
    struct shmx_segment *segment = memory->open[memory->open_first].segment;
    memory->open_first = (memory->open_first + 1) & (memory->open_capacity - 1);
    memory->open_count--;
    if (--segment->refs == 0) memory->live--;
  }
  shmx_warehouse_retire(memory);
  struct shmx_idmap known = memory->segments;
  shmx_idmap_init(&memory->segments);
  memory->link = NULL;
  memory->awaited = 0;
  for (size_t i = 0; i < known.capacity; i++) {
    struct shmx_segment *segment = known.entries[i].id ? known.entries[i].value : NULL;
    if (!segment) continue;
    segment->lost = true;
    if (segment->refs > 0) continue;
    if (segment->own) forget_own(segment);
    else forget_foreign(segment);
  }
  shmx_idmap_fini(&known);
}
