/* SPDX-License-Identifier: MIT */
/*
 * See trace.h.
 *
 * A file under its own name is replaced only when it is complete, by a rename; until then, and when the disk is
 * full, what was there before is there. The temporary file is a valid trace after each write, so whoever is killed, what
 * has been written can be opened.
 */
#include "core/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/board.h"
#include "os/os.h"

/* --- recording --- */

void shmx_trace_attach(struct shmx_trace *trace, struct shmx_trace_shm *shm, struct shmx_link *link) {
  struct shmx_trace_region *region = &shm->region[link->charge];
  *trace = (struct shmx_trace){.shm = shm, .region = region, .link = link};
  shmx_ring_init(&trace->ring, &region->ring, region->record, SHMX_TRACE_RECORDS, sizeof(struct shmx_trace_record));
  link->trace = trace;
}

/* The supervisor reads the traces on its way; who has filled half a ring calls it, who has filled all of it waits: again, if
 * it had looked at this ring before that was full. When it does not come any more, nobody will miss the record. */
static void push(struct shmx_trace *trace, const struct shmx_trace_record *record) {
  while (!shmx_ring_push(&trace->ring, record))
    if (shmx_link_wait_read(trace->link) < 0) return;
  if (trace->ring.index % (SHMX_TRACE_RECORDS / 2) == 0) shmx_link_rouse(trace->link);
  else shmx_trace_wake(trace);
}

void shmx_trace_wake(struct shmx_trace *trace) {
  atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&trace->shm->rests, memory_order_relaxed)) shmx_link_rouse(trace->link);
}

void shmx_trace_begin(struct shmx_trace *trace, uint32_t task, uint32_t slot, uint32_t attempt, int64_t now) {
  struct shmx_trace_region *region = trace->region;
  trace->task = task;
  atomic_store_explicit(&region->begun_task, task, memory_order_relaxed);
  atomic_store_explicit(&region->begun_slot, slot, memory_order_relaxed);
  atomic_store_explicit(&region->begun_attempt, attempt, memory_order_relaxed);
  atomic_store_explicit(&region->begun, now, memory_order_release);
  shmx_trace_wake(trace);
}

/* What somebody else has decided counts more than what the worker has to say. */
static enum shmx_trace_result result_of(const struct shmx_slot_shm *slot) {
  switch (shmx_word_state(atomic_load_explicit(&slot->state, memory_order_relaxed))) {
  case SHMX_EXPIRED:
  case SHMX_TIMED_OUT: return SHMX_TRACE_TIMED_OUT;
  case SHMX_WITHDRAWN: return SHMX_TRACE_CANCELLED;
  default: return (enum shmx_trace_result)shmx_result_counted(slot->verdict);
  }
}

void shmx_trace_end(struct shmx_trace *trace, const char *name, const struct shmx_slot_shm *slot) {
  struct shmx_trace_region *region = trace->region;
  struct shmx_trace_record record = {.time = atomic_load_explicit(&region->begun, memory_order_relaxed),
                                     .duration = slot->nanoseconds,
                                     .waited = slot->waited,
                                     .task = trace->task,
                                     .kind = SHMX_TRACE_ATTEMPT,
                                     .detail = (uint8_t)result_of(slot)};
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

/* --- the files --- */

enum { NAMES = 100 }; /* that are tried for a temporary file */

/* Makes the temporary file beside the path, by a name that nobody has: whatever else has a name like that, a link to
 * another file for example, is left alone. Its descriptor or -errno. */
static int make_temporary(struct shmx_trace_target *target, mode_t mode) {
  int fd = -EEXIST;
  for (unsigned i = 0; i < NAMES && fd == -EEXIST; i++) {
    int n = snprintf(target->temporary, SHMX_OS_PATH, i ? "%s.%d-%u" : "%s.%d", target->path, (int)getpid(), i);
    if (n >= SHMX_OS_PATH) return -ENAMETOOLONG;
    fd = shmx_os_open(target->temporary, O_WRONLY | O_CREAT | O_EXCL, mode ? mode : 0666);
  }
  return fd;
}

/* The temporary file of what is to have this path: its descriptor or -errno. Nobody may read it who might not read what it
 * is to replace. */
static int open_target(struct shmx_trace_target *target, const char *path) {
  mode_t mode;
  int r = shmx_os_file_find(path, target->path, &mode);
  if (r == 0) r = make_temporary(target, mode);
  if (r < 0) target->path[0] = 0;
  else if (mode) fchmod(r, mode); /* which no mask takes anything from */
  return r;
}

static int open_targets(const char *const paths[SHMX_WANTS], struct shmx_trace_shm *shm, int *file,
                        enum shmx_trace_want *which) {
  const char *trace = paths[SHMX_WANT_TRACE], *report = paths[SHMX_WANT_REPORT];
  *which = SHMX_WANT_TRACE;
  *file = trace ? open_target(&shm->target[SHMX_WANT_TRACE], trace) : shmx_os_open("/dev/null", O_WRONLY, 0);
  if (*file < 0 || !report) return *file;
  *which = SHMX_WANT_REPORT;
  int fd = open_target(&shm->target[SHMX_WANT_REPORT], report);
  close(fd < 0 ? *file : fd); /* it is written in the end */
  return fd;
}

int shmx_trace_create(const char *const paths[SHMX_WANTS], struct shmx_trace_shm **out, int *memory, int *file,
                      enum shmx_trace_want *which) {
  void *base;
  uint64_t size = (sizeof(struct shmx_trace_shm) + 4095) / 4096 * 4096;
  *which = SHMX_WANTS;
  *memory = shmx_os_memfd("shmx", size);
  int r = *memory < 0 ? *memory : shmx_os_map(*memory, size, &base);
  if (r == 0) {
    *out = base;
    (*out)->origin = shmx_os_now();
    r = open_targets(paths, *out, file, which);
    if (r >= 0) return 0;
    shmx_trace_discard(*out);
    shmx_trace_destroy(*out);
    *out = NULL;
  }
  if (*memory >= 0) close(*memory);
  return r;
}

/* A file in which nothing is, since the supervisor died before it came to that, replaces nothing. */
int shmx_trace_finish(struct shmx_trace_target *target) {
  struct stat st;
  int error = atomic_load(&target->error);
  if (!target->path[0] || stat(target->temporary, &st) < 0) return error; /* it has been done */
  if (error == 0 && st.st_size == 0) error = -ENODATA;
  if (error == 0 && rename(target->temporary, target->path) < 0) error = -errno;
  if (error < 0) unlink(target->temporary);
  return error;
}

void shmx_trace_discard(struct shmx_trace_shm *shm) {
  for (int i = 0; i < SHMX_WANTS; i++)
    if (shm->target[i].path[0]) unlink(shm->target[i].temporary);
}

void shmx_trace_destroy(struct shmx_trace_shm *shm) { shmx_os_unmap(shm, sizeof *shm); }
