/* SPDX-License-Identifier: MIT */
/*
 * Bells: two threads hand a ball to and fro, each sleeping until it comes; a wake-up that is lost shows as a sleep that
 * times out although there was something to do.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "core/bell.h"

enum { ROUNDS = 100000, EVENTFD_ROUNDS = 20000, SECOND_NS = 1000000000 };

struct player {
  struct shmx_bell_shm bell;
  _Alignas(64) _Atomic uint32_t balls; /* that have come */
  int eventfd;                         /* -1: sleeps on a futex */
};

static struct player players[2];
static uint32_t rounds;

static void sleep_once(struct player *me) {
  int64_t deadline = shmx_os_now() + 20 * (int64_t)SECOND_NS;
  if (me->eventfd < 0) {
    CHECK(shmx_os_futex_wait(&me->bell.word, SHMX_BELL_ASLEEP, deadline) != -ETIMEDOUT);
    return;
  }
  CHECK(shmx_os_poll(me->eventfd, -1, deadline) != 0);
  shmx_os_eventfd_clear(me->eventfd);
}

/* Waits for ball number `n`; `patience` looks before it lies down, so that ringing and lying down meet at all points. */
static void await(struct player *me, uint32_t n, unsigned patience) {
  for (; patience > 0; patience--)
    if (atomic_load_explicit(&me->balls, memory_order_acquire) >= n) return;
  for (;;) {
    shmx_bell_prepare(&me->bell);
    if (atomic_load_explicit(&me->balls, memory_order_acquire) >= n) break;
    sleep_once(me);
  }
  shmx_bell_awake(&me->bell);
}

static void hand_over(struct player *to, uint32_t n) {
  atomic_store_explicit(&to->balls, n, memory_order_release);
  shmx_bell_ring(&to->bell, to->eventfd);
}

static void *play_back(void *unused) {
  for (uint32_t n = 1; n <= rounds; n++) {
    await(&players[1], n, n % 97);
    hand_over(&players[0], n);
  }
  return unused;
}

static void play(uint32_t n) {
  pthread_t thread;
  rounds = n;
  pthread_create(&thread, NULL, play_back, NULL);
  for (n = 1; n <= rounds; n++) {
    hand_over(&players[1], n);
    await(&players[0], n, n % 89);
  }
  pthread_join(thread, NULL);
}

static void no_wake_up_is_lost_on_a_futex(void) {
  players[0].eventfd = players[1].eventfd = -1;
  play(ROUNDS);
}

static void no_wake_up_is_lost_on_an_eventfd(void) {
  players[0].eventfd = shmx_os_eventfd();
  players[1].eventfd = shmx_os_eventfd();
  play(EVENTFD_ROUNDS);
}

/* Both start at the same moment: the sleeper sees the ball, or the ringer sees that somebody sleeps. */
enum { MEETINGS = 60000 };
static _Alignas(64) _Atomic uint32_t start[2];

static void meet(int me, uint32_t n) {
  atomic_store(&start[me], n);
  for (int spins = 0; atomic_load(&start[1 - me]) < n; spins++)
    if (spins > 2000) sched_yield();
}

static void *ring_at_once(void *unused) {
  for (uint32_t n = 1; n <= MEETINGS; n++) {
    meet(1, 2 * n);
    hand_over(&players[0], n);
    meet(1, 2 * n + 1);
  }
  return unused;
}

static void sleeper_and_ringer_cannot_miss_each_other(void) {
  pthread_t thread;
  struct player *me = &players[0];
  me->eventfd = -1;
  pthread_create(&thread, NULL, ring_at_once, NULL);
  for (uint32_t n = 1; n <= MEETINGS; n++) {
    meet(0, 2 * n);
    for (volatile uint32_t wait = n % 61; wait > 0; wait--) {
    }
    shmx_bell_prepare(&me->bell);
    bool seen = atomic_load_explicit(&me->balls, memory_order_acquire) >= n;
    meet(0, 2 * n + 1);
    CHECK(seen || atomic_load(&me->bell.word) == SHMX_BELL_AWAKE);
    shmx_bell_awake(&me->bell);
  }
  pthread_join(thread, NULL);
}

static void who_is_awake_is_not_rung(void) {
  struct player *me = &players[0];
  me->eventfd = shmx_os_eventfd();
  shmx_bell_ring(&me->bell, me->eventfd);
  CHECK(shmx_os_poll(me->eventfd, -1, 0) == 0);
  shmx_bell_prepare(&me->bell);
  shmx_bell_ring(&me->bell, me->eventfd);
  CHECK(shmx_os_poll(me->eventfd, -1, 0) == 1);
  CHECK(atomic_load(&me->bell.word) == SHMX_BELL_AWAKE);
}

/* A ringer changed the word and died before the wake-up: the word says awake, and the sleeper sleeps. */
static void *sleep_on(void *unused) {
  struct player *me = &players[0];
  shmx_os_futex_wait(&me->bell.word, SHMX_BELL_ASLEEP, -1);
  return unused;
}

static void ringing_hard_mends_what_a_dead_ringer_left(void) {
  pthread_t thread;
  shmx_bell_prepare(&players[0].bell);
  pthread_create(&thread, NULL, sleep_on, NULL);
  usleep(20000);
  atomic_store(&players[0].bell.word, SHMX_BELL_AWAKE);
  shmx_bell_ring(&players[0].bell, -1);
  shmx_bell_ring_hard(&players[0].bell, -1);
  pthread_join(thread, NULL);
}

static const struct test tests[] = {
    {"no_wake_up_is_lost_on_a_futex", no_wake_up_is_lost_on_a_futex},
    {"no_wake_up_is_lost_on_an_eventfd", no_wake_up_is_lost_on_an_eventfd},
    {"sleeper_and_ringer_cannot_miss_each_other", sleeper_and_ringer_cannot_miss_each_other},
    {"who_is_awake_is_not_rung", who_is_awake_is_not_rung},
    {"ringing_hard_mends_what_a_dead_ringer_left", ringing_hard_mends_what_a_dead_ringer_left},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
