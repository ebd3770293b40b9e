/* SPDX-License-Identifier: MIT */
/*
 * The limit of W2 and W3: tasks x + 1 through a ring to and a ring from each worker.
 * Usage: tasks W2 TASKS WORKERS: one bell for each run of messages
 *        tasks W3 ROUNDS awake|asleep: one worker, which looks all the time, or sleeps on a futex
 */
#include "limit.h"

enum { STOP = -1, WINDOW = ROOM / 2, LOOKS = 100 };

struct channel {
  struct ring tasks, results;
  struct bell bell;
};

static struct channel *channels;
static struct bell *main_bell;
static int workers;
static long looks = LOOKS;

static bool any_result(const void *unused) {
  (void)unused;
  for (int w = 0; w < workers; w++)
    if (ring_ready(&channels[w].results)) return true;
  return false;
}

static void work(struct channel *c) {
  for (;;) {
    struct message m;
    await(ring_ready, &c->tasks, &c->bell, looks);
    while (ring_take(&c->tasks, &m)) {
      if (m.what == STOP) _exit(0);
      m.value++;
      while (!ring_put(&c->results, m)) sched_yield();
    }
    ring_bell(main_bell);
  }
}

static void start(int count) {
  workers = count;
  channels = share((size_t)count * sizeof *channels);
  main_bell = share(sizeof *main_bell);
  for (int w = 0; w < count; w++)
    if (fork() == 0) work(&channels[w]);
}

static void stop(void) {
  for (int w = 0; w < workers; w++) {
    MUST(ring_put(&channels[w].tasks, (struct message){STOP, 0}));
    ring_bell(&channels[w].bell);
  }
  while (wait(NULL) > 0) {
  }
}

static void run_tasks(int64_t count) {
  int64_t sent = 0, got = 0, sum = 0;
  struct message m;
  double begin = now();
  while (got < count) {
    for (; sent < count && sent - got < (int64_t)WINDOW * workers; sent++)
      if (!ring_put(&channels[sent % workers].tasks, (struct message){0, sent})) break;
    for (int w = 0; w < workers; w++) ring_bell(&channels[w].bell);
    await(any_result, NULL, main_bell, looks);
    for (int w = 0; w < workers; w++)
      for (; ring_take(&channels[w].results, &m); got++) sum += m.value;
  }
  print_figure("rate", (double)count / (now() - begin));
  MUST(sum == count * (count + 1) / 2);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void run_rounds(int count, bool asleep) {
  double *times = calloc((size_t)count, sizeof *times);
  MUST(times);
  struct message m;
  for (int i = -100; i < count; i++) {
    if (asleep) usleep(2000);
    double begin = now();
    MUST(ring_put(&channels[0].tasks, (struct message){0, i}));
    ring_bell(&channels[0].bell);
    await(any_result, NULL, main_bell, looks);
    MUST(ring_take(&channels[0].results, &m) && m.value == i + 1);
    if (i >= 0) times[i] = now() - begin;
  }
  qsort(times, (size_t)count, sizeof *times, compare);
  print_figure("p50", times[count / 2] * 1e6);
  print_figure("p99", times[count * 99L / 100] * 1e6);
  free(times);
}

int main(int argc, char **argv) {
  MUST(argc > 3);
  long count = atol(argv[2]);
  if (strcmp(argv[1], "W2") == 0) {
    start(atoi(argv[3]));
    run_tasks(count);
  } else {
    bool asleep = strcmp(argv[3], "asleep") == 0;
    looks = asleep ? 0 : 1L << 40;
    start(1);
    run_rounds((int)count, asleep);
  }
  stop();
  return 0;
}
