/* SPDX-License-Identifier: MIT */
/*
 * Who may freeze a segment: its only holder (freeze.c). The rings are read first, since the others may have let go of it, or
 * may have taken it up, and have said so.
 *
 * A chunk that has nothing but the segment in it is sealed before the answer. If the peer dies before it gets that, the
 * segment is freed like any other, and its maker learns that the chunk cannot be used again.
 */
#include "core/fault.h"
#include "core/supervisor_private.h"

static int freeze(struct sup *s, const struct sup_peer *peer, uint64_t segment, uint32_t *flags) {
  uint64_t id;
  int r = shmx_ledger_sole_holder(s->ledger, peer->id, segment, &id);
  if (r < 0) return r;
  const struct sup_chunk *chunk = shmx_idmap_get(&s->chunks, id);
  if (!chunk || !chunk->alone) return 0;
  *flags = SHMX_CHUNK_ALONE;
  if (chunk->outside) return shmx_os_shm_seal(chunk->fd);
  r = shmx_os_memfd_seal(chunk->fd);
  if (r == 0) shmx_ledger_seal(s->ledger, segment);
  return r;
}

int sup_freeze(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  (void)fds;
  struct shmx_request reply = {.type = SHMX_REP_FROZEN, .id = request->id};
  sup_read_rings(s);
  reply.error = freeze(s, peer, request->id, &reply.flags);
  SHMX_FAULT("s10");
  sup_answer(peer, &reply, -1);
  return 0;
}
