/* SPDX-License-Identifier: MIT */
/*
 * The chunks of a process: small segments share chunks, a large one has its own. What is freed stays warm for the next
 * segment, because a fresh page costs several times a warm one; a warm large chunk fits a segment of nearly its size.
 *
 * Each chunk takes a descriptor, here until the supervisor has it, and there. When half of those are used, here or there,
 * large segments share chunks too, which grow with what there is, so that the other half lasts.
 *
 * The budget (budget.c) counts whole chunks. What is set aside for messages that have to arrive is one more chunk, with
 * an allocator of its own, so that no array can take its place.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "core/memory_private.h"
#include "os/os.h"

enum {
  LARGE = 4 << 20,        /* from here on a segment has a chunk of its own */
  SMALL_FIRST = 1 << 20,  /* the first chunk for small segments; the next ones double */
  SMALL_ASKED = 16 << 20, /* before one of this size is made, the supervisor is asked for what is free */
  SMALL_LAST = 16 << 20,
  SMALL_LEAST = 64 << 10, /* when memory is short; */
  SMALL_PARTS = 8,        /* or such a part of our share of the budget, if that is less */
  ASIDE = 256 << 10,      /* for messages that have to arrive when the budget is used up */
  CROWD_PART = 16,        /* of all that is charged: the least size of a chunk that large segments share */
  CROWD_LAST = 1 << 30,   /* and the most; places in a chunk have 32 bits */
  KEPT = 8                /* so many descriptors of large chunks that nobody else knows a worker keeps */
};

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
  shmx_budget_uncharge(memory, chunk->charged);
  if (!memory->small) memory->next_small = 0;
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

/* The allocator in a chunk for many segments. */
static struct shmx_heap *heap_of(struct shmx_memory *memory, const struct shmx_chunk *chunk) {
  return chunk->aside ? &memory->aside : &memory->heap;
}

/* Gives back every own chunk that holds no segment. */
static void shrink(struct shmx_memory *memory) {
  cool(memory, 0);
  for (struct shmx_chunk *chunk = memory->small, *next; chunk; chunk = next) {
    next = chunk->next;
    if (chunk->segments > 0 || chunk->retired) continue;
    shmx_heap_remove(heap_of(memory, chunk), chunk);
    destroy(memory, chunk);
  }
}

int shmx_warehouse_charge(struct shmx_memory *memory, uint64_t size) {
  int r = shmx_budget_charge(memory, size);
  if (r != -EDQUOT) return r;
  shrink(memory);
  return shmx_budget_charge(memory, size);
}

static uint64_t whole_pages(uint64_t size) {
  uint64_t page = shmx_os_page_size();
  return (size + page - 1) / page * page;
}

uint64_t shmx_warehouse_need(struct shmx_memory *memory, uint64_t size) {
  uint64_t part = shmx_budget_share(memory) / SMALL_PARTS + 1, least = part < SMALL_LEAST ? part : SMALL_LEAST;
  return whole_pages(size < LARGE && size < least ? least : size);
}

/* The pages of a large chunk are taken at once, unless the segment's content is produced, which takes them if they are small.
 * Where large ones are slow they are for main, which works with what it makes; what a task makes is read once, as a rule. */
static unsigned choose_pages(const struct shmx_memory *memory, bool large, bool produced) {
  if (!large) return 0;
  return (produced ? 0 : SHMX_PAGES_NOW) | (memory->peer == SHMX_PEER_MAIN ? SHMX_PAGES_LARGE : 0);
}

/* Makes a chunk of whole pages, which are charged if need be. */
static int make_chunk(struct shmx_memory *memory, uint64_t size, bool large, unsigned flags, struct shmx_chunk **out) {
  struct shmx_chunk *chunk;
  bool produced = large && (flags & SHMX_ALLOC_PRODUCED);
  unsigned pages = choose_pages(memory, large, produced);
  int r = shmx_chunk_create(shmx_id_make(memory->peer, ++memory->chunk_serial), size, pages, &chunk);
  if (r < 0) return r;
  chunk->large = large;
  chunk->unwritten = produced && !chunk->reserved;
  struct shmx_chunk **list = large ? &memory->large : &memory->small;
  chunk->next = *list;
  *list = chunk;
  *out = chunk;
  SHMX_FAULT("w3");
  return 0;
}

static int create_chunk(struct shmx_memory *memory, uint64_t size, bool large, unsigned flags,
                        struct shmx_chunk **out) {
  if (size > INT64_MAX - shmx_os_page_size()) return -E2BIG;
  size = whole_pages(size);
  int r = shmx_warehouse_charge(memory, size);
  if (r < 0) return r;
  r = make_chunk(memory, size, large, flags, out);
  if (r < 0) shmx_budget_uncharge(memory, size);
  else (*out)->charged = size;
  return r;
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
  if (best && !shmx_budget_allows_use(memory, best->size)) return -EDQUOT;
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

static uint64_t next_small(const struct shmx_memory *memory) {
  return memory->next_small ? memory->next_small : SMALL_FIRST;
}

/* A block of a new chunk for many segments, which is all free. */
static int begin_chunk(struct shmx_memory *memory, struct shmx_chunk *chunk, uint64_t size, struct shmx_block **out) {
  int r = shmx_heap_add(heap_of(memory, chunk), chunk);
  if (r < 0) destroy(memory, chunk);
  else *out = shmx_heap_take(heap_of(memory, chunk), chunk, size);
  return r;
}

/* From a chunk for many segments; when none has room, from a new one of this size. */
static int get_shared(struct shmx_memory *memory, uint64_t size, uint64_t chunk_size, struct shmx_block **out) {
  *out = shmx_heap_alloc(&memory->heap, size);
  if (*out) return 0;
  struct shmx_chunk *chunk;
  int r = create_chunk(memory, chunk_size, false, 0, &chunk);
  if (r == 0) r = begin_chunk(memory, chunk, size, out);
  if (r == 0 && next_small(memory) < SMALL_LAST) memory->next_small = 2 * next_small(memory);
  return r;
}

/* From a chunk of no more than our share; of no more than the segment needs when memory is short, or when that would be most
 * of the share. */
static int get_small(struct shmx_memory *memory, uint64_t size, bool is_short, struct shmx_block **out) {
  uint64_t least = shmx_warehouse_need(memory, size), usual = next_small(memory), share = shmx_budget_share(memory);
  if (usual > share) usual = share / 2 > least ? share : least;
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
  uint64_t usual = shmx_budget_used(memory) / CROWD_PART;
  if (usual > CROWD_LAST) usual = CROWD_LAST;
  int r = get_shared(memory, size, size > usual ? size : usual, out);
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

static int get_alone(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_block **out) {
  if (memory->link) take_notes(memory);
  if (memory->link && !find_warm(memory, size)) ask_for_freed(memory, size);
  shmx_warehouse_unload(memory);
  /* Where the budget has no room for a chunk that others can share, one of its own is better than none. */
  if (!find_warm(memory, size) && is_crowded(memory) && get_in_crowd(memory, size, out) == 0) return 0;
  return get_large(memory, size, flags, out);
}

/* What we have handed over comes back while the next segments are filled, if there is room for these: asking for it each
 * time would take longer than to fill one. */
static int get_among(struct shmx_memory *memory, uint64_t size, struct shmx_block **out) {
  int r = -EDQUOT;
  *out = shmx_heap_alloc(&memory->heap, size);
  if (*out) return 0;
  if (next_small(memory) < SMALL_ASKED) r = get_small(memory, size, false, out);
  if (!may_be_less(r)) return r;
  if (memory->link) ask_for_freed(memory, size);
  r = get_small(memory, size, false, out);
  return may_be_less(r) ? get_small(memory, size, true, out) : r;
}

static bool has_aside(const struct shmx_memory *memory) {
  for (const struct shmx_chunk *c = memory->small; c; c = c->next)
    if (c->aside && !c->retired) return true;
  return false;
}

static int get_aside(struct shmx_memory *memory, uint64_t size, struct shmx_block **out) {
  *out = shmx_heap_alloc(&memory->aside, size);
  if (*out) return 0;
  if (size > ASIDE || has_aside(memory)) return -EDQUOT;
  struct shmx_chunk *chunk;
  int r = make_chunk(memory, whole_pages(ASIDE), false, 0, &chunk);
  if (r < 0) return r;
  chunk->aside = true;
  return begin_chunk(memory, chunk, size, out);
}

int shmx_warehouse_get(struct shmx_memory *memory, uint64_t size, unsigned flags, struct shmx_block **out) {
  int r = size >= LARGE ? get_alone(memory, size, flags, out) : get_among(memory, size, out);
  if (r == 0 || !(flags & SHMX_ALLOC_URGENT)) return r;
  return get_aside(memory, size, out) == 0 ? 0 : r;
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
  shmx_heap_free(heap_of(memory, chunk), block);
  if (chunk->segments > 0 || chunk->aside || !is_wanted(memory)) return;
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
  shmx_heap_trim(&memory->aside);
}

int shmx_warehouse_announce(struct shmx_memory *memory, struct shmx_chunk *chunk) {
  bool sealed;
  if (chunk->announced) return 0;
  int r = chunk->outside ? shmx_os_shm_check(chunk->fd, chunk->size, &sealed) : 0;
  if (r < 0) return r;
  struct shmx_request request = {.type = SHMX_REQ_CHUNK, .id = chunk->id, .size = chunk->size};
  request.flags = (chunk->outside ? SHMX_CHUNK_OUTSIDE : 0) | (chunk->large ? SHMX_CHUNK_ALONE : 0);
  r = shmx_link_request(memory->link, &request, &chunk->fd, 1);
  if (r < 0) return r;
  chunk->announced = true;
  if (!chunk->has_path) close(chunk->fd), chunk->fd = -1;
  SHMX_FAULT("w4");
  return 0;
}

/* --- chunks of others --- */

int shmx_warehouse_fetch(struct shmx_memory *memory, uint64_t id, uint64_t *size, uint32_t *flags) {
  struct shmx_request request = {.type = SHMX_REQ_FETCH, .id = id}, reply;
  for (int tries = 0; tries < SHMX_LINK_TRIES; tries++) {
    int fd = -1, r = shmx_link_request(memory->link, &request, NULL, 0);
    if (r == 0) r = shmx_link_answer(memory->link, &reply, &fd);
    if (r == -EMSGSIZE) continue;
    if (r < 0) return r;
    *size = reply.size;
    *flags = reply.flags;
    if (reply.type == SHMX_REP_CHUNK && reply.id == id && fd >= 0) return fd;
    if (fd >= 0) close(fd);
    if (reply.error == -ETOOMANYREFS && shmx_link_wait_read(memory->link) == 0) continue;
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
    if (!chunk->large) shmx_heap_abandon(heap_of(memory, chunk), chunk);
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
