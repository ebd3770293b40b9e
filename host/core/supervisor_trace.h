/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side of a trace. Without one, s->trace is NULL and nothing here does anything.
 */
#ifndef SHMX_CORE_SUPERVISOR_TRACE_H
#define SHMX_CORE_SUPERVISOR_TRACE_H

#include "core/trace.h"

struct sup;
struct sup_peer;

/* The newest handover of a segment. Times are of shmx_os_now; 0: not yet, or it was not seen. */
struct sup_handover {
  uint64_t segment;
  uint32_t giver, worker; /* the giver, and its number in its pool */
  int64_t notify, acknowledge, hold, complete;
  uint64_t bytes;
};

/* Main wants a trace; the descriptors are taken over. 0 or -errno. */
int sup_trace_open(struct sup *s, int memory, int file);
/* What workers are born with; NULL without a trace. */
struct shmx_trace_shm *sup_trace_shm(const struct sup *s);
/* Reads what processes have recorded. */
void sup_trace_read(struct sup *s);
/* The same, and writes the file when it is time. */
void sup_trace_tend(struct sup *s);
/* When it wants to be tended though nothing has happened; -1: never. */
int64_t sup_trace_deadline(struct sup *s);
/* The end: the file gets its name. */
void sup_trace_fini(struct sup *s);

/* A worker has been started; it is dead and its control ring has been read, but its task has no verdict yet. */
void sup_trace_meet(struct sup *s, const struct sup_peer *peer);
void sup_trace_bury(struct sup *s, const struct sup_peer *peer);

/* The ledger has taken a message; a note is being written. */
void sup_trace_heard(struct sup *s, const struct shmx_message *message);
void sup_trace_noted(struct sup *s, const struct shmx_note *note);

/* NULL: there is no trace, or it is too long ago. */
const struct sup_handover *sup_trace_handover(struct sup *s, uint64_t segment);

#endif
