/* SPDX-License-Identifier: MIT */
/*
 * See pool_view.h. Slots and lanes that have never been used are not looked at: that would make their pages.
 */
#include "core/pool_view.h"

void shmx_pool_view(const struct shmx_pool *pool, struct shmx_pool_view *view,
                    void (*visit)(void *context, uint32_t ticket, uint32_t worker), void *context) {
  const struct shmx_pool_map *map = shmx_pool_map_of(pool);
  uint32_t used = atomic_load(&map->shm->slots_used);
  *view = (struct shmx_pool_view){0};
  for (uint32_t i = 0; i < used && i < map->layout.slots; i++) {
    uint64_t word = atomic_load_explicit(&map->slots[i].state, memory_order_acquire);
    enum shmx_state state = shmx_word_state(word);
    uint32_t lane = shmx_word_lane(word);
    view->queued += state == SHMX_QUEUED;
    if (state != SHMX_CLAIMED || lane >= map->layout.lanes) continue;
    view->running++;
    if (visit) visit(context, i, atomic_load(&map->lanes[lane].number));
  }
}

uint32_t shmx_pool_worker_of(const struct shmx_pool *pool, uint32_t ticket) {
  const struct shmx_pool_map *map = shmx_pool_map_of(pool);
  uint64_t word = atomic_load_explicit(&map->slots[ticket].state, memory_order_acquire);
  uint32_t lane = shmx_word_lane(word);
  bool has = shmx_word_state(word) == SHMX_CLAIMED && lane < map->layout.lanes;
  return has ? atomic_load(&map->lanes[lane].number) : 0;
}

bool shmx_pool_worker(const struct shmx_pool *pool, uint32_t number, struct shmx_worker_info *info) {
  const struct shmx_pool_map *map = shmx_pool_map_of(pool);
  for (uint32_t i = 0; i < shmx_pool_map_lanes(map); i++) {
    struct shmx_lane_shm *lane = &map->lanes[i];
    uint32_t state = atomic_load(&lane->state), pid = atomic_load(&lane->pid);
    if (pid == 0 || atomic_load(&lane->number) != number) continue;
    if (state != SHMX_LANE_STARTING && state != SHMX_LANE_READY) continue;
    *info = (struct shmx_worker_info){pid, (enum shmx_lane_state)state, atomic_load(&lane->ended)};
    return true;
  }
  return false;
}

void shmx_pool_handovers(const struct shmx_pool *pool, struct shmx_histogram *times) {
  const struct shmx_pool_map *map = shmx_pool_map_of(pool);
  for (uint32_t i = 0; i < shmx_pool_map_lanes(map); i++) shmx_histogram_merge(times, &map->lanes[i].handovers);
}
