/* SPDX-License-Identifier: MIT */
/* The limit of W5: 8 processes, one message to and one from each, and they end. */
#include "limit.h"

enum { WORKERS = 8 };

int main(void) {
  int sockets[WORKERS][2];
  char byte = 1;
  for (int w = 0; w < WORKERS; w++) {
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets[w]) == 0);
    if (fork() > 0) continue;
    while (recv(sockets[w][1], &byte, 1, 0) == 1 && byte) MUST(send(sockets[w][1], &byte, 1, 0) == 1);
    _exit(0);
  }
  for (int w = 0; w < WORKERS; w++) MUST(send(sockets[w][0], &byte, 1, 0) == 1);
  for (int w = 0; w < WORKERS; w++) MUST(recv(sockets[w][0], &byte, 1, 0) == 1);
  byte = 0;
  for (int w = 0; w < WORKERS; w++) MUST(send(sockets[w][0], &byte, 1, 0) == 1);
  while (wait(NULL) > 0) {
  }
  return 0;
}
