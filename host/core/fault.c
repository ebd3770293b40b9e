/* SPDX-License-Identifier: MIT */
/*
 * See fault.h.
 */
#include "core/fault.h"

#ifdef SHMX_FAULTS
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char here = 'm';

void shmx_fault_role(char role) { here = role; }

static void act(const char *action) {
  if (strncmp(action, "kill", 4) == 0) kill(getpid(), SIGKILL);
  if (strncmp(action, "term", 4) == 0) kill(getpid(), SIGTERM);
  if (strncmp(action, "stop", 4) == 0) kill(getpid(), SIGSTOP);
  if (strncmp(action, "abort", 5) == 0) abort();
  if (strncmp(action, "exit", 4) == 0) _exit(3);
}

/* The file that the test has made must be there for the fault to happen. */
static bool is_armed(const char *mark) { return !mark || access(mark, F_OK) == 0; }

/* True for one process among all that ask. */
static bool is_first(const char *mark) {
  char path[PATH_MAX];
  if (!mark) return true;
  if (unlink(mark) < 0) return false;
  snprintf(path, sizeof path, "%s.done", mark);
  FILE *file = fopen(path, "we");
  if (file) fprintf(file, "%d\n", (int)getpid());
  if (file) fclose(file);
  return true;
}

void shmx_fault(const char *point) {
  static unsigned long passed;
  const char *wish = getenv("SHMX_FAULT"), *mark = getenv("SHMX_FAULT_MARK");
  size_t length = strlen(point);
  if (point[0] != here || !wish || strncmp(wish, point, length) != 0 || wish[length] != ':') return;
  const char *action = wish + length + 1, *number = strchr(action, ':');
  if (!is_armed(mark)) return;
  if (++passed == (number ? strtoul(number + 1, NULL, 10) : 1) && is_first(mark)) act(action);
}

unsigned shmx_fault_number(const char *variable, unsigned otherwise) {
  const char *text = getenv(variable);
  return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}
#else
typedef int shmx_fault_is_compiled_out; /* ISO C wants a declaration in every file */
#endif
