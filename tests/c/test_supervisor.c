/* SPDX-License-Identifier: MIT */
/*
 * The supervisor as a process, and main whose native code has written where it should not. This program is both: it is
 * started as the supervisor with main's process number as its argument.
 */
#include "core/supervisor.h"

#include "check.h"
#include "core/host.h"

static struct shmx_host *start(void) {
  struct shmx_host *host;
  CHECK(shmx_host_start("/proc/self/exe", &host) == 0);
  return host;
}

/* As the kernel says: 'S' sleeps, 'R' runs. */
static char state_of(pid_t pid) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "re");
  CHECK(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
  fclose(file);
  return state;
}

/* Whether it is found asleep so many times within a while. */
static bool sleeps(pid_t pid, int times) {
  for (int looks = 0; looks < 1000 && times > 0; looks++) {
    times -= state_of(pid) == 'S';
    usleep(2000);
  }
  return times == 0;
}

static void it_sleeps_when_there_is_nothing_to_do(void) {
  struct shmx_host *host = start();
  CHECK(sleeps(host->pid, 20));
  shmx_host_stop();
}

/* What it cannot read it does not try to read again and again. */
static void it_sleeps_when_main_has_scribbled_over_its_ring(void) {
  struct shmx_host *host = start();
  CHECK(sleeps(host->pid, 20));
  atomic_store(&host->link.self->messages.write, UINT64_C(1) << 40);
  shmx_link_urge(&host->link);
  CHECK(sleeps(host->pid, 20));
  shmx_host_stop();
}

static const struct test tests[] = {
    TEST(it_sleeps_when_there_is_nothing_to_do), TEST(it_sleeps_when_main_has_scribbled_over_its_ring), {NULL, NULL}};

static void prepare(void *context) { (void)context; }

int main(int argc, char **argv) {
  const struct shmx_runner runner = {.prepare = prepare};
  if (argc == 2 && atol(argv[1]) > 0) return shmx_supervisor_main((pid_t)atol(argv[1]), &runner);
  return run_tests(tests, argc, argv);
}
