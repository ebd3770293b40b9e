/* SPDX-License-Identifier: MIT */
/*
 * What lies in shared memory besides the chunks: the domain (one for a main and its supervisor) and a mapping for each
 * pool. Offsets and indexes only, never pointers. Above each field stands who writes it.
 *
 * Sizes and counts that matter for safety are exchanged once by message and kept in private memory; nobody takes a size
 * from here.
 */
#ifndef SHMX_CORE_LAYOUT_H
#define SHMX_CORE_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/bell.h"
#include "core/histogram.h"
#include "core/message.h"
#include "core/ring.h"

enum {
  SHMX_LAYOUT_VERSION = 1, /* main, supervisor and workers are of one build; this catches a mixed installation */
  SHMX_MESSAGES = 2048,    /* records in a control ring */
  SHMX_NOTES = 1024,       /* records in a note ring */
  SHMX_SLOTS = 65536,      /* on a board */
  SHMX_SLOT_ARGS = 120,    /* bytes of a small message of arguments */
  SHMX_SLOT_RESULT = 96,   /* bytes of a small message of results */
  SHMX_SLOT_NAME = 32,     /* bytes of a task's name as progress shows it, with its terminator */
  SHMX_CHARGES = 4096,     /* processes that can have memory charged at one time */
  SHMX_KEPT_BYTES = 32760, /* of what a worker prints and has not written */
  SHMX_LANE_TEXT = 1024    /* bytes of a worker's last words */
};

/* --- a process: main's lies in the domain, a worker's in its lane --- */

enum { SHMX_WANTS_READ = 1, SHMX_WANTS_MEMORY = 2 };
enum shmx_answer { SHMX_ANSWER_REFUSED = 0, SHMX_ANSWER_ROOM, SHMX_ANSWER_LAST_SEAT };
enum { SHMX_RUNS_ANY = 1 }; /* about to claim a task, perhaps the oldest */

struct shmx_process_shm {
  struct shmx_bell_shm bell;
  /* The process sets a bit before it sleeps for the supervisor's sake (until its ring is read, until memory is free);
   * the supervisor clears it and rings. */
  _Atomic uint32_t wants;
  _Atomic uint64_t wants_bytes;  /* the process: how much memory it waits for; 0: it has it, or has given up */
  _Atomic uint64_t runs;         /* a worker: no more than the number of the task that it has claimed, or is about to;
                                  * 0: none */
  _Atomic uint32_t answer;       /* the supervisor, to who waits for memory: enum shmx_answer */
  _Atomic uint32_t limited_slot; /* a worker, before `deadline`: of the task that it runs */
  _Atomic int64_t deadline;      /* a worker: when that task has used up its time (shmx_os_now); 0: it has no limit */
  struct shmx_ring_shm messages; /* process -> supervisor */
  struct shmx_ring_shm notes;    /* supervisor -> process */
  struct shmx_message message[SHMX_MESSAGES];
  struct shmx_note note[SHMX_NOTES];
};

/* --- the domain --- */

enum { SHMX_CHARGE_MAIN = 0, SHMX_CHARGE_ORPHANS = 1, SHMX_CHARGE_FIRST_WORKER = 2 };

struct shmx_domain_shm {
  uint32_t version;                /* main, once */
  uint32_t size;                   /* main, once: sizeof this struct */
  struct shmx_bell_shm supervisor; /* the supervisor's bell */
  _Atomic uint32_t urges;          /* everybody: counts what the supervisor is to look at before it rests */
  _Atomic uint64_t budget;         /* main: bytes that all processes together may have in chunks */
  _Atomic uint64_t segments;       /* supervisor: live in the ledger, after each pass */
  _Atomic uint64_t segment_bytes;  /* the same: bytes in them */
  _Atomic uint64_t peak;           /* everybody: the most bytes that were charged at one time */
  _Atomic uint64_t oldest_waiter;  /* supervisor: number of the oldest task that waits for memory, or was told to
                                      * take it and has not yet; 0: there is none */
  _Atomic int64_t looks_at;        /* supervisor, before it rests: when it looks at deadlines by itself */
  _Atomic uint32_t crowded;        /* supervisor: 1, there are so many chunks that large segments should share some */
  _Atomic uint32_t trim;           /* supervisor: counts its requests that warm memory be given back */
  _Atomic uint32_t worker_charges; /* supervisor, before a worker has it: indexes of `charged` used for workers */
  _Atomic uint64_t charged[SHMX_CHARGES]; /* each process its own; the supervisor: orphans', and 0 for the dead */
  /* main, with each wait, so not beside what others read: number of the task whose end it wants; 0: of any */
  _Alignas(64) _Atomic uint64_t awaited;
  struct shmx_process_shm main;
};

/* --- a pool --- */

/* A slot's state word: generation 32 | attempt 8 | lane 16 | state 8. It alone decides what became of a task. */
enum shmx_state {
  SHMX_FREE = 0,
  SHMX_QUEUED,    /* main -> any worker; supervisor: again, after the death of the worker that had it */
  SHMX_CLAIMED,   /* by the worker in `lane` */
  SHMX_DONE,      /* worker: committed, results or a script error */
  SHMX_CRASHED,   /* supervisor: the worker died */
  SHMX_CANCELLED, /* main: taken back before anyone claimed it */
  SHMX_EXPIRED,   /* supervisor: this attempt has used up its time; another follows when its worker is dead */
  /* Verdicts that come before the worker has let go of the slot. The next one of each says that it has: worker, after
   * all that it has to say of the task; supervisor, of a dead worker. Only then is the slot used again. */
  SHMX_TIMED_OUT, /* supervisor: it has used up its time */
  SHMX_TIMED_OUT_LEFT,
  SHMX_WITHDRAWN, /* main: cancelled though a worker had it */
  SHMX_WITHDRAWN_LEFT
};

/* What a message of results is. */
enum shmx_result {
  SHMX_RESULT_VALUES = 0,
  SHMX_RESULT_ERROR = 1,     /* the task raised an error */
  SHMX_RESULT_REFUSED = 2,   /* a limit refused what it asked for */
  SHMX_RESULT_PRINTED = 256, /* with one of the others: the first value is what the task has printed */
  SHMX_RESULT_UNSENT = 512,  /* with one of the others: it could not be sent. The message is an int32_t: why (-errno) */
  SHMX_RESULT_ELEMENT_FAILED = 1024 /* with VALUES, of several elements: one has failed */
};

/* What was to be sent. */
static inline enum shmx_result shmx_result_meant(uint32_t verdict) { return (enum shmx_result)(verdict & 255); }

/* What it comes to: values that could not be sent are refused. */
static inline enum shmx_result shmx_result_kind(uint32_t verdict) {
  enum shmx_result kind = shmx_result_meant(verdict);
  return kind == SHMX_RESULT_VALUES && (verdict & SHMX_RESULT_UNSENT) ? SHMX_RESULT_REFUSED : kind;
}

/* What those take it for who count what has failed. */
static inline enum shmx_result shmx_result_counted(uint32_t verdict) {
  enum shmx_result kind = shmx_result_kind(verdict);
  return kind == SHMX_RESULT_VALUES && (verdict & SHMX_RESULT_ELEMENT_FAILED) ? SHMX_RESULT_ERROR : kind;
}

enum { SHMX_LANE_NONE = 0xFFFF, SHMX_LANES_MAX = 2048, SHMX_WORKERS_MAX = SHMX_LANES_MAX / 2 };

struct shmx_slot_shm {
  _Atomic uint64_t state;
  uint32_t args_size;   /* main, before QUEUED: bytes in `args` */
  uint32_t result_size; /* worker, before DONE: bytes in `result` */
  uint32_t task;        /* main: the task's number, for names and traces */
  uint32_t verdict;     /* supervisor, before CRASHED: wait status; worker, before DONE: enum shmx_result */
  uint64_t nanoseconds; /* worker, before DONE: how long the task ran */
  /* Main, and the supervisor before a retry, before QUEUED: when that was (shmx_os_now), or 0: it is not measured; worker,
   * before it commits: how many nanoseconds the attempt waited, or 0. */
  uint64_t waited;
  _Alignas(8) char args[SHMX_SLOT_ARGS];
  _Alignas(8) char result[SHMX_SLOT_RESULT];
};
_Static_assert(sizeof(struct shmx_slot_shm) == 256, "a slot is four cache lines");

/* What a task may use; valid for the slot's generation that it names. Apart from the slots, for most tasks have none. */
struct shmx_limits_shm {
  uint32_t generation; /* main, before QUEUED: all of it */
  uint32_t attempts;   /* how many at most */
  int64_t nanoseconds; /* how long each may take, from its claim; 0: as long as it wants */
};

/* A queue of slots to be claimed: one publisher, many claimers (board.h). */
struct shmx_queue_shm {
  _Alignas(64) _Atomic uint64_t head; /* claimers: entries below are no longer to be claimed */
  _Alignas(64) _Atomic uint64_t tail; /* publisher: entries written */
  uint64_t seen;                      /* publisher: `head` when it last looked, for claimers write that all the time */
};

enum shmx_lane_state { SHMX_LANE_EMPTY = 0, SHMX_LANE_STARTING, SHMX_LANE_READY, SHMX_LANE_FAILED, SHMX_LANE_DEAD };

struct shmx_lane_shm {
  struct shmx_process_shm process;
  struct shmx_ring_shm results; /* worker -> main: numbers of slots */
  _Atomic uint32_t peer;        /* supervisor, before the worker exists */
  _Atomic uint32_t pid;         /* the same */
  _Atomic uint32_t number;      /* the same: the worker's place in the pool, from 1 */
  _Atomic uint32_t state;       /* enum shmx_lane_state; worker: READY, FAILED; supervisor: the others */
  _Atomic uint32_t charge;      /* supervisor: its index in the domain's `charged` */
  _Atomic uint64_t ended;       /* worker: tasks it has ended */
  _Atomic uint32_t failed;      /* worker: of these, with an error */
  _Atomic uint32_t last_slot;   /* worker: of the task that ended last */
  _Atomic uint32_t withdrawn;   /* main: 1 + the slot of a task that it has withdrawn from the worker; supervisor: 0 */
  _Atomic uint32_t thousandths; /* worker: of the task that it runs, as far as that has said so */
  char text[SHMX_LANE_TEXT];    /* worker, before FAILED: why it could not start; when it crashes: where */
  struct shmx_histogram handovers; /* worker: from NOTIFY to TRANSFER COMPLETE; of all workers that the lane has had */
};

/* What a worker has flushed of a line that is not complete, or has captured (output.h): one for each standard stream. */
struct shmx_kept_shm {
  _Atomic uint32_t size; /* worker: bytes */
  char bytes[SHMX_KEPT_BYTES];
};

enum shmx_pool_state { SHMX_POOL_OPENING = 0, SHMX_POOL_OPEN, SHMX_POOL_BROKEN, SHMX_POOL_CLOSED };
enum shmx_pool_wish { SHMX_WISH_RUN = 0, SHMX_WISH_CLOSE = 1 };

struct shmx_pool_shm {
  _Atomic uint32_t state;        /* supervisor: enum shmx_pool_state */
  _Atomic uint32_t wish;         /* main: enum shmx_pool_wish */
  _Atomic int64_t kill_at;       /* main: when workers that still run are killed (shmx_os_now), 0: never */
  _Atomic uint32_t deaths;       /* supervisor: lanes that it has marked DEAD so far */
  _Atomic uint32_t scans;        /* supervisor: times that main has to look at all slots, for there may be ends that no
                                * ring tells of: a worker was stopped, or a task timed out */
  _Atomic uint32_t ready;        /* supervisor: workers that are ready now */
  _Atomic uint32_t started;      /* supervisor: workers that have ever been ready */
  _Atomic uint32_t slots_used;   /* main, before it publishes: slots below have been used at some time */
  _Atomic uint32_t lanes_used;   /* supervisor, before a worker exists: lanes below have been used at some time */
  _Atomic uint64_t published;    /* main: tasks published so far */
  _Atomic uint64_t collected;    /* main: tasks whose end it has taken in */
  _Atomic uint32_t core;         /* main: the core on which it published last */
  _Atomic uint64_t cancelled;    /* main: tasks that it has taken back before a worker had them */
  _Atomic uint32_t watched;      /* supervisor: main is to ring at its next publication; main: it has, 0 */
  _Atomic uint64_t memory;       /* main: cap for what this pool's workers made, bytes */
  _Atomic uint32_t limited;      /* main, before the first: there has been a task with limits, or one was withdrawn */
  _Atomic uint64_t worker_tasks; /* main: after so many tasks a worker is replaced; 0: never */
  _Atomic int64_t grace;         /* main: nanoseconds that a withdrawn task has to end by itself */
  char broken[SHMX_LANE_TEXT];   /* supervisor, before BROKEN: why */
  struct shmx_queue_shm todo;
  struct shmx_queue_shm again; /* the supervisor publishes: tasks that are tried again */
  /* Lanes without a task, 32 to a word: those that sleep in the lower half, those that search in the upper. */
  _Alignas(64) _Atomic uint64_t waiting[SHMX_LANES_MAX / 32];
};

/* Where the parts of a pool's mapping lie; computed alike by main and the supervisor from three numbers. */
struct shmx_pool_layout {
  uint32_t slots, lanes, config_size;
  uint64_t slot_offset, entry_offset, again_offset, limits_offset, lane_offset, result_offset, name_offset, kept_offset,
      config_offset, size;
};

/* False when the numbers are out of range. */
bool shmx_pool_layout(uint32_t slots, uint32_t lanes, uint32_t config_size, struct shmx_pool_layout *out);

/* So many bytes are charged: the peak may be higher than it was. */
void shmx_domain_raise_peak(struct shmx_domain_shm *domain, uint64_t bytes);

/* Bytes that all processes of the domain have charged. */
uint64_t shmx_domain_charged(struct shmx_domain_shm *domain);

/* A pool's mapping with typed access to its parts. */
struct shmx_pool_map {
  struct shmx_pool_layout layout;
  struct shmx_pool_shm *shm;
  struct shmx_slot_shm *slots;
  _Atomic uint64_t *entries;      /* of the todo queue: 2 * slots */
  _Atomic uint64_t *again;        /* of the queue of retries: the same */
  struct shmx_limits_shm *limits; /* by slot */
  struct shmx_lane_shm *lanes;
  char (*names)[SHMX_SLOT_NAME]; /* by slot; main, before QUEUED, if progress is shown */
  char *config;
};

/* Maps the pool's memory object. 0 or -errno. */
int shmx_pool_map_attach(struct shmx_pool_map *map, const struct shmx_pool_layout *layout, int fd);
void shmx_pool_map_detach(struct shmx_pool_map *map);
/* Lanes below have been used. To look at the others would make their pages. */
uint32_t shmx_pool_map_lanes(const struct shmx_pool_map *map);
/* Bytes that the pool's workers, the living ones, have charged. */
uint64_t shmx_pool_map_charged(const struct shmx_pool_map *map, struct shmx_domain_shm *domain);
/* The two kept texts of a lane. */
struct shmx_kept_shm *shmx_pool_map_kept(const struct shmx_pool_map *map, uint32_t lane);
/* The records of a lane's result ring. */
uint32_t *shmx_pool_map_results(const struct shmx_pool_map *map, uint32_t lane);

#endif
