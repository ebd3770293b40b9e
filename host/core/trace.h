/* SPDX-License-Identifier: MIT */
/*
 * Tracing, as main and workers see it: each process appends fixed-size records to a ring of its own in shared memory, and
 * the supervisor reads them and writes the file (supervisor_trace.c). Nothing here formats or writes anything.
 *
 * There is one memory object for all rings, made by main when a trace is wanted; a process has the region of its charge
 * (layout.h), which nobody else has at the time. Pages that nobody touches do not exist. Without a trace a process has no
 * handle, and each place that would record something looks at one pointer.
 *
 * Nothing is lost: a process whose ring is full waits until the supervisor has been there. What a dead process has
 * recorded is read to its end. A worker notes in its region which task it has begun, so that the supervisor can tell of an
 * attempt that never ended; the note is cleared after the record of the end is in the ring, and an attempt is known by
 * when it began, so a death between the two is not told twice.
 */
#ifndef SHMX_CORE_TRACE_H
#define SHMX_CORE_TRACE_H

#include "core/layout.h"
#include "core/link.h"
#include "os/os.h"

enum {
  SHMX_TRACE_RECORDS = 4096, /* in a ring */
  SHMX_TRACE_TEXT = 480      /* bytes of a failure that are kept */
};

enum shmx_trace_kind {
  SHMX_TRACE_ATTEMPT = 1, /* worker: a task has run; `detail` is its enum shmx_trace_result, `name` its name */
  SHMX_TRACE_MESSAGE,     /* everybody: a control message was sent; `detail` is its enum shmx_message_type */
  SHMX_TRACE_FAILURE      /* main: a part of what a failed task says; `detail` 1: the last */
};

/* How an attempt ended. */
enum shmx_trace_result {
  SHMX_TRACE_DONE = SHMX_RESULT_VALUES,
  SHMX_TRACE_FAILED = SHMX_RESULT_ERROR,
  SHMX_TRACE_REFUSED = SHMX_RESULT_REFUSED,
  SHMX_TRACE_TIMED_OUT,
  SHMX_TRACE_CANCELLED,
  SHMX_TRACE_RESULTS
};

struct shmx_trace_record {
  int64_t time;      /* shmx_os_now; of an attempt: when it began */
  uint64_t duration; /* of an attempt, nanoseconds; of a message: the segment's bytes */
  uint64_t waited;   /* of an attempt, nanoseconds; of a message: the segment's id */
  uint32_t task;     /* its number; of a message: of the task that ran, 0: none */
  uint8_t kind, detail, attempt, unused;
  union {
    char name[SHMX_SLOT_NAME]; /* not terminated when it fills its place */
    uint32_t peer;             /* of a message: whom it names */
  };
};
_Static_assert(sizeof(struct shmx_trace_record) == 64, "a record is a cache line");

struct shmx_trace_region {
  struct shmx_ring_shm ring;   /* process -> supervisor */
  _Atomic int64_t begun;       /* worker: when the attempt began that runs; 0: none does */
  _Atomic uint32_t begun_task; /* worker, before `begun`: its number, */
  _Atomic uint32_t begun_slot; /* its slot, */
  _Atomic uint32_t begun_attempt;
  _Alignas(64) struct shmx_trace_record record[SHMX_TRACE_RECORDS];
};

/* A file that is wanted of a run. */
struct shmx_trace_target {
  char path[SHMX_OS_PATH];      /* main, once: its name, resolved; empty: it is not wanted */
  char temporary[SHMX_OS_PATH]; /* the same: what is written until the end */
  _Atomic int32_t error;        /* supervisor: why it is not complete, -errno; 0: it is */
};

enum shmx_trace_want { SHMX_WANT_TRACE, SHMX_WANT_REPORT, SHMX_WANTS };

struct shmx_trace_shm {
  int64_t origin;         /* main, once: the time that counts as 0 */
  _Atomic uint32_t rests; /* supervisor, before it rests: 1, it will not look by itself: there is nothing to write */
  struct shmx_trace_target target[SHMX_WANTS];
  struct shmx_trace_region region[SHMX_CHARGES];
};

/* A process's handle. */
struct shmx_trace {
  struct shmx_trace_shm *shm;
  struct shmx_trace_region *region;
  struct shmx_link *link;
  struct shmx_ring ring;
  uint32_t task; /* that runs */
};

/* Becomes the handle of the process that has this charge; link->trace is set. */
void shmx_trace_attach(struct shmx_trace *trace, struct shmx_trace_shm *shm, struct shmx_link *link);

/* Worker: the task in this slot, whose word is `word`, begins to run. */
void shmx_trace_begin(struct shmx_trace *trace, uint32_t task, uint32_t slot, uint32_t attempt, int64_t now);
/* Worker: it has run. */
void shmx_trace_end(struct shmx_trace *trace, const char *name, const struct shmx_slot_shm *slot);

/* There is something new to write: a supervisor that does not look for that by itself is woken. */
void shmx_trace_wake(struct shmx_trace *trace);

/* A message is about to be sent. */
void shmx_trace_message(struct shmx_trace *trace, const struct shmx_message *message);

/* Main: what a failed task says. */
void shmx_trace_failure(struct shmx_trace *trace, uint32_t task, const char *text, size_t size);

/* --- the files --- */

/* Main: makes the memory object and, beside each path that is not NULL, the temporary file. *memory and *file (of the
 * trace; /dev/null when only the report is wanted) are their descriptors. 0 or -errno; *which is the file that cannot be
 * written, SHMX_WANTS when it is the memory. */
int shmx_trace_create(const char *const paths[SHMX_WANTS], struct shmx_trace_shm **out, int *memory, int *file,
                      enum shmx_trace_want *which);
/* The file is complete and gets its name, unless that has been done, or there was an error: then it goes. Returns why it is
 * not complete, 0 if it is. */
int shmx_trace_finish(struct shmx_trace_target *target);
/* The temporary files that there still are go. */
void shmx_trace_discard(struct shmx_trace_shm *shm);
void shmx_trace_destroy(struct shmx_trace_shm *shm);

#endif
