/* SPDX-License-Identifier: MIT */
/*
 * The ledger: three tables (segments, chunks, peers) and the queues between them. This file holds what changes a
 * segment's shares and what follows when none is left, and the questions that the supervisor asks. What messages mean
 * stands in ledger_message.c, what a death means in ledger_death.c.
 */
#include "core/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/ledger_state.h"

void shmx_ledger_condemn(struct shmx_ledger *ledger, struct shmx_entry *entry) {
  entry->pass = ledger->pass & 1;
  if (entry->condemned) return;
  entry->condemned = 1;
  shmx_entry_push(&ledger->condemned, entry);
}

/* Sets a share and keeps the sums right that are made of shares. */
static void set_share(struct shmx_ledger *ledger, struct shmx_entry *entry, struct shmx_share *share, bool held,
                      int32_t transit) {
  ledger->transit_bytes -= shmx_ledger_on_the_way(entry);
  entry->given -= share->transit > 0;
  entry->given += transit > 0;
  if (share->peer == SHMX_PEER_MAIN) entry->main_holds = held;
  share->held = held;
  share->transit = transit;
  ledger->transit_bytes += shmx_ledger_on_the_way(entry);
}

void shmx_ledger_change(struct shmx_ledger *ledger, struct shmx_entry *entry, struct shmx_ledger_peer *peer, bool held,
                        int32_t transit) {
  struct shmx_share *share = shmx_entry_share(entry, (uint32_t)peer->node.id);
  if (!share) {
    share = shmx_entry_add_share(entry, (uint32_t)peer->node.id);
    peer->shares++;
  }
  set_share(ledger, entry, share, held, transit);
  if (held || transit) return;
  shmx_entry_remove_share(&ledger->pool, entry, share);
  peer->shares--;
  if (!shmx_entry_kept(entry)) shmx_ledger_condemn(ledger, entry);
}

struct shmx_share shmx_ledger_share(struct shmx_entry *entry, const struct shmx_ledger_peer *peer) {
  const struct shmx_share *share = entry ? shmx_entry_share(entry, (uint32_t)peer->node.id) : NULL;
  return share ? *share : (struct shmx_share){0};
}

struct shmx_ledger_chunk *shmx_ledger_add_chunk(struct shmx_ledger *ledger, struct shmx_ledger_peer *maker,
                                                uint64_t id) {
  struct shmx_ledger_chunk *chunk = calloc(1, sizeof *chunk);
  if (!chunk) return NULL;
  shmx_ledger_note_serial(ledger, id);
  chunk->node.id = id;
  chunk->maker = maker;
  shmx_table_insert(&ledger->chunks, &chunk->node);
  shmx_chunk_move(chunk, &maker->chunks);
  return chunk;
}

static void remove_chunk(struct shmx_ledger *ledger, struct shmx_ledger_chunk *chunk) {
  assert(!chunk->segments && !chunk->mappers);
  shmx_chunk_move(chunk, NULL);
  shmx_table_remove(&ledger->chunks, &chunk->node);
  free(chunk);
}

void shmx_ledger_retire(struct shmx_ledger *ledger, struct shmx_ledger_chunk *chunk) {
  chunk->gone = true;
  struct shmx_mapper *mapper;
  while ((mapper = chunk->mappers)) {
    chunk->mappers = mapper->next;
    mapper->next = mapper->peer->drops;
    mapper->peer->drops = mapper;
    mapper->peer->maps--;
  }
  if (chunk->size) {
    shmx_chunk_move(chunk, &ledger->closes);
  } else if (!chunk->maker) {
    remove_chunk(ledger, chunk);
  }
}

/* A segment of an orphaned chunk is out of it: gives back its pages or, after the last one, the chunk. */
static void free_orphan(struct shmx_ledger *ledger, struct shmx_entry *entry, struct shmx_page_range pages) {
  struct shmx_ledger_chunk *chunk = entry->chunk;
  ledger->orphan_bytes -= entry->size;
  if (chunk->segments && chunk->size && pages.size) {
    entry->node.id = pages.offset; /* out of the table; the offset of a page may need more bits than a segment's */
    entry->size = pages.size;
    shmx_entry_push(&ledger->punches, entry);
    return;
  }
  if (!chunk->segments) shmx_ledger_retire(ledger, chunk);
  shmx_entry_destroy(&ledger->pool, entry);
}

static void free_segment(struct shmx_ledger *ledger, struct shmx_entry *entry) {
  struct shmx_ledger_chunk *chunk = entry->chunk;
  shmx_table_remove(&ledger->segments, &entry->node);
  ledger->bytes -= entry->size;
  if (!chunk) { /* hearsay that its maker never confirmed */
    shmx_entry_destroy(&ledger->pool, entry);
    return;
  }
  struct shmx_page_range pages = {0};
  if (!chunk->maker) pages = shmx_chunk_own_pages(entry, ledger->page_size);
  shmx_chunk_unlink(chunk, entry);
  if (chunk->maker) {
    shmx_entry_push(&chunk->maker->frees, entry);
  } else {
    free_orphan(ledger, entry, pages);
  }
}

void shmx_ledger_pass_begin(struct shmx_ledger *ledger) { ledger->pass++; }

void shmx_ledger_pass_end(struct shmx_ledger *ledger) {
  struct shmx_entry_queue queue = ledger->condemned;
  ledger->condemned = (struct shmx_entry_queue){0};
  struct shmx_entry *entry;
  while ((entry = shmx_entry_pop(&queue))) {
    bool kept = shmx_entry_kept(entry);
    if (!kept && entry->pass == (ledger->pass & 1)) { /* condemned after this pass began: it takes another one */
      shmx_entry_push(&ledger->condemned, entry);
      continue;
    }
    entry->condemned = 0;
    if (!kept) free_segment(ledger, entry);
  }
}

bool shmx_ledger_wants_pass(const struct shmx_ledger *ledger) { return ledger->condemned.first; }

static struct shmx_ledger_peer *add_peer(struct shmx_ledger *ledger, uint32_t number) {
  struct shmx_ledger_peer *peer = calloc(1, sizeof *peer);
  if (!peer) return NULL;
  peer->node.id = number;
  if (number > ledger->newest) ledger->newest = number;
  shmx_table_insert(&ledger->peers, &peer->node);
  return peer;
}

struct shmx_ledger *shmx_ledger_create(uint64_t page_size) {
  struct shmx_ledger *ledger = calloc(1, sizeof *ledger);
  if (!ledger) return NULL;
  ledger->page_size = page_size;
  if (shmx_table_init(&ledger->segments) < 0 || shmx_table_init(&ledger->chunks) < 0 ||
      shmx_table_init(&ledger->peers) < 0 || !(ledger->main = add_peer(ledger, SHMX_PEER_MAIN))) {
    shmx_ledger_destroy(ledger);
    return NULL;
  }
  return ledger;
}

static void free_mappers(struct shmx_mapper *mapper) {
  struct shmx_mapper *next;
  for (; mapper; mapper = next) {
    next = mapper->next;
    free(mapper);
  }
}

void shmx_ledger_destroy(struct shmx_ledger *ledger) {
  if (!ledger) return;
  struct shmx_table_node *node, *next;
  for (node = shmx_table_next(&ledger->segments, NULL); node; node = shmx_table_next(&ledger->segments, node)) {
    struct shmx_entry *entry = (struct shmx_entry *)node;
    if (entry->spilled) free(entry->many);
  }
  for (node = shmx_table_next(&ledger->chunks, NULL); node; node = next) {
    next = shmx_table_next(&ledger->chunks, node);
    free_mappers(((struct shmx_ledger_chunk *)node)->mappers);
    free(node);
  }
  for (node = shmx_table_next(&ledger->peers, NULL); node; node = next) {
    next = shmx_table_next(&ledger->peers, node);
    free_mappers(((struct shmx_ledger_peer *)node)->drops);
    free(node);
  }
  shmx_table_fini(&ledger->segments);
  shmx_table_fini(&ledger->chunks);
  shmx_table_fini(&ledger->peers);
  shmx_entry_pool_fini(&ledger->pool);
  free(ledger);
}

void shmx_ledger_note_serial(struct shmx_ledger *ledger, uint64_t id) {
  uint64_t serial = shmx_id_serial(id);
  if (shmx_id_maker(id) != SHMX_PEER_MAIN && serial > ledger->last_serial) ledger->last_serial = serial;
}

uint64_t shmx_ledger_last_serial(const struct shmx_ledger *ledger) { return ledger->last_serial; }

/* A peer of this number, or something of its making, is there. All segments that anybody can have lie in a known chunk. */
static bool is_in_use(const struct shmx_ledger *ledger, uint32_t number) {
  struct shmx_table_node *node = NULL;
  if (number > ledger->newest) return false;
  if (shmx_ledger_find_peer(ledger, number)) return true;
  while ((node = shmx_table_next(&ledger->chunks, node)))
    if (shmx_id_maker(node->id) == number) return true;
  return false;
}

int shmx_ledger_join(struct shmx_ledger *ledger, uint32_t number) {
  if (number <= SHMX_PEER_MAIN || number > SHMX_PEER_MAX || is_in_use(ledger, number)) return -EEXIST;
  struct shmx_ledger_peer *peer = add_peer(ledger, number);
  if (!peer) return -ENOMEM;
  peer->read_to_end = ledger->main->dead;
  return 0;
}

int shmx_ledger_chunk(struct shmx_ledger *ledger, uint32_t maker, uint64_t id, uint64_t size) {
  struct shmx_ledger_peer *peer = shmx_ledger_find_living(ledger, maker);
  if (!peer || !shmx_ledger_is_maker(peer, id) || size == 0 || size > SHMX_CHUNK_SIZE_MAX) return -EPROTO;
  struct shmx_ledger_chunk *chunk = shmx_ledger_find_chunk(ledger, id);
  if (chunk && (chunk->size || chunk->extent > size)) return -EPROTO;
  if (!chunk && !(chunk = shmx_ledger_add_chunk(ledger, peer, id))) return -ENOMEM;
  chunk->size = size;
  if (chunk->gone) shmx_ledger_retire(ledger, chunk);
  return 0;
}

int shmx_ledger_map(struct shmx_ledger *ledger, uint32_t number, uint64_t id) {
  struct shmx_ledger_peer *peer = shmx_ledger_find_living(ledger, number);
  struct shmx_ledger_chunk *chunk = shmx_ledger_find_chunk(ledger, id);
  if (!peer || !chunk || !chunk->size || chunk->gone) return -ENOENT;
  for (struct shmx_mapper *mapper = chunk->mappers; mapper; mapper = mapper->next)
    if (mapper->peer == peer) return 0;
  struct shmx_mapper *mapper = malloc(sizeof *mapper);
  if (!mapper) return -ENOMEM;
  *mapper = (struct shmx_mapper){.next = chunk->mappers, .peer = peer, .chunk = id};
  chunk->mappers = mapper;
  peer->maps++;
  ledger->nmappers++;
  return 0;
}

static bool next_drop(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer, struct shmx_note *note) {
  struct shmx_mapper *mapper = peer->drops;
  if (!mapper) return false;
  *note = (struct shmx_note){SHMX_NOTE_DROP_CHUNK, mapper->chunk};
  peer->drops = mapper->next;
  free(mapper);
  ledger->nmappers--;
  return true;
}

bool shmx_ledger_next_note(struct shmx_ledger *ledger, uint32_t number, struct shmx_note *note) {
  struct shmx_ledger_peer *peer = shmx_ledger_find_living(ledger, number);
  if (!peer) return false;
  struct shmx_entry *entry = shmx_entry_pop(&peer->frees);
  if (!entry) return next_drop(ledger, peer, note);
  *note = (struct shmx_note){entry->sealed ? SHMX_NOTE_FREE_SEALED : SHMX_NOTE_FREE, entry->node.id};
  shmx_entry_destroy(&ledger->pool, entry);
  return true;
}

/* A punch is a waste once its chunk is gone. The chunk is there until all punches have been taken. */
static bool next_punch(struct shmx_ledger *ledger, struct shmx_chore *chore) {
  struct shmx_entry *entry;
  bool found = false;
  while (!found && (entry = shmx_entry_pop(&ledger->punches))) {
    found = !entry->chunk->gone;
    *chore = (struct shmx_chore){SHMX_CHORE_PUNCH, entry->chunk->node.id, entry->node.id, entry->size};
    shmx_entry_destroy(&ledger->pool, entry);
  }
  return found;
}

static bool next_sweep(struct shmx_ledger *ledger, struct shmx_chore *chore) {
  struct shmx_ledger_chunk *chunk;
  while ((chunk = ledger->sweeps)) {
    struct shmx_page_range range;
    if (shmx_chunk_sweep(chunk, ledger->page_size, &range)) {
      *chore = (struct shmx_chore){SHMX_CHORE_PUNCH, chunk->node.id, range.offset, range.size};
      return true;
    }
    shmx_chunk_move(chunk, &ledger->orphans);
  }
  return false;
}

bool shmx_ledger_next_chore(struct shmx_ledger *ledger, struct shmx_chore *chore) {
  if (next_punch(ledger, chore) || next_sweep(ledger, chore)) return true;
  struct shmx_ledger_chunk *chunk = ledger->closes;
  if (!chunk) return false;
  *chore = (struct shmx_chore){SHMX_CHORE_CLOSE, chunk->node.id, 0, 0};
  remove_chunk(ledger, chunk);
  return true;
}

void shmx_ledger_stats(const struct shmx_ledger *ledger, struct shmx_ledger_stats *stats) {
  *stats = (struct shmx_ledger_stats){
      .segments = ledger->segments.count,
      .bytes = ledger->bytes,
      .orphan_bytes = ledger->orphan_bytes,
      .chunks = ledger->chunks.count,
      .transit_bytes = ledger->transit_bytes,
      .heap_bytes = sizeof *ledger + ledger->pool.heap_bytes + shmx_table_bytes(&ledger->segments) +
                    shmx_table_bytes(&ledger->chunks) + shmx_table_bytes(&ledger->peers) +
                    ledger->chunks.count * sizeof(struct shmx_ledger_chunk) +
                    ledger->peers.count * sizeof(struct shmx_ledger_peer) +
                    ledger->nmappers * sizeof(struct shmx_mapper),
  };
}

int shmx_ledger_sole_holder(const struct shmx_ledger *ledger, uint32_t number, uint64_t segment, uint64_t *chunk) {
  const struct shmx_ledger_peer *peer = shmx_ledger_find_living(ledger, number);
  struct shmx_entry *entry = peer ? shmx_ledger_find_segment(ledger, segment) : NULL;
  struct shmx_share share = peer ? shmx_ledger_share(entry, peer) : (struct shmx_share){0};
  if (!share.held || !entry->chunk) return -ENOENT;
  *chunk = entry->chunk->node.id;
  return entry->nshares == 1 && share.transit == 0 && entry->task_holds == 0 ? 0 : -EBUSY;
}

void shmx_ledger_seal(struct shmx_ledger *ledger, uint64_t segment) {
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, segment);
  if (entry) entry->sealed = 1;
}
