/* SPDX-License-Identifier: MIT */
/*
 * See host.h. Main starts it with the descriptors that it needs (core/supervisor.h) and its own process number as the
 * argument; it is of no use to people.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/runner.h"
#include "core/supervisor.h"

bool shmx_host_is_meant(const char *program) {
  const char *slash = strrchr(program, '/');
  return strcmp(slash ? slash + 1 : program, "shmx-host") == 0;
}

int shmx_host_main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "shmx-host is started by shmx; it does nothing for itself\n");
    return 2;
  }
  return shmx_supervisor_main((pid_t)atol(argv[1]), &shmx_lua_runner);
}
