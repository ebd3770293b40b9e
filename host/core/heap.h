/* SPDX-License-Identifier: MIT */
/*
 * The allocator inside a process's own chunks: two-level segregated fit with immediate coalescing, so that allocating
 * and freeing take constant time and fragmentation stays low.
 *
 * Source: M. Masmano, I. Ripoll, A. Crespo, J. Real, "TLSF: a new dynamic memory allocator for real-time systems",
 * ECRTS 2004. Unlike there, the descriptors of the blocks lie in private memory: nothing that another process writes
 * into a chunk can confuse the allocator, and a crash cannot leave it half changed for anybody.
 */
#ifndef SHMX_CORE_HEAP_H
#define SHMX_CORE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/chunk.h"

enum {
  SHMX_HEAP_ALIGN = 64,  /* a cache line: two arrays never share one */
  SHMX_HEAP_SECOND = 16, /* second-level classes of each power of two */
  SHMX_HEAP_FIRST = 40
};

struct shmx_block {
  struct shmx_chunk *chunk;
  uint64_t offset, size;              /* multiples of SHMX_HEAP_ALIGN */
  struct shmx_block *before, *after;  /* neighbours in the chunk */
  struct shmx_block *previous, *next; /* of the same class, while free */
  bool free;
  bool clean; /* never written since the kernel gave its pages: reads as zero */
};

struct shmx_heap {
  uint64_t first;                   /* bit i: some class of first[i] is not empty */
  uint32_t second[SHMX_HEAP_FIRST]; /* the same one level down */
  struct shmx_block *lists[SHMX_HEAP_FIRST][SHMX_HEAP_SECOND];
};

/* Makes the whole chunk one free block. 0 or -ENOMEM. */
int shmx_heap_add(struct shmx_heap *heap, struct shmx_chunk *chunk);

/* Takes the chunk out, which must have no used block. */
void shmx_heap_remove(struct shmx_heap *heap, struct shmx_chunk *chunk);

/* A block of at least `size` bytes in any of the chunks; NULL: none is free, or no memory for a descriptor. */
struct shmx_block *shmx_heap_alloc(struct shmx_heap *heap, uint64_t size);

/* The first bytes of a chunk that is all free. `size` is not more than it has. Cannot fail. */
struct shmx_block *shmx_heap_take(struct shmx_heap *heap, struct shmx_chunk *chunk, uint64_t size);

/* Frees the block, which was written to. */
void shmx_heap_free(struct shmx_heap *heap, struct shmx_block *block);

/* Gives the whole pages of free blocks that are not clean back to the kernel; returns the bytes. */
uint64_t shmx_heap_trim(struct shmx_heap *heap);

/* Forgets the chunk's blocks without a look at the lists: for a chunk that will never be allocated from again. */
void shmx_heap_abandon(struct shmx_heap *heap, struct shmx_chunk *chunk);

#endif
