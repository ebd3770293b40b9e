/* SPDX-License-Identifier: MIT */
/*
 * What the ledger does at its limits: with input that no honest process sends, with a million segments, and without
 * memory. malloc, calloc and realloc are wrapped by the linker, so that the k-th allocation can fail.
 */
#include "ledger_kit.h"

/* -- Allocations that fail ----------------------------------------------------------------------------------------- */

static long allocations_left = -1; /* negative: no limit */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool refused(void) {
  if (allocations_left == 0) return true;
  if (allocations_left > 0) allocations_left--;
  return false;
}

void *__wrap_malloc(size_t size) { return refused() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return refused() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return refused() ? NULL : __real_realloc(old, size); }

/* -- Input that no honest process sends ---------------------------------------------------------------------------- */

static void refuses_bad_places(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1), segment = shmx_id_make(W, 1);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 1000) == 0);
  CHECK(place(W, segment, chunk, 0, 1001) == -EPROTO);
  CHECK(place(W, segment, chunk, 1001, 0) == -EPROTO);
  CHECK(place(W, segment, chunk, 1000, 0) == 0);
  CHECK(place(W, segment, chunk, 1000, 0) == 0);
  CHECK(place(W, segment, chunk, 999, 0) == -EPROTO);
  CHECK(place(W, segment, chunk, 1000, 1) == -EPROTO);
  CHECK(place(W, segment, shmx_id_make(W, 2), 1000, 0) == -EPROTO);
  CHECK(release(W, W, 1) == -EPROTO); /* says size 100 */
  shmx_ledger_died(ledger, W);
  CHECK(read_to_end(W) == 0);
  pass();
  CHECK(closed(chunk));
  finish();
}

static void refuses_bad_ids(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1), segment = shmx_id_make(W, 1);
  CHECK(place(W, segment, shmx_id_make(V, 1), 0, 1) == -EPROTO);
  CHECK(place(W, segment, chunk, 1, UINT64_MAX) == -EPROTO);
  CHECK(place(W, segment, chunk, 1, INT64_MAX) == -EPROTO);
  CHECK(place(W, shmx_id_make(W, 0), chunk, 0, 1) == -EPROTO);
  CHECK(place(W, segment, shmx_id_make(W, 0), 0, 1) == -EPROTO);
  CHECK(place(W, shmx_id_make(V, 1), shmx_id_make(V, 1), 0, 1) == -EPROTO);
  CHECK(live() == 0 && stats().chunks == 0);
  finish();
}

static void refuses_bad_senders(void) {
  start();
  CHECK(notify(MAIN, MAIN, 1) == -EPROTO && notify(0, W, 1) == -EPROTO && notify(99, 99, 1) == -EPROTO);
  CHECK(say(W, SHMX_MSG_NOTIFY, V, W, 1) == -EPROTO && say(W, SHMX_MSG_NOTIFY, 0, W, 1) == -EPROTO);
  CHECK(say(W, SHMX_MSG_NONE, 0, W, 1) == -EPROTO && say(W, SHMX_MSG_TYPES, 0, W, 1) == -EPROTO);
  CHECK(say(W, (enum shmx_message_type)255, SHMX_PEER_MAX, W, 1) == -EPROTO);
  CHECK(release(W, W, 1) == -EPROTO && release(MAIN, MAIN, 1) == -EPROTO);
  CHECK(live() == 0 && stats().chunks == 0);
  finish();
}

static void refuses_bad_receivers(void) {
  start();
  CHECK(hold(W, V, V, 1) == -EPROTO && hold(W, MAIN, MAIN, 1) == -EPROTO); /* workers get arguments only */
  CHECK(hold(MAIN, MAIN, W, 1) == -EPROTO && hold(MAIN, 99, W, 1) == -EPROTO);
  CHECK(discard(0, W, 1) == -EPROTO && discard(99, W, 1) == -EPROTO);
  CHECK(say(W, SHMX_MSG_DISCARD, V, V, 1) == -EPROTO);
  CHECK(say(W, SHMX_MSG_TASK_HOLD, 0, W, 1) == -EPROTO && say(W, SHMX_MSG_TASK_DROP, 0, W, 1) == -EPROTO);
  CHECK(say(W, SHMX_MSG_READ_TO_END, V, 0, 0) == -EPROTO);
  CHECK(read_to_end(MAIN) == -EPROTO && read_to_end(99) == -EPROTO && read_to_end(0) == -EPROTO);
  CHECK(task_hold(W, 1) == -EPROTO && task_drop(MAIN, 1) == -EPROTO);
  CHECK(hold(W, 0, W, 1) == -EPROTO && hold(W, 0, 99, 1) == -EPROTO); /* its own, unknown; no such maker */
  CHECK(live() == 0 && stats().chunks == 0);
  finish();
}

static void refuses_messages_out_of_step(void) {
  start();
  CHECK(task_hold(MAIN, 1) == 0 && release(MAIN, MAIN, 1) == 0);
  CHECK(release(MAIN, MAIN, 1) == -EPROTO && task_hold(MAIN, 1) == -EPROTO); /* main does not hold it any more */
  CHECK(notify(V, MAIN, 1) == -EPROTO && release(V, MAIN, 1) == -EPROTO);
  CHECK(hold(V, 0, MAIN, 1) == 0 && notify(V, MAIN, 1) == 0); /* now it may */
  CHECK(task_drop(MAIN, 1) == 0);
  CHECK(task_drop(MAIN, 1) == -EPROTO); /* below zero */
  CHECK(discard(V, MAIN, 1) == 0 && release(V, MAIN, 1) == 0);
  CHECK(notify(W, W, 1) == 0 && release(W, W, 1) == 0 && notify(W, W, 1) == -EPROTO);
  CHECK(discard(W, W, 1) == 0);
  pass();
  CHECK(freed(MAIN, 1) && freed(W, 1));
  finish();
}

static void refuses_the_dead(void) {
  start();
  shmx_ledger_died(ledger, W);
  CHECK(notify(W, W, 2) == -EPROTO && shmx_ledger_chunk(ledger, W, shmx_id_make(W, 5), PAGE) == -EPROTO);
  CHECK(hold(V, 0, W, 2) == -EPROTO); /* unknown, and its maker can tell nothing any more */
  CHECK(read_to_end(W) == 0 && hold(MAIN, W, W, 2) == -EPROTO);
  finish();
}

/* A number has a new owner when nothing is left of the last one; and then the new one can make nothing that was there before,
 * as long as it begins where the ledger says. */
static void gives_a_number_again(void) {
  start();
  CHECK(shmx_ledger_chunk(ledger, W, shmx_id_make(W, 1), 1 << 20) == 0);
  CHECK(notify(W, W, 7) == 0 && hold(MAIN, W, W, 7) == 0 && shmx_ledger_last_serial(ledger) == 7);
  CHECK(task_hold(MAIN, 50) == 0 && shmx_ledger_last_serial(ledger) == 7);
  CHECK(task_drop(MAIN, 50) == 0 && release(MAIN, MAIN, 50) == 0);
  CHECK(shmx_ledger_join(ledger, 9) == 0 && shmx_ledger_join(ledger, W) == -EEXIST);
  shmx_ledger_died(ledger, W);
  CHECK(shmx_ledger_join(ledger, W) == -EEXIST); /* its results are not read to the end */
  CHECK(read_to_end(W) == 0 && shmx_ledger_join(ledger, W) == -EEXIST);
  CHECK(release(MAIN, W, 7) == 0 && shmx_ledger_join(ledger, W) == -EEXIST);
  pass();
  CHECK(closed(shmx_id_make(W, 1)) && shmx_ledger_join(ledger, W) == 0);
  CHECK(shmx_ledger_chunk(ledger, V, shmx_id_make(V, 100), PAGE) == 0 && shmx_ledger_last_serial(ledger) == 100);
  CHECK(notify(W, W, 8) == 0 && discard(W, W, 8) == 0 && release(W, W, 8) == 0);
  finish();
}

static void refuses_bad_peers_and_chunks(void) {
  start();
  CHECK(shmx_ledger_join(ledger, MAIN) == -EEXIST && shmx_ledger_join(ledger, W) == -EEXIST);
  CHECK(shmx_ledger_join(ledger, 0) == -EEXIST && shmx_ledger_join(ledger, SHMX_PEER_MAX + 1) == -EEXIST);
  CHECK(shmx_ledger_chunk(ledger, W, shmx_id_make(V, 1), PAGE) == -EPROTO);
  CHECK(shmx_ledger_chunk(ledger, W, shmx_id_make(W, 0), PAGE) == -EPROTO);
  CHECK(shmx_ledger_chunk(ledger, W, shmx_id_make(W, 1), 0) == -EPROTO);
  CHECK(shmx_ledger_chunk(ledger, W, shmx_id_make(W, 1), UINT64_MAX) == -EPROTO);
  CHECK(shmx_ledger_chunk(ledger, 99, shmx_id_make(99, 1), PAGE) == -EPROTO);
  CHECK(shmx_ledger_map(ledger, MAIN, shmx_id_make(W, 1)) == -ENOENT);
  shmx_ledger_died(ledger, 99);
  shmx_ledger_died(ledger, W);
  shmx_ledger_died(ledger, W);
  CHECK(no_note(W) && no_note(99) && stats().chunks == 0);
  finish();
}

/* A worker that names in its result what it never gave, or what lies elsewhere: main repeats it and is not blamed, and
 * what the maker says of it afterwards counts. */
static void main_is_not_blamed_for_a_workers_lie(void) {
  start();
  CHECK(hold(MAIN, W, V, 7) == 0 && discard(W, 99, 7) == 0 && discard(W, MAIN, 7) == 0);
  struct shmx_message m = about(SHMX_MSG_HOLD, W, V, 7);
  m.offset = 64, m.size = UINT64_MAX, m.chunk = 0;
  CHECK(shmx_ledger_message(ledger, MAIN, &m) == 0);
  CHECK(notify(V, V, 7) == 0 && discard(V, V, 7) == 0 && release(V, V, 7) == 0);
  m.head = shmx_message_head(SHMX_MSG_RELEASE, 0);
  CHECK(shmx_ledger_message(ledger, MAIN, &m) == 0);
  pass();
  CHECK(no_note(V)); /* until the liar is gone */
  shmx_ledger_died(ledger, W);
  CHECK(read_to_end(W) == 0);
  pass();
  CHECK(freed(V, 7) && no_note(MAIN));
  finish();
}

/* Claims of a dead process that overlap are its own harm: nothing is punched outside its chunk. */
static void overlapping_claims(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 8 * PAGE) == 0);
  for (uint64_t i = 0; i < 64; i++) {
    uint32_t offset = (uint32_t)(i * 7919 % (8 * PAGE));
    CHECK(place(W, shmx_id_make(W, 1 + i), chunk, offset, (i * 104729) % (8 * PAGE - offset + 1)) == 0);
  }
  shmx_ledger_died(ledger, W);
  CHECK(read_to_end(W) == 0);
  pass();
  struct shmx_chore chore;
  bool seen = false;
  while (shmx_ledger_next_chore(ledger, &chore)) {
    CHECK(!seen && chore.chunk == chunk && chore.offset + chore.size <= 8 * PAGE);
    seen = chore.type == SHMX_CHORE_CLOSE;
  }
  CHECK(seen);
  finish();
}

static uint64_t random_state = 1;

static uint64_t draw(uint64_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % below;
}

static uint64_t any_id(void) {
  static const uint64_t odd[] = {0, UINT64_MAX, (uint64_t)1 << 40, 99, (uint64_t)99 << 40 | 1};
  return draw(20) ? shmx_id_make((uint32_t)draw(6), draw(4)) : odd[draw(5)];
}

/* Any bytes from anyone, with deaths: whatever it is, the sums stay right and nothing is left in the end. */
static void arbitrary_messages(void) {
  for (int run = 0; run < 300; run++) {
    start();
    uint32_t newest = V;
    for (int i = 0; i < 1000; i++) {
      static const uint64_t sizes[] = {0, 1, 100, PAGE, 5 * PAGE, INT64_MAX, UINT64_MAX};
      struct shmx_message m = {(uint32_t)(draw(10) << 24 | draw(6)), (uint32_t)(draw(40) * 1000), any_id(), any_id(),
                               sizes[draw(draw(9) ? 4 : 7)]};
      struct shmx_ledger_stats before = stats(), after;
      int rc = shmx_ledger_message(ledger, (uint32_t)draw(6), &m);
      after = stats();
      CHECK(rc == 0 || (rc == -EPROTO && !memcmp(&before, &after, sizeof before)));
      uint64_t event = draw(60);
      if (event == 0) shmx_ledger_died(ledger, (uint32_t)draw(5) + 2);
      if (event == 1 && newest < 5) CHECK(shmx_ledger_join(ledger, ++newest) == 0);
      if (event < 10) (void)shmx_ledger_chunk(ledger, (uint32_t)draw(6), any_id(), sizes[draw(7)]);
      if (event < 20) (void)shmx_ledger_map(ledger, (uint32_t)draw(6), any_id());
      if (event > 50) pass();
    }
    for (uint32_t peer = 6; peer-- > 0;) shmx_ledger_died(ledger, peer);
    pass();
    struct shmx_chore chore;
    while (shmx_ledger_next_chore(ledger, &chore)) CHECK(chore.size <= (uint64_t)INT64_MAX + 1);
    CHECK(stats().chunks == 0);
    finish();
  }
}

/* -- Memory -------------------------------------------------------------------------------------------------------- */

static void check_density(uint64_t n) { CHECK(stats().heap_bytes <= 128 * n); }

static void memory_per_segment(void) {
  enum { MANY = 1000000 };
  start();
  size_t empty = stats().heap_bytes;
  for (uint64_t i = 1; i <= MANY; i++) {
    CHECK(notify(W, W, i) == 0 && hold(MAIN, W, W, i) == 0);
    if (i >= 10000 && (i % 1000 == 0 || (i & (i - 1)) <= 1)) check_density(i);
    if (i == 100000 || i == MANY) printf("%.1f bytes per segment at %lu\n", (double)stats().heap_bytes / (double)i, i);
  }
  for (uint64_t i = 1; i <= MANY; i++) CHECK(release(W, W, i) == 0 && release(MAIN, W, i) == 0);
  pass();
  for (uint64_t i = 1; i <= MANY; i++) CHECK(noted(W, SHMX_NOTE_FREE, shmx_id_make(W, i)));
  CHECK(no_note(W) && stats().heap_bytes < empty + 32768);
  finish();
}

static void entries_are_reused(void) {
  start();
  size_t after_warm_up = 0;
  for (uint64_t i = 1; i <= 200000; i++) {
    CHECK(notify(W, W, i) == 0 && hold(MAIN, W, W, i) == 0 && release(W, W, i) == 0);
    if (i > 100) CHECK(release(MAIN, W, i - 100) == 0);
    if (i % 50 == 0) pass();
    struct shmx_note note;
    while (shmx_ledger_next_note(ledger, W, &note)) continue;
    if (i == 1000) after_warm_up = stats().heap_bytes;
  }
  CHECK(stats().heap_bytes == after_warm_up);
  shmx_ledger_destroy(ledger);
}

static int script_step(int step) {
  switch (step) {
  case 0: return shmx_ledger_join(ledger, 2);
  case 1: return shmx_ledger_join(ledger, 3);
  case 2: return hold(MAIN, W, W, 1);
  case 3: return notify(W, W, 1);
  case 4: return shmx_ledger_chunk(ledger, V, shmx_id_make(V, 1), 1 << 20);
  case 5: return shmx_ledger_map(ledger, MAIN, shmx_id_make(V, 1));
  case 6: return notify(V, V, 1);
  case 7: return hold(MAIN, V, V, 1);
  case 8: return task_hold(V, 1);
  case 9: return hold(W, 0, V, 1);
  case 10: return notify(W, V, 1);
  case 11: return shmx_ledger_join(ledger, 4);
  case 12: return hold(4, 0, V, 1);
  case 13: return task_hold(MAIN, 1);
  case 14: return hold(4, 0, MAIN, 1);
  case 15: return hold(W, 0, MAIN, 1);
  case 16: return chunk_gone(W, shmx_id_make(W, 2));
  default: return 1;
  }
}

/* Fails the k-th allocation for every k: the event is refused, changes nothing, and works when it is tried again. */
static void every_allocation_fails_once(void) {
  bool complete = false;
  for (long k = 0; !complete; k++) {
    allocations_left = k;
    ledger = shmx_ledger_create(PAGE);
    if (!ledger) {
      allocations_left = -1;
      continue;
    }
    int step = 0, rc;
    while ((rc = script_step(step)) == 0) step++;
    complete = rc == 1;
    CHECK(complete || rc == -ENOMEM);
    allocations_left = -1;
    while ((rc = script_step(step)) == 0) step++;
    CHECK(rc == 1 && live() == 3 && stats().transit_bytes == 0);
    shmx_ledger_destroy(ledger);
  }
}

static void grows_without_memory_for_the_index(void) {
  start();
  for (uint64_t i = 1; i <= 200; i++) {
    CHECK(notify(W, W, i) == 0 && hold(MAIN, W, W, i) == 0);
    if (i == 1) allocations_left = 0; /* the first slab is there; the table cannot grow */
  }
  for (uint64_t i = 1; i <= 200; i++) CHECK(release(W, W, i) == 0 && release(MAIN, W, i) == 0);
  pass();
  for (uint64_t i = 1; i <= 200; i++) CHECK(noted(W, SHMX_NOTE_FREE, shmx_id_make(W, i)));
  finish();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"refuses_bad_places", refuses_bad_places},
      {"refuses_bad_ids", refuses_bad_ids},
      {"refuses_bad_senders", refuses_bad_senders},
      {"refuses_bad_receivers", refuses_bad_receivers},
      {"refuses_messages_out_of_step", refuses_messages_out_of_step},
      {"refuses_the_dead", refuses_the_dead},
      {"refuses_bad_peers_and_chunks", refuses_bad_peers_and_chunks},
      {"gives_a_number_again", gives_a_number_again},
      {"main_is_not_blamed_for_a_workers_lie", main_is_not_blamed_for_a_workers_lie},
      {"overlapping_claims", overlapping_claims},
      {"arbitrary_messages", arbitrary_messages},
      {"memory_per_segment", memory_per_segment},
      {"entries_are_reused", entries_are_reused},
      {"every_allocation_fails_once", every_allocation_fails_once},
      {"grows_without_memory_for_the_index", grows_without_memory_for_the_index},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
