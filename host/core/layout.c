/* SPDX-License-Identifier: MIT */
/*
 * The parts of a pool's mapping follow each other, each on a page of its own. The object is sparse: parts that nobody
 * touches (spare lanes, slots of a board that is never full) take no memory.
 */
#include "core/layout.h"

static uint64_t place(uint64_t *end, uint64_t size) {
  uint64_t offset = *end;
  *end = (offset + size + 4095) / 4096 * 4096;
  return offset;
}

bool shmx_pool_layout(uint32_t slots, uint32_t lanes, uint32_t config_size, struct shmx_pool_layout *out) {
  if (slots == 0 || slots > SHMX_SLOTS || (slots & (slots - 1)) || lanes == 0 || lanes > SHMX_LANES_MAX) return false;
  uint64_t end = 0;
  place(&end, sizeof(struct shmx_pool_shm));
  *out = (struct shmx_pool_layout){.slots = slots, .lanes = lanes, .config_size = config_size};
  out->slot_offset = place(&end, (uint64_t)slots * sizeof(struct shmx_slot_shm));
  out->entry_offset = place(&end, (uint64_t)slots * 2 * sizeof(uint64_t));
  out->again_offset = place(&end, (uint64_t)slots * 2 * sizeof(uint64_t));
  out->limits_offset = place(&end, (uint64_t)slots * sizeof(struct shmx_limits_shm));
  out->lane_offset = place(&end, (uint64_t)lanes * sizeof(struct shmx_lane_shm));
  out->result_offset = place(&end, (uint64_t)lanes * slots * sizeof(uint32_t));
  out->name_offset = place(&end, (uint64_t)slots * SHMX_SLOT_NAME);
  out->kept_offset = place(&end, (uint64_t)lanes * 2 * sizeof(struct shmx_kept_shm));
  out->config_offset = place(&end, config_size);
  out->size = end;
  return true;
}

int shmx_pool_map_attach(struct shmx_pool_map *map, const struct shmx_pool_layout *layout, int fd) {
  void *base;
  int r = shmx_os_map(fd, layout->size, &base);
  if (r < 0) return r;
  char *bytes = base;
  map->layout = *layout;
  map->shm = base;
  map->slots = (void *)(bytes + layout->slot_offset);
  map->entries = (void *)(bytes + layout->entry_offset);
  map->again = (void *)(bytes + layout->again_offset);
  map->limits = (void *)(bytes + layout->limits_offset);
  map->lanes = (void *)(bytes + layout->lane_offset);
  map->names = (void *)(bytes + layout->name_offset);
  map->config = bytes + layout->config_offset;
  return 0;
}

void shmx_pool_map_detach(struct shmx_pool_map *map) {
  if (map->shm) shmx_os_unmap(map->shm, map->layout.size);
  map->shm = NULL;
}

struct shmx_kept_shm *shmx_pool_map_kept(const struct shmx_pool_map *map, uint32_t lane) {
  char *bytes = (char *)map->shm + map->layout.kept_offset;
  return (struct shmx_kept_shm *)(void *)bytes + (uint64_t)lane * 2;
}

uint32_t *shmx_pool_map_results(const struct shmx_pool_map *map, uint32_t lane) {
  char *bytes = (char *)map->shm + map->layout.result_offset;
  return (uint32_t *)(void *)bytes + (uint64_t)lane * map->layout.slots;
}

void shmx_domain_raise_peak(struct shmx_domain_shm *domain, uint64_t bytes) {
  uint64_t peak = atomic_load_explicit(&domain->peak, memory_order_relaxed);
  while (bytes > peak && !atomic_compare_exchange_weak(&domain->peak, &peak, bytes)) continue;
}

uint64_t shmx_domain_charged(struct shmx_domain_shm *domain) {
  uint64_t sum = 0;
  uint32_t count = SHMX_CHARGE_FIRST_WORKER + atomic_load(&domain->worker_charges);
  for (uint32_t i = 0; i < count && i < SHMX_CHARGES; i++)
    sum += atomic_load_explicit(&domain->charged[i], memory_order_relaxed);
  return sum;
}

uint32_t shmx_pool_map_lanes(const struct shmx_pool_map *map) {
  uint32_t used = atomic_load_explicit(&map->shm->lanes_used, memory_order_acquire);
  return used < map->layout.lanes ? used : map->layout.lanes;
}

uint64_t shmx_pool_map_charged(const struct shmx_pool_map *map, struct shmx_domain_shm *domain) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < shmx_pool_map_lanes(map); i++) {
    uint32_t state = atomic_load(&map->lanes[i].state), charge = atomic_load(&map->lanes[i].charge);
    if ((state == SHMX_LANE_STARTING || state == SHMX_LANE_READY) && charge < SHMX_CHARGES)
      sum += atomic_load(&domain->charged[charge]);
  }
  return sum;
}
