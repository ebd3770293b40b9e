/* SPDX-License-Identifier: MIT */
/*
 * See outside.h. To the rest of the core such a segment is one of our own, in a large chunk of its own, which is marked:
 * the warehouse lets go of it at once where it would keep another.
 */
#include "core/outside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Makes them a segment that is all of the memory at `base`. The chunk takes the descriptor over. */
static struct shmx_segment *join(struct shmx_memory *memory, struct records *r, void *base, uint64_t size, int fd) {
  *r->chunk = (struct shmx_chunk){.id = shmx_id_make(memory->peer, ++memory->chunk_serial),
                                  .size = size,
                                  .base = base,
                                  .fd = fd,
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
                                      .refs = 1,
                                      .block = r->block};
  shmx_warehouse_add(memory, r->chunk);
  memory->live++;
  memory->handled += size + 1;
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
  *out = join(memory, &records, base, size, -1);
  (*out)->read_only = (*out)->chunk->file = true;
  return 0;
}

/* A segment in `size` bytes of an object, to be read only if that is sealed. Takes the descriptor over, also on failure. */
static int take_up(struct shmx_memory *memory, int fd, uint64_t size, bool sealed, struct shmx_segment **out) {
  struct records records;
  void *base = NULL;
  if (fd < 0) return fd;
  int r = make_records(&records);
  if (r < 0) {
    close(fd);
    return r;
  }
  r = sealed ? shmx_os_map_to_read(fd, size, &base) : shmx_os_map(fd, size, &base);
  if (r < 0) {
    free_records(&records);
    close(fd);
    return r;
  }
  *out = join(memory, &records, base, size, fd);
  (*out)->read_only = (*out)->chunk->sealed = sealed;
  return 0;
}

/* Sends the object to the supervisor, which gives it the name. */
static int give_name(struct shmx_memory *memory, struct shmx_segment *segment, const char *name) {
  struct shmx_chunk *chunk = segment->chunk;
  struct shmx_request request = {.type = SHMX_REQ_NAME, .id = chunk->id, .size = chunk->size, .segment = segment->id},
                      reply;
  int fd = -1;
  memcpy(request.name, name, strlen(name));
  int r = shmx_link_request(memory->link, &request, &chunk->fd, 1);
  if (r == 0) r = shmx_link_answer(memory->link, &reply, &fd);
  if (fd >= 0) close(fd);
  if (r == 0) r = reply.error;
  chunk->announced = chunk->named = r == 0;
  return r;
}

int shmx_memory_make_named(struct shmx_memory *memory, const char *name, uint64_t size, struct shmx_segment **out) {
  if (!shmx_os_shm_is_name(name)) return -EINVAL;
  if (!memory->link) return -EPIPE;
  if (size == 0) size = 1;
  int r = shmx_warehouse_charge(memory, size);
  if (r < 0) return r;
  r = take_up(memory, shmx_os_shm_make(size), size, false, out);
  if (r < 0) {
    shmx_budget_uncharge(memory, size);
    return r;
  }
  (*out)->chunk->charged = size;
  r = give_name(memory, *out, name);
  if (r == 0) return 0;
  shmx_segment_release(*out);
  *out = NULL;
  return r;
}

int shmx_memory_make_named_wait(struct shmx_memory *memory, const char *name, uint64_t size,
                                struct shmx_segment **out) {
  int r = shmx_memory_make_named(memory, name, size, out);
  while (r == -EDQUOT && shmx_memory_wait(memory, size)) r = shmx_memory_make_named(memory, name, size, out);
  shmx_memory_end_wait(memory);
  return r;
}

int shmx_memory_attach_named(struct shmx_memory *memory, const char *name, uint64_t size, uint64_t *there,
                             struct shmx_segment **out) {
  if (!shmx_os_shm_is_name(name)) return -EINVAL;
  if (size == 0) size = 1;
  bool sealed = false;
  int fd = shmx_os_shm_open(name, there, &sealed);
  if (fd >= 0 && *there < size) {
    close(fd);
    return -ERANGE;
  }
  return take_up(memory, fd, size, sealed, out);
}

/* The descriptor of a chunk, which the supervisor has if we do not; from then on it is open as long as the chunk. */
static int find_descriptor(struct shmx_memory *memory, struct shmx_chunk *chunk) {
  uint64_t size;
  uint32_t flags;
  chunk->has_path = true;
  if (chunk->fd >= 0) return 0;
  if (!memory->link) return -EPIPE;
  int fd = shmx_warehouse_fetch(memory, chunk->id, &size, &flags);
  if (fd < 0) return fd;
  chunk->fd = fd;
  return 0;
}

int shmx_memory_path(struct shmx_memory *memory, struct shmx_segment *segment, char *path, size_t room,
                     uint64_t *offset) {
  if (segment->chunk->file) return -EXDEV;
  int r = find_descriptor(memory, segment->chunk);
  if (r < 0) return r;
  snprintf(path, room, "/proc/%d/fd/%d", (int)getpid(), segment->chunk->fd);
  *offset = segment->offset;
  return 0;
}
