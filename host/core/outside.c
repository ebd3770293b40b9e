/* SPDX-License-Identifier: MIT */
/*
 * See outside.h. To the rest of the core such a segment is one of our own, in a large chunk of its own, which is marked:
 * the warehouse lets go of it at once where it would keep another.
 */
#include "core/outside.h"

#include <errno.h>
#include <stdlib.h>

#include "core/memory_private.h"
#include "os/os.h"

/* The three records of a segment with a chunk of its own, made together or not at all. */
struct records {
  struct shmx_segment *segment;
  struct shmx_block *block;
  struct shmx_chunk *chunk;
};

static void free_records(struct records *r) {
  free(r->segment);
  free(r->block);
  free(r->chunk);
}

static int make_records(struct records *r) {
  r->segment = calloc(1, sizeof *r->segment);
  r->block = calloc(1, sizeof *r->block);
  r->chunk = calloc(1, sizeof *r->chunk);
  if (r->segment && r->block && r->chunk) return 0;
  free_records(r);
  return -ENOMEM;
}

/* Makes them a segment that is all of the memory at `base`. */
static struct shmx_segment *join(struct shmx_memory *memory, struct records *r, void *base, uint64_t size) {
  *r->chunk = (struct shmx_chunk){.size = size,
                                  .base = base,
                                  .fd = -1,
                                  .own = true,
                                  .large = true,
                                  .outside = true,
                                  .segments = 1,
                                  .first = r->block};
  *r->block = (struct shmx_block){.chunk = r->chunk, .size = size};
  *r->segment = (struct shmx_segment){.id = shmx_id_make(memory->peer, ++memory->segment_serial),
                                      .size = size,
                                      .data = base,
                                      .memory = memory,
                                      .chunk = r->chunk,
                                      .own = true,
                                      .block = r->block};
  shmx_warehouse_add(memory, r->chunk);
  memory->live++;
  r->segment->refs = 1;
  return r->segment;
}

int shmx_memory_map_file(struct shmx_memory *memory, int fd, uint64_t size, struct shmx_segment **out) {
  struct records records;
  void *base = NULL;
  int r = make_records(&records);
  if (r < 0) return r;
  r = shmx_os_file_map(fd, size, &base);
  if (r < 0) {
    free_records(&records);
    return r;
  }
  *out = join(memory, &records, base, size);
  (*out)->read_only = true;
  return 0;
}
