/* SPDX-License-Identifier: MIT */
/*
 * The ring alone, with a partner whose index lies, and with writer and reader as two threads over one mapping.
 */
#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "core/ring.h"

enum { CAPACITY = 8 };

struct shared {
  struct shmx_ring_shm shm;
  uint64_t records[CAPACITY][2];
};

static struct shared shared;

static struct shmx_ring side(void) {
  struct shmx_ring ring;
  shmx_ring_init(&ring, &shared.shm, shared.records, CAPACITY, sizeof shared.records[0]);
  return ring;
}

static bool push(struct shmx_ring *ring, uint64_t value) {
  uint64_t record[2] = {value, ~value};
  return shmx_ring_push(ring, record);
}

static uint64_t take(struct shmx_ring *ring) {
  uint64_t record[2];
  shmx_ring_take(ring, record);
  CHECK(record[1] == ~record[0]);
  return record[0];
}

static void records_come_in_order_and_the_ring_gets_full(void) {
  struct shmx_ring writer = side(), reader = side();
  uint64_t next = 0, expected = 0;
  for (int round = 0; round < 5; round++) {
    while (push(&writer, next)) next++;
    CHECK(next - expected == CAPACITY);
    CHECK(shmx_ring_available(&reader) == CAPACITY);
    for (int i = 0; i < 3; i++) CHECK(take(&reader) == expected++);
    CHECK(!push(&writer, 0)); /* taken, but not yet taken note of */
    shmx_ring_done(&reader);
  }
}

static void a_record_counts_as_read_after_done_only(void) {
  struct shmx_ring writer = side(), reader = side();
  uint64_t first = writer.index;
  push(&writer, 1);
  uint64_t second = writer.index;
  push(&writer, 2);
  CHECK(shmx_ring_available(&reader) == 2);
  take(&reader);
  CHECK(!shmx_ring_was_read(&writer, first));
  shmx_ring_done(&reader);
  CHECK(shmx_ring_was_read(&writer, first) && !shmx_ring_was_read(&writer, second));
}

static void a_lying_write_index_is_reported(void) {
  struct shmx_ring writer = side(), reader = side();
  push(&writer, 1);
  const uint64_t lies[] = {CAPACITY + 1, UINT64_MAX, UINT64_C(1) << 63, 1000};
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    atomic_store(&shared.shm.write, lies[i]);
    CHECK(shmx_ring_available(&reader) == -EPROTO);
  }
  atomic_store(&shared.shm.write, writer.index);
  CHECK(shmx_ring_available(&reader) == 1 && take(&reader) == 1);
  shmx_ring_done(&reader);
  atomic_store(&shared.shm.write, 0); /* back behind what was read */
  CHECK(shmx_ring_available(&reader) == -EPROTO);
}

static void a_lying_read_index_acknowledges_nothing_and_makes_no_room(void) {
  struct shmx_ring writer = side();
  for (int i = 0; i < CAPACITY; i++) CHECK(push(&writer, 1));
  const uint64_t lies[] = {CAPACITY + 1, UINT64_MAX, UINT64_C(1) << 63, 1000};
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    atomic_store(&shared.shm.read, lies[i]);
    CHECK(!shmx_ring_has_room(&writer) && !push(&writer, 2));
    CHECK(!shmx_ring_was_read(&writer, 0) && !shmx_ring_was_read(&writer, 0));
  }
  atomic_store(&shared.shm.read, 1);
  CHECK(shmx_ring_was_read(&writer, 0) && !shmx_ring_was_read(&writer, 1) && push(&writer, 2));
}

enum { MANY = 400000 };

static void *write_many(void *unused) {
  struct shmx_ring writer = side();
  for (uint64_t i = 0; i < MANY; i++)
    while (!push(&writer, i)) sched_yield();
  return unused;
}

static void two_threads_pass_records_in_order(void) {
  pthread_t thread;
  struct shmx_ring reader = side();
  uint64_t expected = 0;
  pthread_create(&thread, NULL, write_many, NULL);
  while (expected < MANY) {
    int64_t count = shmx_ring_available(&reader);
    CHECK(count >= 0);
    if (count == 0) sched_yield();
    for (; count > 0; count--) CHECK(take(&reader) == expected++);
    shmx_ring_done(&reader);
  }
  pthread_join(thread, NULL);
}

static const struct test tests[] = {
    {"records_come_in_order_and_the_ring_gets_full", records_come_in_order_and_the_ring_gets_full},
    {"a_record_counts_as_read_after_done_only", a_record_counts_as_read_after_done_only},
    {"a_lying_write_index_is_reported", a_lying_write_index_is_reported},
    {"a_lying_read_index_acknowledges_nothing_and_makes_no_room",
     a_lying_read_index_acknowledges_nothing_and_makes_no_room},
    {"two_threads_pass_records_in_order", two_threads_pass_records_in_order},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
