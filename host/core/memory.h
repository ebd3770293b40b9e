/* SPDX-License-Identifier: MIT */
/*
 * A process's shared memory: the chunks it has made and the allocator in them, the chunks it has mapped, and a handle
 * for every segment that it uses.
 *
 * There is one struct shmx_memory in a process. It works alone (arrays made before any pool exists), and joins the
 * supervisor through a link (core/link.h) when there is one. A segment that has never been handed over is private: it
 * is freed at once with its last reference, without a message. From the first handover on it is *shared*: the last
 * reference sends RELEASE, and the bytes are used again when the supervisor says FREE.
 *
 * Handles are counted by this process alone and are not for several threads.
 */
#ifndef SHMX_CORE_MEMORY_H
#define SHMX_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shmx_memory;
struct shmx_chunk;
struct shmx_block;
struct shmx_link;
struct shmx_note;
struct shmx_histogram;

/* A process's handle of a segment. Fields are read-only for users. */
struct shmx_segment {
  uint64_t id;   /* never used again by anyone */
  uint64_t size; /* bytes that belong to it, as asked for */
  void *data;    /* where this process sees it, aligned to 64 bytes; valid, and not NULL, even if size is 0 */
  struct shmx_memory *memory;
  struct shmx_chunk *chunk;
  uint32_t offset; /* in the chunk */
  uint32_t refs;   /* arrays, messages and open handovers of this process */
  uint32_t task;   /* main: the number of the task that brought it, 0: none did, or it is not known */
  bool own;        /* made by this process */
  bool shared;     /* the supervisor knows it */
  bool read_only;  /* frozen, or a file: its bytes are not to be written, and perhaps cannot be */
  bool lost;       /* the supervisor that knew it is gone: usable here, but it cannot be handed over any more */
  struct shmx_block *block; /* own: where the allocator keeps it */
};

/* What a message says of a segment. */
struct shmx_segment_ref {
  uint64_t id;
  uint64_t chunk;
  uint64_t size;
  uint32_t offset;
  uint32_t giver : 24; /* the peer that wrote the message, SHMX_PEER_NONE in an argument */
  uint32_t frozen : 8; /* SHMX_FROZEN and so on: nobody writes it any more */
};

enum { SHMX_FROZEN = 1, SHMX_FROZEN_ALONE = 2 /* and it is all that is in its chunk */ };

enum {
  SHMX_ALLOC_ZERO = 1,     /* zeroed; otherwise the bytes are whatever they are */
  SHMX_ALLOC_PRODUCED = 2, /* nobody looks at it before shmx_segment_produce has written it */
  SHMX_ALLOC_URGENT = 4    /* for a message that has to arrive: where the budget has no room, of what is set aside */
};

/* The memory of this process, made at first use; NULL without memory. */
struct shmx_memory *shmx_memory_here(void);

/* A new segment of `size` bytes with one reference. 0; -ENOMEM: the system refuses; -EDQUOT: over the budget for now;
 * -E2BIG: it could never fit into the budget; -EFBIG: the system makes no memory object that large (`ulimit -f`). Never
 * blocks. */
int shmx_memory_alloc(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_segment **out);

/* Like shmx_memory_alloc, and in a worker it waits while the budget may still be relieved (see supervisor_memory.c). */
int shmx_memory_alloc_wait(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_segment **out);

/* Makes `size` bytes of a content, those from `offset` on, at `place`. */
typedef void shmx_producer(void *context, uint64_t offset, void *place, uint64_t size);

/* Writes the content of a segment that was made with SHMX_ALLOC_PRODUCED. Warm memory and large pages are written where they
 * are. Into fresh small pages go pieces of 64 KiB through a buffer and write(), which costs half of what their faults would.
 * 0; -ENOSPC, -ENOMEM or another -errno: the segment is to be released. */
int shmx_segment_produce(struct shmx_segment *segment, shmx_producer *make, void *context);

/* Nobody writes the segment any more, whoever gets it; where it has a chunk of its own, the kernel sees to that (unless it
 * is a file). Only who holds it alone can do that; who is about to let go of it is waited for, for a tenth of a second.
 * 0, also if it is frozen already; -EBUSY: others hold it; -ETXTBSY: another segment is the same memory (outside.h), here or
 * elsewhere; -EPIPE: the supervisor is gone; or -errno. */
int shmx_memory_freeze(struct shmx_memory *memory, struct shmx_segment *segment);

void shmx_segment_retain(struct shmx_segment *segment);
/* Accepts NULL. The handle is invalid after the last reference. */
void shmx_segment_release(struct shmx_segment *segment);

/* --- for the processes of a domain (link.h, pool.c, worker.c) --- */

/* The supervisor is there: from now on segments can be handed over. The link must outlive shmx_memory_leave. */
void shmx_memory_join(struct shmx_memory *memory, struct shmx_link *link);

/* The supervisor is gone. What this process uses stays valid; what was shared is lost to others. */
void shmx_memory_leave(struct shmx_memory *memory);

/* Describes the segment for a message, with its chunk known to the supervisor; nobody holds the segment by that, so the
 * caller keeps it as long as somebody may look (function prototypes). 0; -ESTALE when it is lost; -EXDEV when it is
 * a mapped file; -EPIPE when the supervisor is gone; or -errno. */
int shmx_memory_describe(struct shmx_memory *memory, struct shmx_segment *segment, struct shmx_segment_ref *ref);

/* NOTIFY: writes that the segment goes to `receiver`. The segment keeps a reference until the supervisor
 * has acknowledged (shmx_memory_settle). 0 or as shmx_memory_describe. */
int shmx_memory_notify(struct shmx_memory *memory, struct shmx_segment *segment, uint32_t receiver,
                       struct shmx_segment_ref *ref);

/* A task that carries the segment is published, or no longer needs it. */
int shmx_memory_task_hold(struct shmx_memory *memory, struct shmx_segment *segment, struct shmx_segment_ref *ref);
void shmx_memory_task_drop(struct shmx_memory *memory, const struct shmx_segment_ref *ref);

/* HOLD: maps a segment that a message brought, and returns a reference. When that fails the segment is discarded. */
int shmx_memory_adopt(struct shmx_memory *memory, const struct shmx_segment_ref *ref, struct shmx_segment **out);
/* DISCARD: the message was read and the segment is not wanted. */
void shmx_memory_discard(struct shmx_memory *memory, const struct shmx_segment_ref *ref);

/* Where this process sees bytes of a chunk that someone else keeps alive meanwhile (function prototypes). 0 or -errno. */
int shmx_memory_look(struct shmx_memory *memory, uint64_t chunk, uint32_t offset, uint64_t size, const char **out);

/* TRANSFER COMPLETE: lets go of the segments whose handover has been acknowledged. True while some are still open. */
bool shmx_memory_settle(struct shmx_memory *memory);

/* Does what a note says (FREE, DROP_CHUNK). */
void shmx_memory_take_note(struct shmx_memory *memory, const struct shmx_note *note);

/* Between other things: settles, takes the supervisor's notes, and gives warm memory back if it asks for that. Cheap when
 * there is nothing to do. */
void shmx_memory_attend(struct shmx_memory *memory);

/* How often the supervisor has asked everybody for memory that is kept for no good reason; 0 while working alone. */
uint32_t shmx_memory_asked(const struct shmx_memory *memory);

/* Gives what is free but still warm back to the kernel. */
void shmx_memory_trim(struct shmx_memory *memory);

/* Bytes that all processes together may have in chunks, while this process works alone; 0: 80 % of what the machine has
 * available now. shmx_memory_budget returns the number in force. */
void shmx_memory_set_budget(struct shmx_memory *memory, uint64_t bytes);
uint64_t shmx_memory_budget(struct shmx_memory *memory);

/* Worker: the number of the task that now runs (from 1); SHMX_RUNS_ANY: it is about to claim one; 0: none. When memory is
 * short the oldest task gets it first. */
void shmx_memory_set_order(struct shmx_memory *memory, uint64_t order);

/* The times of handovers, from NOTIFY to TRANSFER COMPLETE, are to be counted there; a sample of them if there are many. */
void shmx_memory_measure(struct shmx_memory *memory, struct shmx_histogram *handovers);

/* The line to the supervisor; NULL while this process works alone. */
struct shmx_link *shmx_memory_link(const struct shmx_memory *memory);

/* The shared segment with this id, if this process has a handle of it; else NULL. */
const struct shmx_segment *shmx_memory_find(const struct shmx_memory *memory, uint64_t id);

/* True when an idle process may have something to give back: memory of its own, or garbage that holds others'. */
bool shmx_memory_can_cool(const struct shmx_memory *memory);

/* Segments of which this process has a handle with references. */
uint64_t shmx_memory_live(const struct shmx_memory *memory);
/* Bytes in all handles that have got their first reference so far, at any time, and one more for each. */
uint64_t shmx_memory_handled(const struct shmx_memory *memory);

#endif
