/* SPDX-License-Identifier: MIT */
/*
 * What memory.c and warehouse.c share: the state of a process's memory, and the warehouse, which gets and keeps chunks.
 */
#ifndef SHMX_CORE_MEMORY_PRIVATE_H
#define SHMX_CORE_MEMORY_PRIVATE_H

#include "core/heap.h"
#include "core/idmap.h"
#include "core/link.h"
#include "core/memory.h"

struct shmx_open_handover {
  struct shmx_segment *segment;
  uint64_t number; /* of the NOTIFY in the control ring */
  int64_t since;   /* when that was written; 0: it is not measured */
};

struct shmx_memory {
  struct shmx_link *link; /* NULL while this process works alone */
  uint32_t peer;
  uint64_t segment_serial, chunk_serial;
  uint64_t live;              /* segments with references */
  uint64_t handled;           /* bytes of segments when they got their first reference, and one for each */
  struct shmx_idmap segments; /* shared ones, by id */
  /* the handovers that are not acknowledged yet: a circular queue */
  struct shmx_open_handover *open;
  size_t open_first, open_count, open_capacity;
  struct shmx_histogram *handovers; /* where their times are counted; NULL: nowhere */
  uint64_t opened;                  /* handovers so far */
  /* warehouse.c */
  struct shmx_heap heap;
  struct shmx_heap aside;    /* in what is set aside for messages that have to arrive */
  struct shmx_chunk *small;  /* own chunks for many segments */
  struct shmx_chunk *large;  /* own chunks for one segment each, in use or warm */
  struct shmx_idmap foreign; /* mapped chunks of others, by id */
  uint64_t next_small;       /* size of the next small chunk; 0: of the first */
  uint64_t warm;             /* bytes in large chunks that are free */
  uint64_t warm_serial;
  uint64_t awaited; /* bytes of own segments that wait for FREE */
  uint64_t charged; /* bytes of own chunks */
  uint64_t budget;  /* 0: not asked yet */
  uint64_t served;  /* bytes of the last seat, which the supervisor lets us have */
  uint32_t trimmed; /* the domain's count of trim requests that have been followed */
};

/* A block for a segment of `size` bytes, with the flags of shmx_memory_alloc: warm if possible, else from a new chunk within
 * the budget. 0, or as shmx_memory_alloc. */
int shmx_warehouse_get(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_block **out);
void shmx_warehouse_put(struct shmx_memory *memory, struct shmx_block *block);

/* How much of the budget such a segment needs at least, if nothing is warm. */
uint64_t shmx_warehouse_need(struct shmx_memory *memory, uint64_t size);

/* Worker: waits for memory, as shmx_memory_alloc_wait does between two tries; false when there is nothing to wait for. After
 * the last try shmx_memory_end_wait says that there was one. */
bool shmx_memory_wait(struct shmx_memory *memory, uint64_t size);
void shmx_memory_end_wait(struct shmx_memory *memory);

/* Takes room in the budget for a chunk, giving back what is only warm if need be. 0, -EDQUOT or -E2BIG. */
int shmx_warehouse_charge(struct shmx_memory *memory, uint64_t size);

/* --- budget.c --- */

/* The same with the room that there is; and gives it back. */
int shmx_budget_charge(struct shmx_memory *memory, uint64_t size);
void shmx_budget_uncharge(struct shmx_memory *memory, uint64_t size);

/* Whether a warm chunk of this size, which is charged, is ours to use, or others come first. */
bool shmx_budget_allows_use(struct shmx_memory *memory, uint64_t size);

/* The largest chunk for many segments, bytes, so that the first ones of all processes together take no more than half of
 * the budget or of the pool's cap. */
uint64_t shmx_budget_share(struct shmx_memory *memory);

/* Bytes that all processes have charged, as far as the pool's cap counts them. */
uint64_t shmx_budget_used(struct shmx_memory *memory);

/* --- warehouse.c --- */

/* Takes up a chunk for one segment that was made elsewhere (outside.c); putting its block lets go of it. */
void shmx_warehouse_add(struct shmx_memory *memory, struct shmx_chunk *chunk);

/* Sends the chunk's descriptor to the supervisor, once. 0 or -errno. */
int shmx_warehouse_announce(struct shmx_memory *memory, struct shmx_chunk *chunk);

/* Sends those of all own large chunks if they are many, so that they are closed here and counted there. What fails is told
 * when a segment is handed over. */
void shmx_warehouse_unload(struct shmx_memory *memory);

/* The supervisor's descriptor of a chunk that it knows, *size and SHMX_CHUNK_ flags. Returns it, or -errno. */
int shmx_warehouse_fetch(struct shmx_memory *memory, uint64_t id, uint64_t *size, uint32_t *flags);

/* The mapped chunk with this id, own or foreign; asks the supervisor for its descriptor if need be. 0 or -errno. */
int shmx_warehouse_find(struct shmx_memory *memory, uint64_t id, struct shmx_chunk **out);

/* A foreign chunk is gone: it is unmapped, at once or with the last segment of ours in it. */
void shmx_warehouse_drop(struct shmx_memory *memory, uint64_t id);

/* What a message says of a segment that is frozen (freeze.c), and taking it up from one, before the reference: 0 or
 * -EPROTO. */
uint32_t shmx_freeze_describe(const struct shmx_segment *segment);
int shmx_freeze_adopt(struct shmx_segment *segment, uint32_t frozen);

/* The supervisor is gone: nothing new is allocated in chunks that it knew. */
void shmx_warehouse_retire(struct shmx_memory *memory);

#endif
