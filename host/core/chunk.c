/* SPDX-License-Identifier: MIT */
/*
 * See chunk.h. A process that dies in here leaves nothing: descriptors and mappings end with it, and the object with
 * the last of them.
 */
#include "core/chunk.h"

#include <errno.h>
#include <stdlib.h>

#include "os/os.h"

enum { MAPPINGS = 65530 }; /* of a process, unless the system has been set up otherwise (vm.max_map_count) */

uint64_t shmx_chunk_many(void) {
  uint64_t files = shmx_os_files();
  return (files < MAPPINGS ? files : MAPPINGS) / 2;
}

/* Large pages mostly cost next to nothing, so they are taken whether or not they have been asked for. */
static int take_pages(struct shmx_chunk *chunk, unsigned pages) {
  bool large = shmx_os_take_large_pages(chunk->fd, chunk->base, chunk->size, pages & SHMX_PAGES_LARGE) == 0;
  if (!(pages & SHMX_PAGES_NOW) && !large) return 0;
  int r = shmx_os_reserve(chunk->fd, 0, chunk->size);
  /* A file system that cannot reserve is no reason to refuse; one that has no room is. */
  if (r < 0 && r != -EOPNOTSUPP) return r;
  chunk->reserved = true;
  return 0;
}

static int map_new(struct shmx_chunk *chunk, unsigned pages) {
  chunk->fd = shmx_os_memfd("shmx", chunk->size);
  if (chunk->fd < 0) return chunk->fd;
  void *base = NULL;
  int r = shmx_os_map(chunk->fd, chunk->size, &base);
  chunk->base = base;
  return r < 0 ? r : take_pages(chunk, pages);
}

int shmx_chunk_create(uint64_t id, uint64_t size, unsigned pages, struct shmx_chunk **out) {
  uint64_t page = shmx_os_page_size();
  if (size > INT64_MAX - page) return -EFBIG;
  struct shmx_chunk *chunk = calloc(1, sizeof *chunk);
  if (!chunk) return -ENOMEM;
  chunk->id = id;
  chunk->size = (size + page - 1) / page * page;
  chunk->own = true;
  chunk->fd = -1;
  int r = map_new(chunk, pages);
  if (r < 0) {
    shmx_chunk_destroy(chunk);
    return r;
  }
  *out = chunk;
  return 0;
}

int shmx_chunk_check(bool outside, int fd, uint64_t size, bool *sealed) {
  return outside ? shmx_os_shm_check(fd, size, sealed) : shmx_os_memfd_check_sealed(fd, size, sealed);
}

int shmx_chunk_attach(uint64_t id, uint64_t size, bool outside, int fd, struct shmx_chunk **out) {
  struct shmx_chunk *chunk = calloc(1, sizeof *chunk);
  if (!chunk) {
    close(fd);
    return -ENOMEM;
  }
  *chunk = (struct shmx_chunk){.id = id, .size = size, .fd = fd};
  void *base = NULL;
  int r = shmx_chunk_check(outside, fd, size, &chunk->sealed);
  if (r == 0) r = chunk->sealed ? shmx_os_map_to_read(fd, size, &base) : shmx_os_map(fd, size, &base);
  if (r < 0) {
    shmx_chunk_destroy(chunk);
    return r;
  }
  chunk->base = base;
  close(fd);
  chunk->fd = -1;
  *out = chunk;
  return 0;
}

/* That the mapping could still be written, if it came to that, is for the seal to prevent. */
void shmx_chunk_protect(struct shmx_chunk *chunk) {
  chunk->sealed = true;
  shmx_os_protect(chunk->base, chunk->size);
}

void shmx_chunk_destroy(struct shmx_chunk *chunk) {
  if (!chunk) return;
  if (chunk->base) shmx_os_unmap(chunk->base, chunk->size);
  if (chunk->fd >= 0) close(chunk->fd);
  free(chunk);
}
