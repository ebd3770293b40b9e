/* SPDX-License-Identifier: MIT */
/*
 * Main's side of the domain: starts the supervisor, notices its end, and stops it.
 */
#ifndef SHMX_CORE_HOST_H
#define SHMX_CORE_HOST_H

#include "core/link.h"
#include "core/memory.h"
#include "core/trace.h"

struct shmx_host {
  struct shmx_link link;
  struct shmx_memory *memory;
  pid_t pid;      /* of the supervisor */
  uint32_t pools; /* open ones */
  uint64_t next_pool;
  struct shmx_trace trace; /* attached when link.trace is set */
  bool draws;              /* the supervisor may have a bar on the terminal */
  bool mended;             /* it is dead, and what it left has been cleared away */
};

/* The running host of this process, NULL when there is none. It may be dead: host->link.dead. */
struct shmx_host *shmx_host_running(void);

/* The running host; starts the program at `helper` as the supervisor when there is none, or when the last one is dead
 * and all of its pools are closed. 0 or -errno; -EPIPE when the dead one's pools are still open. */
int shmx_host_start(const char *helper, struct shmx_host **out);

/* The next supervisor is to write a trace and a report to these files (NULL: not that one); nothing happens when one is
 * running. 0 or -errno, with *which as of shmx_trace_create. */
int shmx_host_trace(const char *trace, const char *report, enum shmx_trace_want *which);

/* Whether a supervisor has begun to write what was wanted; why a file of the last runs is not complete, and its name, by
 * enum shmx_trace_want. 0: all went well. */
struct shmx_trace_outcome {
  bool begun;
  int error[SHMX_WANTS];
  char path[SHMX_WANTS][SHMX_OS_PATH];
};
const struct shmx_trace_outcome *shmx_host_trace_outcome(void);

/* Looks whether the supervisor still lives; true when it does. */
bool shmx_host_is_alive(struct shmx_host *host);

/* When the supervisor is dead: makes the terminal usable again if it may have left a bar there. */
void shmx_host_mend(struct shmx_host *host);

/* Ends the supervisor and waits for it. What main still holds stays valid. */
void shmx_host_stop(void);

#endif
