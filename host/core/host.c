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
  void *base;
  int r = shmx_os_map(b->domain_fd, sizeof(struct shmx_domain_shm), &base);
  if (r < 0) return r;
  struct shmx_domain_shm *domain = base;
  domain->version = SHMX_LAYOUT_VERSION;
  domain->size = sizeof *domain;
  atomic_store(&domain->budget, shmx_memory_budget(host->memory));
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
  if (!running || shmx_os_forked()) return;
  struct shmx_host *host = running;
  running = NULL;
  host_end(host);
}
