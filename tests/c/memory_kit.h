/* SPDX-License-Identifier: MIT */
/*
 * What tests of a process's memory share: a memory that works alone, and the one step of a handover.
 */
#ifndef SHMX_TESTS_MEMORY_KIT_H
#define SHMX_TESTS_MEMORY_KIT_H

#include "domain_kit.h"

enum { MIB = 1 << 20 };

static struct shmx_memory alone = {.peer = SHMX_PEER_MAIN};

static inline int alloc(struct shmx_memory *memory, uint64_t size, struct shmx_segment **out) {
  return shmx_memory_alloc(memory, size, SHMX_ALLOC_ZERO, out);
}

static inline bool is_filled(const struct shmx_segment *segment, char byte) {
  const char *bytes = segment->data;
  return segment->size == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, segment->size - 1) == 0);
}

static inline int mapped_chunks(void) {
  char line[512];
  int count = 0;
  FILE *file = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, file)) count += strstr(line, "memfd:shmx") != NULL;
  fclose(file);
  return count;
}

/* From the worker to main; returns main's reference. */
static inline struct shmx_segment *hand_over(int giver, struct shmx_segment *segment) {
  struct shmx_segment_ref ref;
  struct shmx_segment *received;
  CHECK(shmx_memory_notify(kit_memory(giver), segment, SHMX_PEER_MAIN, &ref) == 0);
  CHECK(shmx_memory_adopt(kit_memory(KIT_MAIN), &ref, &received) == 0);
  CHECK(received->size == segment->size && received->id == segment->id);
  return received;
}

/* The notes that follow from the last releases have come. */
static inline void await_freed(struct shmx_memory *memory) {
  for (int i = 0; memory->awaited > 0; i++) {
    CHECK(i < 5000);
    shmx_memory_attend(memory);
    usleep(1000);
  }
}

#endif
