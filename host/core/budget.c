/* SPDX-License-Identifier: MIT */
/*
 * How a process keeps to the memory budget, and to the cap of its pool. Each adds to its own word in the domain and then
 * sums all words: two that race for the last bytes may both step back, and never both go over.
 *
 * There is no exception for anybody: what must get through when nothing is left has memory that is set aside for it and
 * is charged to nobody (warehouse.c). And no process takes so much at a time that others find nothing: its share.
 *
 * Who dies here has charged too much at the worst, until the supervisor clears its word.
 */
#include <errno.h>

#include "core/board.h"
#include "core/memory_private.h"
#include "os/os.h"

enum { LEAST_PARTS = 8 }; /* also before there are workers */

static uint64_t default_budget(void) { return shmx_os_memory_available() / 10 * 8; }

uint64_t shmx_memory_budget(struct shmx_memory *memory) {
  if (memory->link) return atomic_load_explicit(&memory->link->domain->budget, memory_order_relaxed);
  if (!memory->budget) memory->budget = default_budget();
  return memory->budget;
}

void shmx_memory_set_budget(struct shmx_memory *memory, uint64_t bytes) {
  memory->budget = bytes ? bytes : default_budget();
  if (memory->link) atomic_store(&memory->link->domain->budget, memory->budget);
}

/* The cap of the pool that this process works for; without one, as good as none. */
static uint64_t cap_of(struct shmx_memory *memory) {
  uint64_t cap = memory->link && memory->link->pool ? atomic_load(&memory->link->pool->shm->memory) : 0;
  return cap ? cap : UINT64_MAX;
}

/* The smaller of the two: what could never be exceeded. */
static uint64_t limit_of(struct shmx_memory *memory) {
  uint64_t budget = shmx_memory_budget(memory), cap = cap_of(memory);
  return cap < budget ? cap : budget;
}

uint64_t shmx_budget_share(struct shmx_memory *memory) {
  uint64_t workers = memory->link ? atomic_load(&memory->link->domain->worker_charges) : 0;
  uint64_t parts = 2 * (1 + workers);
  return limit_of(memory) / (parts < LEAST_PARTS ? LEAST_PARTS : parts);
}

static uint64_t count_charged(const struct shmx_memory *memory) {
  return memory->link ? shmx_domain_charged(memory->link->domain) : memory->charged;
}

uint64_t shmx_budget_used(struct shmx_memory *memory) {
  uint64_t charged = count_charged(memory), cap = cap_of(memory);
  return charged < cap ? charged : cap;
}

/* The number of the task that this worker runs. */
static uint64_t own_order(const struct shmx_link *link) {
  return atomic_load_explicit(&link->self->runs, memory_order_relaxed);
}

/* With so much more than `used`, which is charged now, the budget or the pool's cap is exceeded. */
static bool would_exceed(struct shmx_memory *memory, uint64_t used, uint64_t more) {
  struct shmx_link *link = memory->link;
  if (used > shmx_memory_budget(memory) - more) return true;
  uint64_t cap = cap_of(memory);
  return cap != UINT64_MAX && shmx_pool_map_charged(link->pool, link->domain) > cap - more;
}

/* A chunk of this size, which is charged, takes the last seat, and that is not ours to take (supervisor_memory.c). Where
 * there are fewer than two seats there is no last one. */
static bool takes_last_seat(struct shmx_memory *memory, uint64_t size) {
  struct shmx_link *link = memory->link;
  if (!link || !link->pool || size <= memory->served || size > limit_of(memory) / 2) return false;
  return would_exceed(memory, count_charged(memory), size) && shmx_board_has_older(link->pool, own_order(link));
}

/* An older task waits for memory: ours has to stand behind it. */
static bool must_stand_back(struct shmx_memory *memory) {
  if (!memory->link || !memory->link->pool) return false;
  uint64_t oldest = atomic_load_explicit(&memory->link->domain->oldest_waiter, memory_order_relaxed);
  return oldest > 0 && own_order(memory->link) > oldest;
}

bool shmx_budget_allows_use(struct shmx_memory *memory, uint64_t size) {
  return !must_stand_back(memory) && !takes_last_seat(memory, size);
}

static void set_charge(struct shmx_memory *memory, uint64_t bytes) {
  memory->charged = bytes;
  if (memory->link) atomic_store(&memory->link->domain->charged[memory->link->charge], bytes);
}

int shmx_budget_charge(struct shmx_memory *memory, uint64_t size) {
  if (size > limit_of(memory)) return -E2BIG;
  if (must_stand_back(memory)) return -EDQUOT;
  set_charge(memory, memory->charged + size);
  uint64_t used = count_charged(memory);
  if (would_exceed(memory, used, 0) || takes_last_seat(memory, size)) {
    set_charge(memory, memory->charged - size);
    return -EDQUOT;
  }
  if (memory->link) shmx_domain_raise_peak(memory->link->domain, used);
  return 0;
}

void shmx_budget_uncharge(struct shmx_memory *memory, uint64_t size) { set_charge(memory, memory->charged - size); }
