/* SPDX-License-Identifier: MIT */
/*
 * The inside of the ledger, shared by ledger.c (its life, what is freed, what there is to say and to do),
 * ledger_message.c (what each message means) and ledger_death.c (what a death means).
 *
 * A segment goes through: *hearsay* (a receiver's message about it was read before its maker's; nothing but the id is
 * known), *placed* (its maker has said where it lies), *condemned* (nobody keeps it; it stands in a queue), and
 * *freed*: then it is out of the table, and its entry itself is the note for the maker or the chore for the supervisor
 * until that is taken. So nothing has to be allocated in order to say something, and whoever dies takes its notes with
 * it.
 */
#ifndef SHMX_CORE_LEDGER_STATE_H
#define SHMX_CORE_LEDGER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ledger.h"
#include "core/ledger_chunk.h"
#include "core/ledger_entry.h"
#include "core/ledger_table.h"

struct shmx_ledger_peer {
  struct shmx_table_node node; /* its number */
  bool dead, read_to_end;      /* with both it is forgotten */
  uint64_t shares;             /* segments in which it has one */
  uint64_t maps;               /* chunks that it has mapped */
  struct shmx_ledger_chunk *chunks;
  struct shmx_entry_queue frees; /* notes: its segments that are free */
  struct shmx_mapper *drops;     /* notes: its mappings that are to go */
};

struct shmx_ledger {
  uint64_t page_size;
  struct shmx_table segments, chunks, peers;
  struct shmx_entry_pool pool;
  struct shmx_ledger_peer *main;
  uint32_t newest;                   /* the highest peer number so far */
  uint64_t last_serial;              /* the highest of a worker's segment or chunk that has been heard of */
  uint32_t pass;                     /* passes begun */
  struct shmx_entry_queue condemned; /* and some that were held again since */
  struct shmx_entry_queue punches;   /* chores; the pages lie at node.id, size bytes */
  struct shmx_ledger_chunk *sweeps, *orphans, *closes;
  size_t nmappers;
  uint64_t bytes, orphan_bytes, transit_bytes;
};

/* The most bytes that a chunk can have: those of a file. */
#define SHMX_CHUNK_SIZE_MAX ((uint64_t)INT64_MAX)

/* NULL when the number was never given, or is forgotten. */
static inline struct shmx_ledger_peer *shmx_ledger_find_peer(const struct shmx_ledger *ledger, uint32_t number) {
  return (struct shmx_ledger_peer *)shmx_table_find(&ledger->peers, number);
}

static inline struct shmx_ledger_peer *shmx_ledger_find_living(const struct shmx_ledger *ledger, uint32_t number) {
  struct shmx_ledger_peer *peer = shmx_ledger_find_peer(ledger, number);
  return peer && !peer->dead ? peer : NULL;
}

static inline struct shmx_ledger_chunk *shmx_ledger_find_chunk(const struct shmx_ledger *ledger, uint64_t id) {
  return (struct shmx_ledger_chunk *)shmx_table_find(&ledger->chunks, id);
}

static inline struct shmx_entry *shmx_ledger_find_segment(const struct shmx_ledger *ledger, uint64_t id) {
  return (struct shmx_entry *)shmx_table_find(&ledger->segments, id);
}

/* Was the segment or chunk made by the peer, as its id says? */
static inline bool shmx_ledger_is_maker(const struct shmx_ledger_peer *peer, uint64_t id) {
  return shmx_id_maker(id) == peer->node.id && shmx_id_serial(id);
}

/* The bytes by which a segment adds to those on their way to main. */
static inline uint64_t shmx_ledger_on_the_way(const struct shmx_entry *entry) {
  return entry->given && !entry->main_holds ? entry->size : 0;
}

/* Nobody keeps the segment: it is freed at the end of the first full pass that begins from now on. */
void shmx_ledger_condemn(struct shmx_ledger *ledger, struct shmx_entry *entry);

/* The share of a peer in a segment, all zero if it has none (or there is no such segment). */
struct shmx_share shmx_ledger_share(struct shmx_entry *entry, const struct shmx_ledger_peer *peer);

/* Sets the share of a peer in a segment, for which there must be room if it is new, and condemns the segment if
 * nothing is left. */
void shmx_ledger_change(struct shmx_ledger *ledger, struct shmx_entry *entry, struct shmx_ledger_peer *peer, bool held,
                        int32_t transit);

/* A worker has made this segment or chunk. */
void shmx_ledger_note_serial(struct shmx_ledger *ledger, uint64_t id);

/* A chunk of which only the id is known. NULL without memory. */
struct shmx_ledger_chunk *shmx_ledger_add_chunk(struct shmx_ledger *ledger, struct shmx_ledger_peer *maker,
                                                uint64_t id);

/* The chunk holds no segment and never will again: its mappers are to be told, its descriptor is to be closed. One
 * whose descriptor has not come yet waits for it, or for its maker's death. */
void shmx_ledger_retire(struct shmx_ledger *ledger, struct shmx_ledger_chunk *chunk);

/* Main has read the peer's results to the end, or never will; this takes effect once it is dead. */
void shmx_ledger_read_to_end(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer);

#endif
