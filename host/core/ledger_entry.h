/* SPDX-License-Identifier: MIT */
/*
 * A segment as the ledger sees it: where it lies, which peers have a share in it, and the queue it stands in.
 *
 * A *share* is what one peer has to do with a segment: whether it holds it, and how many times it has given it to main
 * without main's answer having been read. (Main is the only receiver of what is in transit, so the pair of giver and
 * receiver is the giver.) A share in which nothing is left is removed; so a segment is kept exactly while it has a
 * share or a task holds it. Two shares, the usual maker and receiver, lie in the entry itself.
 */
#ifndef SHMX_CORE_LEDGER_ENTRY_H
#define SHMX_CORE_LEDGER_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ledger_table.h"
#include "core/message.h"

enum { SHMX_SHARES_INLINE = 2 };

struct shmx_share {
  uint32_t peer : 24;
  uint32_t held : 1;
  int32_t transit; /* given to main and not yet answered; negative while the answer is known and the giving is not */
};

struct shmx_ledger_chunk;

struct shmx_entry {
  struct shmx_table_node node;       /* the segment's id */
  struct shmx_entry *link;           /* in the queue that it stands in, if any */
  struct shmx_ledger_chunk *chunk;   /* NULL until its maker has said where it lies */
  struct shmx_entry *before, *after; /* in the chunk */
  uint64_t size;                     /* bytes; 0 while `chunk` is NULL */
  uint32_t offset;                   /* bytes */
  uint32_t task_holds;
  union {
    struct shmx_share few[SHMX_SHARES_INLINE];
    struct {
      struct shmx_share *many; /* owned */
      uint32_t capacity;
    };
  };
  uint32_t nshares;
  uint32_t given : 24;  /* shares with a positive count in transit */
  uint32_t spilled : 1; /* the shares are in `many` */
  uint32_t main_holds : 1;
  uint32_t condemned : 1; /* stands in the queue of the condemned, though it may have been held again since */
  uint32_t pass : 1;      /* parity of the number of passes begun when it was condemned last */
  uint32_t sealed : 1;    /* so is its chunk, which has nothing else in it */
};

/* First in, first out, through entry->link. */
struct shmx_entry_queue {
  struct shmx_entry *first, *last;
};

/* Where entries come from: slabs, which are given back when the last entry is. */
struct shmx_entry_pool {
  struct shmx_entry_slab *slabs;
  struct shmx_entry *free;
  size_t used; /* entries */
  size_t nslabs;
  size_t heap_bytes; /* slabs and spilled shares */
};

void shmx_entry_pool_fini(struct shmx_entry_pool *pool);

/* A zeroed entry with this id, or NULL without memory. */
struct shmx_entry *shmx_entry_create(struct shmx_entry_pool *pool, uint64_t id);
void shmx_entry_destroy(struct shmx_entry_pool *pool, struct shmx_entry *entry);

void shmx_entry_push(struct shmx_entry_queue *queue, struct shmx_entry *entry);
/* NULL when the queue is empty. */
struct shmx_entry *shmx_entry_pop(struct shmx_entry_queue *queue);

static inline bool shmx_entry_kept(const struct shmx_entry *entry) { return entry->nshares || entry->task_holds; }

/* The shares, entry->nshares of them. */
static inline struct shmx_share *shmx_entry_shares(struct shmx_entry *entry) {
  return entry->spilled ? entry->many : entry->few;
}

/* NULL when the peer has none. */
struct shmx_share *shmx_entry_share(struct shmx_entry *entry, uint32_t peer);

/* Makes room for so many shares more: 0 or -ENOMEM. */
int shmx_entry_reserve(struct shmx_entry_pool *pool, struct shmx_entry *entry, uint32_t more);
/* A new, empty share of the peer; there must be room. */
struct shmx_share *shmx_entry_add_share(struct shmx_entry *entry, uint32_t peer);
/* Shares move: pointers to those of this entry are invalid afterwards. */
void shmx_entry_remove_share(struct shmx_entry_pool *pool, struct shmx_entry *entry, struct shmx_share *share);

#endif
