/* SPDX-License-Identifier: MIT */
/*
 * Packets and their cargo: the memory of messages on their way out. See bind/packet.h and bind/codec.h.
 *
 * Everything is kept from message to message, so that packing allocates nothing once it is warm; what one unusually
 * large message needed is given back with the next reset. Addresses of Lua objects, upvalues, segments and codes share
 * one map: all of them are live while the packet is filled, so no two are the same.
 */
#include "bind/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bind/code.h"

enum { BODY_MIN = 256, BODY_KEEP = 1 << 20, TABLE_MIN = 4, TABLE_KEEP = 1024, SEEN_MIN = 16, SEEN_KEEP = 4096 };

void shmx_packet_init(struct shmx_packet *packet) { memset(packet, 0, sizeof *packet); }

static void drop_tables(struct shmx_packet *packet) {
  for (uint32_t i = 0; i < packet->nsegments; i++) shmx_segment_release(packet->segments[i]);
  for (uint32_t i = 0; i < packet->ncodes; i++) shmx_code_unuse(packet->codes[i]);
  packet->nsegments = packet->ncodes = 0;
}

static void forget_seen(struct shmx_packet *packet) {
  struct shmx_seen *seen = &packet->seen;
  if (seen->capacity > SEEN_KEEP) {
    free(seen->entries);
    memset(seen, 0, sizeof *seen);
  } else if (seen->count > 0) {
    memset(seen->entries, 0, seen->capacity * sizeof *seen->entries);
    seen->count = 0;
  }
}

static void shrink(struct shmx_packet *packet) {
  if (packet->capacity > BODY_KEEP) {
    free(packet->body);
    packet->body = NULL;
    packet->capacity = 0;
  }
  if (packet->segments_capacity > TABLE_KEEP) {
    free(packet->segments);
    packet->segments = NULL;
    packet->segments_capacity = 0;
  }
}

void shmx_packet_reset(struct shmx_packet *packet) {
  drop_tables(packet);
  forget_seen(packet);
  shrink(packet);
  packet->size = 0;
}

void shmx_packet_fini(struct shmx_packet *packet) {
  drop_tables(packet);
  free(packet->body);
  free(packet->segments);
  free(packet->codes);
  free(packet->seen.entries);
  memset(packet, 0, sizeof *packet);
}

int shmx_packet_grow(struct shmx_packet *packet, size_t more) {
  size_t capacity = packet->capacity ? packet->capacity : BODY_MIN;
  while (capacity - packet->size < more) {
    if (capacity > SIZE_MAX / 2) return -ENOMEM;
    capacity *= 2;
  }
  char *body = realloc(packet->body, capacity);
  if (!body) return -ENOMEM;
  packet->body = body;
  packet->capacity = capacity;
  return 0;
}

static struct shmx_seen_entry *seen_slot(const struct shmx_seen *seen, const void *key) {
  uint64_t hash = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
  uint32_t i = (uint32_t)(hash >> 32) & (seen->capacity - 1);
  while (seen->entries[i].value != 0 && seen->entries[i].key != key) i = (i + 1) & (seen->capacity - 1);
  return &seen->entries[i];
}

static int seen_grow(struct shmx_seen *seen) {
  struct shmx_seen bigger = {.count = seen->count, .capacity = seen->capacity ? seen->capacity * 2 : SEEN_MIN};
  if (bigger.capacity == 0) return -ENOMEM;
  bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
  if (!bigger.entries) return -ENOMEM;
  for (uint32_t i = 0; i < seen->capacity; i++) {
    if (seen->entries[i].value != 0) *seen_slot(&bigger, seen->entries[i].key) = seen->entries[i];
  }
  free(seen->entries);
  *seen = bigger;
  return 0;
}

uint32_t shmx_packet_find(const struct shmx_packet *packet, const void *key) {
  return packet->seen.count > 0 ? seen_slot(&packet->seen, key)->value : 0;
}

int shmx_packet_number(struct shmx_packet *packet, const void *key, uint32_t **number) {
  struct shmx_seen *seen = &packet->seen;
  if (seen->count >= seen->capacity / 2 && seen_grow(seen) != 0) return -ENOMEM;
  struct shmx_seen_entry *entry = seen_slot(seen, key);
  if (entry->value == 0) {
    entry->key = key;
    seen->count++;
  }
  *number = &entry->value;
  return 0;
}

/* Makes room for one more pointer in a table. */
static int table_grow(void **table, uint32_t count, uint32_t *capacity) {
  if (count < *capacity) return 0;
  uint32_t more = *capacity ? *capacity * 2 : TABLE_MIN;
  void *bigger = more > *capacity ? realloc(*table, more * sizeof(void *)) : NULL;
  if (!bigger) return -ENOMEM;
  *table = bigger;
  *capacity = more;
  return 0;
}

int shmx_packet_segment(struct shmx_packet *packet, struct shmx_segment *segment, uint32_t *index) {
  void *table = packet->segments;
  int rc = table_grow(&table, packet->nsegments, &packet->segments_capacity);
  packet->segments = table;
  uint32_t *number;
  if (rc != 0 || shmx_packet_number(packet, segment, &number) != 0) return -ENOMEM;
  if (*number == 0) {
    shmx_segment_retain(segment);
    packet->segments[packet->nsegments++] = segment;
    *number = packet->nsegments;
  }
  *index = *number - 1;
  return 0;
}

int shmx_packet_code(struct shmx_packet *packet, struct shmx_code *code, uint32_t *index) {
  void *table = packet->codes;
  int rc = table_grow(&table, packet->ncodes, &packet->codes_capacity);
  packet->codes = table;
  uint32_t *number;
  if (rc != 0 || shmx_packet_number(packet, code, &number) != 0) return -ENOMEM;
  if (*number == 0) {
    shmx_code_use(code);
    packet->codes[packet->ncodes++] = code;
    *number = packet->ncodes;
  }
  *index = *number - 1;
  return 0;
}

int shmx_packet_take(struct shmx_packet *packet, struct shmx_cargo *cargo) {
  size_t count = (size_t)packet->nsegments + packet->ncodes;
  memset(cargo, 0, sizeof *cargo);
  if (count > sizeof cargo->few / sizeof cargo->few[0]) {
    cargo->many = malloc(count * sizeof(void *));
    if (!cargo->many) return -ENOMEM;
  }
  void **items = shmx_cargo_items(cargo);
  for (uint32_t i = 0; i < packet->nsegments; i++) items[i] = packet->segments[i];
  for (uint32_t i = 0; i < packet->ncodes; i++) items[packet->nsegments + i] = packet->codes[i];
  cargo->nsegments = packet->nsegments;
  cargo->ncodes = packet->ncodes;
  packet->nsegments = packet->ncodes = 0;
  return 0;
}

void shmx_cargo_drop(struct shmx_cargo *cargo) {
  for (uint32_t i = 0; i < cargo->nsegments; i++) shmx_segment_release(shmx_cargo_segment(cargo, i));
  for (uint32_t i = 0; i < cargo->ncodes; i++) shmx_code_unuse(shmx_cargo_code(cargo, i));
  free(cargo->many);
  memset(cargo, 0, sizeof *cargo);
}
