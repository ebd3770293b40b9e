/* SPDX-License-Identifier: MIT */
/*
 * A hash table of 64-bit ids for the ledger. It is intrusive: what is stored begins with a struct shmx_table_node, and
 * the table owns nothing but its buckets. Buckets double with the number of nodes and shrink again when the last one
 * goes. A table that cannot grow for lack of memory gets slower and stays right, so an insertion never fails.
 */
#ifndef SHMX_CORE_LEDGER_TABLE_H
#define SHMX_CORE_LEDGER_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct shmx_table_node {
  uint64_t id;
  struct shmx_table_node *next; /* in the same bucket */
};

struct shmx_table {
  struct shmx_table_node **buckets;
  size_t count;  /* nodes */
  unsigned bits; /* there are 1 << bits buckets */
};

/* 0 or -ENOMEM. */
int shmx_table_init(struct shmx_table *table);
/* Gives the buckets back; accepts a zeroed table. The nodes are the caller's. */
void shmx_table_fini(struct shmx_table *table);

/* NULL when there is none. */
struct shmx_table_node *shmx_table_find(const struct shmx_table *table, uint64_t id);

/* The id is set by the caller and not yet in the table. */
void shmx_table_insert(struct shmx_table *table, struct shmx_table_node *node);
/* The node is in the table. */
void shmx_table_remove(struct shmx_table *table, struct shmx_table_node *node);

/* The node after `node`, the first after NULL, NULL after the last. The table must not change between two calls. */
struct shmx_table_node *shmx_table_next(const struct shmx_table *table, const struct shmx_table_node *node);

/* Bytes of heap behind the table. */
size_t shmx_table_bytes(const struct shmx_table *table);

#endif
