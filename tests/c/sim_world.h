/* SPDX-License-Identifier: MIT */
/*
 * The world of the ledger's simulator (sim_ledger.c): its processes, their rings and sockets, the board, and what is
 * true of the segments whatever the ledger thinks. One world at a time.
 */
#ifndef SHMX_TESTS_SIM_WORLD_H
#define SHMX_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ledger.h"

enum {
  SEGMENTS = 96,
  CHUNKS = 64,
  PEERS = 24, /* numbers 1 to 23, in one run */
  WORKERS = 3,
  SLOTS = 4,
  NAMES = 3, /* segments that a task or a result names, at most */
  RING = 16,
  SCRIPT = 128,
  PAGE = 4,
  PAGES = 4,
  CHUNK_SIZE = PAGE * PAGES,
  STEPS = 400,
  MAIN = SHMX_PEER_MAIN
};

/* The rules that can be broken. */
enum rule { KEPT, NOTIFY_FIRST, FULL_PASS, DRAIN_FIRST, READ_TO_END, NOT_TOO_EARLY, HOLD_FIRST, DROP_LATE, RULES };

enum segment_state { LIVE, FREED, REUSABLE };

struct segment {
  uint64_t id;
  uint32_t maker;
  int chunk;
  uint32_t offset, size;
  bool shared; /* the ledger has been told */
  enum segment_state state;
};

struct chunk {
  uint64_t id;
  uint32_t maker;
  bool announced, read, given_back, closed;
  bool punched[PAGES];
};

struct process;
struct action {
  bool (*run)(struct process *, const struct action *); /* false: not done, try again */
  int type, a, b;
};

struct process {
  uint32_t number;
  bool alive;
  bool judged; /* dead, drained, and the ledger knows */
  struct shmx_message ring[RING];
  unsigned written, read, target;
  int announced[CHUNKS], nannounced, nread;
  struct shmx_note notes[RING];
  unsigned notes_in, notes_out;
  int refs[SEGMENTS];
  bool held[SEGMENTS], mapped[CHUNKS];
  struct action script[SCRIPT];
  int next, end; /* in the script */
  int retracted; /* of a task that was cancelled: NOTIFYs that have been taken back */
};

enum slot_state { FREE, RESERVED, QUEUED, CLAIMED, CANCELLED, ENDED, DONE, READING, CRASHED };

struct slot {
  enum slot_state state;
  uint32_t worker;
  int args[NAMES], results[NAMES];
  int nargs, nresults;
};

struct world {
  struct shmx_ledger *ledger;
  uint64_t random;
  unsigned pace; /* of 16 steps, so many are the supervisor's */
  unsigned bias; /* the ring of this peer is read most */
  enum rule broken;
  bool trace, calm, in_pass;
  struct segment segments[SEGMENTS];
  struct chunk chunks[CHUNKS];
  struct process peers[PEERS];
  struct slot slots[SLOTS];
  uint32_t gone[PEERS]; /* notes WORKER_GONE for main */
  int nsegments, nchunks, npeers, ngone, gone_read;
  const char *failure;
};

extern struct world sim;

/* -- sim_ledger.c -- */

/* The next random number below `below`. */
unsigned sim_draw(unsigned below);
/* A line of the trace, if one is wanted. */
__attribute__((format(printf, 1, 2))) void sim_trace(const char *format, ...);
/* Ends the run; the first failure counts. */
void sim_fail(const char *what);

/* Would a live process miss the segment, anything in the page, or anything in the chunk? */
bool sim_needed(int segment);
/* The same of any but this one, which is between two steps. */
bool sim_needed_by_others(const struct process *p, int segment);
bool sim_page_needed(int chunk, int page);
bool sim_chunk_needed(int chunk);
/* Has any byte of the segment been given back? */
bool sim_given_back(const struct segment *s);
bool sim_names(const int *list, int n, int segment);
int sim_index_of(uint64_t id);

/* -- sim_process.c -- */

/* One step of a worker, or of main: the next of its script or, if it has none, something new. */
void sim_work(struct process *p);
void sim_direct(struct process *p);
/* Appends a step to a script: gives up one reference to a segment. */
void sim_unref(struct process *p, int segment);
void sim_read_note(struct process *p);
/* The supervisor reads one announcement from the socket. */
void sim_read_announcement(struct process *p);

/* -- sim_supervisor.c -- */

/* Something that the supervisor could do now. */
void sim_supervise(void);
void sim_spawn(void);
void sim_do_chore(void);
void sim_deliver_note(struct process *p);
bool sim_drained(const struct process *p);

#endif
