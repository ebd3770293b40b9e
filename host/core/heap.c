/* SPDX-License-Identifier: MIT */
/*
 * See heap.h. Invariants: the blocks of a chunk cover it without gaps; two neighbours are never both free; a free block
 * is in the list of its class, and the bits say which lists are not empty.
 */
#include "core/heap.h"

#include <errno.h>
#include <stdlib.h>

#include "os/os.h"

/* The class of a size (in units of SHMX_HEAP_ALIGN): its highest bit, and the four bits below it. */
static void class_of(uint64_t size, unsigned *first, unsigned *second) {
  uint64_t units = size / SHMX_HEAP_ALIGN;
  if (units < SHMX_HEAP_SECOND) {
    *first = 0;
    *second = (unsigned)units;
    return;
  }
  unsigned high = 63 - (unsigned)__builtin_clzll(units);
  *first = high - 3;
  *second = (unsigned)(units >> (high - 4)) & (SHMX_HEAP_SECOND - 1);
}

static void insert(struct shmx_heap *heap, struct shmx_block *block) {
  unsigned f, s;
  class_of(block->size, &f, &s);
  block->free = true;
  block->previous = NULL;
  block->next = heap->lists[f][s];
  if (block->next) block->next->previous = block;
  heap->lists[f][s] = block;
  heap->first |= UINT64_C(1) << f;
  heap->second[f] |= 1U << s;
}

static void take_out(struct shmx_heap *heap, struct shmx_block *block) {
  unsigned f, s;
  class_of(block->size, &f, &s);
  block->free = false;
  if (block->next) block->next->previous = block->previous;
  if (block->previous) {
    block->previous->next = block->next;
    return;
  }
  heap->lists[f][s] = block->next;
  if (block->next) return;
  heap->second[f] &= ~(1U << s);
  if (!heap->second[f]) heap->first &= ~(UINT64_C(1) << f);
}

/* The first block of a class whose every block is large enough: the size is rounded up to the next class. */
static struct shmx_block *find(struct shmx_heap *heap, uint64_t size) {
  uint64_t units = size / SHMX_HEAP_ALIGN;
  if (units >= SHMX_HEAP_SECOND) units += (UINT64_C(1) << (63 - (unsigned)__builtin_clzll(units) - 4)) - 1;
  unsigned f, s;
  class_of(units * SHMX_HEAP_ALIGN, &f, &s);
  uint32_t second = heap->second[f] & (~0U << s);
  if (!second) {
    uint64_t first = f + 1 < 64 ? heap->first & (~UINT64_C(0) << (f + 1)) : 0;
    if (!first) return NULL;
    f = (unsigned)__builtin_ctzll(first);
    second = heap->second[f];
  }
  return heap->lists[f][__builtin_ctz(second)];
}

static struct shmx_block *block_create(struct shmx_chunk *chunk, uint64_t offset, uint64_t size) {
  struct shmx_block *block = calloc(1, sizeof *block);
  if (!block) return NULL;
  block->chunk = chunk;
  block->offset = offset;
  block->size = size;
  return block;
}

int shmx_heap_add(struct shmx_heap *heap, struct shmx_chunk *chunk) {
  struct shmx_block *block = block_create(chunk, 0, chunk->size);
  if (!block) return -ENOMEM;
  block->clean = true;
  chunk->first = block;
  insert(heap, block);
  return 0;
}

void shmx_heap_remove(struct shmx_heap *heap, struct shmx_chunk *chunk) {
  take_out(heap, chunk->first);
  free(chunk->first);
  chunk->first = NULL;
}

void shmx_heap_abandon(struct shmx_heap *heap, struct shmx_chunk *chunk) {
  for (struct shmx_block *block = chunk->first; block; block = block->after)
    if (block->free) take_out(heap, block);
}

/* Leaves the block `size` bytes long, and the rest behind it as a block of its own that is free. */
static void split(struct shmx_heap *heap, struct shmx_block *block, uint64_t size) {
  if (block->size == size) return;
  struct shmx_block *rest = block_create(block->chunk, block->offset + size, block->size - size);
  if (!rest) return; /* the block stays larger than it needs to be */
  rest->clean = block->clean;
  rest->before = block;
  rest->after = block->after;
  if (rest->after) rest->after->before = rest;
  block->after = rest;
  block->size = size;
  insert(heap, rest);
}

static uint64_t round_up(uint64_t size) {
  return size > 0 ? (size + SHMX_HEAP_ALIGN - 1) / SHMX_HEAP_ALIGN * SHMX_HEAP_ALIGN : SHMX_HEAP_ALIGN;
}

struct shmx_block *shmx_heap_alloc(struct shmx_heap *heap, uint64_t size) {
  uint64_t rounded = round_up(size);
  struct shmx_block *block = find(heap, rounded);
  if (!block) return NULL;
  take_out(heap, block);
  split(heap, block, rounded);
  return block;
}

struct shmx_block *shmx_heap_take(struct shmx_heap *heap, struct shmx_chunk *chunk, uint64_t size) {
  struct shmx_block *block = chunk->first;
  take_out(heap, block);
  split(heap, block, round_up(size));
  return block;
}

/* Joins the block with the one behind it, which must not be in a list. */
static void join(struct shmx_block *block) {
  struct shmx_block *gone = block->after;
  block->size += gone->size;
  block->clean = block->clean && gone->clean;
  block->after = gone->after;
  if (block->after) block->after->before = block;
  free(gone);
}

void shmx_heap_free(struct shmx_heap *heap, struct shmx_block *block) {
  block->clean = false;
  if (block->after && block->after->free) {
    take_out(heap, block->after);
    join(block);
  }
  if (block->before && block->before->free) {
    block = block->before;
    take_out(heap, block);
    join(block);
  }
  insert(heap, block);
}

/* Punches the whole pages of a free block. A block that shares its first or last page stays marked as written. */
static uint64_t punch(struct shmx_block *block) {
  uint64_t page = shmx_os_page_size();
  uint64_t from = (block->offset + page - 1) / page * page, to = (block->offset + block->size) / page * page;
  if (to <= from || shmx_os_punch_mapped(block->chunk->base + from, to - from) < 0) return 0;
  block->clean = from == block->offset && to == block->offset + block->size;
  return to - from;
}

uint64_t shmx_heap_trim(struct shmx_heap *heap) {
  uint64_t bytes = 0;
  for (unsigned f = 0; f < SHMX_HEAP_FIRST; f++)
    for (unsigned s = 0; s < SHMX_HEAP_SECOND; s++)
      for (struct shmx_block *block = heap->lists[f][s]; block; block = block->next)
        if (!block->clean) bytes += punch(block);
  return bytes;
}
