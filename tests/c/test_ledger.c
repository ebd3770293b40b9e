/* SPDX-License-Identifier: MIT */
/*
 * The ledger, one behaviour at a time: the handover, arguments, disorder between rings, deaths, freezing. Chunks are
 * test_ledger_chunks.c's, what it refuses test_ledger_limits.c's, random orders sim_ledger.c's.
 */
#include "core/ledger_entry.h"
#include "ledger_kit.h"

/* -- The handover -------------------------------------------------------------------------------------------------- */

static void handover(void) {
  start();
  CHECK(notify(W, W, 1) == 0);
  CHECK(stats().bytes == 100 && stats().transit_bytes == 100);
  CHECK(release(W, W, 1) == 0);
  pass();
  CHECK(no_note(W) && live() == 1); /* in transit */
  CHECK(hold(MAIN, W, W, 1) == 0);
  CHECK(stats().transit_bytes == 0);
  pass();
  CHECK(no_note(W));
  CHECK(release(MAIN, W, 1) == 0);
  CHECK(shmx_ledger_wants_pass(ledger) && no_note(W));
  pass();
  CHECK(freed(W, 1) && live() == 0);
  finish();
}

static void handover_in_any_order(void) {
  start();
  CHECK(hold(MAIN, W, W, 1) == 0);
  CHECK(release(MAIN, W, 1) == 0); /* all of main's messages before any of the giver's */
  pass();
  CHECK(live() == 1 && stats().bytes == 0);
  CHECK(notify(W, W, 1) == 0);
  CHECK(stats().bytes == 100 && stats().transit_bytes == 0);
  pass();
  CHECK(no_note(W));
  CHECK(release(W, W, 1) == 0);
  pass();
  CHECK(freed(W, 1));
  finish();
}

static void same_segment_twice(void) {
  start();
  CHECK(notify(W, W, 1) == 0);
  CHECK(notify(W, W, 1) == 0);
  CHECK(release(W, W, 1) == 0);
  CHECK(hold(MAIN, W, W, 1) == 0);
  CHECK(release(MAIN, W, 1) == 0);
  pass();
  CHECK(no_note(W)); /* the second is in transit */
  CHECK(discard(W, W, 1) == 0);
  pass();
  CHECK(freed(W, 1));
  finish();
}

static void notify_taken_back(void) {
  start();
  CHECK(say(W, SHMX_MSG_DISCARD, W, W, 1) == -EPROTO && say(V, SHMX_MSG_DISCARD, V, W, 1) == -EPROTO);
  CHECK(notify(W, W, 1) == 0);
  CHECK(discard(W, W, 1) == 0);                  /* main answers the second, */
  CHECK(say(W, SHMX_MSG_DISCARD, W, W, 1) == 0); /* the first was not committed, */
  CHECK(notify(W, W, 1) == 0);                   /* and all of it is read in this order */
  CHECK(release(W, W, 1) == 0);
  CHECK(say(W, SHMX_MSG_DISCARD, W, W, 1) == -EPROTO);
  pass();
  CHECK(freed(W, 1));
  finish();
}

static void hold_is_idempotent(void) {
  start();
  CHECK(notify(W, W, 1) == 0 && notify(W, W, 1) == 0);
  CHECK(hold(MAIN, W, W, 1) == 0 && hold(MAIN, W, W, 1) == 0);
  CHECK(release(W, W, 1) == 0 && release(MAIN, W, 1) == 0);
  pass();
  CHECK(freed(W, 1));
  finish();
}

static void freed_after_a_full_pass_only(void) {
  start();
  CHECK(notify(W, W, 1) == 0 && hold(MAIN, W, W, 1) == 0 && release(W, W, 1) == 0);
  shmx_ledger_pass_begin(ledger);
  CHECK(release(MAIN, W, 1) == 0); /* in the middle of the pass */
  shmx_ledger_pass_end(ledger);
  CHECK(no_note(W) && shmx_ledger_wants_pass(ledger));
  shmx_ledger_pass_end(ledger); /* an end without a beginning is not a pass */
  CHECK(no_note(W));
  pass();
  CHECK(freed(W, 1));
  finish();
}

static void held_again_within_the_pass(void) {
  start();
  CHECK(task_hold(MAIN, 1) == 0 && release(MAIN, MAIN, 1) == 0 && task_drop(MAIN, 1) == 0);
  shmx_ledger_pass_begin(ledger);
  CHECK(hold(W, 0, MAIN, 1) == 0);
  shmx_ledger_pass_end(ledger);
  CHECK(no_note(MAIN) && live() == 1);
  CHECK(release(W, MAIN, 1) == 0);
  shmx_ledger_pass_begin(ledger);
  CHECK(hold(V, 0, MAIN, 1) == 0 && release(V, MAIN, 1) == 0); /* held and dropped: it takes another pass */
  shmx_ledger_pass_end(ledger);
  CHECK(no_note(MAIN) && live() == 1);
  pass();
  CHECK(freed(MAIN, 1));
  finish();
}

/* -- Arguments ----------------------------------------------------------------------------------------------------- */

static void argument(void) {
  start();
  CHECK(task_hold(MAIN, 1) == 0 && task_hold(MAIN, 1) == 0); /* two tasks */
  CHECK(release(MAIN, MAIN, 1) == 0);
  CHECK(hold(W, 0, MAIN, 1) == 0);
  CHECK(task_drop(MAIN, 1) == 0 && task_drop(MAIN, 1) == 0);
  pass();
  CHECK(no_note(MAIN));
  CHECK(release(W, MAIN, 1) == 0);
  pass();
  CHECK(freed(MAIN, 1));
  finish();
}

static void argument_read_before_its_task(void) {
  start();
  CHECK(hold(W, 0, MAIN, 1) == 0);
  CHECK(release(W, MAIN, 1) == 0);
  shmx_ledger_pass_begin(ledger);
  CHECK(task_hold(MAIN, 1) == 0);
  shmx_ledger_pass_end(ledger);
  CHECK(live() == 1 && no_note(MAIN));
  CHECK(task_drop(MAIN, 1) == 0 && release(MAIN, MAIN, 1) == 0);
  pass();
  CHECK(freed(MAIN, 1));
  finish();
}

static void worker_to_worker(void) {
  start();
  CHECK(notify(W, W, 1) == 0 && release(W, W, 1) == 0);
  CHECK(hold(MAIN, W, W, 1) == 0 && task_hold(W, 1) == 0 && release(MAIN, W, 1) == 0);
  CHECK(hold(V, 0, W, 1) == 0);
  CHECK(notify(V, W, 1) == 0); /* and back to main as V's result */
  CHECK(task_drop(W, 1) == 0 && release(V, W, 1) == 0);
  pass();
  CHECK(no_note(W) && live() == 1);
  CHECK(hold(MAIN, V, W, 1) == 0 && release(MAIN, W, 1) == 0);
  pass();
  CHECK(freed(W, 1));
  finish();
}

enum { WORKERS = 300 };

static void join_and_hold(void) {
  for (uint32_t i = 0; i < WORKERS; i++) {
    CHECK(shmx_ledger_join(ledger, 10 + i) == 0);
    CHECK(hold(10 + i, 0, MAIN, 1) == 0);
  }
}

static void add_holders(void *count, const struct shmx_ledger_view *view, const struct shmx_share *shares,
                        uint32_t nshares) {
  for (uint32_t i = 0; i < nshares; i++) *(uint32_t *)count += shares[i].held;
  *(uint32_t *)count += view->task_holds;
}

/* Peers and tasks that hold main's segment with this number. */
static uint32_t holders(uint64_t serial) {
  uint32_t count = 0;
  shmx_ledger_survey(ledger, shmx_id_make(MAIN, serial), add_holders, &count);
  return count;
}

static void many_holders(void) {
  start();
  CHECK(task_hold(MAIN, 1) == 0);
  join_and_hold();
  CHECK(holders(1) == WORKERS + 2 && holders(2) == 0);
  CHECK(release(MAIN, MAIN, 1) == 0 && task_drop(MAIN, 1) == 0);
  for (uint32_t i = 0; i < WORKERS; i++) {
    pass();
    CHECK(no_note(MAIN));
    if (i % 2) {
      shmx_ledger_died(ledger, 10 + i);
    } else {
      CHECK(release(10 + i, MAIN, 1) == 0);
    }
  }
  pass();
  CHECK(freed(MAIN, 1));
  CHECK(holders(1) == 0);
  finish();
}

/* -- Deaths -------------------------------------------------------------------------------------------------------- */

static void given_outlives_the_giver(void) {
  start();
  CHECK(shmx_ledger_chunk(ledger, W, shmx_id_make(W, 1), 1 << 20) == 0);
  CHECK(notify(W, W, 1) == 0);
  shmx_ledger_died(ledger, W);
  pass();
  CHECK(live() == 1 && stats().orphan_bytes == 100 && stats().transit_bytes == 100);
  CHECK(hold(MAIN, W, W, 1) == 0);
  CHECK(read_to_end(W) == 0);
  pass();
  CHECK(live() == 1);
  CHECK(release(MAIN, W, 1) == 0);
  pass();
  CHECK(live() == 0 && closed(shmx_id_make(W, 1)));
  finish();
}

static void read_to_end_clears_transit(void) {
  start();
  CHECK(shmx_ledger_chunk(ledger, W, shmx_id_make(W, 1), 1 << 20) == 0);
  CHECK(notify(W, W, 1) == 0); /* dies before it commits */
  shmx_ledger_died(ledger, W);
  CHECK(read_to_end(W) == 0);
  pass();
  CHECK(live() == 0 && closed(shmx_id_make(W, 1)));
  finish();
}

static void read_to_end_before_the_drain(void) {
  start();
  CHECK(read_to_end(W) == 0);
  CHECK(read_to_end(W) == -EPROTO);
  CHECK(notify(W, W, 1) == 0); /* read later, and nobody will answer */
  pass();
  CHECK(live() == 1);
  shmx_ledger_died(ledger, W);
  pass();
  CHECK(live() == 0);
  CHECK(read_to_end(W) == -EPROTO && hold(MAIN, W, W, 1) == -EPROTO); /* forgotten */
  finish();
}

static void live_and_die(uint32_t peer) {
  uint64_t chunk = shmx_id_make(peer, 1);
  CHECK(shmx_ledger_join(ledger, peer) == 0);
  CHECK(hold(peer, 0, W, 1) == 0 && notify(peer, peer, 1) == 0);
  CHECK(shmx_ledger_chunk(ledger, peer, chunk, 1 << 20) == 0 && shmx_ledger_map(ledger, MAIN, chunk) == 0);
  shmx_ledger_died(ledger, peer);
  CHECK(read_to_end(peer) == 0);
  pass();
  CHECK(closed(chunk) && no_chore() && noted(MAIN, SHMX_NOTE_DROP_CHUNK, chunk));
}

static void dead_peers_are_forgotten(void) {
  start();
  CHECK(notify(W, W, 1) == 0 && hold(MAIN, W, W, 1) == 0 && release(W, W, 1) == 0);
  size_t before = 0;
  for (uint32_t peer = 10; peer < 20000; peer++) {
    live_and_die(peer);
    if (peer == 1000) before = stats().heap_bytes;
  }
  CHECK(stats().heap_bytes <= before);
  CHECK(release(MAIN, W, 1) == 0);
  pass();
  CHECK(freed(W, 1));
  finish();
}

static void notes_die_with_their_peer(void) {
  start();
  uint64_t chunk = shmx_id_make(W, 1);
  CHECK(shmx_ledger_chunk(ledger, W, chunk, 1 << 20) == 0);
  CHECK(shmx_ledger_map(ledger, V, chunk) == 0 && shmx_ledger_map(ledger, MAIN, chunk) == 0);
  size_t before = stats().heap_bytes;
  for (uint64_t i = 1; i <= 2000; i++) CHECK(notify(W, W, i) == 0 && discard(W, W, i) == 0 && release(W, W, i) == 0);
  pass();
  CHECK(noted(W, SHMX_NOTE_FREE, shmx_id_make(W, 1)));
  shmx_ledger_died(ledger, W);
  CHECK(no_note(W));
  CHECK(closed(chunk) && no_chore());
  shmx_ledger_died(ledger, V);
  CHECK(no_note(V) && noted(MAIN, SHMX_NOTE_DROP_CHUNK, chunk) && no_note(MAIN));
  CHECK(stats().heap_bytes < before + 32768);
  finish();
}

static void main_dies(void) {
  start();
  CHECK(shmx_ledger_chunk(ledger, MAIN, shmx_id_make(MAIN, 1), 1 << 20) == 0);
  CHECK(task_hold(MAIN, 1) == 0 && hold(W, 0, MAIN, 1) == 0);
  CHECK(notify(V, V, 1) == 0 && release(V, V, 1) == 0);
  shmx_ledger_died(ledger, MAIN);
  pass();
  CHECK(freed(V, 1) && live() == 1);
  CHECK(notify(V, V, 2) == 0 && release(V, V, 2) == 0); /* nobody will read it */
  pass();
  CHECK(freed(V, 2));
  shmx_ledger_died(ledger, V);
  shmx_ledger_died(ledger, W);
  pass();
  CHECK(closed(shmx_id_make(MAIN, 1)) && no_chore() && stats().chunks == 0);
  finish();
}

/* -- Freezing ------------------------------------------------------------------------------------------------------ */

static int sole_holder(uint32_t peer, uint32_t maker, uint64_t serial) {
  uint64_t chunk = 0;
  int r = shmx_ledger_sole_holder(ledger, peer, shmx_id_make(maker, serial), &chunk);
  CHECK(r < 0 || chunk == shmx_id_make(maker, 1));
  return r;
}

static void who_keeps_a_segment_alone(void) {
  start();
  CHECK(sole_holder(W, W, 1) == -ENOENT); /* a private one is not asked about */
  CHECK(notify(W, W, 1) == 0);
  CHECK(sole_holder(W, W, 1) == -EBUSY && sole_holder(MAIN, W, 1) == -ENOENT); /* it is on its way */
  CHECK(hold(MAIN, W, W, 1) == 0);
  CHECK(sole_holder(W, W, 1) == -EBUSY && sole_holder(MAIN, W, 1) == -EBUSY);
  CHECK(release(W, W, 1) == 0);
  CHECK(sole_holder(W, W, 1) == -ENOENT && sole_holder(MAIN, W, 1) == 0 && sole_holder(99, W, 1) == -ENOENT);
  CHECK(task_hold(W, 1) == 0 && sole_holder(MAIN, W, 1) == -EBUSY);
  CHECK(hold(V, SHMX_PEER_NONE, W, 1) == 0 && task_drop(W, 1) == 0 && sole_holder(MAIN, W, 1) == -EBUSY);
  CHECK(release(MAIN, W, 1) == 0 && sole_holder(V, W, 1) == 0);
  CHECK(hold(MAIN, W, W, 1) == 0 && release(V, W, 1) == 0); /* of a giving that has not been read yet */
  CHECK(sole_holder(MAIN, W, 1) == -EBUSY);
  shmx_ledger_died(ledger, W);
  CHECK(read_to_end(W) == 0 && sole_holder(MAIN, W, 1) == 0);
  CHECK(release(MAIN, W, 1) == 0);
  finish();
}

static void hearsay_is_nobodys_alone(void) {
  start();
  CHECK(hold(V, SHMX_PEER_NONE, MAIN, 1) == 0 && sole_holder(V, MAIN, 1) == -ENOENT);
  CHECK(task_hold(MAIN, 1) == 0 && task_drop(MAIN, 1) == 0 && release(MAIN, MAIN, 1) == 0);
  CHECK(sole_holder(V, MAIN, 1) == 0);
  CHECK(release(V, MAIN, 1) == 0);
  pass();
  CHECK(freed(MAIN, 1));
  finish();
}

static void the_maker_learns_that_a_chunk_is_sealed(void) {
  start();
  for (uint64_t i = 1; i <= 2; i++) CHECK(notify(W, W, i) == 0 && hold(MAIN, W, W, i) == 0 && release(W, W, i) == 0);
  shmx_ledger_seal(ledger, shmx_id_make(W, 1));
  shmx_ledger_seal(ledger, shmx_id_make(W, 99));
  CHECK(release(MAIN, W, 1) == 0);
  pass();
  CHECK(noted(W, SHMX_NOTE_FREE_SEALED, shmx_id_make(W, 1)) && no_note(W));
  CHECK(release(MAIN, W, 2) == 0);
  pass();
  CHECK(freed(W, 2));
  finish();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {TEST(handover),
                                      TEST(handover_in_any_order),
                                      TEST(same_segment_twice),
                                      TEST(notify_taken_back),
                                      TEST(hold_is_idempotent),
                                      TEST(freed_after_a_full_pass_only),
                                      TEST(held_again_within_the_pass),
                                      TEST(argument),
                                      TEST(argument_read_before_its_task),
                                      TEST(worker_to_worker),
                                      TEST(many_holders),
                                      TEST(given_outlives_the_giver),
                                      TEST(read_to_end_clears_transit),
                                      TEST(read_to_end_before_the_drain),
                                      TEST(dead_peers_are_forgotten),
                                      TEST(notes_die_with_their_peer),
                                      TEST(main_dies),
                                      TEST(who_keeps_a_segment_alone),
                                      TEST(hearsay_is_nobodys_alone),
                                      TEST(the_maker_learns_that_a_chunk_is_sealed),
                                      {0}};
  return run_tests(tests, argc, argv);
}
