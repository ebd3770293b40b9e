/* SPDX-License-Identifier: MIT */
/*
 * See trace.h.
 *
 * The file under its own name is replaced only when the trace is complete, by a rename; until then, and when the disk is
 * full, what was there before is there. The temporary file is a valid trace after each write, so whoever is killed, what
 * has been written can be opened.
 */
#include "core/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "os/os.h"

/* --- recording --- */

void shmx_trace_attach(struct shmx_trace *trace, struct shmx_trace_shm *shm, struct shmx_link *link) {
  struct shmx_trace_region *region = &shm->region[link->charge];
  *trace = (struct shmx_trace){.shm = shm, .region = region, .link = link};
  shmx_ring_init(&trace->ring, &region->ring, region->record, SHMX_TRACE_RECORDS, sizeof(struct shmx_trace_record));
  link->trace = trace;
}

/* The supervisor reads the traces on its way; who has filled half a ring calls it, who has filled all of it waits. When it
 * does not come any more, nobody will miss the record. */
static void push(struct shmx_trace *trace, const struct shmx_trace_record *record) {
  if (!shmx_ring_has_room(&trace->ring) && shmx_link_wait_read(trace->link) < 0) return;
  shmx_ring_push(&trace->ring, record);
  if (trace->ring.index % (SHMX_TRACE_RECORDS / 2) == 0) shmx_link_rouse(trace->link);
}

void shmx_trace_begin(struct shmx_trace *trace, uint32_t task, uint32_t slot, uint32_t attempt, int64_t now) {
  struct shmx_trace_region *region = trace->region;
  trace->task = task;
  atomic_store_explicit(&region->begun_task, task, memory_order_relaxed);
  atomic_store_explicit(&region->begun_slot, slot, memory_order_relaxed);
  atomic_store_explicit(&region->begun_attempt, attempt, memory_order_relaxed);
  atomic_store_explicit(&region->begun, now, memory_order_release);
}

void shmx_trace_end(struct shmx_trace *trace, const char *name, const struct shmx_slot_shm *slot) {
  struct shmx_trace_region *region = trace->region;
  struct shmx_trace_record record = {.time = atomic_load_explicit(&region->begun, memory_order_relaxed),
                                     .duration = slot->nanoseconds,
                                     .waited = slot->waited,
                                     .task = trace->task,
                                     .kind = SHMX_TRACE_ATTEMPT,
                                     .detail = (uint8_t)slot->verdict};
  record.attempt = (uint8_t)atomic_load_explicit(&region->begun_attempt, memory_order_relaxed);
  memcpy(record.name, name, sizeof record.name);
  push(trace, &record);
  atomic_store_explicit(&region->begun, 0, memory_order_release);
  trace->task = 0;
}

void shmx_trace_message(struct shmx_trace *trace, const struct shmx_message *message) {
  struct shmx_trace_record record = {.time = shmx_os_now(),
                                     .duration = message->size,
                                     .waited = message->segment,
                                     .task = trace->task,
                                     .kind = SHMX_TRACE_MESSAGE,
                                     .detail = (uint8_t)shmx_message_type(message),
                                     .peer = shmx_message_peer(message)};
  push(trace, &record);
}

void shmx_trace_failure(struct shmx_trace *trace, uint32_t task, const char *text, size_t size) {
  struct shmx_trace_record record = {.time = shmx_os_now(), .task = task, .kind = SHMX_TRACE_FAILURE};
  if (size > SHMX_TRACE_TEXT) size = SHMX_TRACE_TEXT;
  do {
    size_t part = size < sizeof record.name ? size : sizeof record.name;
    memset(record.name, 0, sizeof record.name);
    memcpy(record.name, text, part);
    text += part;
    size -= part;
    record.detail = size == 0;
    push(trace, &record);
  } while (size > 0);
}

/* --- the file --- */

static bool fits(int length) { return length > 0 && length < SHMX_TRACE_PATH; }

/* The path with the folder resolved; of a file that exists, with all of it resolved, so that a link stays a link. */
static int resolve(const char *path, char out[SHMX_TRACE_PATH]) {
  char whole[PATH_MAX], folder[SHMX_TRACE_PATH];
  if (realpath(path, whole)) return fits(snprintf(out, SHMX_TRACE_PATH, "%s", whole)) ? 0 : -ENAMETOOLONG;
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  int length = slash ? (int)(slash - path) + 1 : 1;
  if (!*name) return -EISDIR;
  if (!fits(snprintf(folder, sizeof folder, "%.*s", length, slash ? path : "."))) return -ENAMETOOLONG;
  if (!realpath(folder, whole)) return -errno;
  return fits(snprintf(out, SHMX_TRACE_PATH, "%s/%s", whole, name)) ? 0 : -ENAMETOOLONG;
}

static int open_temporary(struct shmx_trace_shm *shm) {
  if (access(shm->path, F_OK) == 0 && access(shm->path, W_OK) < 0) return -errno;
  if (!fits(snprintf(shm->temporary, SHMX_TRACE_PATH, "%s.%d", shm->path, (int)getpid()))) return -ENAMETOOLONG;
  int fd = open(shm->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return shmx_os_above_standard(fd < 0 ? -errno : fd);
}

int shmx_trace_create(const char *path, struct shmx_trace_shm **out, int *memory, int *file) {
  void *base;
  uint64_t size = (sizeof(struct shmx_trace_shm) + 4095) / 4096 * 4096;
  *file = -1;
  *memory = shmx_os_memfd("shmx", size);
  int r = *memory < 0 ? *memory : shmx_os_map(*memory, size, &base);
  if (r < 0) {
    if (*memory >= 0) close(*memory);
    return r;
  }
  *out = base;
  (*out)->origin = shmx_os_now();
  r = resolve(path, (*out)->path);
  if (r == 0) r = *file = open_temporary(*out);
  if (r >= 0) return 0;
  close(*memory);
  shmx_trace_destroy(*out);
  return r;
}

/* A file in which nothing is, since the supervisor died before it came to that, replaces nothing. */
int shmx_trace_finish(struct shmx_trace_shm *shm) {
  struct stat st;
  int error = atomic_load(&shm->error);
  if (stat(shm->temporary, &st) < 0) return error; /* the supervisor has done it */
  if (error == 0 && st.st_size == 0) error = -ENODATA;
  if (error == 0 && rename(shm->temporary, shm->path) < 0) error = -errno;
  if (error < 0) unlink(shm->temporary);
  return error;
}

void shmx_trace_destroy(struct shmx_trace_shm *shm) { shmx_os_unmap(shm, sizeof *shm); }
