/* SPDX-License-Identifier: MIT */
/*
 * Segments in memory that others can get at too: objects with a name, and files that are mapped. Such memory has no seals as
 * ours has, so whoever else has it open can change it, and cut it short under those who read it. It is never kept warm for
 * the next segment, and where it is not of our making its pages are never given back.
 */
#ifndef SHMX_CORE_OUTSIDE_H
#define SHMX_CORE_OUTSIDE_H

#include <stddef.h>
#include <stdint.h>

#include "core/memory.h"

/* A segment that is the whole file, of `size` bytes, to be read only, with one reference. The descriptor stays the
 * caller's. It takes nothing of the budget, and cannot be handed over (-EXDEV). 0 or -errno. */
int shmx_memory_map_file(struct shmx_memory *memory, int fd, uint64_t size, struct shmx_segment **out);

/* A new segment that is a memory object with this name, zeroed, with one reference. The supervisor, which must be there,
 * takes the name away with the last hold. 0; -EPIPE; -EINVAL: no name for an object; -EEXIST: there is one of that name;
 * -ENOSPC: the file system for such objects is full; or as shmx_memory_alloc. */
int shmx_memory_make_named(struct shmx_memory *memory, const char *name, uint64_t size, struct shmx_segment **out);
/* Like shmx_memory_make_named, and in a worker it waits like shmx_memory_alloc_wait. */
int shmx_memory_make_named_wait(struct shmx_memory *memory, const char *name, uint64_t size, struct shmx_segment **out);

/* A segment that is the first `size` bytes of the object that has the name, frozen if that is. The name is not ours, and stays.
 * It takes nothing of the budget. 0; -ERANGE: the object has *there bytes, which are fewer; or -errno. */
int shmx_memory_attach_named(struct shmx_memory *memory, const char *name, uint64_t size, uint64_t *there,
                             struct shmx_segment **out);

/* Writes the path of a file in which processes of this user find the segment, from *offset on, for as long as this process
 * has references to it. 0; -EXDEV: it is a mapped file; or -errno. */
int shmx_memory_path(struct shmx_memory *memory, struct shmx_segment *segment, char *path, size_t room,
                     uint64_t *offset);

#endif
