/* SPDX-License-Identifier: MIT */
/*
 * The allocator against a map of which 64-byte unit belongs to whom.
 */
#include "check.h"
#include "core/heap.h"
#include "os/os.h"

enum { CHUNKS = 3, CHUNK_BYTES = 2 << 20, UNITS = CHUNK_BYTES / SHMX_HEAP_ALIGN, LIVE = 400, STEPS = 60000 };

static struct shmx_heap heap;
static struct shmx_chunk *chunks[CHUNKS];
static unsigned char owner[CHUNKS][UNITS]; /* 1: used */

static void open_chunks(void) {
  for (unsigned i = 0; i < CHUNKS; i++) {
    CHECK(shmx_chunk_create(i + 1, CHUNK_BYTES, 0, &chunks[i]) == 0);
    CHECK(shmx_heap_add(&heap, chunks[i]) == 0);
  }
}

static void close_chunks(void) {
  for (unsigned i = 0; i < CHUNKS; i++) {
    shmx_heap_remove(&heap, chunks[i]);
    shmx_chunk_destroy(chunks[i]);
  }
  CHECK(heap.first == 0);
}

static void mark(const struct shmx_block *block, unsigned char from, unsigned char to) {
  uint64_t first = block->offset / SHMX_HEAP_ALIGN, count = block->size / SHMX_HEAP_ALIGN;
  unsigned char *units = owner[block->chunk->id - 1];
  CHECK(block->offset % SHMX_HEAP_ALIGN == 0 && block->size % SHMX_HEAP_ALIGN == 0);
  CHECK(first + count <= UNITS && count > 0);
  for (uint64_t i = first; i < first + count; i++) {
    CHECK(units[i] == from);
    units[i] = to;
  }
}

/* The blocks cover their chunk without gaps, free neighbours are joined, and what is free is what nobody owns. */
static void check_chunk(const struct shmx_chunk *chunk) {
  uint64_t at = 0;
  const struct shmx_block *before = NULL;
  for (const struct shmx_block *block = chunk->first; block; block = block->after) {
    CHECK(block->offset == at && block->before == before && block->chunk == chunk);
    CHECK(!before || !before->free || !block->free);
    CHECK(owner[chunk->id - 1][at / SHMX_HEAP_ALIGN] == !block->free);
    at += block->size;
    before = block;
  }
  CHECK(at == CHUNK_BYTES);
}

static uint64_t random_size(void) {
  unsigned bits = (unsigned)rand() % 17;
  return (uint64_t)rand() & ((UINT64_C(1) << bits) - 1);
}

static void random_use_never_overlaps_and_joins_again(void) {
  struct shmx_block *live[LIVE] = {NULL};
  open_chunks();
  srand(11);
  for (int step = 0; step < STEPS; step++) {
    struct shmx_block **place = &live[rand() % LIVE];
    if (*place) {
      mark(*place, 1, 0);
      shmx_heap_free(&heap, *place);
      *place = NULL;
    } else {
      uint64_t size = random_size();
      *place = shmx_heap_alloc(&heap, size);
      CHECK(!*place || ((*place)->size >= size && !(*place)->free));
      if (*place) mark(*place, 0, 1);
    }
    if (step % 500 == 0) check_chunk(chunks[step / 500 % CHUNKS]);
  }
  for (int i = 0; i < LIVE; i++)
    if (live[i]) {
      mark(live[i], 1, 0);
      shmx_heap_free(&heap, live[i]);
    }
  for (int i = 0; i < CHUNKS; i++) {
    check_chunk(chunks[i]);
    CHECK(!chunks[i]->first->after);
  }
  close_chunks();
}

static void what_does_not_fit_is_refused(void) {
  open_chunks();
  CHECK(!shmx_heap_alloc(&heap, CHUNK_BYTES + 1));
  struct shmx_block *whole[CHUNKS];
  for (int i = 0; i < CHUNKS; i++) CHECK((whole[i] = shmx_heap_alloc(&heap, CHUNK_BYTES)) != NULL);
  CHECK(!shmx_heap_alloc(&heap, 0));
  for (int i = 0; i < CHUNKS; i++) shmx_heap_free(&heap, whole[i]);
  close_chunks();
}

static void a_free_chunk_can_be_taken_whole_or_in_part(void) {
  const uint64_t sizes[] = {0, 64, 100000, CHUNK_BYTES - 1, CHUNK_BYTES};
  open_chunks();
  for (int i = 0; i < 5; i++) {
    struct shmx_chunk *chunk = chunks[i % CHUNKS];
    struct shmx_block *block = shmx_heap_take(&heap, chunk, sizes[i]);
    CHECK(block->chunk == chunk && block->offset == 0 && block->size >= sizes[i] && !block->free);
    mark(block, 0, 1);
    check_chunk(chunk);
    mark(block, 1, 0);
    shmx_heap_free(&heap, block);
  }
  close_chunks();
}

/* What says clean reads as zero: before its first use, and after a trim; and not in between. */
static void clean_means_zero(void) {
  open_chunks();
  struct shmx_block *first = shmx_heap_alloc(&heap, 300000), *second = shmx_heap_alloc(&heap, 64);
  CHECK(first->clean && second->clean && first->chunk == second->chunk);
  memset(first->chunk->base + first->offset, 1, first->size);
  shmx_heap_free(&heap, first);
  CHECK(!second->before->clean);
  CHECK(shmx_heap_trim(&heap) >= 280000);
  struct shmx_block *again = shmx_heap_alloc(&heap, 200000);
  const char *bytes = again->chunk->base + again->offset;
  for (uint64_t i = 0; again->clean && i < again->size; i++) CHECK(bytes[i] == 0);
  shmx_heap_free(&heap, again);
  shmx_heap_free(&heap, second);
  shmx_heap_trim(&heap);
  for (int i = 0; i < CHUNKS; i++) {
    CHECK(chunks[i]->first->clean && !chunks[i]->first->after);
    for (uint64_t at = 0; at < CHUNK_BYTES; at++) CHECK(chunks[i]->base[at] == 0);
  }
  CHECK(shmx_heap_trim(&heap) == 0);
  close_chunks();
}

static void an_abandoned_chunk_is_never_allocated_from(void) {
  open_chunks();
  struct shmx_block *used = shmx_heap_alloc(&heap, 1000);
  shmx_heap_abandon(&heap, used->chunk);
  int others = 0;
  for (struct shmx_block *other; (other = shmx_heap_alloc(&heap, 100000)); others++) CHECK(other->chunk != used->chunk);
  CHECK(others >= 2 * (CHUNK_BYTES / 110000));
}

static const struct test tests[] = {
    {"random_use_never_overlaps_and_joins_again", random_use_never_overlaps_and_joins_again},
    {"what_does_not_fit_is_refused", what_does_not_fit_is_refused},
    {"a_free_chunk_can_be_taken_whole_or_in_part", a_free_chunk_can_be_taken_whole_or_in_part},
    {"clean_means_zero", clean_means_zero},
    {"an_abandoned_chunk_is_never_allocated_from", an_abandoned_chunk_is_never_allocated_from},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
