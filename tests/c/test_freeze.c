/* SPDX-License-Identifier: MIT */
/*
 * Frozen segments: what the kernel lets anybody write, who may freeze, and what messages say of it.
 */
#include <errno.h>
#include <fcntl.h>

#include "domain_kit.h"

enum { SMALL = 1000, LARGE = 6 << 20 };

static struct shmx_memory alone = {.peer = SHMX_PEER_MAIN};

static struct shmx_segment *make(struct shmx_memory *memory, uint64_t size) {
  struct shmx_segment *segment;
  CHECK(shmx_memory_alloc(memory, size, SHMX_ALLOC_ZERO, &segment) == 0);
  return segment;
}

/* Whether this process can write there; if it can, it writes 0. */
static bool is_writable(const struct shmx_segment *segment) {
  int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  ssize_t n = read(fd, segment->data, segment->size);
  CHECK(n == (ssize_t)segment->size || (n < 0 && errno == EFAULT));
  close(fd);
  return n > 0;
}

/* By a message of the worker's: main's handle, with a reference. */
static struct shmx_segment *receive(int giver, struct shmx_segment *segment, uint32_t *frozen) {
  struct shmx_segment_ref ref;
  struct shmx_segment *received;
  CHECK(shmx_memory_notify(kit_memory(giver), segment, SHMX_PEER_MAIN, &ref) == 0);
  CHECK(shmx_memory_adopt(kit_memory(KIT_MAIN), &ref, &received) == 0);
  *frozen = ref.frozen;
  return received;
}

/* The worker hands it over and lets go of it. */
static struct shmx_segment *give_away(int giver, struct shmx_segment *segment, uint32_t *frozen) {
  struct shmx_segment *received = receive(giver, segment, frozen);
  shmx_segment_release(segment);
  shmx_link_wait_read(&kit.party[giver].link);
  shmx_memory_settle(kit_memory(giver));
  return received;
}

/* As the argument of a task, which then ends. */
static struct shmx_segment *pass_on(struct shmx_segment *segment, int receiver) {
  struct shmx_segment_ref ref;
  struct shmx_segment *received;
  CHECK(shmx_memory_task_hold(kit_memory(KIT_MAIN), segment, &ref) == 0);
  ref.giver = SHMX_PEER_NONE;
  CHECK(shmx_memory_adopt(kit_memory(receiver), &ref, &received) == 0);
  shmx_link_wait_read(&kit.party[receiver].link);
  shmx_memory_task_drop(kit_memory(KIT_MAIN), &ref);
  return received;
}

static void finish(void) {
  kit_await_segments(0);
  for (int i = 0; kit_memory(KIT_WORKER)->awaited + kit_memory(KIT_MAIN)->awaited > 0; i++) {
    CHECK(i < 5000);
    for (int k = 0; k < KIT_PARTIES; k++) shmx_memory_attend(kit_memory(k));
    usleep(1000);
  }
  CHECK(kit_all_honest());
  kit_close();
}

static void a_small_one_is_marked_and_its_neighbours_are_not(void) {
  struct shmx_segment *first = make(&alone, SMALL), *second = make(&alone, SMALL);
  CHECK(first->chunk == second->chunk && !first->read_only);
  CHECK(shmx_memory_freeze(&alone, first) == 0 && shmx_memory_freeze(&alone, first) == 0);
  CHECK(first->read_only && !second->read_only && !first->chunk->sealed && is_writable(second));
  shmx_segment_release(first);
  first = make(&alone, SMALL);
  CHECK(!first->read_only);
  shmx_segment_release(first);
  shmx_segment_release(second);
}

static void a_large_one_cannot_be_written_nor_its_memory_be_used_again(void) {
  struct shmx_segment *segment = make(&alone, LARGE);
  void *base;
  memset(segment->data, 7, LARGE);
  CHECK(shmx_memory_freeze(&alone, segment) == 0 && segment->read_only && segment->chunk->sealed);
  CHECK(!is_writable(segment) && ((char *)segment->data)[LARGE - 1] == 7);
  CHECK(shmx_os_map(segment->chunk->fd, LARGE, &base) == -EPERM);
  CHECK(shmx_os_write(segment->chunk->fd, 0, "x", 1) == -EPERM);
  shmx_segment_release(segment);
  CHECK(alone.charged == 0 && alone.warm == 0);
  segment = make(&alone, LARGE);
  CHECK(is_writable(segment) && !segment->read_only);
  shmx_segment_release(segment);
}

static void messages_say_it(void) {
  const uint64_t sizes[] = {SMALL, LARGE};
  kit_open();
  for (int i = 0; i < 2; i++) {
    uint32_t frozen;
    struct shmx_segment *segment = make(kit_memory(KIT_WORKER), sizes[i]);
    CHECK(shmx_memory_freeze(kit_memory(KIT_WORKER), segment) == 0);
    struct shmx_segment *received = give_away(KIT_WORKER, segment, &frozen);
    CHECK(frozen == (i == 0 ? SHMX_FROZEN : SHMX_FROZEN | SHMX_FROZEN_ALONE));
    CHECK(received->read_only && is_writable(received) == (i == 0));
    struct shmx_segment *other = pass_on(received, KIT_OTHER), *back = pass_on(received, KIT_WORKER);
    CHECK(other->read_only && is_writable(other) == (i == 0));
    CHECK(back == segment && back->read_only && is_writable(back) == (i == 0));
    shmx_segment_release(other);
    shmx_segment_release(back);
    shmx_segment_release(received);
  }
  finish();
}

/* Main freezes what a worker made: the worker's memory is not to be used for another. */
static void its_only_holder_freezes_it_wherever_it_was_made(void) {
  uint32_t frozen;
  kit_open();
  for (int i = 0; i < 6; i++) {
    struct shmx_segment *segment = make(kit_memory(KIT_WORKER), i % 2 ? LARGE : SMALL);
    struct shmx_segment *received = give_away(KIT_WORKER, segment, &frozen);
    CHECK(frozen == 0 && is_writable(received));
    CHECK(shmx_memory_freeze(kit_memory(KIT_MAIN), received) == 0);
    CHECK(received->read_only && is_writable(received) == (i % 2 == 0));
    struct shmx_segment *other = pass_on(received, KIT_OTHER);
    CHECK(other->read_only && is_writable(other) == (i % 2 == 0));
    shmx_segment_release(other);
    shmx_segment_release(received);
    kit_await_segments(0);
  }
  for (int i = 0; kit_memory(KIT_WORKER)->awaited > 0 && i < 5000; i++) {
    shmx_memory_attend(kit_memory(KIT_WORKER));
    usleep(1000);
  }
  CHECK(kit_memory(KIT_WORKER)->large == NULL && kit_memory(KIT_WORKER)->warm == 0);
  finish();
}

static int mapped_to_read(void) {
  char line[512];
  int count = 0;
  FILE *file = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, file)) count += strstr(line, "memfd:shmx") && strstr(line, " r--s ");
  fclose(file);
  return count;
}

/* Its pages are there as long as somebody has it mapped; and main may get it again. */
static void main_keeps_no_mapping_that_it_does_not_use(void) {
  uint32_t frozen;
  kit_open();
  struct shmx_segment *segment = make(kit_memory(KIT_WORKER), LARGE);
  CHECK(shmx_memory_freeze(kit_memory(KIT_WORKER), segment) == 0);
  for (int i = 0; i < 3; i++) {
    struct shmx_segment *received = receive(KIT_WORKER, segment, &frozen);
    CHECK(mapped_to_read() == 2 && received->read_only);
    shmx_segment_release(received);
    CHECK(mapped_to_read() == 1);
  }
  shmx_segment_release(segment);
  finish();
  CHECK(mapped_to_read() == 0);
}

static void who_does_not_hold_it_alone_cannot(void) {
  uint32_t frozen;
  kit_open();
  struct shmx_segment *segment = make(kit_memory(KIT_WORKER), LARGE);
  struct shmx_segment *received = receive(KIT_WORKER, segment, &frozen);
  CHECK(shmx_memory_freeze(kit_memory(KIT_WORKER), segment) == -EBUSY);
  CHECK(shmx_memory_freeze(kit_memory(KIT_MAIN), received) == -EBUSY);
  CHECK(!segment->read_only && !received->read_only && is_writable(segment) && is_writable(received));
  shmx_segment_release(received);
  CHECK(shmx_memory_freeze(kit_memory(KIT_WORKER), segment) == 0 && !is_writable(segment));
  shmx_segment_release(segment);
  finish();
}

/* What was the chunk of a segment that others have had, and is warm, may still be mapped by them. */
static void an_old_mapping_is_protected_too(void) {
  uint32_t frozen;
  kit_open();
  struct shmx_segment *old = make(kit_memory(KIT_WORKER), LARGE), *received = give_away(KIT_WORKER, old, &frozen);
  shmx_segment_release(received);
  finish();
  atomic_store(&kit.over, false);
  pthread_create(&kit.thread, NULL, kit_supervise, NULL);
  struct shmx_segment *segment = make(kit_memory(KIT_WORKER), LARGE);
  CHECK(segment->chunk->announced && segment->chunk->fd < 0);
  CHECK(shmx_memory_freeze(kit_memory(KIT_WORKER), segment) == 0 && !is_writable(segment));
  received = give_away(KIT_WORKER, segment, &frozen);
  CHECK(received->read_only && !is_writable(received));
  shmx_segment_release(received);
  finish();
}

/* A worker that lies cannot make main's own writing crash. */
static void a_lie_changes_nothing_that_is_held(void) {
  struct shmx_memory *main = kit_memory(KIT_MAIN);
  struct shmx_segment *first, *second, *again;
  struct shmx_segment_ref ref;
  uint32_t frozen;
  kit_open();
  struct shmx_segment *a = make(kit_memory(KIT_WORKER), SMALL), *b = make(kit_memory(KIT_WORKER), SMALL);
  first = receive(KIT_WORKER, a, &frozen);
  CHECK(shmx_memory_notify(kit_memory(KIT_WORKER), a, SHMX_PEER_MAIN, &ref) == 0);
  ref.frozen = SHMX_FROZEN | SHMX_FROZEN_ALONE;
  CHECK(shmx_memory_adopt(main, &ref, &again) == -EPROTO && !first->read_only && is_writable(first));
  CHECK(shmx_memory_notify(kit_memory(KIT_WORKER), b, SHMX_PEER_MAIN, &ref) == 0);
  ref.frozen = SHMX_FROZEN | SHMX_FROZEN_ALONE;
  CHECK(shmx_memory_adopt(main, &ref, &second) == 0 && second->read_only);
  CHECK(is_writable(first) && is_writable(second));
  shmx_segment_release(second);
  shmx_segment_release(first);
  /* As long as it is the only one there, it is protected; what comes into the chunk later is frozen with it. */
  CHECK(shmx_memory_notify(kit_memory(KIT_WORKER), b, SHMX_PEER_MAIN, &ref) == 0);
  ref.frozen = SHMX_FROZEN | SHMX_FROZEN_ALONE;
  CHECK(shmx_memory_adopt(main, &ref, &second) == 0 && !is_writable(second));
  first = receive(KIT_WORKER, a, &frozen);
  CHECK(frozen == 0 && first->read_only);
  struct shmx_segment *all[] = {a, b, first, second};
  for (int i = 0; i < 4; i++) shmx_segment_release(all[i]);
  finish();
}

static void without_the_supervisor_who_keeps_it_is_alone(void) {
  uint32_t frozen;
  kit_open();
  struct shmx_segment *large = make(kit_memory(KIT_WORKER), LARGE), *private = make(kit_memory(KIT_WORKER), LARGE);
  struct shmx_segment *received = receive(KIT_WORKER, large, &frozen);
  kit_close();
  shmx_memory_leave(kit_memory(KIT_WORKER));
  shmx_memory_leave(kit_memory(KIT_MAIN));
  CHECK(shmx_memory_freeze(kit_memory(KIT_WORKER), large) == 0 && !is_writable(large));
  CHECK(shmx_memory_freeze(kit_memory(KIT_WORKER), private) == 0 && !is_writable(private));
  CHECK(shmx_memory_freeze(kit_memory(KIT_MAIN), received) == 0 && received->read_only);
  shmx_segment_release(large);
  shmx_segment_release(private);
  shmx_segment_release(received);
  CHECK(kit_memory(KIT_WORKER)->charged == 0);
}

static const struct test tests[] = {
    {"a_small_one_is_marked_and_its_neighbours_are_not", a_small_one_is_marked_and_its_neighbours_are_not},
    {"a_large_one_cannot_be_written_nor_its_memory_be_used_again",
     a_large_one_cannot_be_written_nor_its_memory_be_used_again},
    {"messages_say_it", messages_say_it},
    {"its_only_holder_freezes_it_wherever_it_was_made", its_only_holder_freezes_it_wherever_it_was_made},
    {"main_keeps_no_mapping_that_it_does_not_use", main_keeps_no_mapping_that_it_does_not_use},
    {"who_does_not_hold_it_alone_cannot", who_does_not_hold_it_alone_cannot},
    {"an_old_mapping_is_protected_too", an_old_mapping_is_protected_too},
    {"a_lie_changes_nothing_that_is_held", a_lie_changes_nothing_that_is_held},
    {"without_the_supervisor_who_keeps_it_is_alone", without_the_supervisor_who_keeps_it_is_alone},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
