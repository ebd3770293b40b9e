/* SPDX-License-Identifier: MIT */
/*
 * A process's memory: alone, with system calls that fail, and with a supervisor.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>

#include "memory_kit.h"

/* --- what is left behind --- */

static int open_fds(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

/* --- alone --- */

static void segments_are_zeroed_aligned_and_apart(void) {
  enum { COUNT = 300 };
  static struct shmx_segment *segments[COUNT];
  srand(5);
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < COUNT; i++) {
      if (segments[i] && rand() % 2) {
        CHECK(is_filled(segments[i], (char)i));
        shmx_segment_release(segments[i]);
        segments[i] = NULL;
      }
      if (segments[i]) continue;
      uint64_t size = i % 50 == 0 ? 5 * MIB + (uint64_t)i : (uint64_t)rand() % 30000;
      CHECK(alloc(&alone, size, &segments[i]) == 0 && segments[i]->size == size && segments[i]->data);
      CHECK((uintptr_t)segments[i]->data % 64 == 0 && is_filled(segments[i], 0));
      memset(segments[i]->data, i, size);
    }
  }
  CHECK(shmx_memory_live(&alone) == COUNT);
  for (int i = 0; i < COUNT; i++) {
    CHECK(is_filled(segments[i], (char)i));
    shmx_segment_release(segments[i]);
  }
  CHECK(shmx_memory_live(&alone) == 0);
  shmx_memory_trim(&alone);
  CHECK(alone.charged == 0 && mapped_chunks() == 0);
}

static void a_large_segment_is_warm_when_it_is_used_again(void) {
  struct shmx_segment *segment;
  CHECK(alloc(&alone, 8 * MIB, &segment) == 0);
  void *data = segment->data;
  memset(data, 1, 8 * MIB);
  shmx_segment_release(segment);
  CHECK(alloc(&alone, 7 * MIB, &segment) == 0 && segment->data == data && is_filled(segment, 0));
  shmx_segment_release(segment);
  CHECK(alloc(&alone, 4 * MIB, &segment) == 0 && segment->data != data); /* too much of it would be wasted */
  shmx_segment_release(segment);
}

static void who_has_no_memory_has_nothing_to_cool(void) {
  const uint64_t sizes[] = {1000, 8 * MIB};
  struct shmx_segment *segment;
  for (int i = 0; i < 2; i++) {
    shmx_memory_trim(&alone);
    CHECK(!shmx_memory_can_cool(&alone));
    CHECK(alloc(&alone, sizes[i], &segment) == 0 && shmx_memory_can_cool(&alone));
    shmx_segment_release(segment);
    CHECK(shmx_memory_can_cool(&alone));
  }
  shmx_memory_trim(&alone);
  CHECK(!shmx_memory_can_cool(&alone));
}

static struct rlimit limit_files(rlim_t count) {
  struct rlimit before;
  CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){count, before.rlim_max}) == 0);
  return before;
}

/* Half of the descriptors are for large segments with chunks of their own; then these share some. */
static void large_segments_share_chunks_when_descriptors_are_short(void) {
  enum { COUNT = 120, FILES = 64 };
  static struct shmx_segment *segments[COUNT];
  struct rlimit before = limit_files(FILES);
  shmx_memory_set_budget(&alone, 1024 * (uint64_t)MIB);
  for (int i = 0; i < COUNT; i++) {
    CHECK(shmx_memory_alloc(&alone, 4 * MIB, 0, &segments[i]) == 0);
    *(int *)segments[i]->data = i;
    CHECK(segments[i]->chunk->large == (i < FILES / 2));
  }
  CHECK(mapped_chunks() < COUNT / 2);
  for (int i = 0; i < COUNT; i++) CHECK(*(int *)segments[i]->data == i);
  for (int i = 0; i < COUNT; i++) shmx_segment_release(segments[i]);
  shmx_memory_trim(&alone);
  CHECK(alone.charged == 0 && mapped_chunks() == 0);
  CHECK(alloc(&alone, 4 * MIB, &segments[0]) == 0 && segments[0]->chunk->large);
  shmx_segment_release(segments[0]);
  CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/* Where the budget has no room for a chunk that is larger than the segment, one of its size does. */
static void short_descriptors_are_no_reason_to_refuse_what_fits(void) {
  enum { COUNT = 21, FILES = 40 };
  static struct shmx_segment *segments[COUNT];
  struct rlimit before = limit_files(FILES);
  shmx_memory_set_budget(&alone, COUNT * 4 * (uint64_t)MIB);
  for (int i = 0; i < COUNT; i++) CHECK(shmx_memory_alloc(&alone, 4 * MIB, 0, &segments[i]) == 0);
  for (int i = 0; i < COUNT; i++) shmx_segment_release(segments[i]);
  shmx_memory_trim(&alone);
  CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/* --- failing system calls --- */

static struct shmx_syscalls real;
static int countdown, failure;

static bool fails(void) {
  if (--countdown != 0) return false;
  errno = failure;
  return true;
}
static int failing_memfd(const char *name, unsigned flags) { return fails() ? -1 : real.memfd_create(name, flags); }
static int failing_truncate(int fd, off_t size) { return fails() ? -1 : real.ftruncate(fd, size); }
static int failing_fallocate(int fd, int mode, off_t at, off_t size) {
  return fails() ? -1 : real.fallocate(fd, mode, at, size);
}
static void *failing_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  return fails() ? MAP_FAILED : real.mmap(at, size, protection, flags, fd, offset);
}

static int no_large_pages(void *base, size_t size, int advice) {
  (void)base, (void)size, (void)advice;
  errno = EINVAL;
  return -1;
}

static void each_system_call_may_fail(void) {
  const uint64_t sizes[] = {100, 3 * MIB, 6 * MIB};
  const int failures[] = {ENOMEM, ENOSPC, EMFILE, EFBIG};
  real = shmx_syscalls;
  shmx_syscalls.memfd_create = failing_memfd;
  shmx_syscalls.ftruncate = failing_truncate;
  shmx_syscalls.fallocate = failing_fallocate;
  shmx_syscalls.mmap = failing_mmap;
  shmx_syscalls.madvise = no_large_pages;
  int before = open_fds();
  for (unsigned n = 0; n < 12; n++) {
    failure = failures[n % 4];
    int k = 0;
    do {
      struct shmx_segment *segment;
      countdown = ++k;
      int r = alloc(&alone, sizes[n / 4], &segment);
      if (r == 0) {
        CHECK(is_filled(segment, 0));
        shmx_segment_release(segment);
        shmx_memory_trim(&alone);
      }
      CHECK(r == 0 || r == -failure);
      CHECK(alone.charged == 0 && shmx_memory_live(&alone) == 0);
      CHECK(open_fds() == before && mapped_chunks() == 0);
    } while (countdown <= 0); /* until none is left that could fail */
    CHECK(k >= 4);            /* memfd_create, ftruncate, mmap at least */
  }
  shmx_syscalls = real;
}

static int collapses;

static int counting_madvise(void *base, size_t size, int advice) {
  CHECK((uintptr_t)base % (2 * MIB) == 0 && size % (2 * MIB) == 0);
  collapses++;
  return real.madvise(base, size, advice);
}

/* Whether the kernel can do it or not, what is made is zero; only what is too small is not tried. */
static void chunks_of_some_mib_are_made_of_large_pages(void) {
  const struct {
    uint64_t size;
    int tries;
  } cases[] = {{4096, 0}, {3 * MIB + 1, 1}, {4 * MIB, 2}, {7 * MIB, 3}};
  struct shmx_segment *segment;
  real = shmx_syscalls;
  shmx_syscalls.madvise = counting_madvise;
  for (int i = 0; i < 4; i++) {
    collapses = 0;
    CHECK(alloc(&alone, cases[i].size, &segment) == 0 && is_filled(segment, 0));
    CHECK(collapses <= cases[i].tries); /* fewer where they are slow */
    memset(segment->data, 1, segment->size);
    shmx_segment_release(segment);
    shmx_memory_trim(&alone);
    CHECK(alone.charged == 0);
  }
  shmx_syscalls = real;
}

static int all_large_pages(void *base, size_t size, int advice) {
  (void)base, (void)size, (void)advice;
  return 0;
}

static int slow_large_pages(void *base, size_t size, int advice) {
  (void)base, (void)size, (void)advice;
  collapses++;
  usleep(3000);
  return 0;
}

static int count_collapses(struct shmx_memory *memory) {
  struct shmx_segment *segment;
  collapses = 0;
  CHECK(alloc(memory, 8 * MIB, &segment) == 0);
  shmx_segment_release(segment);
  shmx_memory_trim(memory);
  return collapses;
}

static void only_main_waits_for_slow_large_pages(void) {
  struct shmx_memory worker = {.peer = SHMX_PEER_MAIN + 1};
  real = shmx_syscalls;
  shmx_syscalls.madvise = slow_large_pages;
  CHECK(count_collapses(&alone) == 4);
  CHECK(count_collapses(&worker) <= 1);
  shmx_syscalls = real;
}

/* Every word is its own index; `context` counts the pieces. */
static void make_indexes(void *context, uint64_t offset, void *place, uint64_t size) {
  uint64_t *words = place;
  for (uint64_t i = 0; i < size / 8; i++) words[i] = offset / 8 + i;
  ++*(int *)context;
}

static int produce(uint64_t size, struct shmx_segment **out, int *pieces) {
  *pieces = 0;
  CHECK(shmx_memory_alloc(&alone, size, SHMX_ALLOC_PRODUCED, out) == 0);
  return shmx_segment_produce(*out, make_indexes, pieces);
}

static bool has_indexes(const struct shmx_segment *segment) {
  const uint64_t *words = segment->data;
  uint64_t i = 0;
  while (i < segment->size / 8 && words[i] == i) i++;
  return i == segment->size / 8;
}

static ssize_t short_pwrite(int fd, const void *bytes, size_t size, off_t at) {
  return real.pwrite(fd, bytes, size > 1000 ? 1000 : size, at);
}

static void fresh_small_pages_are_produced_in_pieces_and_warm_memory_at_once(void) {
  struct shmx_segment *segment;
  int pieces;
  real = shmx_syscalls;
  shmx_syscalls.pwrite = short_pwrite;
  shmx_syscalls.madvise = no_large_pages;
  CHECK(produce(5 * MIB + 8, &segment, &pieces) == 0);
  CHECK(pieces == 81 && has_indexes(segment));
  shmx_syscalls = real;
  shmx_segment_release(segment);
  CHECK(produce(5 * MIB, &segment, &pieces) == 0);
  CHECK(pieces == 1 && has_indexes(segment));
  shmx_segment_release(segment);
  CHECK(produce(800, &segment, &pieces) == 0);
  CHECK(pieces == 1 && has_indexes(segment));
  shmx_segment_release(segment);
  shmx_memory_trim(&alone);
  shmx_syscalls.madvise = all_large_pages;
  CHECK(produce(5 * MIB, &segment, &pieces) == 0);
  for (int tries = 0; pieces > 1 && tries < 10; tries++) { /* the real ones were slow before, or we were held up */
    shmx_segment_release(segment);
    shmx_memory_trim(&alone);
    usleep(600000);
    CHECK(produce(5 * MIB, &segment, &pieces) == 0);
  }
  CHECK(pieces == 1 && has_indexes(segment));
  shmx_syscalls = real;
  shmx_segment_release(segment);
  shmx_memory_trim(&alone);
  CHECK(alone.charged == 0);
}

static ssize_t failing_pwrite(int fd, const void *bytes, size_t size, off_t at) {
  return fails() ? -1 : real.pwrite(fd, bytes, size, at);
}

/* Its pages are not there: nobody must get it as a warm one. */
static void memory_that_could_not_be_produced_is_not_used_again(void) {
  struct shmx_segment *segment;
  int pieces, before = open_fds();
  real = shmx_syscalls;
  shmx_syscalls.pwrite = failing_pwrite;
  shmx_syscalls.madvise = no_large_pages;
  failure = ENOSPC;
  countdown = 7;
  CHECK(produce(5 * MIB, &segment, &pieces) == -ENOSPC);
  CHECK(pieces == 7);
  shmx_segment_release(segment);
  CHECK(alone.charged == 0 && open_fds() == before && mapped_chunks() == 0);
  shmx_syscalls = real;
}

/* --- with a supervisor --- */

static void the_bytes_are_used_again_when_nobody_holds_them(void) {
  struct shmx_memory *worker = kit_memory(KIT_WORKER);
  kit_open();
  for (int i = 0; i < 50; i++) {
    struct shmx_segment *segment, *received;
    CHECK(alloc(worker, i % 2 ? 10000 : 5 * MIB, &segment) == 0);
    memset(segment->data, i, segment->size);
    received = hand_over(KIT_WORKER, segment);
    shmx_segment_release(segment);
    CHECK(is_filled(received, (char)i));
    struct shmx_segment *other;
    CHECK(alloc(worker, segment->size, &other) == 0);
    memset(other->data, 99, other->size);
    CHECK(is_filled(received, (char)i)); /* it did not get the same bytes */
    shmx_segment_release(other);
    shmx_segment_release(received);
    kit_await_segments(0);
  }
  CHECK(worker->charged <= 64 * MIB && kit_all_honest());
  kit_close();
}

static void what_comes_back_to_its_maker_is_the_same_handle(void) {
  struct shmx_segment *segment, *received, *back;
  struct shmx_segment_ref ref;
  kit_open();
  CHECK(alloc(kit_memory(KIT_WORKER), 1000, &segment) == 0);
  received = hand_over(KIT_WORKER, segment);
  shmx_segment_release(segment);
  shmx_link_wait_read(&kit.party[KIT_WORKER].link);
  shmx_memory_settle(kit_memory(KIT_WORKER));
  CHECK(segment->refs == 0);
  CHECK(shmx_memory_task_hold(kit_memory(KIT_MAIN), received, &ref) == 0);
  ref.giver = SHMX_PEER_NONE;
  CHECK(shmx_memory_adopt(kit_memory(KIT_WORKER), &ref, &back) == 0 && back == segment && back->refs == 1);
  shmx_memory_task_drop(kit_memory(KIT_MAIN), &ref);
  shmx_segment_release(received);
  usleep(20000);
  shmx_memory_attend(kit_memory(KIT_WORKER));
  CHECK(kit_stats().segments == 1 && is_filled(back, 0));
  shmx_segment_release(back);
  kit_await_segments(0);
  await_freed(kit_memory(KIT_WORKER));
  CHECK(kit_all_honest());
  kit_close();
}

/* A description alone makes nobody hold the segment, so the supervisor never hears of it. */
static void what_was_only_described_is_freed_in_silence(void) {
  struct shmx_segment *segment;
  struct shmx_segment_ref ref;
  const char *bytes;
  kit_open();
  for (int i = 0; i < 100; i++) {
    CHECK(alloc(kit_memory(KIT_MAIN), 5000, &segment) == 0);
    CHECK(shmx_memory_describe(kit_memory(KIT_MAIN), segment, &ref) == 0);
    memset(segment->data, 7, 5000);
    CHECK(shmx_memory_look(kit_memory(KIT_WORKER), ref.chunk, ref.offset, ref.size, &bytes) == 0 && bytes[4999] == 7);
    shmx_segment_release(segment);
  }
  kit_await_segments(0);
  shmx_memory_trim(kit_memory(KIT_MAIN));
  usleep(20000);
  CHECK(kit_all_honest() && kit_stats().chunks <= 1);
  kit_close();
}

/* More notes than their ring has room for, for a process that sleeps through it. */
static void a_thousand_releases_are_all_heard_of(void) {
  enum { COUNT = 3 * SHMX_NOTES };
  static struct shmx_segment *received[COUNT];
  struct shmx_segment *segment;
  kit_open();
  for (int i = 0; i < COUNT; i++) {
    CHECK(alloc(kit_memory(KIT_WORKER), 100, &segment) == 0);
    received[i] = hand_over(KIT_WORKER, segment);
    shmx_segment_release(segment);
  }
  for (int i = 0; i < COUNT; i++) shmx_segment_release(received[i]);
  kit_await_segments(0);
  await_freed(kit_memory(KIT_WORKER));
  CHECK(kit_memory(KIT_WORKER)->segments.count == 0 && kit_all_honest());
  kit_close();
}

static void a_gone_chunk_is_unmapped_by_its_mappers(void) {
  struct shmx_segment *segment, *received;
  kit_open();
  CHECK(alloc(kit_memory(KIT_WORKER), 6 * MIB, &segment) == 0);
  received = hand_over(KIT_WORKER, segment);
  CHECK(mapped_chunks() == 2);
  shmx_segment_release(segment);
  shmx_segment_release(received);
  kit_await_segments(0);
  shmx_memory_attend(kit_memory(KIT_WORKER));
  shmx_memory_trim(kit_memory(KIT_WORKER));
  for (int i = 0; mapped_chunks() > 0; i++) {
    CHECK(i < 1000);
    shmx_memory_attend(kit_memory(KIT_MAIN));
    usleep(1000);
  }
  CHECK(kit_stats().chunks == 0 && kit_memory(KIT_WORKER)->charged == 0);
  kit_close();
}

static void what_the_maker_left_outlives_it(void) {
  struct shmx_segment *segment, *received;
  kit_open();
  CHECK(alloc(kit_memory(KIT_WORKER), 100000, &segment) == 0);
  memset(segment->data, 3, 100000);
  received = hand_over(KIT_WORKER, segment);
  kit_bury(KIT_WORKER);
  CHECK(kit_stats().segments == 1 && is_filled(received, 3));
  shmx_segment_release(received);
  kit_await_segments(0);
  CHECK(kit_all_honest());
  kit_close();
}

/* Without its supervisor a process keeps what it has, and hands none of it over. */
static void leaving_keeps_what_is_in_use(void) {
  struct shmx_memory *memory = kit_memory(KIT_WORKER), *main = kit_memory(KIT_MAIN);
  struct shmx_segment *shared, *private, *large, *received, *new;
  struct shmx_segment_ref ref;
  kit_open();
  CHECK(alloc(memory, 1000, &shared) == 0 && alloc(memory, 1000, &private) == 0 && alloc(memory, 5 * MIB, &large) == 0);
  memset(shared->data, 1, 1000);
  memset(private->data, 2, 1000);
  memset(large->data, 3, large->size);
  received = hand_over(KIT_WORKER, shared);
  shmx_segment_release(hand_over(KIT_WORKER, large));
  shmx_memory_leave(memory);
  shmx_memory_leave(main);
  CHECK(is_filled(shared, 1) && is_filled(private, 2) && is_filled(large, 3) && is_filled(received, 1));
  CHECK(shmx_memory_describe(memory, shared, &ref) == -ESTALE &&
        shmx_memory_describe(memory, private, &ref) == -ESTALE);
  CHECK(shmx_memory_describe(main, received, &ref) == -ESTALE);
  CHECK(alloc(memory, 1000, &new) == 0 && new->chunk != shared->chunk &&is_filled(new, 0));
  struct shmx_segment *all[] = {shared, private, large, received, new};
  for (int i = 0; i < 5; i++) shmx_segment_release(all[i]);
  CHECK(shmx_memory_live(memory) == 0 && shmx_memory_live(main) == 0);
  shmx_memory_trim(memory);
  CHECK(memory->charged == 0 && mapped_chunks() == 0);
}

static const struct test tests[] = {
    {"segments_are_zeroed_aligned_and_apart", segments_are_zeroed_aligned_and_apart},
    {"a_large_segment_is_warm_when_it_is_used_again", a_large_segment_is_warm_when_it_is_used_again},
    {"who_has_no_memory_has_nothing_to_cool", who_has_no_memory_has_nothing_to_cool},
    {"large_segments_share_chunks_when_descriptors_are_short", large_segments_share_chunks_when_descriptors_are_short},
    {"short_descriptors_are_no_reason_to_refuse_what_fits", short_descriptors_are_no_reason_to_refuse_what_fits},
    {"each_system_call_may_fail", each_system_call_may_fail},
    {"chunks_of_some_mib_are_made_of_large_pages", chunks_of_some_mib_are_made_of_large_pages},
    {"only_main_waits_for_slow_large_pages", only_main_waits_for_slow_large_pages},
    {"fresh_small_pages_are_produced_in_pieces_and_warm_memory_at_once",
     fresh_small_pages_are_produced_in_pieces_and_warm_memory_at_once},
    {"memory_that_could_not_be_produced_is_not_used_again", memory_that_could_not_be_produced_is_not_used_again},
    {"the_bytes_are_used_again_when_nobody_holds_them", the_bytes_are_used_again_when_nobody_holds_them},
    {"what_comes_back_to_its_maker_is_the_same_handle", what_comes_back_to_its_maker_is_the_same_handle},
    {"what_was_only_described_is_freed_in_silence", what_was_only_described_is_freed_in_silence},
    {"a_thousand_releases_are_all_heard_of", a_thousand_releases_are_all_heard_of},
    {"a_gone_chunk_is_unmapped_by_its_mappers", a_gone_chunk_is_unmapped_by_its_mappers},
    {"what_the_maker_left_outlives_it", what_the_maker_left_outlives_it},
    {"leaving_keeps_what_is_in_use", leaving_keeps_what_is_in_use},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
