/* SPDX-License-Identifier: MIT */
/*
 * Shorthands for tests of the ledger: one ledger with main and two workers, and one line per event.
 */
#ifndef SHMX_TESTS_LEDGER_KIT_H
#define SHMX_TESTS_LEDGER_KIT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "core/ledger.h"

#define PAGE ((uint64_t)4096)
enum { MAIN = SHMX_PEER_MAIN, W = 2, V = 3 };

static struct shmx_ledger *ledger;

static inline void start(void) {
  ledger = shmx_ledger_create(PAGE);
  CHECK(ledger);
  CHECK(shmx_ledger_join(ledger, W) == 0);
  CHECK(shmx_ledger_join(ledger, V) == 0);
}

/* Segment `serial` of the maker: 100 bytes at 128 * serial in its chunk 1. */
static inline struct shmx_message about(enum shmx_message_type type, uint32_t peer, uint32_t maker, uint64_t serial) {
  return (struct shmx_message){.head = shmx_message_head(type, peer),
                               .offset = (uint32_t)(serial % 4096 * 128),
                               .segment = shmx_id_make(maker, serial),
                               .chunk = shmx_id_make(maker, 1),
                               .size = 100};
}

static inline int say(uint32_t from, enum shmx_message_type type, uint32_t peer, uint32_t maker, uint64_t serial) {
  struct shmx_message m = about(type, peer, maker, serial);
  return shmx_ledger_message(ledger, from, &m);
}

static inline int notify(uint32_t from, uint32_t maker, uint64_t serial) {
  return say(from, SHMX_MSG_NOTIFY, MAIN, maker, serial);
}
static inline int hold(uint32_t from, uint32_t giver, uint32_t maker, uint64_t serial) {
  return say(from, SHMX_MSG_HOLD, giver, maker, serial);
}
static inline int discard(uint32_t giver, uint32_t maker, uint64_t serial) {
  return say(MAIN, SHMX_MSG_DISCARD, giver, maker, serial);
}
static inline int release(uint32_t from, uint32_t maker, uint64_t serial) {
  return say(from, SHMX_MSG_RELEASE, 0, maker, serial);
}
static inline int task_hold(uint32_t maker, uint64_t serial) { return say(MAIN, SHMX_MSG_TASK_HOLD, 0, maker, serial); }
static inline int task_drop(uint32_t maker, uint64_t serial) { return say(MAIN, SHMX_MSG_TASK_DROP, 0, maker, serial); }
static inline int read_to_end(uint32_t peer) { return say(MAIN, SHMX_MSG_READ_TO_END, peer, 0, 0); }
static inline int chunk_gone(uint32_t from, uint64_t chunk) {
  struct shmx_message m = {.head = shmx_message_head(SHMX_MSG_CHUNK_GONE, 0), .chunk = chunk};
  return shmx_ledger_message(ledger, from, &m);
}
static inline int place(uint32_t from, uint64_t segment, uint64_t chunk, uint32_t offset, uint64_t size) {
  struct shmx_message m = {shmx_message_head(SHMX_MSG_NOTIFY, MAIN), offset, segment, chunk, size};
  return shmx_ledger_message(ledger, from, &m);
}

static inline void pass(void) {
  shmx_ledger_pass_begin(ledger);
  shmx_ledger_pass_end(ledger);
}

static inline struct shmx_ledger_stats stats(void) {
  struct shmx_ledger_stats s;
  shmx_ledger_stats(ledger, &s);
  return s;
}

static inline uint64_t live(void) { return stats().segments; }

/* The next note of the peer is this one. */
static inline bool noted(uint32_t peer, enum shmx_note_type type, uint64_t id) {
  struct shmx_note note;
  return shmx_ledger_next_note(ledger, peer, &note) && note.type == type && note.id == id;
}

static inline bool no_note(uint32_t peer) {
  struct shmx_note note;
  return !shmx_ledger_next_note(ledger, peer, &note);
}

static inline bool freed(uint32_t maker, uint64_t serial) {
  return noted(maker, SHMX_NOTE_FREE, shmx_id_make(maker, serial)) && no_note(maker);
}

static inline bool punched(uint64_t chunk, uint64_t offset, uint64_t size) {
  struct shmx_chore chore;
  return shmx_ledger_next_chore(ledger, &chore) && chore.type == SHMX_CHORE_PUNCH && chore.chunk == chunk &&
         chore.offset == offset && chore.size == size;
}

static inline bool closed(uint64_t chunk) {
  struct shmx_chore chore;
  return shmx_ledger_next_chore(ledger, &chore) && chore.type == SHMX_CHORE_CLOSE && chore.chunk == chunk;
}

static inline bool no_chore(void) {
  struct shmx_chore chore;
  return !shmx_ledger_next_chore(ledger, &chore);
}

/* Nothing is left to do or to say, and the ledger is as small as a new one with as many peers. */
static inline void finish(void) {
  for (int i = 0; i < 3; i++) pass();
  CHECK(no_chore() && !shmx_ledger_wants_pass(ledger));
  struct shmx_ledger_stats s = stats();
  CHECK(s.segments == 0 && s.bytes == 0 && s.orphan_bytes == 0 && s.transit_bytes == 0);
  shmx_ledger_destroy(ledger);
}

#endif
