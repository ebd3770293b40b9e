/* SPDX-License-Identifier: MIT */
/*
 * Envelopes: how a message lies in a slot of the board. In front of the body, which only the bindings understand, stand
 * a table of the segments that it hands over and a table of the function prototypes that it refers to, so that the core
 * can hold or discard segments without understanding the body.
 *
 *     header | code references | segment references | body
 *
 * What does not fit into the slot lies, in the same form, in a segment of the sender's, the *carrier*, and the slot has
 * the header with one segment reference to it.
 */
#ifndef SHMX_CORE_ENVELOPE_H
#define SHMX_CORE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/memory.h"

struct shmx_code_ref {
  uint64_t hash[2];
  uint64_t chunk; /* where the bytecode lies; its owner keeps it while a message refers to it */
  uint32_t offset, size;
};

/* A message to be sent. */
struct shmx_outgoing {
  const void *body;
  uint64_t size;
  struct shmx_segment *const *segments; /* each once */
  uint32_t nsegments;
  const struct shmx_code_ref *codes; /* each once */
  uint32_t ncodes;
  bool urgent; /* it has to arrive, also when the memory budget is used up (SHMX_ALLOC_URGENT) */
};

/* Most messages refer to little: that much has its place in the struct, which must not be moved while it is in use. */
enum { SHMX_ENVELOPE_FEW = 2 };

/* A message as sent: what the sender may have to take back. */
struct shmx_sent {
  struct shmx_segment_ref *refs; /* the handed-over segments, the carrier last; owned, or `few` */
  uint32_t nrefs;
  struct shmx_segment_ref few[SHMX_ENVELOPE_FEW];
};

/* Bytes that the message needs in one place. */
uint64_t shmx_envelope_size(const struct shmx_outgoing *message);

/* Hands one segment over (shmx_memory_notify with a receiver, or shmx_memory_task_hold) and describes it. */
typedef int shmx_hand_over(struct shmx_memory *memory, struct shmx_segment *segment, struct shmx_segment_ref *ref);

/* Writes the message into `place`, which has room for `room` bytes, handing its segments over first. *size: bytes used.
 * 0 or -errno; after an error sent->refs lists what has been handed over nevertheless. */
int shmx_envelope_write(struct shmx_memory *memory, const struct shmx_outgoing *message, shmx_hand_over *hand_over,
                        char *place, uint32_t room, uint32_t *size, struct shmx_sent *sent);
void shmx_sent_fini(struct shmx_sent *sent);

/* Code that a message refers to. Most of it is known by its hash, so its bytes are looked for only when they are wanted. */
struct shmx_code_view {
  uint64_t hash[2];
  const char *bytes; /* NULL: they are in the chunk */
  uint64_t size, chunk;
  uint32_t offset;
};

/* Finds the bytes, which stay as long as the message does. 0, or as shmx_memory_look. */
int shmx_code_view_look(const struct shmx_code_view *view, const char **bytes);

/* A message that was received: its segments are held by this process until shmx_incoming_close. */
struct shmx_incoming {
  const void *body;
  uint64_t size;
  struct shmx_segment **segments; /* NULL where one could not be mapped */
  uint32_t nsegments;
  struct shmx_code_view *codes;
  uint32_t ncodes;
  struct shmx_segment *carrier;
  struct shmx_segment *few_segments[SHMX_ENVELOPE_FEW];
  struct shmx_code_view few_codes[SHMX_ENVELOPE_FEW];
};

/* Reads the message in `place`, which `giver` wrote (SHMX_PEER_NONE: arguments). With `wanted` its segments are held,
 * otherwise discarded. 0; -EPROTO when it makes no sense; or the error of the first segment that could not be mapped,
 * in which case the rest of the message is there all the same. */
int shmx_envelope_read(struct shmx_memory *memory, const char *place, uint32_t size, uint32_t giver, bool wanted,
                       struct shmx_incoming *message);
/* An empty message, which need not be closed. */
void shmx_incoming_init(struct shmx_incoming *message);
void shmx_incoming_close(struct shmx_incoming *message);

#endif
