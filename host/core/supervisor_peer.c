/* SPDX-License-Identifier: MIT */
/*
 * The processes and what they say. Everything that is read here was written by another process and is checked; what
 * cannot have been meant gets a worker replaced, and, if it was main's, ends its pools.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/fault.h"
#include "core/supervisor_private.h"

int sup_watch(struct sup *s, int fd, struct sup_watch *watch) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
  return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void sup_ignore(struct sup *s, int fd) { epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL); }

void sup_unwatch(struct sup *s, int fd) {
  sup_ignore(s, fd);
  close(fd);
}

void sup_peer_init(struct sup *s, struct sup_peer *peer, struct shmx_process_shm *shm) {
  peer->shm = shm;
  shmx_ring_init(&peer->messages, &shm->messages, shm->message, SHMX_MESSAGES, sizeof(struct shmx_message));
  shmx_ring_init(&peer->notes, &shm->notes, shm->note, SHMX_NOTES, sizeof(struct shmx_note));
  peer->socket_watch = (struct sup_watch){SUP_PEER_SOCKET, peer};
  peer->output_watch = (struct sup_watch){SUP_PEER_OUTPUT, peer};
  peer->died_watch = (struct sup_watch){peer->pool ? SUP_PEER_DIED : SUP_MAIN_DIED, peer};
  peer->next = s->peers;
  s->peers = peer;
}

struct sup_peer *sup_find_peer(struct sup *s, uint32_t id) {
  struct sup_peer *peer = s->peers;
  while (peer && peer->id != id) peer = peer->next;
  return peer;
}

void sup_poison(struct sup *s, struct sup_peer *peer) {
  if (peer->poisoned) return;
  peer->poisoned = true;
  if (peer->pool) shmx_os_pidfd_kill(peer->pidfd, SIGKILL);
  else
    for (struct sup_pool *pool = s->pools; pool; pool = pool->next) pool->broken = true;
}

/* --- the ring --- */

static void hear(struct sup *s, struct sup_peer *peer, const struct shmx_message *message) {
  unsigned type = shmx_message_type(message);
  if (type == SHMX_MSG_NOTIFY) SHMX_FAULT("s2");
  int r = shmx_ledger_message(s->ledger, peer->id, message);
  if (s->trace) sup_trace_heard(s, message);
  if (r == -EPROTO) sup_poison(s, peer);
  /* Without memory for the ledger no promise can be kept: the workers end, and main sees the supervisor gone. */
  if (r == -ENOMEM) abort();
  if (type == SHMX_MSG_NOTIFY) SHMX_FAULT("s3");
  if (type == SHMX_MSG_RELEASE) SHMX_FAULT("s5");
  if (r == 0 && type == SHMX_MSG_CHUNK_GONE) sup_name_chunk_gone(s, message->chunk);
  if (r == 0 && type == SHMX_MSG_READ_TO_END) sup_pool_read_to_end(s, shmx_message_peer(message));
}

void sup_read_ring(struct sup *s, struct sup_peer *peer) {
  uint32_t wants = atomic_load(&peer->shm->wants) & SHMX_WANTS_READ;
  int64_t count = shmx_ring_available(&peer->messages);
  if (count < 0) sup_poison(s, peer);
  if (count > 0) s->heard = true;
  for (; count > 0; count--) {
    struct shmx_message message;
    shmx_ring_take(&peer->messages, &message);
    if (!peer->poisoned) hear(s, peer, &message);
  }
  if (wants) s->heard = true;
  if (shmx_ring_is_taken(&peer->messages)) shmx_ring_done(&peer->messages);
  if (s->heard) SHMX_FAULT("s4");
}

void sup_read_rings(struct sup *s) {
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_read_ring(s, peer);
}

void sup_write_notes(struct sup *s, struct sup_peer *peer) {
  struct shmx_note note;
  bool wrote = false;
  while (shmx_ring_has_room(&peer->notes) && shmx_ledger_next_note(s->ledger, peer->id, &note)) {
    wrote |= shmx_ring_push(&peer->notes, &note);
    if (note.type == SHMX_NOTE_FREE) sup_name_segment_free(s, note.id); /* what has a name is never sealed */
    if (s->trace) sup_trace_noted(s, &note);
  }
  if (wrote) SHMX_FAULT("s6");
  peer->notes_full = !shmx_ring_has_room(&peer->notes);
  /* Notes wait until the process comes by or all is quiet, unless somebody needs the memory that they set free. */
  if (wrote && s->memory_wanted && peer->pool) shmx_bell_ring(&peer->shm->bell, -1);
}

void sup_answer_reader(struct sup *s, struct sup_peer *peer) {
  if (!(atomic_load(&peer->shm->wants) & SHMX_WANTS_READ)) return;
  if (atomic_load(&peer->shm->messages.write) != peer->messages.index) return; /* it wrote more: at the next pass */
  atomic_fetch_and(&peer->shm->wants, ~(uint32_t)SHMX_WANTS_READ);
  shmx_bell_ring(&peer->shm->bell, peer->pool ? -1 : s->main_bell);
  s->answered = true;
}

/* --- the socket --- */

int sup_answer(const struct sup_peer *peer, const struct shmx_request *reply, int fd) {
  return shmx_os_send(peer->socket, reply, sizeof *reply, &fd, fd >= 0, false);
}

static int keep_chunk(struct sup *s, struct sup_peer *peer, const struct shmx_request *request, int fd) {
  bool outside = request->flags & SHMX_CHUNK_OUTSIDE, alone = request->flags & SHMX_CHUNK_ALONE, sealed;
  int r = shmx_chunk_check(outside, fd, request->size, &sealed);
  if (r < 0) return r;
  struct sup_chunk *chunk = malloc(sizeof *chunk);
  if (!chunk) return -ENOMEM;
  *chunk = (struct sup_chunk){request->size, fd, outside, outside || alone};
  r = shmx_ledger_chunk(s->ledger, peer->id, request->id, request->size);
  if (r == 0) r = shmx_idmap_put(&s->chunks, request->id, chunk);
  SHMX_FAULT("s1");
  if (r < 0) free(chunk);
  return r;
}

static int take_chunk(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  return keep_chunk(s, peer, request, fds[0]);
}

/* Who has let go of an array of this name may have said so where it is not read yet. */
static int give_name(struct sup *s, const struct shmx_request *request, int fd) {
  int r = sup_name_give(s, request, fd);
  if (r != -EEXIST) return r;
  sup_settle(s);
  return sup_name_give(s, request, fd);
}

/* A chunk with a name is a chunk all the same. */
static int name_chunk(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  struct shmx_request reply = {.type = SHMX_REP_NAMED, .id = request->id};
  bool sealed;
  request->flags |= SHMX_CHUNK_OUTSIDE;
  reply.error = shmx_os_shm_check(fds[0], request->size, &sealed);
  if (reply.error == 0) reply.error = give_name(s, request, fds[0]);
  int r = reply.error == 0 ? keep_chunk(s, peer, request, fds[0]) : 0;
  if (r < 0) sup_name_chunk_gone(s, request->id);
  if (r < 0 || reply.error < 0) close(fds[0]);
  if (r < 0) reply.error = r;
  sup_answer(peer, &reply, -1);
  return 0;
}

static int give_chunk(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  (void)fds;
  uint64_t id = request->id;
  struct sup_peer *maker = sup_find_peer(s, shmx_id_maker(id));
  struct sup_chunk *chunk = shmx_idmap_get(&s->chunks, id);
  if (!chunk && maker && maker != peer) {
    sup_read_socket(s, maker); /* the descriptor may be on its way */
    chunk = shmx_idmap_get(&s->chunks, id);
  }
  struct shmx_request reply = {.type = chunk ? SHMX_REP_CHUNK : SHMX_REP_NONE, .id = id};
  int r = s->files_ran_out ? -EMFILE : -ENOENT;
  if (chunk) {
    reply.size = chunk->size;
    reply.flags = chunk->outside ? SHMX_CHUNK_OUTSIDE : 0;
    r = maker == peer ? 0 : shmx_ledger_map(s->ledger, peer->id, id); /* its own it has mapped */
    if (r == 0) r = sup_answer(peer, &reply, chunk->fd);
  }
  if (r == 0) return 0;
  reply = (struct shmx_request){.type = SHMX_REP_NONE, .id = id, .error = r};
  sup_answer(peer, &reply, -1);
  return 0;
}

static int open_pool(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  struct shmx_request reply = {.type = SHMX_REP_OPENED, .id = request->id};
  reply.error = sup_pool_open(s, request, fds);
  sup_answer(peer, &reply, -1);
  return 0;
}

static int forget_pool(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  (void)peer;
  (void)fds;
  sup_pool_forget(s, request->id);
  return 0;
}

static int open_trace(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  (void)peer;
  (void)request;
  sup_trace_open(s, fds[0], fds[1]);
  return 0;
}

static int tell_handover(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  (void)fds;
  struct shmx_request reply = {.type = SHMX_REP_HANDOVER, .id = request->id};
  const struct sup_handover *h = sup_trace_handover(s, request->id);
  if (h) memcpy(reply.times, (int64_t[]){h->notify, h->acknowledge, h->complete}, sizeof reply.times);
  sup_answer(peer, &reply, -1);
  return 0;
}

/* The requests: who may make one, how many descriptors come with it, and what is answered (0: nothing). */
static const struct kind {
  bool main_only;
  int fds_least, fds_most;
  uint32_t answer;
  sup_take *take;
} kinds[] = {
    [SHMX_REQ_CHUNK] = {false, 1, 1, 0, take_chunk},
    [SHMX_REQ_FETCH] = {false, 0, 0, SHMX_REP_NONE, give_chunk},
    [SHMX_REQ_OPEN] = {true, 2, 3, SHMX_REP_OPENED, open_pool},
    [SHMX_REQ_NAME] = {false, 1, 1, SHMX_REP_NAMED, name_chunk},
    [SHMX_REQ_FORGET] = {true, 0, 0, 0, forget_pool},
    [SHMX_REQ_TRACE] = {true, 2, 2, 0, open_trace},
    [SHMX_REQ_HANDOVER] = {false, 0, 0, SHMX_REP_HANDOVER, tell_handover},
    [SHMX_REQ_SURVEY] = {false, 0, 0, SHMX_REP_SURVEY, sup_survey},
    [SHMX_REQ_FREEZE] = {false, 0, 0, SHMX_REP_FROZEN, sup_freeze},
};

static const struct kind *kind_of(const struct shmx_request *request) {
  bool known = request->type < sizeof kinds / sizeof *kinds && kinds[request->type].take;
  return known ? &kinds[request->type] : NULL;
}

/* The sender is not listened to any more, but if it is main it waits for an answer. */
static void refuse(struct sup *s, struct sup_peer *peer, const struct shmx_request *request) {
  const struct kind *kind = kind_of(request);
  struct shmx_request reply = {.type = kind ? kind->answer : 0, .id = request->id, .error = -EPROTO};
  sup_poison(s, peer);
  if (!peer->pool && reply.type) sup_answer(peer, &reply, -1);
}

static void take_request(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds, int nfds) {
  const struct kind *kind = peer->poisoned ? NULL : kind_of(request);
  bool meant = kind && !(kind->main_only && peer->pool) && nfds >= kind->fds_least && nfds <= kind->fds_most;
  for (int i = nfds; i < SHMX_OS_FDS; i++) fds[i] = -1;
  int r = meant ? kind->take(s, peer, request, fds) : -EPROTO;
  if (r == 0) return;
  for (int i = 0; i < nfds; i++) close(fds[i]);
  if (r == -EPROTO) refuse(s, peer, request);
}

/* We can have no descriptor more, so one of a chunk is lost. A worker is replaced, and with it the chunk; as it has done
 * nothing wrong, what it says until then counts. Main is not replaced: tasks that need the chunk fail. */
static void lose_chunk(struct sup *s, struct sup_peer *peer) {
  s->files_ran_out = true;
  if (!peer->pool) return;
  snprintf(peer->pool->map.lanes[peer->lane].text, SHMX_LANE_TEXT,
           "because the supervisor had reached its limit of open files (ulimit -n)");
  shmx_os_pidfd_kill(peer->pidfd, SIGKILL);
}

/* The descriptors of the request were cut off. Mostly the limit is to blame, and not the peer, which may wait for an
 * answer. */
static void take_cut_off(struct sup *s, struct sup_peer *peer, const struct shmx_request *request) {
  const struct kind *kind = kind_of(request);
  struct shmx_request reply = {.type = kind ? kind->answer : 0, .id = request->id, .error = -EMFILE};
  if (!kind || peer->poisoned || !shmx_os_files_are_used_up(kind->fds_most)) refuse(s, peer, request);
  else if (reply.type) sup_answer(peer, &reply, -1);
  else lose_chunk(s, peer);
}

void sup_read_socket(struct sup *s, struct sup_peer *peer) {
  for (;;) {
    struct shmx_request request = {0};
    int fds[SHMX_OS_FDS], nfds = SHMX_OS_FDS;
    ssize_t got = shmx_os_receive(peer->socket, &request, sizeof request, fds, &nfds, false);
    if (got == -EMSGSIZE) {
      take_cut_off(s, peer, &request);
      continue;
    }
    if (got <= 0) {
      /* End of file is not death, and a death may come without it (a grandchild may hold the other end). It only says
       * that there is nothing more to hear; main closes its end when it wants the supervisor to leave. */
      if (got == 0) epoll_ctl(s->epoll, EPOLL_CTL_DEL, peer->socket, NULL);
      if (got == 0 && !peer->pool) s->leave = true;
      return;
    }
    s->heard = true;
    if (got == sizeof request) {
      take_request(s, peer, &request, fds, nfds);
      continue;
    }
    for (int i = 0; i < nfds; i++) close(fds[i]);
    sup_poison(s, peer);
  }
}

/* --- orphans --- */

void sup_do_chores(struct sup *s) {
  struct shmx_chore chore;
  while (shmx_ledger_next_chore(s->ledger, &chore)) {
    struct sup_chunk *chunk = shmx_idmap_get(&s->chunks, chore.chunk);
    if (!chunk) continue;
    if (chore.type == SHMX_CHORE_PUNCH) {
      if (!chunk->outside) shmx_os_punch(chunk->fd, chore.offset, chore.size);
      continue;
    }
    /* Processes that still have it mapped keep empty pages only. */
    if (!chunk->outside) shmx_os_punch(chunk->fd, 0, chunk->size);
    sup_name_chunk_gone(s, chore.chunk);
    close(chunk->fd);
    shmx_idmap_remove(&s->chunks, chore.chunk);
    free(chunk);
  }
  struct shmx_ledger_stats stats;
  shmx_ledger_stats(s->ledger, &stats);
  atomic_store(&s->domain->charged[SHMX_CHARGE_ORPHANS], stats.orphan_bytes);
  atomic_store(&s->domain->segments, stats.segments);
  atomic_store(&s->domain->segment_bytes, stats.bytes);
  atomic_store(&s->domain->crowded, s->chunks.count >= s->many_chunks);
}
