/* SPDX-License-Identifier: MIT */
/*
 * Control messages: what processes tell the supervisor, and what it tells them.
 *
 * A process writes struct shmx_message records into its own control ring; the supervisor reads them in order. The
 * supervisor writes struct shmx_note records into the process's note ring. Both are plain data: everything read from
 * a ring is input from another process and is checked before it is used.
 *
 * Peers are numbered by the supervisor: 1 is main, workers get the next number at each start. When the highest has been
 * given it begins anew, with those to which nothing refers any more. Segment and chunk ids carry their maker's number in
 * the upper 24 bits (see shmx_id_make) and below it a serial number, which for a number that is used again begins above all
 * that were heard of before: so they are unique for ever without asking anyone.
 */
#ifndef SHMX_CORE_MESSAGE_H
#define SHMX_CORE_MESSAGE_H

#include <stdint.h>

enum { SHMX_PEER_NONE = 0, SHMX_PEER_MAIN = 1, SHMX_PEER_MAX = 0xFFFFFF };

enum shmx_message_type {
  SHMX_MSG_NONE = 0,
  /* giver: segment goes to `peer`. Registers the segment if it is new, and records one in transit. The
   * first NOTIFY or TASK_HOLD by the segment's maker also records the maker's own hold, whoever was heard of before. */
  SHMX_MSG_NOTIFY = 1,
  /* receiver: I have mapped the segment that `peer` gave. One less in transit from it, and a hold of the sender.
   * `peer` SHMX_PEER_NONE: it came as an argument, which the task's hold covers; nothing was in transit. Either may be
   * read before the giver's NOTIFY or main's TASK_HOLD (other rings), and so may name a segment not known yet. */
  SHMX_MSG_HOLD = 2,
  /* receiver: I have read `peer`'s message and will not map the segment. One less in transit. With its own number as
   * `peer` a giver that still holds it takes a NOTIFY back: the message was not committed, for the task was cancelled. */
  SHMX_MSG_DISCARD = 3,
  /* holder (giver: TRANSFER COMPLETE; receiver: RELEASE): my references are gone; my hold is dropped. */
  SHMX_MSG_RELEASE = 4,
  /* main: a task that carries the segment is published (and main's own hold, as above), or needs it no more. */
  SHMX_MSG_TASK_HOLD = 5,
  SHMX_MSG_TASK_DROP = 6,
  /* maker: the chunk has been given back to the kernel and holds no segment any more. */
  SHMX_MSG_CHUNK_GONE = 7,
  /* main: every result that the dead worker `peer` committed has been read. */
  SHMX_MSG_READ_TO_END = 8,
  SHMX_MSG_TYPES
};

/* 32 bytes in the ring. `chunk`, `offset` and `size` say where the segment lies, in every message about a segment,
 * because messages of two processes about one segment can be read in any order. */
struct shmx_message {
  uint32_t head;   /* type << 24 | peer */
  uint32_t offset; /* bytes from the chunk's start; segments beyond 4 GiB have a chunk of their own */
  uint64_t segment;
  uint64_t chunk;
  uint64_t size; /* bytes */
};

enum shmx_note_type {
  SHMX_NOTE_NONE = 0,
  SHMX_NOTE_FREE = 1,       /* to the maker: nobody holds segment `id`; its bytes may be used again */
  SHMX_NOTE_DROP_CHUNK = 2, /* to a mapper: chunk `id` is gone; unmap it */
  SHMX_NOTE_FREE_SEALED = 3 /* to the maker: nobody holds segment `id`, and its chunk cannot be used again */
};

struct shmx_note {
  uint64_t type;
  uint64_t id;
};

static inline uint32_t shmx_message_head(enum shmx_message_type type, uint32_t peer) {
  return (uint32_t)type << 24 | peer;
}
static inline enum shmx_message_type shmx_message_type(const struct shmx_message *m) {
  return (enum shmx_message_type)(m->head >> 24);
}
static inline uint32_t shmx_message_peer(const struct shmx_message *m) { return m->head & SHMX_PEER_MAX; }

/* An id: the maker's peer number above a serial number of the maker's, which is never 0. */
static inline uint64_t shmx_id_make(uint32_t peer, uint64_t serial) { return (uint64_t)peer << 40 | serial; }
static inline uint32_t shmx_id_maker(uint64_t id) { return (uint32_t)(id >> 40); }
#define SHMX_SERIALS_LAST ((uint64_t)1 << 39) /* who begins above it might run out of them */
static inline uint64_t shmx_id_serial(uint64_t id) { return id & (((uint64_t)1 << 40) - 1); }

#endif
