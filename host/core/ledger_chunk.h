/* SPDX-License-Identifier: MIT */
/*
 * A chunk as the ledger sees it: its segments, who has mapped it, and, once it is orphaned, which pages to give back.
 *
 * A chunk's record begins with its announcement or with the first segment in it, whichever is read first: descriptors
 * travel by socket and messages by ring. It stands in one list at a time: the maker's while the maker lives; then, if
 * it is orphaned, among those to sweep (everything that no segment covers is given back once) and then among the
 * orphans; at last, when it is gone, among those to close.
 *
 * The segments of an orphan are kept in the order of their offsets. Nobody allocates in it any more, so they only get
 * fewer, and a segment's neighbours tell which of its pages nobody else uses.
 */
#ifndef SHMX_CORE_LEDGER_CHUNK_H
#define SHMX_CORE_LEDGER_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ledger_entry.h"
#include "core/ledger_table.h"

struct shmx_ledger_peer;

/* The fact that a peer has mapped a chunk; later, when the chunk is gone, the note that tells it so. */
struct shmx_mapper {
  struct shmx_mapper *next;
  struct shmx_ledger_peer *peer;
  uint64_t chunk;
};

struct shmx_ledger_chunk {
  struct shmx_table_node node;
  struct shmx_ledger_chunk **list; /* the head of the list that it stands in */
  struct shmx_ledger_chunk *before, *after;
  struct shmx_ledger_peer *maker; /* NULL: orphaned */
  struct shmx_entry *segments;
  struct shmx_mapper *mappers;
  uint64_t size;             /* bytes; 0: not announced yet */
  uint64_t extent;           /* where its farthest segment ends, live or not */
  uint64_t bytes;            /* in live segments */
  uint64_t swept;            /* the sweep has come so far */
  struct shmx_entry *cursor; /* and will meet this segment next */
  bool gone;
};

/* Bytes of a chunk, whole pages. */
struct shmx_page_range {
  uint64_t offset, size;
};

/* Moves the chunk to another list, or out of all with NULL. */
void shmx_chunk_move(struct shmx_ledger_chunk *chunk, struct shmx_ledger_chunk **list);

/* The entry's place (offset, size) is set and lies in the chunk. */
void shmx_chunk_link(struct shmx_ledger_chunk *chunk, struct shmx_entry *entry);
void shmx_chunk_unlink(struct shmx_ledger_chunk *chunk, struct shmx_entry *entry);

/* The maker is dead: puts the segments in order, for what follows. */
void shmx_chunk_orphan(struct shmx_ledger_chunk *chunk);

/* The pages which of all segments of the orphaned chunk only this one uses; size 0 when there are none. */
struct shmx_page_range shmx_chunk_own_pages(const struct shmx_entry *entry, uint64_t page_size);

/* The next pages that no segment of the orphaned chunk covers; false when the sweep is over. Goes through the chunk
 * once. */
bool shmx_chunk_sweep(struct shmx_ledger_chunk *chunk, uint64_t page_size, struct shmx_page_range *range);

#endif
