/* SPDX-License-Identifier: MIT */
/*
 * A hash table from ids (64-bit, never 0) to pointers: open addressing with linear probing, removal by shifting back,
 * so that it never needs a clean-up.
 */
#ifndef SHMX_CORE_IDMAP_H
#define SHMX_CORE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct shmx_idmap {
  struct shmx_idmap_entry {
    uint64_t id; /* 0: free */
    void *value;
  } * entries;
  size_t capacity; /* a power of two, or 0 */
  size_t count;
};

void shmx_idmap_init(struct shmx_idmap *map);
void shmx_idmap_fini(struct shmx_idmap *map);
void *shmx_idmap_get(const struct shmx_idmap *map, uint64_t id);      /* NULL when absent */
int shmx_idmap_put(struct shmx_idmap *map, uint64_t id, void *value); /* a new id; 0 or -ENOMEM */
void shmx_idmap_remove(struct shmx_idmap *map, uint64_t id);

#endif
