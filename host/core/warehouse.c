/* SPDX-License-Identifier: MIT */
/*
 * The chunks of a process: small segments share chunks, a large one has its own. What is freed stays warm for the next
 * segment, because a fresh page costs several times a warm one; a warm large chunk fits a segment of nearly its size.
 *
 * Each chunk takes a descriptor, here until the supervisor has it, and there. When half of those are used, here or there,
 * large segments share chunks too, which grow with what there is, so that the other half lasts.
 *
 * The budget counts whole chunks. Each process adds to its own word in the domain and then sums all words: two that
 * race for the last bytes may both step back, and never both go over.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/board.h"
#include "core/fault.h"
#include "core/memory_private.h"
#include "os/os.h"

enum {
  LARGE = 4 << 20,        /* from here on a segment has a chunk of its own */
  SMALL_FIRST = 1 << 20,  /* the first chunk for small segments; the next ones double */
  SMALL_ASKED = 16 << 20, /* before one of this size is made, the supervisor is asked for what is free */
  SMALL_LAST = 16 << 20,
  SMALL_LEAST = 64 << 10, /* when memory is short */
  CROWD_PART = 16,        /* of all that is charged: the least size of a chunk that large segments share */
  CROWD_LAST = 1 << 30,   /* and the most; places in a chunk have 32 bits */
  KEPT = 8                /* so many descriptors of large chunks that nobody else knows a worker keeps */
};

/* --- the budget --- */

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

/* The number of the task that this worker runs. */
static uint64_t own_order(const struct shmx_link *link) {
  return atomic_load_explicit(&link->self->runs, memory_order_relaxed);
}

static uint64_t count_charged(const struct shmx_memory *memory) {
  return memory->link ? shmx_domain_charged(memory->link->domain) : memory->charged;
}

/* With so much more than `used`, which is charged now, the budget or the pool's cap is exceeded. */
static bool would_exceed(struct shmx_memory *memory, uint64_t used, uint64_t more) {
  struct shmx_link *link = memory->link;
  if (used > shmx_memory_budget(memory) - more) return true;
  uint64_t cap = cap_of(memory);
  return cap != UINT64_MAX && shmx_pool_map_charged(link->pool, link->domain) > cap - more;
}

/* A chunk of this size, which is charged, takes the last seat, and that is not ours to take (supervisor_memory.c). Where
 * there are fewer than two seats, or when a chunk is that small, there is no last one. */
static bool takes_last_seat(struct shmx_memory *memory, uint64_t size) {
  struct shmx_link *link = memory->link;
  if (!link || !link->pool || size <= SMALL_FIRST || size <= memory->served) return false;
  if (size > shmx_memory_budget(memory) / 2 || size > cap_of(memory) / 2) return false;
  return would_exceed(memory, count_charged(memory), size) && shmx_board_has_older(link->pool, own_order(link));
}

/* An older task waits for memory: ours has to stand behind it. */
static bool must_stand_back(struct shmx_memory *memory) {
  if (!memory->link || !memory->link->pool) return false;
  uint64_t oldest = atomic_load_explicit(&memory->link->domain->oldest_waiter, memory_order_relaxed);
  return oldest > 0 && own_order(memory->link) > oldest;
}

static void set_charge(struct shmx_memory *memory, uint64_t bytes) {
  memory->charged = bytes;
  if (memory->link) atomic_store(&memory->link->domain->charged[memory->link->charge], bytes);
}

/* The first small chunk is never refused: an error message has to get through when memory is short. */
static int charge(struct shmx_memory *memory, uint64_t size) {
  if (size <= SMALL_FIRST && !memory->small) {
    set_charge(memory, memory->charged + size);
    return 0;
  }
  if (size > shmx_memory_budget(memory) || size > cap_of(memory)) return -E2BIG;
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

/* --- own chunks --- */

static void forget_blocks(struct shmx_chunk *chunk) {
  for (struct shmx_block *block = chunk->first, *after; block; block = after) {
    after = block->after;
    free(block);
  }
  chunk->first = NULL;
}

static void unlink_chunk(struct shmx_chunk **list, struct shmx_chunk *chunk) {
  while (*list != chunk) list = &(*list)->next;
  *list = chunk->next;
}

/* Gives an own chunk without segments back to the kernel. The pages go at once, whoever else has it mapped; those of a
 * sealed one, which nobody can take away, when the others have read that it is gone. */
static void destroy(struct shmx_memory *memory, struct shmx_chunk *chunk) {
  unlink_chunk(chunk->large ? &memory->large : &memory->small, chunk);
  set_charge(memory, memory->charged - chunk->charged);
  if (chunk->announced && !chunk->retired && memory->link) {
    if (!chunk->outside && !chunk->sealed) shmx_os_punch_mapped(chunk->base, chunk->size);
    struct shmx_message gone = {shmx_message_head(SHMX_MSG_CHUNK_GONE, SHMX_PEER_NONE), 0, 0, chunk->id, chunk->size};
    shmx_link_send(memory->link, &gone);
  }
  forget_blocks(chunk);
  shmx_chunk_destroy(chunk);
}

/* Destroys the warm large chunks, the coldest first, until at most `keep` bytes are warm. */
static void cool(struct shmx_memory *memory, uint64_t keep) {
  while (memory->warm > keep) {
    struct shmx_chunk *coldest = NULL;
    for (struct shmx_chunk *c = memory->large; c; c = c->next)
      if (c->freed_at && (!coldest || c->freed_at < coldest->freed_at)) coldest = c;
    memory->warm -= coldest->size;
    destroy(memory, coldest);
  }
}

/* Gives back every own chunk that holds no segment. */
static void shrink(struct shmx_memory *memory) {
  cool(memory, 0);
  for (struct shmx_chunk *chunk = memory->small, *next; chunk; chunk = next) {
    next = chunk->next;
    if (chunk->segments > 0 || chunk->retired) continue;
    shmx_heap_remove(&memory->heap, chunk);
    destroy(memory, chunk);
  }
}

int shmx_warehouse_charge(struct shmx_memory *memory, uint64_t size) {
  int r = charge(memory, size);
  if (r != -EDQUOT) return r;
  shrink(memory);
  return charge(memory, size);
}

void shmx_warehouse_uncharge(struct shmx_memory *memory, uint64_t size) { set_charge(memory, memory->charged - size); }

static uint64_t whole_pages(uint64_t size) {
  uint64_t page = shmx_os_page_size();
  return (size + page - 1) / page * page;
}

/* A chunk for many segments of this size holds this one even when the allocator rounds its size up to the next class. */
static uint64_t least_shared(uint64_t size) { return size + size / 8; }

uint64_t shmx_warehouse_need(uint64_t size) {
  if (size >= LARGE) return whole_pages(size);
  uint64_t least = least_shared(size);
  return least > SMALL_LEAST ? whole_pages(least) : SMALL_LEAST;
}

/* The pages of a large chunk are taken at once, unless the segment's content is produced, which takes them if they are small.
 * Where large ones are slow they are for main, which works with what it makes; what a task makes is read once, as a rule. */
static unsigned choose_pages(const struct shmx_memory *memory, bool large, bool produced) {
  if (!large) return 0;
  return (produced ? 0 : SHMX_PAGES_NOW) | (memory->peer == SHMX_PEER_MAIN ? SHMX_PAGES_LARGE : 0);
}

static int create_chunk(struct shmx_memory *memory, uint64_t size, bool large, unsigned flags,
                        struct shmx_chunk **out) {
  if (size > INT64_MAX - shmx_os_page_size()) return -E2BIG;
  size = whole_pages(size);
  int r = shmx_warehouse_charge(memory, size);
  if (r < 0) return r;
  struct shmx_chunk *chunk;
  bool produced = large && (flags & SHMX_ALLOC_PRODUCED);
  unsigned pages = choose_pages(memory, large, produced);
  r = shmx_chunk_create(shmx_id_make(memory->peer, ++memory->chunk_serial), size, pages, &chunk);
  if (r < 0) {
    set_charge(memory, memory->charged - size);
    return r;
  }
  chunk->large = large;
  chunk->unwritten = produced && !chunk->reserved;
  chunk->charged = size;
  struct shmx_chunk **list = large ? &memory->large : &memory->small;
  chunk->next = *list;
  *list = chunk;
  *out = chunk;
  SHMX_FAULT("w3");
  return 0;
}

/* Whether a warm chunk is better than another one: smaller, or else freed later and so perhaps in the cache still. */
static bool is_better(const struct shmx_chunk *chunk, const struct shmx_chunk *than) {
  return !than || chunk->size < than->size || (chunk->size == than->size && chunk->freed_at > than->freed_at);
}

/* The large chunk that is free and fits best. */
static struct shmx_chunk *find_warm(struct shmx_memory *memory, uint64_t size) {
  struct shmx_chunk *best = NULL;
  for (struct shmx_chunk *c = memory->large; c; c = c->next)
    if (c->freed_at && c->size >= size && c->size - size <= size / 4 && is_better(c, best)) best = c;
  return best;
}

static int get_large(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_block **out) {
  struct shmx_chunk *best = find_warm(memory, size);
  if (best && (must_stand_back(memory) || takes_last_seat(memory, best->size))) return -EDQUOT;
  if (best) {
    best->freed_at = 0;
    memory->warm -= best->size;
    *out = best->first;
    return 0;
  }
  struct shmx_block *block = calloc(1, sizeof *block);
  if (!block) return -ENOMEM;
  struct shmx_chunk *chunk;
  int r = create_chunk(memory, size, true, flags, &chunk);
  if (r < 0) {
    free(block);
    return r;
  }
  *block = (struct shmx_block){.chunk = chunk, .size = chunk->size, .clean = true};
  chunk->first = block;
  *out = block;
  return 0;
}

/* Adds a chunk of this size for many segments. */
static int add_small(struct shmx_memory *memory, uint64_t size) {
  struct shmx_chunk *chunk;
  int r = create_chunk(memory, size, false, 0, &chunk);
  if (r < 0) return r;
  r = shmx_heap_add(&memory->heap, chunk);
  if (r < 0) destroy(memory, chunk);
  else if (memory->next_small < SMALL_LAST) memory->next_small *= 2;
  return r;
}

/* From a chunk for many segments; when none has room, from a new one of this size. */
static int get_shared(struct shmx_memory *memory, uint64_t size, uint64_t chunk_size, struct shmx_block **out) {
  *out = shmx_heap_alloc(&memory->heap, size);
  if (*out) return 0;
  if (!memory->small) memory->next_small = SMALL_FIRST;
  int r = add_small(memory, chunk_size);
  if (r < 0) return r;
  *out = shmx_heap_alloc(&memory->heap, size);
  return *out ? 0 : -ENOMEM;
}

/* When memory is short, from a chunk of no more than the segment needs. */
static int get_small(struct shmx_memory *memory, uint64_t size, bool is_short, struct shmx_block **out) {
  uint64_t least = shmx_warehouse_need(size), usual = memory->small ? memory->next_small : SMALL_FIRST;
  return get_shared(memory, size, is_short || least > usual ? least : usual, out);
}

/* --- when descriptors are short --- */

static uint64_t count_open(const struct shmx_chunk *list) {
  uint64_t count = 0;
  for (; list; list = list->next) count += list->fd >= 0;
  return count;
}

static bool is_crowded(const struct shmx_memory *memory) {
  if (memory->link && atomic_load_explicit(&memory->link->domain->crowded, memory_order_relaxed)) return true;
  return count_open(memory->large) + count_open(memory->small) >= shmx_chunk_many();
}

/* A large segment among others, but for one that would be as good as alone. Its pages are taken at once as those of a chunk of
 * its own are. */
static int get_in_crowd(struct shmx_memory *memory, uint64_t size, struct shmx_block **out) {
  if (size > CROWD_LAST / 2) return -EFBIG;
  uint64_t least = least_shared(size), charged = count_charged(memory), cap = cap_of(memory);
  uint64_t usual = (charged < cap ? charged : cap) / CROWD_PART;
  if (usual > CROWD_LAST) usual = CROWD_LAST;
  int r = get_shared(memory, size, least > usual ? least : usual, out);
  if (r < 0) return r;
  r = shmx_os_reserve_mapped((*out)->chunk->base + (*out)->offset, size);
  if (r < 0) shmx_heap_free(&memory->heap, *out);
  return r;
}

/* What is announced has died for others when the supervisor dies, so main keeps for itself what it can. */
void shmx_warehouse_unload(struct shmx_memory *memory) {
  uint64_t most = memory->peer == SHMX_PEER_MAIN ? shmx_chunk_many() / 4 : KEPT;
  if (!memory->link || count_open(memory->large) < most) return;
  for (struct shmx_chunk *c = memory->large; c; c = c->next)
    if (c->fd >= 0 && !c->unwritten) shmx_warehouse_announce(memory, c);
}

/* --- segments --- */

static void take_notes(struct shmx_memory *memory) {
  struct shmx_note note;
  while (shmx_link_next_note(memory->link, &note)) shmx_memory_take_note(memory, &note);
}

/* What has been freed meanwhile counts as warm, and is worth a question to the supervisor when it may be on its way: first
 * for the acknowledgement of what we have handed over, upon which we let go of it, and then for its FREE. */
static void ask_for_freed(struct shmx_memory *memory, uint64_t size) {
  if (shmx_memory_settle(memory)) shmx_link_wait_read(memory->link);
  shmx_memory_settle(memory);
  if (memory->awaited >= size && memory->awaited > 0) shmx_link_wait_read(memory->link);
  take_notes(memory);
}

/* A limit stands against a chunk for more than one segment. */
static bool may_be_less(int r) { return r == -EDQUOT || r == -E2BIG || r == -EFBIG; }

int shmx_warehouse_get(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_block **out) {
  if (size >= LARGE) {
    if (memory->link) take_notes(memory);
    if (memory->link && !find_warm(memory, size)) ask_for_freed(memory, size);
    shmx_warehouse_unload(memory);
    /* Where the budget has no room for a chunk that others can share, one of its own is better than none. */
    if (!find_warm(memory, size) && is_crowded(memory) && get_in_crowd(memory, size, out) == 0) return 0;
    return get_large(memory, size, flags, out);
  }
  /* What we have handed over comes back while the next segments are filled, if there is room for these: asking for it
   * each time would take longer than to fill one. */
  int r = -EDQUOT;
  *out = shmx_heap_alloc(&memory->heap, size);
  if (*out) return 0;
  if (!memory->small || memory->next_small < SMALL_ASKED) r = get_small(memory, size, false, out);
  if (!may_be_less(r)) return r;
  if (memory->link) ask_for_freed(memory, size);
  r = get_small(memory, size, false, out);
  return may_be_less(r) ? get_small(memory, size, true, out) : r;
}

/* Nothing is kept warm while somebody waits for memory. */
static bool is_wanted(const struct shmx_memory *memory) {
  return memory->link && atomic_load(&memory->link->domain->oldest_waiter) > 0;
}

static void put_large(struct shmx_memory *memory, struct shmx_chunk *chunk) {
  chunk->first->clean = false;
  chunk->freed_at = ++memory->warm_serial;
  memory->warm += chunk->size;
  if (chunk->retired || chunk->unwritten) memory->warm -= chunk->size, destroy(memory, chunk);
  else cool(memory, is_wanted(memory) ? 0 : shmx_memory_budget(memory) / 8);
}

static void put_small(struct shmx_memory *memory, struct shmx_chunk *chunk, struct shmx_block *block) {
  shmx_heap_free(&memory->heap, block);
  if (chunk->segments > 0 || !is_wanted(memory)) return;
  shmx_heap_remove(&memory->heap, chunk);
  destroy(memory, chunk);
}

void shmx_warehouse_put(struct shmx_memory *memory, struct shmx_block *block) {
  struct shmx_chunk *chunk = block->chunk;
  if (chunk->outside || chunk->sealed) {
    destroy(memory, chunk);
  } else if (chunk->large) {
    put_large(memory, chunk);
  } else if (!chunk->retired) {
    put_small(memory, chunk, block);
  } else if (chunk->segments == 0) {
    destroy(memory, chunk);
  }
}

void shmx_warehouse_add(struct shmx_memory *memory, struct shmx_chunk *chunk) {
  chunk->next = memory->large;
  memory->large = chunk;
}

void shmx_memory_trim(struct shmx_memory *memory) {
  shrink(memory);
  shmx_heap_trim(&memory->heap);
}

int shmx_warehouse_announce(struct shmx_memory *memory, struct shmx_chunk *chunk) {
  if (chunk->announced) return 0;
  struct shmx_request request = {.type = SHMX_REQ_CHUNK, .id = chunk->id, .size = chunk->size};
  request.flags = (chunk->outside ? SHMX_CHUNK_OUTSIDE : 0) | (chunk->large ? SHMX_CHUNK_ALONE : 0);
  int r = shmx_link_request(memory->link, &request, &chunk->fd, 1);
  if (r < 0) return r;
  chunk->announced = true;
  if (!chunk->has_path) close(chunk->fd), chunk->fd = -1;
  SHMX_FAULT("w4");
  return 0;
}

/* --- chunks of others --- */

int shmx_warehouse_fetch(struct shmx_memory *memory, uint64_t id, uint64_t *size, uint32_t *flags) {
  struct shmx_request request = {.type = SHMX_REQ_FETCH, .id = id}, reply;
  for (int tries = 0; tries < 3; tries++) {
    int fd = -1, r = shmx_link_request(memory->link, &request, NULL, 0);
    if (r == 0) r = shmx_link_answer(memory->link, &reply, &fd);
    if (r == -EMSGSIZE) continue;
    if (r < 0) return r;
    *size = reply.size;
    *flags = reply.flags;
    if (reply.type == SHMX_REP_CHUNK && reply.id == id && fd >= 0) return fd;
    if (fd >= 0) close(fd);
    return reply.error < 0 ? reply.error : -ENOENT;
  }
  return -EMFILE;
}

static int fetch(struct shmx_memory *memory, uint64_t id, struct shmx_chunk **out) {
  uint64_t size;
  uint32_t flags;
  int fd = shmx_warehouse_fetch(memory, id, &size, &flags);
  return fd < 0 ? fd : shmx_chunk_attach(id, size, flags & SHMX_CHUNK_OUTSIDE, fd, out);
}

static struct shmx_chunk *find_own(struct shmx_memory *memory, uint64_t id) {
  for (struct shmx_chunk *c = memory->small; c; c = c->next)
    if (c->id == id) return c;
  for (struct shmx_chunk *c = memory->large; c; c = c->next)
    if (c->id == id) return c;
  return NULL;
}

int shmx_warehouse_find(struct shmx_memory *memory, uint64_t id, struct shmx_chunk **out) {
  if (!memory->link || !id) return -EPROTO;
  *out = shmx_id_maker(id) == memory->peer ? find_own(memory, id) : shmx_idmap_get(&memory->foreign, id);
  if (*out) return 0;
  if (shmx_id_maker(id) == memory->peer) return -EPROTO;
  int r = fetch(memory, id, out);
  if (r < 0) return r;
  SHMX_FAULT("m3");
  r = shmx_idmap_put(&memory->foreign, id, *out);
  if (r < 0) shmx_chunk_destroy(*out);
  return r;
}

void shmx_warehouse_drop(struct shmx_memory *memory, uint64_t id) {
  struct shmx_chunk *chunk = shmx_idmap_get(&memory->foreign, id);
  if (!chunk) return;
  shmx_idmap_remove(&memory->foreign, id);
  chunk->retired = true;
  if (chunk->segments == 0) shmx_chunk_destroy(chunk);
}

/* --- without a supervisor --- */

static void retire(struct shmx_memory *memory, struct shmx_chunk *list) {
  for (struct shmx_chunk *chunk = list, *next; chunk; chunk = next) {
    next = chunk->next;
    if (!chunk->announced) continue;
    if (!chunk->large) shmx_heap_abandon(&memory->heap, chunk);
    if (chunk->freed_at) memory->warm -= chunk->size;
    chunk->retired = true;
    if (chunk->segments == 0) destroy(memory, chunk);
  }
}

void shmx_warehouse_retire(struct shmx_memory *memory) {
  retire(memory, memory->small);
  retire(memory, memory->large);
  for (size_t i = 0; i < memory->foreign.capacity; i++) {
    struct shmx_chunk *chunk = memory->foreign.entries[i].id ? memory->foreign.entries[i].value : NULL;
    if (!chunk) continue;
    chunk->retired = true;
    if (chunk->segments == 0) shmx_chunk_destroy(chunk);
  }
  shmx_idmap_fini(&memory->foreign);
}
