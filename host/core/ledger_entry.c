/* SPDX-License-Identifier: MIT */
/*
 * Entries of the ledger: their pool, their queues and their shares. An entry takes 88 bytes, so that it and its part of
 * the hash table stay below the 128 bytes that a live segment may cost.
 */
#include "core/ledger_entry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_ENTRIES = 256 };

struct shmx_entry_slab {
  struct shmx_entry_slab *next;
  struct shmx_entry entries[SLAB_ENTRIES];
};

_Static_assert(sizeof(struct shmx_share) == 8, "a share is 8 bytes");
_Static_assert(sizeof(void *) != 8 || sizeof(struct shmx_entry) == 88, "an entry is 88 bytes");

static void slab_offer(struct shmx_entry_pool *pool, struct shmx_entry_slab *slab) {
  for (size_t i = SLAB_ENTRIES; i-- > 0;) {
    slab->entries[i].link = pool->free;
    pool->free = &slab->entries[i];
  }
}

static int pool_grow(struct shmx_entry_pool *pool) {
  struct shmx_entry_slab *slab = malloc(sizeof *slab);
  if (!slab) return -ENOMEM;
  slab->next = pool->slabs;
  pool->slabs = slab;
  pool->nslabs++;
  pool->heap_bytes += sizeof *slab;
  slab_offer(pool, slab);
  return 0;
}

/* No entry is in use: keeps one slab, so that a ledger that is now and then empty does not allocate each time. */
static void pool_trim(struct shmx_entry_pool *pool) {
  while (pool->nslabs > 1) {
    struct shmx_entry_slab *slab = pool->slabs;
    pool->slabs = slab->next;
    pool->nslabs--;
    pool->heap_bytes -= sizeof *slab;
    free(slab);
  }
  pool->free = NULL;
  slab_offer(pool, pool->slabs);
}

static void spill_free(struct shmx_entry_pool *pool, struct shmx_entry *entry) {
  if (!entry->spilled) return;
  pool->heap_bytes -= entry->capacity * sizeof *entry->many;
  free(entry->many);
  entry->spilled = 0;
}

void shmx_entry_pool_fini(struct shmx_entry_pool *pool) {
  struct shmx_entry_slab *slab, *next;
  for (slab = pool->slabs; slab; slab = next) {
    next = slab->next;
    free(slab);
  }
  *pool = (struct shmx_entry_pool){0};
}

struct shmx_entry *shmx_entry_create(struct shmx_entry_pool *pool, uint64_t id) {
  if (!pool->free && pool_grow(pool) < 0) return NULL;
  struct shmx_entry *entry = pool->free;
  pool->free = entry->link;
  pool->used++;
  *entry = (struct shmx_entry){.node.id = id};
  return entry;
}

void shmx_entry_destroy(struct shmx_entry_pool *pool, struct shmx_entry *entry) {
  spill_free(pool, entry);
  entry->link = pool->free;
  pool->free = entry;
  if (--pool->used == 0 && pool->nslabs > 1) pool_trim(pool);
}

void shmx_entry_push(struct shmx_entry_queue *queue, struct shmx_entry *entry) {
  entry->link = NULL;
  if (queue->first) {
    queue->last->link = entry;
  } else {
    queue->first = entry;
  }
  queue->last = entry;
}

struct shmx_entry *shmx_entry_pop(struct shmx_entry_queue *queue) {
  struct shmx_entry *entry = queue->first;
  if (entry) queue->first = entry->link;
  return entry;
}

struct shmx_share *shmx_entry_share(struct shmx_entry *entry, uint32_t peer) {
  struct shmx_share *shares = shmx_entry_shares(entry);
  for (uint32_t i = 0; i < entry->nshares; i++)
    if (shares[i].peer == peer) return &shares[i];
  return NULL;
}

int shmx_entry_reserve(struct shmx_entry_pool *pool, struct shmx_entry *entry, uint32_t more) {
  uint32_t need = entry->nshares + more, room = entry->spilled ? entry->capacity : SHMX_SHARES_INLINE;
  if (need <= room) return 0;
  uint32_t capacity = 2 * need;
  struct shmx_share *many = malloc(capacity * sizeof *many);
  if (!many) return -ENOMEM;
  memcpy(many, shmx_entry_shares(entry), entry->nshares * sizeof *many);
  spill_free(pool, entry);
  entry->many = many;
  entry->capacity = capacity;
  entry->spilled = 1;
  pool->heap_bytes += capacity * sizeof *many;
  return 0;
}

struct shmx_share *shmx_entry_add_share(struct shmx_entry *entry, uint32_t peer) {
  assert(entry->nshares < (entry->spilled ? entry->capacity : SHMX_SHARES_INLINE));
  struct shmx_share *share = &shmx_entry_shares(entry)[entry->nshares++];
  *share = (struct shmx_share){.peer = peer & SHMX_PEER_MAX};
  return share;
}

void shmx_entry_remove_share(struct shmx_entry_pool *pool, struct shmx_entry *entry, struct shmx_share *share) {
  *share = shmx_entry_shares(entry)[--entry->nshares];
  if (!entry->spilled || entry->nshares > SHMX_SHARES_INLINE) return;
  struct shmx_share few[SHMX_SHARES_INLINE];
  memcpy(few, entry->many, entry->nshares * sizeof *few);
  spill_free(pool, entry);
  memcpy(entry->few, few, entry->nshares * sizeof *few);
}
