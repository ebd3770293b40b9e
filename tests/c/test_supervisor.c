/* SPDX-License-Identifier: MIT */
/*
 * The supervisor as a process, and main whose native code has written where it should not. This program is both: it is
 * started as the supervisor with main's process number as its argument; some of its forks fail if REFUSED_FORKS is in
 * the environment.
 */
#include "core/supervisor.h"

#include <errno.h>

#include "check.h"
#include "core/host.h"
#include "core/pool.h"
#include "core/pool_view.h"

#define REFUSED_FORKS "REFUSED_FORKS"

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

/* Opens a pool while forks are refused: of two numbers, how many are not, and how many are from then on. As shmx_pool_ready
 * says, with the reason. */
static int open_pool(const char *refused, struct shmx_pool **pool, const char **why) {
  CHECK(setenv(REFUSED_FORKS, refused, 1) == 0);
  const struct shmx_pool_options options = {.workers = 2, .config = {.body = "", .size = 0}};
  int ready;
  CHECK(shmx_pool_open(start(), &options, pool) == 0);
  while ((ready = shmx_pool_ready(*pool, why)) == 0) shmx_pool_wait(*pool, 0, -1);
  return ready;
}

static uint32_t count_workers(const struct shmx_pool *pool) {
  struct shmx_worker_info info;
  return shmx_pool_worker(pool, 1, &info) + shmx_pool_worker(pool, 2, &info);
}

static void close_pool(struct shmx_pool *pool) {
  shmx_pool_close(pool, 1);
  while (!shmx_pool_is_closed(pool)) shmx_pool_wait(pool, 0, -1);
  shmx_pool_destroy(pool);
  shmx_host_stop();
}

static void it_tries_again_to_fork_and_gives_up_in_the_end(void) {
  struct shmx_pool *pool;
  const char *why;
  CHECK(open_pool("0 4", &pool, &why) == 1 && count_workers(pool) == 2);
  close_pool(pool);
  CHECK(open_pool("0 1000", &pool, &why) == -1 && count_workers(pool) == 0);
  CHECK(strncmp(why, "a worker cannot be started: the limit of processes is reached", 61) == 0);
  close_pool(pool);
}

static void a_pool_that_was_complete_outlasts_a_shortage_of_processes(void) {
  struct shmx_worker_info dead, other, now;
  struct shmx_outcome outcome;
  struct shmx_pool *pool;
  const char *why;
  CHECK(open_pool("2 7", &pool, &why) == 1);
  CHECK(shmx_pool_worker(pool, 1, &dead) && shmx_pool_worker(pool, 2, &other));
  CHECK(kill((pid_t)dead.pid, SIGKILL) == 0);
  while (!shmx_pool_worker(pool, 1, &now) || now.pid == dead.pid) {
    CHECK(!shmx_pool_next(pool, &outcome) && shmx_pool_ready(pool, &why) == 1);
    usleep(1000);
  }
  CHECK(shmx_pool_worker(pool, 2, &now) && now.pid == other.pid);
  close_pool(pool);
}

static int crowded_sends; /* that fail, as if too many descriptors were on their way */

static ssize_t crowded_sendmsg(int fd, const struct msghdr *message, int flags) {
  if (message->msg_controllen == 0 || crowded_sends-- <= 0) return sendmsg(fd, message, flags);
  errno = ETOOMANYREFS;
  return -1;
}

static void main_waits_until_descriptors_on_their_way_have_arrived(void) {
  struct shmx_host *host = start();
  struct shmx_request request = {.type = SHMX_REQ_CHUNK, .id = shmx_id_make(SHMX_PEER_MAIN, 1), .size = 4096}, reply;
  int fd = shmx_os_memfd("test", 4096), got = -1;
  shmx_syscalls.sendmsg = crowded_sendmsg;
  crowded_sends = 1000;
  CHECK(shmx_link_request(&host->link, &request, &fd, 1) == -ETOOMANYREFS);
  crowded_sends = 3;
  CHECK(shmx_link_request(&host->link, &request, &fd, 1) == 0);
  request.type = SHMX_REQ_FETCH;
  CHECK(shmx_link_request(&host->link, &request, NULL, 0) == 0 && shmx_link_answer(&host->link, &reply, &got) == 0);
  CHECK(reply.type == SHMX_REP_CHUNK && got >= 0);
  close(got);
  close(fd);
  shmx_syscalls.sendmsg = sendmsg;
  shmx_host_stop();
}

static const struct test tests[] = {TEST(it_sleeps_when_there_is_nothing_to_do),
                                    TEST(it_sleeps_when_main_has_scribbled_over_its_ring),
                                    TEST(it_tries_again_to_fork_and_gives_up_in_the_end),
                                    TEST(a_pool_that_was_complete_outlasts_a_shortage_of_processes),
                                    TEST(main_waits_until_descriptors_on_their_way_have_arrived),
                                    {NULL, NULL}};

static long allowed_forks, refused_forks;

static pid_t scarce_fork(void) {
  if (allowed_forks-- > 0 || refused_forks-- <= 0) return fork();
  errno = EAGAIN;
  return -1;
}

static void prepare(void *context) {
  const char *refused = getenv(REFUSED_FORKS);
  (void)context;
  if (refused) sscanf(refused, "%ld %ld", &allowed_forks, &refused_forks);
  shmx_syscalls.fork = scarce_fork;
}

static int start_worker(void *context, int error, const struct shmx_incoming *config, char *text, size_t room) {
  (void)context, (void)config, (void)text, (void)room;
  return error;
}

static void idle(void *context, bool for_long) { (void)context, (void)for_long; }

static void say_nothing(void *context, const void *place, char *text, size_t room) {
  (void)context, (void)place, (void)room;
  text[0] = 0;
}

int main(int argc, char **argv) {
  const struct shmx_runner runner = {
      .prepare = prepare, .start = start_worker, .idle = idle, .last_words = say_nothing};
  if (argc == 2 && atol(argv[1]) > 0) return shmx_supervisor_main((pid_t)atol(argv[1]), &runner);
  return run_tests(tests, argc, argv);
}
