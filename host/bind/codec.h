/* SPDX-License-Identifier: MIT */
/*
 * Lua values <-> messages: MessagePack with extension types (documented in bind/format.h), plus a table of the segments
 * and of the function prototypes that the message refers to by index.
 *
 * The body knows no addresses and no ids: it says "segment 3 of the table". Who carries the message (core) therefore can
 * hold or discard its segments without understanding Lua values.
 *
 * Packing and unpacking can run Lua code (__shmx_pack, require, finalizers), so a packet that may be asked for again
 * meanwhile must not be shared: the inner use would spoil the outer message, though nothing worse.
 */
#ifndef SHMX_BIND_CODEC_H
#define SHMX_BIND_CODEC_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/envelope.h"
#include "core/memory.h"

/* A function prototype that lies in shared memory as bytecode; see bind/code.h. */
struct shmx_code {
  uint64_t hash[2];             /* XXH3 128 of the bytecode */
  struct shmx_segment *segment; /* the bytecode */
  uint32_t users;               /* the cache, and messages that refer to it */
};

/* What the packer has met: address -> number. Open addressing; `value` 0 is free. */
struct shmx_seen_entry {
  const void *key;
  uint32_t value;
};
struct shmx_seen {
  struct shmx_seen_entry *entries;
  uint32_t count, capacity;
};

/* A message being written. Reused from message to message: reset keeps the buffers, unless they have become large. All
 * pointers are owned by the packet; `segments` hold a reference each, `codes` count as users until
 * shmx_packet_reset or shmx_packet_take. */
struct shmx_packet {
  char *body;
  size_t size, capacity;
  struct shmx_segment **segments; /* each once, in order of first appearance */
  uint32_t nsegments, segments_capacity;
  struct shmx_code **codes; /* each once */
  uint32_t ncodes, codes_capacity;
  struct shmx_seen seen; /* pack.c's own */
};

/* The tables of a message, kept by whoever answers for them after the body has been sent (a task, an open handover):
 * the segments, a reference each, then the codes, which count as users. All zero: empty. */
struct shmx_cargo {
  uint32_t nsegments, ncodes;
  void *few[3];
  void **many; /* instead of `few` when there are more */
};

/* A message being read: views into memory that outlives the call. */
struct shmx_delivery {
  const char *body;
  size_t size;
  struct shmx_segment **segments; /* NULL: could not be mapped, an error if an array lies in it */
  uint32_t nsegments;
  const struct shmx_code_view *codes;
  uint32_t ncodes;
};

static inline struct shmx_delivery shmx_delivery_of(const struct shmx_incoming *m) {
  return (struct shmx_delivery){m->body, m->size, m->segments, m->nsegments, m->codes, m->ncodes};
}

/* The code as it is for who receives it without a message. */
static inline struct shmx_code_view shmx_code_view_of(const struct shmx_code *code) {
  return (struct shmx_code_view){
      .hash = {code->hash[0], code->hash[1]}, .bytes = code->segment->data, .size = code->segment->size};
}

enum {
  SHMX_PACK_FUNCTIONS = 1 /* Lua functions may travel: from main to a worker only */
};

void shmx_packet_init(struct shmx_packet *packet);
void shmx_packet_reset(struct shmx_packet *packet);
void shmx_packet_fini(struct shmx_packet *packet);

/* Moves the segments and codes out of the packet into an empty cargo. 0, or -ENOMEM: nothing has moved. */
int shmx_packet_take(struct shmx_packet *packet, struct shmx_cargo *cargo);

static inline void **shmx_cargo_items(struct shmx_cargo *cargo) { return cargo->many ? cargo->many : cargo->few; }
static inline struct shmx_segment *shmx_cargo_segment(struct shmx_cargo *cargo, uint32_t i) {
  return shmx_cargo_items(cargo)[i];
}
static inline struct shmx_code *shmx_cargo_code(struct shmx_cargo *cargo, uint32_t i) {
  return shmx_cargo_items(cargo)[cargo->nsegments + i];
}

/* From one cargo into another, which is empty. */
static inline void shmx_cargo_move(struct shmx_cargo *from, struct shmx_cargo *to) {
  *to = *from;
  *from = (struct shmx_cargo){0};
}

/* Releases the segments and codes; it is empty afterwards. */
void shmx_cargo_drop(struct shmx_cargo *cargo);

/* How errors call the values. */
struct shmx_pack_names {
  const char *noun; /* "argument" or "result"; the value's number follows */
  int function;     /* the 1-based value that is the task's function, named "function" and not counted; 0: none */
};

/* Makes a message of the `count` values from stack index `first` on, in a packet that is fresh or has been reset. Raises
 * a Lua error that names the path of what cannot travel; the packet, which is part of a userdata or is otherwise kept
 * by the caller, can then be reset. The stack is unchanged. */
void shmx_codec_pack(lua_State *L, struct shmx_packet *packet, int first, int count, unsigned flags,
                     const struct shmx_pack_names *names);

/* Pushes the values of the message and returns how many; raises a Lua error for a message that does not decode. Lua
 * functions are accepted with SHMX_PACK_FUNCTIONS only. */
int shmx_codec_unpack(lua_State *L, const struct shmx_delivery *delivery, unsigned flags);

/* The same for the first value alone, on which it may depend how the others can be read. Returns 1, or 0 without one. */
int shmx_codec_unpack_first(lua_State *L, const struct shmx_delivery *delivery, unsigned flags);

#endif
