/* SPDX-License-Identifier: MIT */
/*
 * How long things take: a histogram of durations with eight buckets for each doubling, so that a percentile is right
 * within 7 %. Adding costs a few instructions. It may lie in shared memory: one process adds, others read meanwhile and
 * may miss what is just being added.
 *
 * Looking at the clock costs more than adding, so of what happens very often only a sample is measured.
 */
#ifndef SHMX_CORE_HISTOGRAM_H
#define SHMX_CORE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
  SHMX_HISTOGRAM_SPLIT = 3, /* each doubling is split into 1 << SPLIT buckets */
  SHMX_HISTOGRAM_BITS = 42, /* durations from 1 << BITS nanoseconds (73 minutes) on count as that long */
  SHMX_HISTOGRAM_BUCKETS = (SHMX_HISTOGRAM_BITS - SHMX_HISTOGRAM_SPLIT + 1) << SHMX_HISTOGRAM_SPLIT
};

struct shmx_histogram {
  _Atomic uint64_t count, sum, most; /* nanoseconds */
  _Atomic uint32_t bucket[SHMX_HISTOGRAM_BUCKETS];
};

/* Is the n-th thing (from 0) to be measured? The first ones all are, later ones in part. */
static inline bool shmx_histogram_samples(uint64_t n) { return n < 1024 || n % 16 == 0; }

static inline uint32_t shmx_histogram_index(uint64_t nanoseconds) {
  const uint64_t last = (UINT64_C(1) << SHMX_HISTOGRAM_BITS) - 1, few = 1 << SHMX_HISTOGRAM_SPLIT;
  if (nanoseconds < few) return (uint32_t)nanoseconds;
  if (nanoseconds > last) nanoseconds = last;
  unsigned shift = 63 - (unsigned)__builtin_clzll(nanoseconds) - SHMX_HISTOGRAM_SPLIT;
  return (shift << SHMX_HISTOGRAM_SPLIT) + (uint32_t)(nanoseconds >> shift);
}

/* The middle of a bucket. */
static inline uint64_t shmx_histogram_value(uint32_t index) {
  const uint32_t few = 1 << SHMX_HISTOGRAM_SPLIT;
  if (index < 2 * few) return index;
  unsigned shift = (index >> SHMX_HISTOGRAM_SPLIT) - 1;
  uint64_t low = (uint64_t)(few + index % few) << shift;
  return low + (UINT64_C(1) << shift) / 2;
}

static inline void shmx_histogram_raise(_Atomic uint64_t *word, uint64_t by) {
  atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void shmx_histogram_add(struct shmx_histogram *h, uint64_t nanoseconds) {
  _Atomic uint32_t *bucket = &h->bucket[shmx_histogram_index(nanoseconds)];
  atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1, memory_order_relaxed);
  shmx_histogram_raise(&h->count, 1);
  shmx_histogram_raise(&h->sum, nanoseconds);
  if (nanoseconds > atomic_load_explicit(&h->most, memory_order_relaxed))
    atomic_store_explicit(&h->most, nanoseconds, memory_order_relaxed);
}

/* Adds what `from` has to `to`. */
static inline void shmx_histogram_merge(struct shmx_histogram *to, const struct shmx_histogram *from) {
  uint64_t most = atomic_load_explicit(&from->most, memory_order_relaxed);
  for (int i = 0; i < SHMX_HISTOGRAM_BUCKETS; i++)
    to->bucket[i] += atomic_load_explicit(&from->bucket[i], memory_order_relaxed);
  shmx_histogram_raise(&to->count, atomic_load_explicit(&from->count, memory_order_relaxed));
  shmx_histogram_raise(&to->sum, atomic_load_explicit(&from->sum, memory_order_relaxed));
  if (most > to->most) to->most = most;
}

/* The duration that `share` (0 to 1) of all do not exceed; 0: there are none. */
static inline uint64_t shmx_histogram_quantile(const struct shmx_histogram *h, double share) {
  uint64_t total = 0, below = 0, most = atomic_load_explicit(&h->most, memory_order_relaxed);
  for (int i = 0; i < SHMX_HISTOGRAM_BUCKETS; i++) total += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
  for (uint32_t i = 0; i < SHMX_HISTOGRAM_BUCKETS; i++) {
    below += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
    if (below == 0 || (double)below < share * (double)total) continue;
    uint64_t value = shmx_histogram_value(i);
    return value < most ? value : most;
  }
  return 0;
}

#endif
