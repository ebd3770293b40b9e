/* SPDX-License-Identifier: MIT */
/*
 * Chunks: shared memory objects. One process makes a chunk and allocates in it; others map it by a descriptor that the
 * supervisor gives them. A chunk has no name, cannot shrink, and is gone with its last mapping and descriptor.
 */
#ifndef SHMX_CORE_CHUNK_H
#define SHMX_CORE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

struct shmx_chunk {
  uint64_t id;
  uint64_t size;
  uint64_t charged; /* own: of the memory budget */
  char *base;
  int fd;                   /* the maker's, until the supervisor has it, or with has_path; -1 otherwise */
  bool own;                 /* made here */
  bool announced;           /* own: the supervisor knows it */
  bool has_path;            /* somebody was told a path that leads to `fd`, which stays open therefore */
  bool retired;             /* own: nothing new is allocated in it; foreign: unmapped with its last segment */
  bool large;               /* own: made for one segment */
  bool aside;               /* own, for many: set aside for messages that have to arrive, and not charged */
  bool reserved;            /* own: its pages were taken when it was made */
  bool unwritten;           /* large: its pages are not there yet; they come by writing its only segment */
  bool sealed;              /* its only segment is frozen: it is mapped to be read only, and never used again */
  bool outside;             /* own: not a memory object of ours (outside.h) */
  bool file;                /* own: a file that is mapped, to be read only (outside.h) */
  bool named;               /* own: the supervisor takes its name away when it is gone */
  uint32_t segments;        /* handles of this process in it */
  uint64_t freed_at;        /* large and free: when it became warm (a serial number) */
  struct shmx_block *first; /* own: its blocks in the order of their places (heap.c) */
  struct shmx_chunk *next;  /* list of the owner */
};

enum {
  SHMX_PAGES_NOW = 1,  /* all are taken when the chunk is made, so that no touch can fail later */
  SHMX_PAGES_LARGE = 2 /* as large ones even if these take longer */
};

/* Makes a chunk of at least `size` bytes, with SHMX_PAGES_ flags. Where large pages are quick it gets them at once in any
 * case. 0 or -errno. */
int shmx_chunk_create(uint64_t id, uint64_t size, unsigned pages, struct shmx_chunk **out);

/* With so many chunks open a process has used half of the descriptors (`ulimit -n`) or of the mappings that it may have. */
uint64_t shmx_chunk_many(void);

/* 0 when the descriptor, which another process has sent, is that of a chunk of this size; *sealed: which can only be read.
 * `outside`: it is not a memory object of ours. Otherwise -errno (os.h). */
int shmx_chunk_check(bool outside, int fd, uint64_t size, bool *sealed);

/* Maps a chunk of another process, to be read only if it is sealed. Takes the descriptor over, also on failure. -errno when
 * it is not what it should be, as shmx_chunk_check says it. */
int shmx_chunk_attach(uint64_t id, uint64_t size, bool outside, int fd, struct shmx_chunk **out);

/* Its only segment is frozen: it is sealed from now on, as this process sees it. */
void shmx_chunk_protect(struct shmx_chunk *chunk);

/* Unmaps it and closes what is open. Accepts NULL. */
void shmx_chunk_destroy(struct shmx_chunk *chunk);

#endif
