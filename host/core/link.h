/* SPDX-License-Identifier: MIT */
/*
 * A process's line to the supervisor: its control ring and note ring, a socket for descriptors, and the bells.
 *
 * Only what somebody waits for wakes the supervisor at once (shmx_link_urge); otherwise a message rings it if it sleeps
 * and else waits until it comes by. Main notices the supervisor's death by its pidfd and every call then returns -EPIPE;
 * a worker dies with the supervisor.
 */
#ifndef SHMX_CORE_LINK_H
#define SHMX_CORE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/layout.h"
#include "core/patience.h"

/* Records on the socket. */
enum shmx_request_type {
  SHMX_REQ_CHUNK = 1, /* process, with a descriptor: I have made chunk `id` of `size` bytes (`flags`) */
  SHMX_REQ_FETCH,     /* process: I want chunk `id` */
  SHMX_REQ_OPEN,      /* main, with the pool's memory object, its working directory, and a terminal or what stands for
                       * one if progress is to be shown: open a pool */
  SHMX_REQ_NAME,      /* process, with a descriptor: the same, and give it `name` as long as `segment` is in it */
  SHMX_REQ_FORGET,    /* main: pool `id` is closed and I have unmapped it */
  SHMX_REQ_TRACE,     /* main, with the memory object of a trace and its file: write one (trace.h) */
  SHMX_REQ_HANDOVER,  /* process: when was segment `id` handed over? */
  SHMX_REQ_SURVEY,    /* process: tell me of segment `id`, or of all (0) */
  SHMX_REQ_FREEZE,    /* process: I hold segment `id` alone; nobody is to write it any more */
  SHMX_REP_CHUNK,     /* supervisor, with a descriptor: chunk `id` of `size` bytes (`flags`) */
  SHMX_REP_NAMED,     /* supervisor: it has the name; `error`: -errno instead */
  SHMX_REP_NONE,      /* supervisor: no such chunk */
  SHMX_REP_HELLO,     /* supervisor, its first record, with its pidfd: here I am */
  SHMX_REP_HANDOVER,  /* supervisor: `times` of NOTIFY, ACKNOWLEDGE and TRANSFER COMPLETE; 0: not known */
  SHMX_REP_SURVEY,    /* supervisor, with a descriptor of `size` bytes unless there are none: see survey.h */
  SHMX_REP_FROZEN,    /* supervisor: `flags` of its chunk; `error`: -EBUSY, you do not hold it alone, or -errno */
  SHMX_REP_OPENED     /* supervisor: the pool's workers are on their way; `error`: -errno instead */
};

/* In `flags`. */
enum {
  SHMX_CHUNK_OUTSIDE = 1, /* memory that has no seals, since others use it too (outside.h) */
  SHMX_CHUNK_ALONE = 2    /* made for one segment */
};

enum shmx_progress_mode { SHMX_PROGRESS_NONE = 0, SHMX_PROGRESS_BARS, SHMX_PROGRESS_PLAIN };

struct shmx_request {
  uint32_t type;
  int32_t error;
  uint64_t id;
  uint64_t size;
  uint32_t slots, lanes, config_size, workers;
  uint32_t progress; /* enum shmx_progress_mode */
  int64_t times[3];
  uint64_t segment;
  uint32_t flags;
  char name[SHMX_OS_NAME_ROOM];
};

struct shmx_trace;

struct shmx_link {
  struct shmx_domain_shm *domain;
  struct shmx_process_shm *self;
  struct shmx_pool_map *pool;    /* a worker's; NULL in main */
  struct shmx_ring messages;     /* we write */
  struct shmx_ring notes;        /* we read */
  struct shmx_patience patience; /* before each sleep */
  uint32_t peer;
  uint64_t serials; /* the ids of what this process makes have serial numbers above it */
  uint32_t charge;  /* index in domain->charged */
  int socket;
  int supervisor_bell;      /* eventfd */
  int own_bell;             /* main's eventfd; -1: a worker, which sleeps on a futex */
  struct shmx_trace *trace; /* NULL: nothing is recorded */
  int pidfd;                /* main: the supervisor's, once it has said hello; -1 in a worker */
  bool dead;                /* the supervisor is gone, or talks nonsense */
};

void shmx_link_init(struct shmx_link *link, struct shmx_domain_shm *domain, struct shmx_process_shm *self);

/* Appends a message; waits while the ring is full. 0, or -EPIPE. */
int shmx_link_send(struct shmx_link *link, const struct shmx_message *message);

/* Wakes the supervisor even from its nap, because we wait for it; or because what it has to read concerns much memory. */
void shmx_link_urge(struct shmx_link *link);
void shmx_link_rouse(struct shmx_link *link);

/* True when the supervisor has taken note of the message that was sent when link->messages.index was `number`. */
bool shmx_link_was_read(struct shmx_link *link, uint64_t number);

/* Waits until everything sent so far has been taken note of and what followed from it is in the note ring. 0, -EPIPE. */
int shmx_link_wait_read(struct shmx_link *link);

/* The next note; false when there is none. */
bool shmx_link_next_note(struct shmx_link *link, struct shmx_note *note);

/* Sleeps on the own bell, after shmx_bell_prepare and a last look; wakes at `deadline` (< 0: none). 0, -EINTR,
 * -ETIMEDOUT, or -EPIPE. */
int shmx_link_sleep(struct shmx_link *link, int64_t deadline);

enum { SHMX_LINK_TRIES = 10 }; /* to send a descriptor when there are too many on their way */

/* Sends a record on the socket with descriptors; 0, -EPIPE, or -errno. */
int shmx_link_request(struct shmx_link *link, const struct shmx_request *request, const int *fds, int nfds);

/* Waits for the answer; *fd is -1 or the descriptor that came with it. 0, -EPIPE, or -EMSGSIZE: the answer arrived without
 * its descriptor. Takes the supervisor's hello on the way. */
int shmx_link_answer(struct shmx_link *link, struct shmx_request *answer, int *fd);

#endif
