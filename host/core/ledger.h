/* SPDX-License-Identifier: MIT */
/*
 * The ledger: which segments exist, who holds them, what is in transit; and from that, what may be freed.
 *
 * A state machine without I/O: it takes events (messages that the supervisor read from the rings, births and deaths)
 * and is asked what there is to say (notes for a process) and to do (chores for the supervisor). It queues nothing: a
 * note is derived from marks on the segments and chunks when there is room to write it, so it needs no memory for it.
 *
 * A segment is kept while any of these is true: a peer holds it; a task on the board holds it; the count in transit
 * of any (giver, receiver) pair is not zero. Counts in transit may be negative for a while, since the receiver's HOLD
 * can be read before the giver's NOTIFY. Otherwise it is *condemned*; it is freed at the end of the first full pass
 * that began after it was condemned, unless it was held again meanwhile. Freed means: a note FREE for its maker or,
 * when the maker is dead, a chore PUNCH for the whole pages that no other segment of the orphaned chunk uses.
 */
#ifndef SHMX_CORE_LEDGER_H
#define SHMX_CORE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/message.h"

struct shmx_ledger;

enum shmx_chore_type {
  SHMX_CHORE_NONE = 0,
  SHMX_CHORE_PUNCH = 1, /* give back the pages [offset, offset + size) of an orphaned chunk */
  SHMX_CHORE_CLOSE = 2  /* the chunk is empty and orphaned, or gone: close its descriptor and forget it */
};

struct shmx_chore {
  enum shmx_chore_type type;
  uint64_t chunk;
  uint64_t offset; /* bytes; a multiple of the page size */
  uint64_t size;   /* bytes; a multiple of the page size */
};

struct shmx_ledger_stats {
  uint64_t segments;      /* live */
  uint64_t bytes;         /* in live segments */
  uint64_t orphan_bytes;  /* of these, in segments whose maker is dead */
  uint64_t chunks;        /* known */
  uint64_t transit_bytes; /* in segments that are on their way to main and not held by it */
  size_t heap_bytes;      /* what the ledger itself has allocated */
};

/* Returns a new ledger in which only main (SHMX_PEER_MAIN) has joined, or NULL without memory. */
struct shmx_ledger *shmx_ledger_create(uint64_t page_size);
void shmx_ledger_destroy(struct shmx_ledger *ledger);

/* A process is started under this number. 0, -ENOMEM, or -EEXIST: there is one of that number, or something that one has made,
 * or it can be nobody's. */
int shmx_ledger_join(struct shmx_ledger *ledger, uint32_t peer);

/* The highest serial number in the id of a worker's segment or chunk that has been heard of so far. */
uint64_t shmx_ledger_last_serial(const struct shmx_ledger *ledger);

/* `maker` has sent the descriptor of a chunk of `size` bytes. 0, -ENOMEM, or -EPROTO when the id is not the maker's own
 * or is already known. */
int shmx_ledger_chunk(struct shmx_ledger *ledger, uint32_t maker, uint64_t chunk, uint64_t size);

/* `peer` gets the descriptor of the chunk and will map it. 0, -ENOMEM, or -ENOENT when the chunk is not known. */
int shmx_ledger_map(struct shmx_ledger *ledger, uint32_t peer, uint64_t chunk);

/* One message that `from` wrote to its ring. 0, -ENOMEM, or -EPROTO when `from` could not have meant it: an unknown
 * type; a NOTIFY of a segment it does not hold and did not make, or to anyone but main; a RELEASE without a hold;
 * TASK_* or READ_TO_END from a worker; a segment of its own at a place that differs from what it said before or exceeds
 * the chunk, and so on. Where a segment lies is its maker's word alone: what others repeat was told to them, and they
 * are not blamed for it. After an error the ledger is unchanged; after -EPROTO the caller replaces the sender. */
int shmx_ledger_message(struct shmx_ledger *ledger, uint32_t from, const struct shmx_message *message);

/* `peer` is dead and its ring and socket have been read to their end: its holds are dropped, its chunks orphaned, and
 * notes to it forgotten. What it gave stays in transit until the receiver has answered or READ_TO_END comes. */
void shmx_ledger_died(struct shmx_ledger *ledger, uint32_t peer);

/* Whether `peer` is the only one that keeps the segment, so that nobody else can get at it but by the peer's doing; *chunk
 * is where it lies. 0, -EBUSY when others keep it too, or -ENOENT when the peer does not hold it. */
int shmx_ledger_sole_holder(const struct shmx_ledger *ledger, uint32_t peer, uint64_t segment, uint64_t *chunk);

/* The chunk has been sealed because of the segment: when that is free, its maker is told. */
void shmx_ledger_seal(struct shmx_ledger *ledger, uint64_t segment);

/* A pass over all control rings begins, or is over. The caller guarantees that each ring was read at least to the write
 * index that it loaded after shmx_ledger_pass_begin. */
void shmx_ledger_pass_begin(struct shmx_ledger *ledger);
void shmx_ledger_pass_end(struct shmx_ledger *ledger);

/* True while a condemned segment waits for a pass: the caller should not sleep before it has made one. */
bool shmx_ledger_wants_pass(const struct shmx_ledger *ledger);

/* Takes the next note for `peer` and forgets it; false when there is none. Amortised O(1). */
bool shmx_ledger_next_note(struct shmx_ledger *ledger, uint32_t peer, struct shmx_note *note);

/* Takes the next chore; false when there is none. */
bool shmx_ledger_next_chore(struct shmx_ledger *ledger, struct shmx_chore *chore);

void shmx_ledger_stats(const struct shmx_ledger *ledger, struct shmx_ledger_stats *stats);

/* A segment that somebody keeps, and how far it is known: `chunk` 0 means that its maker has not been heard of yet. */
struct shmx_ledger_view {
  uint64_t segment, chunk, size;
  uint32_t offset, task_holds;
  bool in_transit;
};
struct shmx_share;
typedef void shmx_ledger_visit(void *context, const struct shmx_ledger_view *view, const struct shmx_share *shares,
                               uint32_t nshares);

/* Calls `visit` for each segment that somebody keeps, or only for the one with this id (0: all). */
void shmx_ledger_survey(const struct shmx_ledger *ledger, uint64_t segment, shmx_ledger_visit *visit, void *context);

#endif
