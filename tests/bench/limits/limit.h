/* SPDX-License-Identifier: MIT */
/*
 * What the C limits share. A limit is the least that a hand-written C program needs for one workload, with the same
 * kernel: no futures, no errors, nobody who may crash.
 */
#ifndef SHMX_BENCH_LIMIT_H
#define SHMX_BENCH_LIMIT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      perror(#condition);                                                                                              \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Memory that children share. */
static inline void *share(size_t size) {
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(at != MAP_FAILED);
  return at;
}

static inline void relax(void) {
#if defined __x86_64__
  __builtin_ia32_pause();
#endif
}

/* Where the reader of some rings sleeps. */
struct bell {
  _Alignas(64) _Atomic uint32_t rings;
  _Atomic uint32_t sleeps;
};

static inline void ring_bell(struct bell *bell) {
  atomic_thread_fence(memory_order_seq_cst);
  if (!atomic_load_explicit(&bell->sleeps, memory_order_relaxed)) return;
  atomic_fetch_add(&bell->rings, 1);
  syscall(SYS_futex, &bell->rings, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Looks `looks` times more, then sleeps. */
static inline void await(bool (*ready)(const void *), const void *what, struct bell *bell, long looks) {
  for (;;) {
    for (long i = 0; i <= looks; i++) {
      if (ready(what)) return;
      relax();
    }
    uint32_t seen = atomic_load(&bell->rings);
    atomic_store(&bell->sleeps, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (!ready(what)) syscall(SYS_futex, &bell->rings, FUTEX_WAIT, seen, NULL, NULL, 0);
    atomic_store(&bell->sleeps, 0);
  }
}

struct message {
  int64_t what, value;
};

enum { ROOM = 1024 };

/* One writes, one reads. */
struct ring {
  _Alignas(64) _Atomic uint32_t head;
  _Alignas(64) _Atomic uint32_t tail;
  _Alignas(64) struct message messages[ROOM];
};

static inline bool ring_put(struct ring *ring, struct message message) {
  uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == ROOM) return false;
  ring->messages[head % ROOM] = message;
  atomic_store_explicit(&ring->head, head + 1, memory_order_release);
  return true;
}

static inline bool ring_take(struct ring *ring, struct message *message) {
  uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  if (tail == atomic_load_explicit(&ring->head, memory_order_acquire)) return false;
  *message = ring->messages[tail % ROOM];
  atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
  return true;
}

static inline bool ring_ready(const void *ring) {
  const struct ring *r = ring;
  return atomic_load(&r->head) != atomic_load(&r->tail);
}

/* Sends an open descriptor with a number beside it. */
static inline void send_descriptor(int socket, int64_t number, int descriptor) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec bytes = {&number, sizeof number};
  struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  MUST(sendmsg(socket, &m, 0) == sizeof number);
}

static inline int receive_descriptor(int socket, int64_t *number) {
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec bytes = {number, sizeof *number};
  struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  MUST(recvmsg(socket, &m, 0) == sizeof *number);
  int descriptor;
  MUST(CMSG_FIRSTHDR(&m));
  memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof descriptor);
  return descriptor;
}

static inline void print_figure(const char *name, double value) { printf("%s %.6g\n", name, value); }

#endif
