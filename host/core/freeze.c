/* SPDX-License-Identifier: MIT */
/*
 * Frozen segments: nobody writes them any more.
 *
 * Only who holds a segment alone can freeze it. So nobody has to be told, and nobody's writing has to be stopped: whoever
 * gets the segment from then on gets it by a message that says so. Who has never handed it over is alone with it; otherwise
 * the supervisor knows, and its answer stays true, since only who holds a segment can give it to others.
 *
 * A segment with a chunk of its own is also sealed by the kernel and mapped to be read only: nobody can map it for writing
 * from then on. A mapping that another process still has from earlier is protected when it gets the segment again. What is
 * sealed is never used for another segment, and its pages are there until the last process has unmapped it. The kernel has
 * no such seals for memory with a name: its permissions do instead, and who has it open by shmx.attach keeps it from being
 * frozen (os_shm.c).
 *
 * Dying here is harmless at any line. Before the answer nobody knows of a frozen segment but the supervisor, which frees
 * it as it would have; afterwards it is a segment like others. When the supervisor dies before it has answered, the segment
 * is not frozen: mappings that were there before a seal can be written.
 */
#include <errno.h>

#include "core/fault.h"
#include "core/memory_private.h"

enum { PATIENCE_NS = 100000000, PAUSE_NS = 1000000 };

uint32_t shmx_freeze_describe(const struct shmx_segment *segment) {
  if (!segment->read_only) return 0;
  return segment->chunk->sealed ? SHMX_FROZEN | SHMX_FROZEN_ALONE : SHMX_FROZEN;
}

/* Whoever says that the segment has its chunk for itself, here are no others in it that this would concern. */
static void mark(struct shmx_segment *segment, bool alone) {
  struct shmx_chunk *chunk = segment->chunk;
  segment->read_only = true;
  if (alone && chunk->segments == 1 && (chunk->large || !chunk->own)) shmx_chunk_protect(chunk);
}

/* Nobody can have frozen what we have held meanwhile: a message that says so lies. */
int shmx_freeze_adopt(struct shmx_segment *segment, uint32_t frozen) {
  if (!(frozen & SHMX_FROZEN) || segment->read_only) return 0;
  if (segment->refs > 0) return -EPROTO;
  mark(segment, frozen & SHMX_FROZEN_ALONE);
  return 0;
}

/* Nobody else knows the segment, but the supervisor may have the descriptor of its chunk. */
static int seal(struct shmx_memory *memory, const struct shmx_chunk *chunk) {
  uint64_t size;
  uint32_t flags;
  if (chunk->retired && chunk->fd < 0) return 0;
  int fd = chunk->fd >= 0 ? chunk->fd : shmx_warehouse_fetch(memory, chunk->id, &size, &flags);
  if (fd < 0) return fd;
  int r = chunk->outside ? shmx_os_shm_seal(fd) : shmx_os_memfd_seal(fd);
  if (fd != chunk->fd) close(fd);
  return r;
}

static int ask(struct shmx_memory *memory, uint64_t segment, bool *alone) {
  struct shmx_request request = {.type = SHMX_REQ_FREEZE, .id = segment}, reply;
  int fd = -1;
  int r = shmx_link_request(memory->link, &request, NULL, 0);
  if (r == 0) r = shmx_link_answer(memory->link, &reply, &fd);
  if (fd >= 0) close(fd);
  if (r < 0) return r;
  *alone = reply.flags & SHMX_CHUNK_ALONE;
  return reply.error;
}

static int try(struct shmx_memory *memory, const struct shmx_segment *segment, bool *alone) {
  if (memory->link) shmx_memory_attend(memory); /* it may be we who have not let go of what was acknowledged */
  if (segment->shared && !segment->lost) return ask(memory, segment->id, alone);
  return *alone ? seal(memory, segment->chunk) : 0;
}

static void wait_a_moment(struct shmx_link *link) {
  shmx_bell_prepare(&link->self->bell);
  shmx_link_sleep(link, shmx_os_now() + PAUSE_NS);
  shmx_bell_awake(&link->self->bell);
}

int shmx_memory_freeze(struct shmx_memory *memory, struct shmx_segment *segment) {
  bool alone = segment->own && segment->chunk->large;
  int64_t until = shmx_os_now() + PATIENCE_NS;
  int r;
  if (segment->read_only) return 0;
  /* A worker that has handed the segment over lets go of it a moment later. */
  while (((r = try(memory, segment, &alone)) == -EBUSY || r == -ETXTBSY) && memory->link && shmx_os_now() < until)
    wait_a_moment(memory->link);
  if (r < 0) return r;
  SHMX_FAULT("m8");
  mark(segment, alone);
  return 0;
}
