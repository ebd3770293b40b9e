/* SPDX-License-Identifier: MIT */
/*
 * Segments in memory that others can get at too: a file that is mapped. Such memory has no seals, is never kept warm for
 * the next segment, and its pages are never given back: they are not ours.
 */
#ifndef SHMX_CORE_OUTSIDE_H
#define SHMX_CORE_OUTSIDE_H

#include <stdint.h>

#include "core/memory.h"

/* A segment that is the whole file, of `size` bytes, to be read only, with one reference. The descriptor stays the
 * caller's. It takes nothing of the budget, and cannot be handed over (-EXDEV). 0 or -errno. */
int shmx_memory_map_file(struct shmx_memory *memory, int fd, uint64_t size, struct shmx_segment **out);

#endif
