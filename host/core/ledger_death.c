/* SPDX-License-Identifier: MIT */
/*
 * Deaths in the ledger. A dead peer's holds, mappings and notes go at once and its chunks become orphans, since its
 * rings and its socket have been read to their end. What it has given to main stays in transit until main has answered
 * for it or has said READ_TO_END; whichever of death and READ_TO_END comes last also forgets the peer, so that the
 * ledger does not grow with the workers that ever lived.
 *
 * All this looks at every segment (or chunk) only while the peer still has a share in one (or has mapped one).
 */
#include <assert.h>
#include <stdlib.h>

#include "core/ledger_state.h"

static void forget_peer(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer) {
  assert(!peer->shares && !peer->maps && !peer->chunks);
  shmx_table_remove(&ledger->peers, &peer->node);
  free(peer);
}

/* Drops a dead peer's holds and, once its results have been read to the end, what is in transit from it. */
static void drop_shares(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer) {
  uint64_t left = peer->shares;
  for (struct shmx_table_node *node = NULL; left && (node = shmx_table_next(&ledger->segments, node));) {
    struct shmx_entry *entry = (struct shmx_entry *)node;
    struct shmx_share share = shmx_ledger_share(entry, peer);
    if (share.peer == SHMX_PEER_NONE) continue;
    left--;
    shmx_ledger_change(ledger, entry, peer, false, peer->read_to_end ? 0 : share.transit);
  }
}

void shmx_ledger_read_to_end(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer) {
  peer->read_to_end = true;
  if (!peer->dead) return;
  drop_shares(ledger, peer);
  forget_peer(ledger, peer);
}

static void orphan_chunk(struct shmx_ledger *ledger, struct shmx_ledger_chunk *chunk) {
  shmx_chunk_orphan(chunk);
  ledger->orphan_bytes += chunk->bytes;
  shmx_chunk_move(chunk, chunk->size ? &ledger->sweeps : &ledger->orphans);
  if (!chunk->segments) shmx_ledger_retire(ledger, chunk);
}

static void drop_mappings(struct shmx_ledger *ledger, const struct shmx_ledger_peer *peer, struct shmx_mapper **at) {
  while (*at) {
    struct shmx_mapper *mapper = *at;
    if (mapper->peer != peer) {
      at = &mapper->next;
      continue;
    }
    *at = mapper->next;
    free(mapper);
    ledger->nmappers--;
  }
}

static void drop_all_mappings(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer) {
  struct shmx_table_node *node = NULL;
  while (peer->maps && (node = shmx_table_next(&ledger->chunks, node))) {
    size_t before = ledger->nmappers;
    drop_mappings(ledger, peer, &((struct shmx_ledger_chunk *)node)->mappers);
    peer->maps -= before - ledger->nmappers;
  }
}

static void drop_notes(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer) {
  struct shmx_entry *entry;
  while ((entry = shmx_entry_pop(&peer->frees))) shmx_entry_destroy(&ledger->pool, entry);
  drop_mappings(ledger, peer, &peer->drops);
}

/* Main is dead: no task needs anything, and nobody will answer what was given to it. */
static void drop_board(struct shmx_ledger *ledger) {
  struct shmx_table_node *node = NULL;
  while ((node = shmx_table_next(&ledger->segments, node))) {
    struct shmx_entry *entry = (struct shmx_entry *)node;
    if (!entry->task_holds) continue;
    entry->task_holds = 0;
    if (!shmx_entry_kept(entry)) shmx_ledger_condemn(ledger, entry);
  }
}

/* Nobody will read anyone's results any more. */
static void all_read_to_end(struct shmx_ledger *ledger) {
  struct shmx_table_node *node = NULL;
  while ((node = shmx_table_next(&ledger->segments, node))) {
    struct shmx_entry *entry = (struct shmx_entry *)node;
    for (uint32_t i = entry->nshares; i-- > 0;) {
      struct shmx_share share = shmx_entry_shares(entry)[i];
      if (share.transit) shmx_ledger_change(ledger, entry, shmx_ledger_find_peer(ledger, share.peer), share.held, 0);
    }
  }
  struct shmx_table_node *next = shmx_table_next(&ledger->peers, NULL);
  while ((node = next)) {
    next = shmx_table_next(&ledger->peers, node);
    struct shmx_ledger_peer *peer = (struct shmx_ledger_peer *)node;
    peer->read_to_end = true;
    if (peer->dead && peer != ledger->main) forget_peer(ledger, peer);
  }
}

void shmx_ledger_died(struct shmx_ledger *ledger, uint32_t number) {
  struct shmx_ledger_peer *peer = shmx_ledger_find_living(ledger, number);
  if (!peer) return;
  peer->dead = true;
  drop_all_mappings(ledger, peer);
  drop_notes(ledger, peer);
  while (peer->chunks) orphan_chunk(ledger, peer->chunks);
  drop_shares(ledger, peer);
  if (peer == ledger->main) {
    drop_board(ledger);
    all_read_to_end(ledger);
  } else if (peer->read_to_end) {
    forget_peer(ledger, peer);
  }
}
