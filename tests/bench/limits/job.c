/* SPDX-License-Identifier: MIT */
/*
 * The limit of W1: WORKERS processes make 8 arrays of 10^0 to 10^7 int64, each a memfd that main maps, counts and sums.
 * Usage: job WORKERS map: they are filled through a mapping
 *        job WORKERS write: they are filled by write() from a small buffer, which takes no page fault
 */
#include "limit.h"

enum { ARRAYS = 8, BUFFER = 16384 };

static void fill_by_write(int descriptor, int64_t n) {
  static int64_t buffer[BUFFER];
  for (int64_t at = 0, count; at < n; at += count) {
    count = n - at < BUFFER ? n - at : BUFFER;
    for (int64_t i = 0; i < count; i++) buffer[i] = at + i;
    MUST(write(descriptor, buffer, (size_t)count * 8) == count * 8);
  }
}

static void fill_by_mapping(int descriptor, int64_t n) {
  MUST(ftruncate(descriptor, n * 8) == 0);
  int64_t *a = mmap(NULL, (size_t)n * 8, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  MUST(a != MAP_FAILED);
  for (int64_t i = 0; i < n; i++) a[i] = i;
  munmap(a, (size_t)n * 8);
}

static int64_t length(int i) {
  int64_t n = 1;
  while (i-- > 0) n *= 10;
  return n;
}

static void work(_Atomic int *next, int socket, bool by_write) {
  for (int i; (i = ARRAYS - 1 - atomic_fetch_add(next, 1)) >= 0;) { /* the largest first */
    int64_t n = length(i);
    int descriptor = memfd_create("job", MFD_CLOEXEC);
    MUST(descriptor >= 0);
    if (by_write) fill_by_write(descriptor, n);
    else fill_by_mapping(descriptor, n);
    send_descriptor(socket, n, descriptor);
    close(descriptor);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  MUST(argc > 2);
  int workers = atoi(argv[1]), sockets[2];
  _Atomic int *next = share(sizeof *next);
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0);
  for (int w = 0; w < workers; w++)
    if (fork() == 0) work(next, sockets[1], strcmp(argv[2], "write") == 0);
  int64_t count = 0, sum = 0, expected = 0;
  for (int i = 0; i < ARRAYS; i++) {
    int64_t n;
    int descriptor = receive_descriptor(sockets[0], &n);
    const int64_t *a = mmap(NULL, (size_t)n * 8, PROT_READ, MAP_SHARED, descriptor, 0);
    MUST(a != MAP_FAILED);
    for (int64_t k = 0; k < n; k++) sum += a[k];
    count += n;
    munmap((void *)a, (size_t)n * 8);
    close(descriptor);
  }
  while (wait(NULL) > 0) {
  }
  for (int i = 0; i < ARRAYS; i++) expected += length(i) * (length(i) - 1) / 2;
  MUST(count == 11111111 && sum == expected);
  return 0;
}
