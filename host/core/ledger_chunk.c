/* SPDX-License-Identifier: MIT */
/*
 * Chunks of the ledger: lists, and the arithmetic of pages of those whose maker is dead. A dead process's claims may
 * overlap if it lied; then its own segments may lose pages to each other, and nobody else's do.
 */
#include "core/ledger_chunk.h"

#include <stddef.h>

static uint64_t page_floor(uint64_t offset, uint64_t page_size) { return offset - offset % page_size; }

static uint64_t page_ceil(uint64_t offset, uint64_t page_size) { return page_floor(offset + page_size - 1, page_size); }

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t end_of(const struct shmx_entry *entry) { return entry->offset + entry->size; }

static struct shmx_page_range range_of(uint64_t from, uint64_t to) {
  return (struct shmx_page_range){from, to > from ? to - from : 0};
}

void shmx_chunk_move(struct shmx_ledger_chunk *chunk, struct shmx_ledger_chunk **list) {
  if (chunk->list) {
    if (chunk->after) chunk->after->before = chunk->before;
    *(chunk->before ? &chunk->before->after : chunk->list) = chunk->after;
  }
  chunk->list = list;
  chunk->before = NULL;
  chunk->after = list ? *list : NULL;
  if (chunk->after) chunk->after->before = chunk;
  if (list) *list = chunk;
}

void shmx_chunk_link(struct shmx_ledger_chunk *chunk, struct shmx_entry *entry) {
  entry->chunk = chunk;
  entry->before = NULL;
  entry->after = chunk->segments;
  if (entry->after) entry->after->before = entry;
  chunk->segments = entry;
  chunk->extent = larger(chunk->extent, end_of(entry));
  chunk->bytes += entry->size;
}

void shmx_chunk_unlink(struct shmx_ledger_chunk *chunk, struct shmx_entry *entry) {
  if (chunk->cursor == entry) chunk->cursor = entry->after;
  if (entry->after) entry->after->before = entry->before;
  *(entry->before ? &entry->before->after : &chunk->segments) = entry->after;
  chunk->bytes -= entry->size;
}

/* Merges two lists that are ordered by offset. */
static struct shmx_entry *merge(struct shmx_entry *a, struct shmx_entry *b) {
  struct shmx_entry *first = NULL, **at = &first;
  while (a && b) {
    struct shmx_entry **least = a->offset <= b->offset ? &a : &b;
    *at = *least;
    at = &(*at)->after;
    *least = (*least)->after;
  }
  *at = a ? a : b;
  return first;
}

/* Merge sort from the bottom: runs[i] is empty or an ordered list of 2^i entries; the last one takes the rest. */
static struct shmx_entry *sort(struct shmx_entry *entry) {
  enum { RUNS = 40 };
  struct shmx_entry *runs[RUNS] = {0}, *sorted = NULL, *next;
  for (; entry; entry = next) {
    next = entry->after;
    entry->after = NULL;
    size_t i = 0;
    for (; i < RUNS - 1 && runs[i]; i++) {
      entry = merge(runs[i], entry);
      runs[i] = NULL;
    }
    runs[i] = merge(runs[i], entry);
  }
  for (size_t i = 0; i < RUNS; i++) sorted = merge(runs[i], sorted);
  return sorted;
}

void shmx_chunk_orphan(struct shmx_ledger_chunk *chunk) {
  chunk->maker = NULL;
  chunk->segments = sort(chunk->segments);
  struct shmx_entry *before = NULL;
  for (struct shmx_entry *entry = chunk->segments; entry; entry = entry->after) {
    entry->before = before;
    before = entry;
  }
  chunk->swept = 0;
  chunk->cursor = chunk->segments;
}

struct shmx_page_range shmx_chunk_own_pages(const struct shmx_entry *entry, uint64_t page_size) {
  uint64_t from = page_floor(entry->offset, page_size), to = page_ceil(end_of(entry), page_size);
  if (entry->before) from = larger(from, page_ceil(end_of(entry->before), page_size));
  if (entry->after) to = smaller(to, page_floor(entry->after->offset, page_size));
  return range_of(from, to);
}

bool shmx_chunk_sweep(struct shmx_ledger_chunk *chunk, uint64_t page_size, struct shmx_page_range *range) {
  while (chunk->swept < chunk->size) {
    const struct shmx_entry *next = chunk->cursor;
    uint64_t from = page_ceil(chunk->swept, page_size);
    uint64_t to = next ? page_floor(next->offset, page_size) : page_ceil(chunk->size, page_size);
    chunk->swept = next ? larger(chunk->swept, end_of(next)) : chunk->size;
    chunk->cursor = next ? next->after : NULL;
    *range = range_of(from, to);
    if (range->size) return true;
  }
  return false;
}
