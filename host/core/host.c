/* SPDX-License-Identifier: MIT */
/*
 * See host.h. There is at most one host in a process, like its memory.
 */
#include "core/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/supervisor.h"
#include "core/terminal.h"

static struct shmx_host *running;

struct shmx_host *shmx_host_running(void) {
  return running;
}

/* What the supervisor is started with; -1: not there yet. */
struct birth {
  int sockets[2], domain_fd, supervisor_bell, main_bell;
};

/* What is wanted of a run, until the supervisor is there to write it; and how the last one went. */
static struct {
  struct shmx_trace_shm *shm;
  int memory, file;
  unsigned count; /* so far */
  struct shmx_trace_outcome outcome;
} wanted_trace;

static void close_unless_absent(int fd) {
  if (fd >= 0) close(fd);
}

static void birth_fini(struct birth *b) {
  close_unless_absent(b->sockets[0]);
  close_unless_absent(b->sockets[1]);
  close_unless_absent(b->domain_fd);
  close_unless_absent(b->supervisor_bell);
  close_unless_absent(b->main_bell);
}

static int birth_init(struct birth *b) {
  *b = (struct birth){{-1, -1}, -1, -1, -1};
  b->domain_fd = shmx_os_memfd("shmx", (sizeof(struct shmx_domain_shm) + 4095) / 4096 * 4096);
  if (b->domain_fd < 0) return b->domain_fd;
  b->supervisor_bell = shmx_os_eventfd();
  b->main_bell = shmx_os_eventfd();
  if (b->supervisor_bell < 0 || b->main_bell < 0) return -EMFILE;
  return shmx_os_socketpair(b->sockets);
}

static int map_domain(const struct birth *b, struct shmx_host *host) {
  void *base = NULL;
  int r = shmx_os_map(b->domain_fd, sizeof(struct shmx_domain_shm), &base);
  if (r < 0) return r;
  struct shmx_domain_shm *domain = base;
  domain->version = SHMX_LAYOUT_VERSION;
  domain->size = sizeof *domain;
  shmx_os_keep_from_children(domain, sizeof *domain);
  shmx_link_init(&host->link, domain, &domain->main);
  return 0;
}

static int spawn(const char *helper, struct birth *b, struct shmx_host *host) {
  char pid[24];
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  char *argv[] = {(char *)helper, pid, NULL};
  int fds[SHMX_FD_COUNT] = {b->sockets[1], b->domain_fd, b->supervisor_bell, b->main_bell};
  return shmx_os_spawn(helper, argv, fds, SHMX_FD_COUNT, &host->pid);
}

/* --- the trace --- */

/* A second supervisor, after the death of the first, does not write over what the first has left. */
static const char *number_path(const char *path, char numbered[SHMX_OS_PATH]) {
  if (!path || wanted_trace.count == 0) return path;
  snprintf(numbered, SHMX_OS_PATH, "%s.%u", path, wanted_trace.count + 1);
  return numbered;
}

int shmx_host_trace(const char *trace, const char *report, enum shmx_trace_want *which) {
  char numbered[SHMX_WANTS][SHMX_OS_PATH];
  if (wanted_trace.shm || (running && shmx_host_is_alive(running))) return 0;
  const char *const paths[SHMX_WANTS] = {number_path(trace, numbered[0]), number_path(report, numbered[1])};
  int r = shmx_trace_create(paths, &wanted_trace.shm, &wanted_trace.memory, &wanted_trace.file, which);
  if (r == 0) wanted_trace.count++;
  return r;
}

const struct shmx_trace_outcome *shmx_host_trace_outcome(void) { return &wanted_trace.outcome; }

static void end_trace(struct shmx_trace_shm *shm) {
  struct shmx_trace_outcome *outcome = &wanted_trace.outcome;
  for (int i = 0; i < SHMX_WANTS; i++) {
    int error = shmx_trace_finish(&shm->target[i]);
    if (error == 0) continue;
    outcome->error[i] = error;
    memcpy(outcome->path[i], shm->target[i].path, sizeof outcome->path[i]);
  }
  shmx_trace_destroy(shm);
}

static void close_wanted_trace(void) {
  close(wanted_trace.memory);
  close(wanted_trace.file);
  wanted_trace.shm = NULL;
}

/* Nobody has come to write it. */
static void drop_wanted_trace(void) {
  if (!wanted_trace.shm) return;
  shmx_trace_discard(wanted_trace.shm);
  shmx_trace_destroy(wanted_trace.shm);
  close_wanted_trace();
}

/* The supervisor gets what is wanted before it hears of any pool. */
static void start_trace(struct shmx_host *host) {
  struct shmx_request request = {.type = SHMX_REQ_TRACE};
  int fds[] = {wanted_trace.memory, wanted_trace.file};
  if (!wanted_trace.shm) return;
  shmx_os_keep_from_children(wanted_trace.shm, sizeof *wanted_trace.shm);
  shmx_trace_attach(&host->trace, wanted_trace.shm, &host->link);
  shmx_link_request(&host->link, &request, fds, 2);
  wanted_trace.outcome.begun = true;
  close_wanted_trace();
}

static int host_create(const char *helper, struct shmx_host *host) {
  struct birth b;
  host->memory = shmx_memory_here();
  if (!host->memory) return -ENOMEM;
  int r = birth_init(&b);
  if (r == 0) r = map_domain(&b, host);
  if (r == 0) r = spawn(helper, &b, host);
  if (r < 0) {
    birth_fini(&b);
    return r;
  }
  close(b.sockets[1]);
  close(b.domain_fd);
  host->link.peer = SHMX_PEER_MAIN;
  host->link.charge = SHMX_CHARGE_MAIN;
  host->link.socket = b.sockets[0];
  host->link.supervisor_bell = b.supervisor_bell;
  host->link.own_bell = b.main_bell;
  /* While the supervisor starts, we find out how much memory there is: nobody asks before the first pool is open. */
  atomic_store(&host->link.domain->budget, shmx_memory_budget(host->memory));
  start_trace(host);
  shmx_memory_join(host->memory, &host->link);
  return 0;
}

static void host_destroy(struct shmx_host *host) {
  if (host->link.domain) shmx_os_unmap(host->link.domain, sizeof *host->link.domain);
  free(host);
}

static void host_end(struct shmx_host *host) {
  shmx_host_is_alive(host);
  shmx_host_mend(host);
  shmx_memory_leave(host->memory);
  close(host->link.socket);
  /* Its workers and their children go before it does. */
  shmx_os_reap(host->pid);
  close_unless_absent(host->link.pidfd);
  close(host->link.supervisor_bell);
  close(host->link.own_bell);
  if (host->link.trace) end_trace(host->trace.shm);
  host_destroy(host);
}

int shmx_host_start(const char *helper, struct shmx_host **out) {
  if (running && !shmx_host_is_alive(running)) {
    if (running->pools > 0) return -EPIPE;
    host_end(running);
    running = NULL;
  }
  if (!running) {
    struct shmx_host *host = calloc(1, sizeof *host);
    int r = host ? host_create(helper, host) : -ENOMEM;
    if (r < 0) {
      if (host) host_destroy(host);
      return r;
    }
    running = host;
  }
  *out = running;
  return 0;
}

bool shmx_host_is_alive(struct shmx_host *host) {
  if (!host->link.dead && host->link.pidfd >= 0 && shmx_os_poll(host->link.pidfd, -1, 0) == 1) host->link.dead = true;
  return !host->link.dead;
}

/* Workers die with the supervisor, but not what their tasks have started. */
void shmx_host_mend(struct shmx_host *host) {
  if (!host->link.dead || host->mended) return;
  host->mended = true;
  shmx_os_kill_session(host->pid);
  if (host->draws) shmx_terminal_mend(STDERR_FILENO);
}

void shmx_host_stop(void) {
  if (shmx_os_forked()) return;
  drop_wanted_trace();
  if (!running) return;
  struct shmx_host *host = running;
  running = NULL;
  host_end(host);
}
