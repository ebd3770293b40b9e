/* SPDX-License-Identifier: MIT */
/*
 * See idmap.h. At most three quarters full; Fibonacci hashing spreads serial numbers.
 */
#include "core/idmap.h"

#include <errno.h>
#include <stdlib.h>

void shmx_idmap_init(struct shmx_idmap *map) { *map = (struct shmx_idmap){0}; }

void shmx_idmap_fini(struct shmx_idmap *map) {
  free(map->entries);
  shmx_idmap_init(map);
}

static size_t home(const struct shmx_idmap *map, uint64_t id) {
  return (size_t)((id * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (map->capacity - 1);
}

/* The place of the id, or the free place where it would go. */
static size_t find(const struct shmx_idmap *map, uint64_t id) {
  size_t i = home(map, id);
  while (map->entries[i].id && map->entries[i].id != id) i = (i + 1) & (map->capacity - 1);
  return i;
}

void *shmx_idmap_get(const struct shmx_idmap *map, uint64_t id) {
  return map->count ? map->entries[find(map, id)].value : NULL;
}

static int grow(struct shmx_idmap *map) {
  struct shmx_idmap bigger = {.capacity = map->capacity ? map->capacity * 2 : 64, .count = map->count};
  bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
  if (!bigger.entries) return -ENOMEM;
  for (size_t i = 0; i < map->capacity; i++)
    if (map->entries[i].id) bigger.entries[find(&bigger, map->entries[i].id)] = map->entries[i];
  free(map->entries);
  *map = bigger;
  return 0;
}

int shmx_idmap_put(struct shmx_idmap *map, uint64_t id, void *value) {
  if (4 * (map->count + 1) > 3 * map->capacity) {
    int r = grow(map);
    if (r < 0) return r;
  }
  map->entries[find(map, id)] = (struct shmx_idmap_entry){id, value};
  map->count++;
  return 0;
}

void shmx_idmap_remove(struct shmx_idmap *map, uint64_t id) {
  if (!map->count) return;
  size_t mask = map->capacity - 1, hole = find(map, id);
  if (!map->entries[hole].id) return;
  /* An entry may fill the hole when the hole lies between its home and its place. */
  for (size_t i = (hole + 1) & mask; map->entries[i].id; i = (i + 1) & mask) {
    size_t distance = (i - home(map, map->entries[i].id)) & mask;
    if (distance < ((i - hole) & mask)) continue;
    map->entries[hole] = map->entries[i];
    hole = i;
  }
  map->entries[hole] = (struct shmx_idmap_entry){0, NULL};
  map->count--;
}
