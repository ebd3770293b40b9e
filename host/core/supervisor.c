/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's loop: events, then a pass over all rings, then what follows from it, then rest.
 *
 * After something was heard it only naps for a millisecond, so that a busy system rings it once and not for every
 * message; after a nap in which nothing was heard it sleeps until it is rung. Who waits for it, or has said enough that
 * concerns much memory, rouses it from a nap too.
 */
#include "core/supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/fault.h"
#include "core/supervisor_private.h"

enum { NAP_NS = 1000000, MEMORY_NS = 5000000, PASSES = 4, LINGER_NS = 10000 };

static void take_event(struct sup *s, const struct epoll_event *event) {
  struct sup_watch *watch = event->data.ptr;
  switch (watch->source) {
  case SUP_MAIN_DIED: s->leave = true; break;
  case SUP_BELL: shmx_os_eventfd_clear(s->bell); break;
  case SUP_PEER_SOCKET: sup_read_socket(s, watch->peer); break;
  case SUP_CHILD: {
    char drop[256]; /* signalfd records; what happened is asked for by waitid */
    while (read(s->children, drop, sizeof drop) > 0) {
    }
    sup_reap(s);
    break;
  }
  case SUP_PEER_DIED: sup_reap(s); break;
  case SUP_PEER_OUTPUT: sup_output_read(s, watch->peer); break;
  }
}

/* Reads every ring, until a pass leaves nothing condemned that another pass would free. */
static void pass(struct sup *s) {
  for (int i = 0; i < PASSES; i++) {
    shmx_ledger_pass_begin(s->ledger);
    sup_read_rings(s);
    shmx_ledger_pass_end(s->ledger);
    if (!shmx_ledger_wants_pass(s->ledger)) return;
  }
}

/* After a pass. What is free is so for all to see before anybody is answered: its name may be given again at once. */
static void follow_up(struct sup *s) {
  sup_do_chores(s);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_write_notes(s, peer);
}

void sup_settle(struct sup *s) {
  pass(s);
  follow_up(s);
}

/* Of those that are still listened to: what makes no sense stays where it is. */
static bool something_unread(struct sup *s) {
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next)
    if (!peer->poisoned && shmx_ring_available(&peer->messages) != 0) return true;
  return shmx_ledger_wants_pass(s->ledger);
}

/* Milliseconds for epoll_wait, rounded up; -1: no limit. */
static int timeout_of(struct sup *s, int64_t deadline) {
  if (deadline < 0) return -1;
  int64_t left = deadline - s->now;
  return left <= 0 ? 0 : left > 3600 * INT64_C(1000000000) ? 3600000 : (int)((left + 999999) / 1000000);
}

/* Before the long sleep: who sleeps on unread notes is woken once, so that what they set free does not lie idle with it.
 * True when there is room again for notes that did not fit. */
static bool look_after_notes(struct sup *s) {
  bool room = false;
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) {
    if (atomic_load(&peer->shm->notes.read) != peer->notes.index)
      shmx_bell_ring(&peer->shm->bell, peer->pool ? -1 : s->main_bell);
    room = room || (peer->notes_full && shmx_ring_has_room(&peer->notes));
  }
  return room;
}

static int64_t next_deadline(struct sup *s) {
  int64_t deadline = s->memory_wanted ? s->now + MEMORY_NS : -1;
  for (struct sup_pool *pool = s->pools; pool; pool = pool->next)
    deadline = sup_sooner(deadline, sup_sooner(sup_pool_deadline(pool), sup_limits_deadline(s, pool)));
  return sup_sooner(sup_sooner(deadline, sup_progress_deadline(s)), sup_trace_deadline(s));
}

/* Says when we shall look by ourselves. A worker that begins a task which has less time sees this, or we see its deadline. */
static int64_t plan(struct sup *s) {
  s->planned = next_deadline(s);
  atomic_store(&s->domain->looks_at, s->planned < 0 ? INT64_MAX : s->planned);
  atomic_thread_fence(memory_order_seq_cst);
  return next_deadline(s);
}

static bool is_urged(struct sup *s) { return atomic_load(&s->domain->urges) != s->urges; }

static void tend(struct sup *s) {
  s->urges = atomic_load(&s->domain->urges); /* first: what comes from now on is for the next time */
  s->now = shmx_os_now();
  s->late = s->planned >= 0 && s->now > s->planned ? s->now - s->planned : 0;
  s->busy = false;
  pass(s);
  for (struct sup_pool *pool = s->pools; pool; pool = pool->next) sup_pool_tend(s, pool);
  for (struct sup_pool *pool = s->pools; pool; pool = pool->next) sup_limits_tend(s, pool);
  sup_trace_tend(s); /* before those are answered who wait for room in their rings */
  follow_up(s);
  for (struct sup_peer *peer = s->peers; peer; peer = peer->next) sup_answer_reader(s, peer);
  sup_serve_memory(s);
  sup_progress_tend(s);
}

/* How long to rest, for epoll_wait: a nap if something has been heard since the last rest; from the long sleep others have
 * to wake us. */
static int choose_rest(struct sup *s, bool heard) {
  int64_t deadline = plan(s);
  shmx_bell_prepare_as(&s->domain->supervisor, heard ? SHMX_BELL_NAPS : SHMX_BELL_ASLEEP);
  if (s->busy || is_urged(s)) return 0;
  if (heard) return timeout_of(s, sup_sooner(deadline, s->now + NAP_NS));
  return something_unread(s) || look_after_notes(s) ? 0 : timeout_of(s, deadline);
}

/* Who has been answered often has the next question ready, say when it has let go of what was acknowledged. To stay awake
 * for it a moment longer, with the core given away, is cheaper than to be woken. */
static void linger(struct sup *s) {
  bool answered = s->answered;
  s->answered = false;
  if (!answered || s->busy) return;
  int64_t until = shmx_os_now() + LINGER_NS;
  while (!is_urged(s) && shmx_os_now() < until) shmx_os_yield();
}

static void loop(struct sup *s) {
  struct epoll_event events[32];
  tend(s);
  while (!s->leave) {
    bool heard = s->heard;
    s->heard = false;
    if (!heard) SHMX_FAULT("s0");
    linger(s);
    int n = epoll_wait(s->epoll, events, 32, choose_rest(s, heard));
    shmx_bell_awake(&s->domain->supervisor);
    if (n < 0 && errno != EINTR) return;
    for (int i = 0; i < n; i++) take_event(s, &events[i]);
    tend(s);
  }
}

/* --- birth and end --- */

static int map_domain(struct sup *s) {
  void *base;
  int r = shmx_os_memfd_check(SHMX_FD_DOMAIN, (sizeof *s->domain + 4095) / 4096 * 4096);
  if (r == 0) r = shmx_os_map(SHMX_FD_DOMAIN, sizeof *s->domain, &base);
  if (r < 0) return r;
  close(SHMX_FD_DOMAIN);
  s->domain = base;
  return s->domain->version == SHMX_LAYOUT_VERSION && s->domain->size == sizeof *s->domain ? 0 : -EPROTO;
}

static int watch_main(struct sup *s, pid_t main_pid) {
  s->main = (struct sup_peer){.id = SHMX_PEER_MAIN, .pid = main_pid, .socket = SHMX_FD_SOCKET};
  s->main.pidfd = shmx_os_pidfd(main_pid);
  if (s->main.pidfd < 0 || getppid() != main_pid) return -ESRCH;
  sup_peer_init(s, &s->main, &s->domain->main);
  int r = sup_watch(s, s->main.socket, &s->main.socket_watch);
  return r < 0 ? r : sup_watch(s, s->main.pidfd, &s->main.died_watch);
}

/* Main learns how to watch us. */
static int say_hello(struct sup *s) {
  struct shmx_request hello = {.type = SHMX_REP_HELLO};
  int pidfd = shmx_os_pidfd(s->pid);
  if (pidfd < 0) return pidfd;
  int r = shmx_os_send(s->main.socket, &hello, sizeof hello, &pidfd, 1, false);
  close(pidfd);
  return r;
}

static int set_up(struct sup *s, pid_t main_pid, const struct shmx_runner *runner) {
  static struct sup_watch bell = {SUP_BELL, NULL}, child = {SUP_CHILD, NULL};
  *s = (struct sup){.bell = SHMX_FD_SUPERVISOR_BELL,
                    .main_bell = SHMX_FD_MAIN_BELL,
                    .pid = getpid(),
                    .runner = runner,
                    .last_peer = SHMX_PEER_MAIN,
                    .most_peers = SHMX_FAULT_NUMBER("SHMX_FAULT_PEERS", SHMX_PEER_MAX)};
  int r = shmx_os_settle_supervisor();
  if (r < 0) return r;
  for (int fd = 3; fd < 3 + SHMX_FD_COUNT; fd++) shmx_os_close_on_exec(fd);
  shmx_os_raise_files(&s->files_before);
  s->many_chunks = shmx_chunk_many();
  s->epoll = epoll_create1(EPOLL_CLOEXEC);
  s->children = shmx_os_child_events();
  s->ledger = shmx_ledger_create(shmx_os_page_size());
  if (s->epoll < 0 || s->children < 0 || !s->ledger) return -ENOMEM;
  r = map_domain(s);
  if (r == 0) r = watch_main(s, main_pid);
  if (r == 0) r = sup_watch(s, s->bell, &bell);
  if (r == 0) r = say_hello(s);
  return r < 0 ? r : sup_watch(s, s->children, &child);
}

/* Main is gone: nobody is left to work for. Descendants of the workers are ours now and end too. */
static void end(struct sup *s) {
  SHMX_FAULT("s7");
  sup_kill_all(s);
  for (int tries = 0; tries < 3; tries++) {
    sup_reap(s);
    sup_kill_all(s);
  }
  sup_name_fini(s);
  sup_progress_fini(s);
  sup_trace_fini(s);
}

int shmx_supervisor_main(pid_t main_pid, const struct shmx_runner *runner) {
  static struct sup s;
  SHMX_FAULT_ROLE('s');
  int r = set_up(&s, main_pid, runner);
  if (r == 0) runner->prepare(runner->context);
  if (r == 0) shmx_os_register_clean();
  if (r == 0) loop(&s);
  end(&s);
  return r < 0;
}
