/* SPDX-License-Identifier: MIT */
/*
 * A ring: a queue of fixed-size records in shared memory with one writer and one reader.
 *
 * The indexes run freely and are masked on use. The writer fills a record and then stores `write` (release); the reader
 * loads `write` (acquire), copies the record, and then stores `read`. A process that dies between two of these leaves
 * the ring as it was before or after the record, never in between.
 *
 * Each side keeps its own index in private memory and takes from the shared struct only the other side's, checked: an
 * index that cannot be (the other side scribbled over it) is reported, not followed.
 */
#ifndef SHMX_CORE_RING_H
#define SHMX_CORE_RING_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct shmx_ring_shm {
  _Alignas(64) _Atomic uint64_t write; /* the writer's: records written so far */
  _Alignas(64) _Atomic uint64_t read;  /* the reader's: records read, and taken note of, so far */
};

/* One side's handle. */
struct shmx_ring {
  struct shmx_ring_shm *shm;
  char *records;
  uint32_t capacity; /* records; a power of two */
  uint32_t record_size;
  uint64_t index; /* our own */
  uint64_t other; /* the other side's, as last seen */
};

static inline void shmx_ring_init(struct shmx_ring *ring, struct shmx_ring_shm *shm, void *records, uint32_t capacity,
                                  uint32_t record_size) {
  *ring = (struct shmx_ring){.shm = shm, .records = records, .capacity = capacity, .record_size = record_size};
}

static inline char *shmx_ring_place(const struct shmx_ring *ring, uint64_t index) {
  return ring->records + (index & (ring->capacity - 1)) * ring->record_size;
}

/* Writer: true when there is room for a record. */
static inline bool shmx_ring_has_room(struct shmx_ring *ring) {
  if (ring->index - ring->other < ring->capacity) return true;
  ring->other = atomic_load_explicit(&ring->shm->read, memory_order_acquire);
  return ring->index - ring->other < ring->capacity;
}

/* Writer: appends a record; false when the ring is full. */
static inline bool shmx_ring_push(struct shmx_ring *ring, const void *record) {
  if (!shmx_ring_has_room(ring)) return false;
  memcpy(shmx_ring_place(ring, ring->index), record, ring->record_size);
  atomic_store_explicit(&ring->shm->write, ++ring->index, memory_order_release);
  return true;
}

/* Reader: how many records can be read; -EPROTO when the writer's index cannot be. */
static inline int64_t shmx_ring_available(struct shmx_ring *ring) {
  ring->other = atomic_load_explicit(&ring->shm->write, memory_order_acquire);
  uint64_t n = ring->other - ring->index;
  return n <= ring->capacity ? (int64_t)n : -EPROTO;
}

/* Reader: copies the next of the available records. It stays unread for the writer until shmx_ring_done. */
static inline void shmx_ring_take(struct shmx_ring *ring, void *record) {
  memcpy(record, shmx_ring_place(ring, ring->index++), ring->record_size);
}

/* Reader: true when something has been taken since shmx_ring_done. */
static inline bool shmx_ring_is_taken(const struct shmx_ring *ring) {
  return atomic_load_explicit(&ring->shm->read, memory_order_relaxed) != ring->index;
}

/* Reader: everything taken so far has been taken note of. */
static inline void shmx_ring_done(struct shmx_ring *ring) {
  atomic_store_explicit(&ring->shm->read, ring->index, memory_order_release);
}

/* Writer: true when the record with this number (the index before it was pushed) has been taken note of. */
static inline bool shmx_ring_was_read(struct shmx_ring *ring, uint64_t number) {
  if (ring->other <= number || ring->other > ring->index)
    ring->other = atomic_load_explicit(&ring->shm->read, memory_order_acquire);
  return ring->other > number && ring->other <= ring->index;
}

#endif
