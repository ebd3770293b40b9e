/* SPDX-License-Identifier: MIT */
/*
 * The ledger's hash table: chains of nodes, at most about one per bucket. The bucket is the top bits of the id times a
 * constant, so that doubling the table splits bucket i into 2i and 2i + 1, which can be done in place from the end.
 */
#include "core/ledger_table.h"

#include <errno.h>
#include <stdlib.h>

enum { BITS_MIN = 4, BITS_MAX = 40 };

static size_t size_of(const struct shmx_table *table) { return (size_t)1 << table->bits; }

static size_t bucket_of(const struct shmx_table *table, uint64_t id) {
  return (size_t)((id * 0x9E3779B97F4A7C15u) >> (64 - table->bits));
}

static void push(struct shmx_table *table, struct shmx_table_node *node) {
  struct shmx_table_node **bucket = &table->buckets[bucket_of(table, node->id)];
  node->next = *bucket;
  *bucket = node;
}

static void grow(struct shmx_table *table) {
  size_t before = size_of(table);
  if (table->bits >= BITS_MAX) return;
  void *buckets = realloc(table->buckets, 2 * before * sizeof *table->buckets);
  if (!buckets) return;
  table->buckets = buckets;
  table->bits++;
  for (size_t i = before; i-- > 0;) {
    struct shmx_table_node *node = table->buckets[i], *next;
    table->buckets[2 * i] = table->buckets[2 * i + 1] = NULL;
    for (; node; node = next) {
      next = node->next;
      push(table, node);
    }
  }
}

static void shrink(struct shmx_table *table) {
  if (table->bits == BITS_MIN) return;
  void *buckets = realloc(table->buckets, ((size_t)1 << BITS_MIN) * sizeof *table->buckets);
  if (!buckets) return;
  table->buckets = buckets; /* all empty: no node is left */
  table->bits = BITS_MIN;
}

int shmx_table_init(struct shmx_table *table) {
  *table = (struct shmx_table){.bits = BITS_MIN};
  table->buckets = calloc(size_of(table), sizeof *table->buckets);
  return table->buckets ? 0 : -ENOMEM;
}

void shmx_table_fini(struct shmx_table *table) {
  free(table->buckets);
  *table = (struct shmx_table){0};
}

struct shmx_table_node *shmx_table_find(const struct shmx_table *table, uint64_t id) {
  struct shmx_table_node *node = table->buckets[bucket_of(table, id)];
  while (node && node->id != id) node = node->next;
  return node;
}

void shmx_table_insert(struct shmx_table *table, struct shmx_table_node *node) {
  if (table->count >= size_of(table)) grow(table);
  push(table, node);
  table->count++;
}

void shmx_table_remove(struct shmx_table *table, struct shmx_table_node *node) {
  struct shmx_table_node **at = &table->buckets[bucket_of(table, node->id)];
  while (*at != node) at = &(*at)->next;
  *at = node->next;
  if (--table->count == 0) shrink(table);
}

struct shmx_table_node *shmx_table_next(const struct shmx_table *table, const struct shmx_table_node *node) {
  if (node && node->next) return node->next;
  if (!table->buckets) return NULL;
  for (size_t i = node ? bucket_of(table, node->id) + 1 : 0; i < size_of(table); i++)
    if (table->buckets[i]) return table->buckets[i];
  return NULL;
}

size_t shmx_table_bytes(const struct shmx_table *table) {
  return table->buckets ? size_of(table) * sizeof *table->buckets : 0;
}
