/* SPDX-License-Identifier: MIT */
/*
 * The packer's side of a packet (bind/codec.h): room in the body, numbers for what has been met, the two tables.
 * Knows no Lua values. The functions return 0 or -ENOMEM, and leave the packet as it was when they fail.
 */
#ifndef SHMX_BIND_PACKET_H
#define SHMX_BIND_PACKET_H

#include "bind/codec.h"

/* Makes sure that `more` bytes fit behind the body. */
int shmx_packet_grow(struct shmx_packet *packet, size_t more);

static inline int shmx_packet_reserve(struct shmx_packet *packet, size_t more) {
  return packet->capacity - packet->size >= more ? 0 : shmx_packet_grow(packet, more);
}

/* The number of an address, 0 if it has none. */
uint32_t shmx_packet_find(const struct shmx_packet *packet, const void *key);

/* Finds or makes the number of an address that stays valid until the packet is reset or taken. A new one's is 0, and
 * the caller sets it (to something else) before the next call, which invalidates the pointer. */
int shmx_packet_number(struct shmx_packet *packet, const void *key, uint32_t **number);

/* The index of a segment or code in the packet's table, where it is added if need be with a reference or as a user. */
int shmx_packet_segment(struct shmx_packet *packet, struct shmx_segment *segment, uint32_t *index);
int shmx_packet_code(struct shmx_packet *packet, struct shmx_code *code, uint32_t *index);

#endif
