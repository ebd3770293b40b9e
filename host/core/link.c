/* SPDX-License-Identifier: MIT */
/*
 * See link.h.
 */
#include "core/link.h"

#include <errno.h>

#include "core/limits.h"
#include "core/trace.h"

void shmx_link_init(struct shmx_link *link, struct shmx_domain_shm *domain, struct shmx_process_shm *self) {
  *link = (struct shmx_link){
      .domain = domain, .self = self, .socket = -1, .supervisor_bell = -1, .own_bell = -1, .pidfd = -1};
  shmx_ring_init(&link->messages, &self->messages, self->message, SHMX_MESSAGES, sizeof(struct shmx_message));
  shmx_ring_init(&link->notes, &self->notes, self->note, SHMX_NOTES, sizeof(struct shmx_note));
}

void shmx_link_rouse(struct shmx_link *link) {
  if (shmx_bell_rouse(&link->domain->supervisor, link->supervisor_bell)) shmx_patience_share(&link->patience);
}

void shmx_link_urge(struct shmx_link *link) {
  atomic_fetch_add(&link->domain->urges, 1);
  shmx_link_rouse(link);
}

/* Waits until the supervisor has come by after `wish` was stated. The caller looks again for what it wanted. */
static int wait_for_supervisor(struct shmx_link *link, uint32_t wish, bool (*ready)(struct shmx_link *)) {
  if (ready(link)) return 0;
  int64_t begin = shmx_os_now();
  for (;;) {
    if (ready(link)) {
      shmx_limits_waited(link, shmx_os_now() - begin);
      return 0;
    }
    atomic_fetch_or(&link->self->wants, wish);
    shmx_link_urge(link);
    shmx_patience_begin(&link->patience);
    while (!ready(link) && shmx_patience_lasts(&link->patience)) continue;
    shmx_bell_prepare(&link->self->bell);
    int r = ready(link) ? 0 : shmx_link_sleep(link, -1);
    shmx_bell_awake(&link->self->bell);
    if (r == -EPIPE) return r;
  }
}

static bool has_room(struct shmx_link *link) { return shmx_ring_has_room(&link->messages); }

int shmx_link_send(struct shmx_link *link, const struct shmx_message *message) {
  if (link->trace) shmx_trace_message(link->trace, message);
  while (!shmx_ring_push(&link->messages, message)) {
    int r = link->dead ? -EPIPE : wait_for_supervisor(link, SHMX_WANTS_READ, has_room);
    if (r < 0) return r;
  }
  shmx_bell_ring(&link->domain->supervisor, link->supervisor_bell);
  return 0;
}

bool shmx_link_was_read(struct shmx_link *link, uint64_t number) { return shmx_ring_was_read(&link->messages, number); }

static bool all_read(struct shmx_link *link) {
  return atomic_load(&link->self->messages.read) == link->messages.index &&
         !(atomic_load(&link->self->wants) & SHMX_WANTS_READ);
}

int shmx_link_wait_read(struct shmx_link *link) {
  if (link->dead) return -EPIPE;
  atomic_fetch_or(&link->self->wants, SHMX_WANTS_READ);
  return wait_for_supervisor(link, 0, all_read);
}

bool shmx_link_next_note(struct shmx_link *link, struct shmx_note *note) {
  if (shmx_ring_available(&link->notes) <= 0) return false;
  shmx_ring_take(&link->notes, note);
  shmx_ring_done(&link->notes);
  /* The supervisor may have more notes than the ring had room for. */
  if (link->notes.index % (SHMX_NOTES / 2) == 0) shmx_bell_ring(&link->domain->supervisor, link->supervisor_bell);
  return true;
}

int shmx_link_sleep(struct shmx_link *link, int64_t deadline) {
  if (link->dead) return -EPIPE;
  shmx_patience_sleeps(&link->patience);
  if (link->own_bell < 0) {
    int r = shmx_os_futex_wait(&link->self->bell.word, SHMX_BELL_ASLEEP, deadline);
    return r == -EAGAIN ? 0 : r;
  }
  int r = shmx_os_poll(link->own_bell, link->pidfd, deadline);
  if (r < 0) return r;
  if (r & 1) shmx_os_eventfd_clear(link->own_bell);
  if (r & 2) link->dead = true;
  return r & 1 ? 0 : r & 2 ? -EPIPE : -ETIMEDOUT;
}

/* Without privileges a user can have no more descriptors on their way than a process may have open. The supervisor takes them
 * from there when it comes by. */
int shmx_link_request(struct shmx_link *link, const struct shmx_request *request, const int *fds, int nfds) {
  if (link->dead) return -EPIPE;
  int r = shmx_os_send(link->socket, request, sizeof *request, fds, nfds, true);
  for (int tries = 1; r == -ETOOMANYREFS && tries < SHMX_LINK_TRIES; tries++) {
    r = shmx_link_wait_read(link);
    if (r == 0) r = shmx_os_send(link->socket, request, sizeof *request, fds, nfds, true);
  }
  if (r == -EPIPE || r == -ECONNRESET) link->dead = true;
  return link->dead ? -EPIPE : r;
}

/* The next record: 1, 0 for one to be read again, or an error. */
static int receive(struct shmx_link *link, struct shmx_request *record, int *fd) {
  int ready = shmx_os_poll(link->socket, link->pidfd, -1), count = 1;
  if (ready == -EINTR) return 0;
  *fd = -1;
  record->type = 0;
  ssize_t got = ready < 0 ? ready : shmx_os_receive(link->socket, record, sizeof *record, fd, &count, false);
  if (got == sizeof *record) return 1;
  if (got == -EAGAIN && !(ready & 2)) return 0;
  if (got == -EMSGSIZE && record->type != SHMX_REP_HELLO) return -EMSGSIZE;
  link->dead = true; /* or we cannot watch it, for want of a descriptor: then it has to go, and the next may be tried */
  return got == -EMSGSIZE ? -EMFILE : -EPIPE;
}

int shmx_link_answer(struct shmx_link *link, struct shmx_request *answer, int *fd) {
  int64_t begin = shmx_os_now();
  for (;;) {
    int r = receive(link, answer, fd);
    if (r == 0) continue;
    if (r < 0 || answer->type != SHMX_REP_HELLO) {
      shmx_limits_waited(link, shmx_os_now() - begin);
      return r < 0 ? r : 0;
    }
    link->pidfd = *fd;
  }
}
