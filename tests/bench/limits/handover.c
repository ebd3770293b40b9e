/* SPDX-License-Identifier: MIT */
/*
 * The limit of W4: a worker fills BYTES bytes, main reads one of each page.
 * Usage: handover BYTES recycled: the same memory again and again, messages through rings
 *        handover BYTES fresh: a memfd each, handed over through a socket
 */
#include "limit.h"

enum { STOP = -1, PAGE = 4096, LOOKS = 2000 };

struct channel {
  struct ring to, from;
  struct bell to_bell, from_bell;
};

static void put(struct ring *ring, struct bell *bell, int64_t what) {
  MUST(ring_put(ring, (struct message){what, 0}));
  ring_bell(bell);
}

static int64_t take(struct ring *ring, struct bell *bell) {
  struct message m;
  await(ring_ready, ring, bell, LOOKS);
  MUST(ring_take(ring, &m));
  return m.what;
}

static void work(struct channel *c, char *memory, size_t size, int socket) {
  for (int64_t what; (what = take(&c->to, &c->to_bell)) != STOP;) {
    if (memory) {
      memset(memory, (int)what, size);
      put(&c->from, &c->from_bell, what);
      continue;
    }
    int descriptor = memfd_create("handover", MFD_CLOEXEC);
    MUST(descriptor >= 0 && ftruncate(descriptor, (off_t)size) == 0);
    char *fresh = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    MUST(fresh != MAP_FAILED);
    memset(fresh, (int)what, size);
    send_descriptor(socket, what, descriptor);
    munmap(fresh, size);
    close(descriptor);
  }
  _exit(0);
}

static void check(const char *memory, size_t size, int64_t what) {
  for (size_t at = 0; at < size; at += PAGE) MUST(memory[at] == (char)what);
}

static void hand_over(struct channel *c, const char *memory, size_t size, int socket, int64_t what) {
  put(&c->to, &c->to_bell, what);
  if (memory) {
    MUST(take(&c->from, &c->from_bell) == what);
    check(memory, size, what);
    return;
  }
  int64_t number;
  int descriptor = receive_descriptor(socket, &number);
  char *mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
  MUST(mapped != MAP_FAILED && number == what);
  check(mapped, size, what);
  munmap(mapped, size);
  close(descriptor);
}

int main(int argc, char **argv) {
  MUST(argc > 2);
  size_t size = strtoull(argv[1], NULL, 10);
  char *memory = strcmp(argv[2], "recycled") == 0 ? share(size) : NULL;
  struct channel *c = share(sizeof *c);
  int sockets[2];
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0);
  if (fork() == 0) work(c, memory, size, sockets[1]);
  hand_over(c, memory, size, sockets[0], 1);
  int64_t count = 0;
  double begin = now(), seconds = 0;
  while (count < 3 || seconds < 0.5) {
    hand_over(c, memory, size, sockets[0], count % 100 + 1);
    count++;
    seconds = now() - begin;
  }
  print_figure("rate", (double)count / seconds);
  put(&c->to, &c->to_bell, STOP);
  wait(NULL);
  return 0;
}
