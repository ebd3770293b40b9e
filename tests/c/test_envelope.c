/* SPDX-License-Identifier: MIT */
/*
 * Envelopes between the memories of a worker and of main: what goes in comes out, nothing is kept for ever, and bytes
 * that make no sense are refused.
 */
#include <errno.h>

#include "core/envelope.h"
#include "domain_kit.h"

enum { ROOM = SHMX_SLOT_RESULT };

struct letter {
  char place[ROOM];
  uint32_t size;
};

static int notify_main(struct shmx_memory *memory, struct shmx_segment *segment, struct shmx_segment_ref *ref) {
  return shmx_memory_notify(memory, segment, SHMX_PEER_MAIN, ref);
}

static int post(struct letter *letter, const void *body, uint64_t size, struct shmx_segment **segments,
                uint32_t count) {
  struct shmx_outgoing message = {.body = body, .size = size, .segments = segments, .nsegments = count};
  struct shmx_sent sent;
  int r = shmx_envelope_write(kit_memory(KIT_WORKER), &message, notify_main, letter->place, ROOM, &letter->size, &sent);
  shmx_sent_fini(&sent);
  return r;
}

static int open_letter(const struct letter *letter, bool wanted, struct shmx_incoming *message) {
  return shmx_envelope_read(kit_memory(KIT_MAIN), letter->place, letter->size, 2, wanted, message);
}

static struct shmx_segment *make(uint64_t size, char fill) {
  struct shmx_segment *segment;
  CHECK(shmx_memory_alloc(kit_memory(KIT_WORKER), size, 0, &segment) == 0);
  memset(segment->data, fill, size);
  return segment;
}

static void finish(void) {
  kit_await_segments(0);
  CHECK(kit_all_honest());
  kit_close();
}

static void a_small_message_lies_in_its_place(void) {
  struct letter letter;
  struct shmx_incoming message;
  kit_open();
  CHECK(post(&letter, "hello", 5, NULL, 0) == 0 && letter.size < ROOM);
  CHECK(open_letter(&letter, true, &message) == 0);
  CHECK(message.size == 5 && memcmp(message.body, "hello", 5) == 0 && !message.carrier && message.nsegments == 0);
  CHECK((const char *)message.body >= letter.place && (const char *)message.body < letter.place + ROOM);
  shmx_incoming_close(&message);
  CHECK(post(&letter, NULL, 0, NULL, 0) == 0 && open_letter(&letter, true, &message) == 0 && message.size == 0);
  shmx_incoming_close(&message);
  finish();
}

static void a_large_message_travels_in_a_carrier(void) {
  static char body[5 << 20];
  const uint64_t sizes[] = {ROOM - 15, ROOM, 5000, sizeof body};
  struct letter letter;
  struct shmx_incoming message;
  kit_open();
  for (size_t i = 0; i < sizeof body; i++) body[i] = (char)(i * 7);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    CHECK(post(&letter, body, sizes[i], NULL, 0) == 0 && letter.size <= ROOM);
    CHECK(open_letter(&letter, true, &message) == 0 && message.carrier);
    CHECK(message.size == sizes[i] && memcmp(message.body, body, sizes[i]) == 0);
    shmx_incoming_close(&message);
    kit_await_segments(0);
  }
  finish();
}

static void segments_arrive_and_are_let_go_of(void) {
  struct letter letter;
  struct shmx_incoming message;
  kit_open();
  for (uint32_t count = 1; count <= 5; count++) { /* from 3 on in a carrier */
    struct shmx_segment *segments[5];
    for (uint32_t i = 0; i < count; i++) segments[i] = make(1000 * (i + 1), (char)i);
    CHECK(post(&letter, "body", 4, segments, count) == 0);
    for (uint32_t i = 0; i < count; i++) shmx_segment_release(segments[i]);
    CHECK(open_letter(&letter, true, &message) == 0 && message.nsegments == count);
    CHECK(memcmp(message.body, "body", 4) == 0 && (message.carrier != NULL) == (count > 2));
    for (uint32_t i = 0; i < count; i++) {
      const char *data = message.segments[i]->data;
      CHECK(message.segments[i]->size == 1000 * (i + 1) && data[0] == (char)i && data[1000 * i + 999] == (char)i);
    }
    struct shmx_segment *kept = message.segments[0];
    shmx_segment_retain(kept);
    shmx_incoming_close(&message);
    kit_await_segments(1);
    shmx_segment_release(kept);
    kit_await_segments(0);
  }
  finish();
}

static void what_is_not_wanted_is_discarded(void) {
  struct letter letter;
  struct shmx_incoming message;
  kit_open();
  for (uint32_t count = 0; count <= 5; count++) {
    struct shmx_segment *segments[5];
    for (uint32_t i = 0; i < count; i++) segments[i] = make(100, 1);
    CHECK(post(&letter, "body", 4, segments, count) == 0);
    for (uint32_t i = 0; i < count; i++) shmx_segment_release(segments[i]);
    CHECK(open_letter(&letter, false, &message) == 0 && message.nsegments == 0);
    shmx_incoming_close(&message);
    kit_await_segments(0);
  }
  finish();
}

/* The header as in envelope.c: body size, number of segments, number of codes. */
static void forge(struct letter *letter, uint64_t body, uint32_t segments, uint32_t codes, uint32_t size) {
  memset(letter->place, 0x41, ROOM);
  memcpy(letter->place, &body, sizeof body);
  memcpy(letter->place + 8, &segments, sizeof segments);
  memcpy(letter->place + 12, &codes, sizeof codes);
  letter->size = size;
}

static void counts_and_sizes_that_lie_are_refused(void) {
  static const struct {
    uint64_t body;
    uint32_t segments, codes, size;
  } lies[] = {
      {0, 0, 0, 0},
      {0, 0, 0, 15},
      {81, 0, 0, ROOM},
      {UINT64_MAX, 0, 0, ROOM},
      {0, 3, 0, ROOM},
      {0, UINT32_MAX, 0, 96},
      {0, 0, 3, ROOM},
      {0, 0, UINT32_MAX - 1, ROOM},
      {17, 1, 1, ROOM},
      {0, 1, UINT32_MAX, 47},
      {0, 2, UINT32_MAX, 96},
      {0, 0, UINT32_MAX, ROOM},
      {UINT64_MAX - 15, UINT32_MAX, UINT32_MAX - 1, ROOM},
  };
  struct letter letter;
  struct shmx_incoming message;
  kit_open();
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    forge(&letter, lies[i].body, lies[i].segments, lies[i].codes, lies[i].size);
    CHECK(open_letter(&letter, true, &message) == -EPROTO);
    CHECK(!message.segments && !message.codes && !message.carrier);
    shmx_incoming_close(&message);
  }
  finish();
}

/* A reference that lies about a segment: none of these may be mapped. */
static void references_that_lie_are_refused(void) {
  struct letter letter;
  struct shmx_incoming message;
  struct shmx_segment *segment = NULL, *own;
  kit_open();
  segment = make(1000, 1);
  CHECK(shmx_memory_alloc(kit_memory(KIT_MAIN), 1000, 0, &own) == 0);
  CHECK(post(&letter, "", 0, &segment, 1) == 0);
  struct shmx_segment_ref good, lie, mine;
  memcpy(&good, letter.place + 16, sizeof good);
  CHECK(shmx_memory_describe(kit_memory(KIT_MAIN), own, &mine) == 0);
  for (int i = 0; i < 11; i++) {
    lie = good;
    if (i == 0) lie.size = UINT64_MAX;
    if (i == 1) lie.offset = UINT32_MAX - 63, lie.size = 64;
    if (i == 2) lie.chunk = shmx_id_make(2, 99);
    if (i == 3) lie.chunk = 0;
    if (i == 4) lie.id = 0;
    if (i == 5) lie.id = shmx_id_make(1, 99); /* main's own, and unknown to it */
    if (i == 6) lie.id = mine.id;             /* main's own, elsewhere */
    if (i == 7) lie.chunk = mine.chunk;       /* in a chunk of another maker */
    if (i == 8) lie.offset += 1, lie.id++;    /* would be misaligned */
    if (i == 9) lie.chunk = shmx_id_make(77, 1), lie.id = shmx_id_make(77, 1);
    if (i == 10) lie.id = UINT64_MAX, lie.chunk = UINT64_MAX;
    memcpy(letter.place + 16, &lie, sizeof lie);
    CHECK(open_letter(&letter, true, &message) < 0);
    CHECK(message.nsegments == 1 && !message.segments[0]);
    shmx_incoming_close(&message);
  }
  memcpy(letter.place + 16, &good, sizeof good);
  CHECK(open_letter(&letter, true, &message) == 0);
  shmx_incoming_close(&message);
  shmx_segment_release(own);
  shmx_segment_release(segment);
  kit_bury(KIT_WORKER);
  finish();
}

static void mutate(struct letter *letter) {
  for (int n = 1 + rand() % 4; n > 0; n--) letter->place[rand() % ROOM] ^= (char)(1 << rand() % 8);
  if (rand() % 8 == 0) letter->size = (uint32_t)rand() % (ROOM + 1);
}

/* Whatever the bytes are, reading them ends, and after the writer's death nothing is left of them. */
static void hostile_bytes_do_no_lasting_harm(void) {
  static const char body[4000];
  struct letter letter;
  struct shmx_incoming message;
  kit_open();
  srand(3);
  for (int i = 0; i < 3000; i++) {
    struct shmx_segment *segment = make(200, 1);
    CHECK(post(&letter, body, (uint64_t)(rand() % 4 ? 3 : rand() % (int)sizeof body), &segment, (uint32_t)rand() % 2) ==
          0);
    if (rand() % 8 == 0)
      for (int k = 0; k < ROOM; k++) letter.place[k] = (char)rand();
    mutate(&letter);
    open_letter(&letter, rand() % 4, &message);
    shmx_incoming_close(&message);
    shmx_segment_release(segment);
    shmx_memory_attend(kit_memory(KIT_WORKER));
    shmx_memory_attend(kit_memory(KIT_MAIN));
  }
  kit_bury(KIT_WORKER);
  finish();
}

static const struct test tests[] = {
    {"a_small_message_lies_in_its_place", a_small_message_lies_in_its_place},
    {"a_large_message_travels_in_a_carrier", a_large_message_travels_in_a_carrier},
    {"segments_arrive_and_are_let_go_of", segments_arrive_and_are_let_go_of},
    {"what_is_not_wanted_is_discarded", what_is_not_wanted_is_discarded},
    {"counts_and_sizes_that_lie_are_refused", counts_and_sizes_that_lie_are_refused},
    {"references_that_lie_are_refused", references_that_lie_are_refused},
    {"hostile_bytes_do_no_lasting_harm", hostile_bytes_do_no_lasting_harm},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
