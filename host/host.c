/* SPDX-License-Identifier: MIT */
/*
 * The program shmx-host: the supervisor, and by fork its workers. Main starts it with the descriptors that it needs
 * (core/supervisor.h) and its own process number as the argument; it is of no use to people.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bind/runner.h"
#include "core/supervisor.h"

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "shmx-host is started by shmx; it does nothing for itself\n");
    return 2;
  }
  return shmx_supervisor_main((pid_t)atol(argv[1]), &shmx_lua_runner);
}
