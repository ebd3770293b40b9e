/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's parts: supervisor.c has the loop, supervisor_peer.c the processes and what they say,
 * supervisor_memory.c who gets memory when it is short, supervisor_pool.c the pools and the life of their workers,
 * supervisor_start.c how that begins, supervisor_freeze.c who may freeze what, supervisor_limits.c tasks that have to stop,
 * supervisor_progress.c the bars and what workers print, supervisor_survey.c what it tells of the ledger.
 */
#ifndef SHMX_CORE_SUPERVISOR_PRIVATE_H
#define SHMX_CORE_SUPERVISOR_PRIVATE_H

#include "core/board.h"
#include "core/chunk.h"
#include "core/idmap.h"
#include "core/ledger.h"
#include "core/limits.h"
#include "core/link.h"
#include "core/supervisor.h"
#include "core/supervisor_trace.h"
#include "core/terminal.h"
#include "core/workers.h"

struct sup_pool;

/* What an epoll event is about. */
enum sup_source { SUP_MAIN_DIED, SUP_BELL, SUP_CHILD, SUP_PEER_SOCKET, SUP_PEER_DIED, SUP_PEER_OUTPUT };
struct sup_watch {
  enum sup_source source;
  struct sup_peer *peer;
};

/* The worker has been told to let go of this slot's task. */
struct sup_stopping {
  uint32_t slot;
  int64_t kill_at; /* if it has not done so by then; 0: nothing is to be let go of */
};

/* A process that talks to the supervisor: main or a worker. */
struct sup_peer {
  uint32_t id;
  struct sup_pool *pool; /* NULL: main */
  uint32_t lane, number, charge;
  uint32_t round; /* of peer numbers, in which its own was given */
  pid_t pid;
  int pidfd, socket;
  int status;    /* once it is dead: as waitpid gives it */
  bool dead;     /* reaped, not yet buried */
  bool stopped;  /* by a signal, as far as we have heard */
  bool broken;   /* killed because its pool is broken */
  bool poisoned; /* it wrote what it could not mean: killed, and no longer listened to */
  struct shmx_process_shm *shm;
  struct shmx_ring messages; /* we read */
  struct shmx_ring notes;    /* we write */
  bool notes_full;           /* there may be more than had room */
  int output; /* reads its standard output and error, as far as they lead to the terminal; 0: it has ours */
  struct shmx_text partial; /* of it: a line that has not ended yet */
  struct shmx_watch watch;  /* its task's time limit */
  struct sup_stopping stopping;
  struct sup_watch socket_watch, died_watch, output_watch;
  struct sup_peer *next;
};

struct sup_chunk {
  uint64_t size;
  int fd;
  bool outside; /* its pages are not ours to give back */
  bool alone;   /* made for one segment, says its maker */
};

struct sup_name;

/* A pool's tasks as they were counted last. */
struct sup_tally {
  bool on;      /* progress is shown; else nothing here is used */
  bool started; /* the bar has been told that all workers are ready */
  uint64_t done, total, failed;
  uint64_t thousandths;           /* of tasks that run, as these say */
  uint64_t buried, buried_failed; /* of these, in lanes that have lost their worker; and what corrects the sum */
  uint64_t *seen;                 /* by lane: its count */
  uint32_t last_slot;             /* of a task that ended last */
  int64_t changed;                /* when */
};

struct sup_pool {
  uint64_t id;
  struct shmx_pool_map map;
  struct shmx_workers *workers;
  struct sup_peer **by_lane;
  uint32_t *last_peers; /* by lane: the number of its newest worker */
  uint32_t wanted;
  uint32_t lanes; /* below have been used */
  int directory;  /* main's working directory when the pool was opened */
  bool broken;
  struct sup_tally tally;
  struct sup_pool *next;
};

/* What is on the terminal. */
struct sup_progress {
  struct shmx_terminal *terminal; /* NULL: no pool wants progress */
  struct sup_pool *shown;         /* whose bar it is; NULL: nobody's */
  enum shmx_phase phase;          /* what the bar was told last */
  uint64_t done, total, failed, thousandths;
  bool told;          /* something since the last tick */
  bool paused;        /* too many lines are queued: workers' output is not read */
  int64_t tick, look; /* when the terminal and the counters want to be looked at; -1: not until something happens */
};

struct sup {
  int epoll, bell, main_bell, children;
  pid_t pid;
  uint64_t files_before;
  uint64_t many_chunks; /* so many keep half of the descriptors that we may have */
  struct shmx_domain_shm *domain;
  struct shmx_ledger *ledger;
  const struct shmx_runner *runner;
  struct sup_peer *peers; /* main is the last in the list */
  struct sup_peer main;
  struct sup_pool *pools;
  struct shmx_idmap chunks;       /* by id: struct sup_chunk */
  uint32_t last_peer, most_peers; /* the number given last, and the highest that there is */
  uint32_t round;                 /* how often they have been given */
  uint64_t serials;               /* what workers with numbers of this round make has serial numbers above this */
  struct sup_progress progress;
  struct sup_trace *trace; /* NULL: there is none */
  struct sup_name *names;
  struct sup_name *spare_names;          /* entries of names that are gone; none when there are no names */
  uint32_t name_places;                  /* in the register, so far */
  struct shmx_os_register name_register; /* open while there are names */
  bool charge_used[SHMX_CHARGES];
  bool files_ran_out; /* a chunk's descriptor has been lost by that */
  bool leave;         /* main is gone */
  bool heard;         /* something was read since the last look */
  bool busy;          /* there may be more to do than the last tending did */
  bool answered;      /* somebody who waited was, since the last rest */
  bool memory_wanted; /* a process waits for memory */
  int64_t asked_at;   /* when all were last asked to give back what is warm, or nobody waited */
  uint64_t short_at;  /* bytes that were charged when all were last asked to give back what is warm */
  uint32_t urges;     /* the domain's count of them when everything was last looked at */
  int64_t now;
  int64_t planned; /* when it should look again at the latest, as of the last rest; -1: it need not */
  int64_t late;    /* by how much it did so later */
};

/* The earlier of two times; -1 is never. */
static inline int64_t sup_sooner(int64_t a, int64_t b) { return a < 0 ? b : b < 0 || a < b ? a : b; }

/* --- supervisor.c --- */

/* Takes in what all have said so far, and frees what nobody holds any more, names included. */
void sup_settle(struct sup *s);

/* --- supervisor_name.c --- */

/* Gives the chunk of the request, whose descriptor is `fd`, its name. 0 or -errno. */
int sup_name_give(struct sup *s, const struct shmx_request *request, int fd);
/* The chunk, or the segment that gave it its name, is no more: neither is the name. */
void sup_name_chunk_gone(struct sup *s, uint64_t chunk);
void sup_name_segment_free(struct sup *s, uint64_t segment);
void sup_name_fini(struct sup *s);

/* --- supervisor_peer.c --- */

int sup_watch(struct sup *s, int fd, struct sup_watch *watch);
/* Stops watching it. */
void sup_ignore(struct sup *s, int fd);
/* Stops watching and closes it. Closing alone is not enough: a child that is just being forked may still have it open,
 * and epoll would go on to report it. */
void sup_unwatch(struct sup *s, int fd);
void sup_peer_init(struct sup *s, struct sup_peer *peer, struct shmx_process_shm *shm);
/* Reads the peer's ring to its end; those of all. */
void sup_read_ring(struct sup *s, struct sup_peer *peer);
void sup_read_rings(struct sup *s);
/* Takes a request, with the descriptors that came with it and -1 for the others, and answers it. 0, and the descriptors are
 * taken over; or -errno, -EPROTO when nobody could have meant it. */
typedef int sup_take(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds);
/* Sends an answer, with a descriptor unless `fd` is -1. 0 or -errno. */
int sup_answer(const struct sup_peer *peer, const struct shmx_request *reply, int fd);
/* Reads the peer's socket until nothing is there. */
void sup_read_socket(struct sup *s, struct sup_peer *peer);
/* Writes the notes that there are and that fit. */
void sup_write_notes(struct sup *s, struct sup_peer *peer);
/* The peer, if it waits for that, learns that all it has said is taken note of. */
void sup_answer_reader(struct sup *s, struct sup_peer *peer);
/* It has written what it could not mean. */
void sup_poison(struct sup *s, struct sup_peer *peer);
struct sup_peer *sup_find_peer(struct sup *s, uint32_t id);
/* What the ledger wants done to orphaned chunks. */
void sup_do_chores(struct sup *s);

/* --- supervisor_memory.c --- */

/* Tells the oldest task that waits for memory to take it, if there is enough, or that it waits in vain. */
void sup_serve_memory(struct sup *s);

/* --- supervisor_survey.c --- */

/* Tells the peer of the segment of the request, or of all (0). */
sup_take sup_survey;

/* --- supervisor_freeze.c --- */

/* The peer wants nobody to write the segment of the request any more. */
sup_take sup_freeze;

/* --- supervisor_limits.c --- */

/* After a pass: judges tasks that have used up their time, and kills workers that do not let go of such. */
void sup_limits_tend(struct sup *s, struct sup_pool *pool);
/* When that is to be done again though nothing has happened; -1: never. */
int64_t sup_limits_deadline(struct sup *s, struct sup_pool *pool);
/* The worker has been stopped by a signal. */
void sup_limits_stopped(struct sup *s, struct sup_peer *peer);

/* --- supervisor_start.c --- */

/* Starts the pool's worker with this number in the lane. 0, or -errno and nothing has changed. */
int sup_worker_start(struct sup *s, struct sup_pool *pool, uint32_t lane, uint32_t number);
/* It is dead, and nothing leads to it any more. */
void sup_worker_free(struct sup *s, struct sup_peer *peer);

/* --- supervisor_pool.c --- */

/* True when a task in this state may have another attempt. */
bool sup_pool_may_retry(const struct sup_pool *pool, uint32_t slot, uint64_t word);
/* Main is to look at all slots. */
void sup_pool_ask_to_scan(struct sup *s, struct sup_pool *pool);

/* Opens the pool that main asks for; the descriptors (the third may be -1) are taken over. 0 or -errno. */
int sup_pool_open(struct sup *s, const struct shmx_request *request, int fds[3]);
void sup_pool_forget(struct sup *s, uint64_t id);
/* Takes note of children that ended, stopped or went on. */
void sup_reap(struct sup *s);
/* After a pass: buries the dead, starts workers, brings the pool's public state up to date. */
void sup_pool_tend(struct sup *s, struct sup_pool *pool);
/* When the pool wants to be tended though nothing has happened; -1: never. */
int64_t sup_pool_deadline(const struct sup_pool *pool);
/* Main has read a dead worker's results to the end. */
void sup_pool_read_to_end(struct sup *s, uint32_t peer);
void sup_kill_all(struct sup *s);

/* --- supervisor_progress.c --- */

/* The new pool's progress is to be shown on `fd`, which is taken over. */
void sup_progress_open(struct sup *s, struct sup_pool *pool, uint32_t mode, int fd);
/* After a pass: brings the bar up to date. */
void sup_progress_tend(struct sup *s);
/* When it wants to be tended though nothing has happened; -1: never. */
int64_t sup_progress_deadline(const struct sup *s);
/* The worker is dead, and `crashed` tasks with it; its lane still has its counts. */
void sup_progress_bury(struct sup_pool *pool, const struct sup_peer *peer, uint32_t crashed);
/* The pool has all its workers; main does not know it yet. */
void sup_progress_opened(struct sup *s, struct sup_pool *pool);
/* The pool has no worker left; main does not know it yet. */
void sup_progress_closed(struct sup *s, struct sup_pool *pool);
void sup_progress_forget(struct sup *s, struct sup_pool *pool);
/* Takes everything from the terminal. */
void sup_progress_fini(struct sup *s);

/* Before the fork: a pipe for what the worker prints on the terminal. Returns the worker's end, or -1: it has none. */
int sup_output_create(struct sup *s, struct sup_pool *pool, struct sup_peer *peer);
/* In the worker: prints go into the pipe from now on. */
void sup_output_attach(struct sup *s, int fd);
void sup_output_watch(struct sup *s, struct sup_peer *peer);
void sup_output_read(struct sup *s, struct sup_peer *peer);
/* Reads what is still there, and closes it: descendants that hold the other end are not waited for. */
void sup_output_end(struct sup *s, struct sup_peer *peer);

#endif
