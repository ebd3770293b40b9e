/* SPDX-License-Identifier: MIT */
/*
 * Recording a trace: nothing is lost, however slowly the rings are read.
 */
#include "core/trace.h"

#include "domain_kit.h"

enum { RECORDS = 4 * SHMX_TRACE_RECORDS };

static struct shmx_trace_shm *shm;

static void make_shm(void) {
  void *base;
  int fd = shmx_os_memfd("test", (sizeof *shm + 4095) / 4096 * 4096);
  CHECK(fd >= 0 && shmx_os_map(fd, sizeof *shm, &base) == 0);
  shm = base;
}

/* Reads a ring when it has been full for a while. The supervisor, which is the kit's and reads none, has answered many times
 * by then who waits for room. */
static void *read_slowly(void *charge) {
  struct shmx_trace_region *region = &shm->region[*(uint32_t *)charge];
  struct shmx_ring ring;
  shmx_ring_init(&ring, &region->ring, region->record, SHMX_TRACE_RECORDS, sizeof(struct shmx_trace_record));
  for (uint32_t expected = 0; expected < RECORDS;) {
    while (shmx_ring_available(&ring) < SHMX_TRACE_RECORDS) usleep(1000);
    usleep(5000);
    for (int64_t count = shmx_ring_available(&ring); count > 0; count--, expected++) {
      struct shmx_trace_record record;
      shmx_ring_take(&ring, &record);
      CHECK(record.waited == expected);
    }
    shmx_ring_done(&ring);
  }
  return NULL;
}

static void who_finds_the_ring_full_waits_until_there_is_room(void) {
  pthread_t reader;
  struct shmx_trace trace;
  kit_open();
  make_shm();
  struct shmx_link *link = &kit.party[KIT_WORKER].link;
  shmx_trace_attach(&trace, shm, link);
  pthread_create(&reader, NULL, read_slowly, &link->charge);
  for (uint64_t i = 0; i < RECORDS; i++) {
    struct shmx_message message = {.head = shmx_message_head(SHMX_MSG_RELEASE, SHMX_PEER_NONE), .segment = i};
    shmx_trace_message(&trace, &message);
  }
  pthread_join(reader, NULL);
  kit_close();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {TEST(who_finds_the_ring_full_waits_until_there_is_room), {NULL, NULL}};
  return run_tests(tests, argc, argv);
}
