/* SPDX-License-Identifier: MIT */
/*
 * Chunks in the ledger: an orphaned one gives its pages back, and one that is announced late, never, or after it is gone does
 * no harm.
 */
#include "ledger_kit.h"

/* Three segments in eight pages: a and b share page 1, c has pages 4 and 5 alone. */
static uint64_t orphan_of_three(void) {
  uint64_t chunk = shmx_id_make(W, 1);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 8 * PAGE) == 0);
  CHECK(shmx_ledger_map(ledger, MAIN, chunk) == 0 && shmx_ledger_map(ledger, MAIN, chunk) == 0);
  CHECK(place(W, shmx_id_make(W, 3), chunk, 4 * PAGE, 2 * PAGE) == 0);
  CHECK(place(W, shmx_id_make(W, 1), chunk, 0, PAGE + 100) == 0);
  CHECK(place(W, shmx_id_make(W, 2), chunk, PAGE + 128, 100) == 0);
  for (uint64_t i = 1; i <= 3; i++) CHECK(hold(MAIN, W, W, i) == 0);
  shmx_ledger_died(ledger, W);
  CHECK(read_to_end(W) == 0);
  return chunk;
}

static void drop(uint64_t serial) {
  CHECK(release(MAIN, W, serial) == 0);
  pass();
}

static void orphans_give_pages_back(void) {
  start();
  uint64_t chunk = orphan_of_three();
  CHECK(punched(chunk, 2 * PAGE, 2 * PAGE)); /* what no segment covers, at once */
  CHECK(punched(chunk, 6 * PAGE, 2 * PAGE) && no_chore());
  drop(1);
  CHECK(punched(chunk, 0, PAGE) && no_chore()); /* page 1 is b's too */
  drop(2);
  CHECK(punched(chunk, PAGE, PAGE) && no_chore());
  CHECK(no_note(MAIN));
  drop(3);
  CHECK(closed(chunk) && no_chore()); /* instead of a punch */
  CHECK(noted(MAIN, SHMX_NOTE_DROP_CHUNK, chunk) && no_note(MAIN));
  CHECK(shmx_ledger_map(ledger, MAIN, chunk) == -ENOENT);
  finish();
}

static void orphan_swept_while_it_shrinks(void) {
  start();
  uint64_t chunk = orphan_of_three();
  CHECK(punched(chunk, 2 * PAGE, 2 * PAGE));
  CHECK(release(MAIN, W, 3) == 0 && release(MAIN, W, 1) == 0);
  pass();
  CHECK(punched(chunk, 4 * PAGE, 2 * PAGE) && punched(chunk, 0, PAGE));
  CHECK(punched(chunk, 6 * PAGE, 2 * PAGE) && no_chore());
  drop(2);
  CHECK(closed(chunk) && no_chore());
  finish();
}

/* The segment that the sweep would meet next goes, and its entry is used for another. */
static void orphan_swept_past_a_freed_segment(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 8 * PAGE) == 0);
  for (uint64_t i = 1; i <= 3; i++) {
    CHECK(place(W, shmx_id_make(W, i), chunk, (uint32_t)(2 * i - 2) * PAGE, PAGE) == 0);
    CHECK(hold(MAIN, W, W, i) == 0);
  }
  shmx_ledger_died(ledger, W);
  CHECK(read_to_end(W) == 0);
  CHECK(punched(chunk, PAGE, PAGE));
  drop(3);
  CHECK(punched(chunk, 4 * PAGE, PAGE));
  CHECK(place(V, shmx_id_make(V, 1), shmx_id_make(V, 1), 5 * PAGE, PAGE) == 0);
  CHECK(punched(chunk, 3 * PAGE, 5 * PAGE) && no_chore());
  drop(2);
  CHECK(punched(chunk, 2 * PAGE, PAGE) && no_chore());
  drop(1);
  CHECK(closed(chunk) && no_chore());
  shmx_ledger_destroy(ledger);
}

static void orphan_emptied_in_one_pass(void) {
  start();
  uint64_t chunk = orphan_of_three();
  for (uint64_t i = 1; i <= 3; i++) CHECK(release(MAIN, W, i) == 0);
  pass();
  CHECK(closed(chunk) && no_chore()); /* no punches in what is closed anyway */
  finish();
}

static void chunk_announced_late(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1);
  CHECK(notify(W, W, 1) == 0);
  CHECK(shmx_ledger_map(ledger, MAIN, chunk) == -ENOENT);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 200) == -EPROTO); /* the segment ends at 228 */
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 228) == 0);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 228) == -EPROTO);
  CHECK(shmx_ledger_map(ledger, MAIN, chunk) == 0);
  CHECK(notify(W, W, 2) == -EPROTO);
  CHECK(release(W, W, 1) == 0 && discard(W, W, 1) == 0);
  pass();
  CHECK(freed(W, 1));
  finish();
}

static void chunk_never_announced(void) {
  start();
  CHECK(notify(V, V, 1) == 0);
  shmx_ledger_died(ledger, V); /* there is nothing to punch or to close */
  CHECK(no_chore());
  CHECK(read_to_end(V) == 0);
  pass();
  CHECK(no_chore() && live() == 0 && stats().chunks == 0);
  finish();
}

static void chunk_goes(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 1 << 20) == 0);
  CHECK(shmx_ledger_map(ledger, MAIN, chunk) == 0 && shmx_ledger_map(ledger, V, chunk) == 0);
  CHECK(notify(W, W, 1) == 0);
  CHECK(chunk_gone(W, chunk) == -EPROTO && chunk_gone(V, chunk) == -EPROTO);
  CHECK(release(W, W, 1) == 0 && discard(W, W, 1) == 0);
  pass();
  CHECK(freed(W, 1));
  CHECK(chunk_gone(W, chunk) == 0);
  CHECK(chunk_gone(W, chunk) == -EPROTO && notify(W, W, 2) == -EPROTO);
  CHECK(noted(MAIN, SHMX_NOTE_DROP_CHUNK, chunk) && noted(V, SHMX_NOTE_DROP_CHUNK, chunk) && no_note(W));
  CHECK(closed(chunk) && no_chore() && stats().chunks == 0);
  finish();
}

static void chunk_goes_before_it_is_announced(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1);
  CHECK(chunk_gone(W, chunk) == 0); /* the ring was faster than the socket */
  CHECK(no_chore());
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 1 << 20) == 0);
  CHECK(closed(chunk) && no_chore() && stats().chunks == 0);
  CHECK(chunk_gone(W, shmx_id_make(W, 2)) == 0);
  shmx_ledger_died(ledger, W);
  CHECK(no_chore() && stats().chunks == 0);
  finish();
}

static void pages_beyond_four_gigabytes(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1), top = UINT32_MAX - UINT32_MAX % PAGE;
  CHECK(shmx_ledger_chunk(ledger, W, chunk, top + 4 * PAGE) == 0);
  CHECK(place(W, shmx_id_make(W, 1), chunk, (uint32_t)top, 100) == 0);
  CHECK(place(W, shmx_id_make(W, 2), chunk, (uint32_t)top + 128, 2 * PAGE) == 0);
  CHECK(hold(MAIN, W, W, 1) == 0 && hold(MAIN, W, W, 2) == 0);
  shmx_ledger_died(ledger, W);
  CHECK(punched(chunk, 0, top) && punched(chunk, top + 3 * PAGE, PAGE) && no_chore());
  drop(2);
  CHECK(punched(chunk, top + PAGE, 2 * PAGE) && no_chore());
  CHECK(read_to_end(W) == 0);
  drop(1);
  CHECK(closed(chunk));
  finish();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {TEST(orphans_give_pages_back),
                                      TEST(orphan_swept_while_it_shrinks),
                                      TEST(orphan_swept_past_a_freed_segment),
                                      TEST(orphan_emptied_in_one_pass),
                                      TEST(chunk_announced_late),
                                      TEST(chunk_never_announced),
                                      TEST(chunk_goes),
                                      TEST(chunk_goes_before_it_is_announced),
                                      TEST(pages_beyond_four_gigabytes),
                                      {0}};
  return run_tests(tests, argc, argv);
}
