/* SPDX-License-Identifier: MIT */
/*
 * What a process can still find out when it crashes. Everything here may run in a signal handler, at any instruction: it
 * allocates nothing, takes no lock and leaves to the C library what is plain system calls.
 *
 * The handler has a stack of its own, since the crash may be that the other one is full. It is gone after its first
 * signal: a crash in the report ends the process at once, as if there were no report.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "os/os.h"

static shmx_os_crash_report *report;
static char handler_stack[64 << 10];

static const void *place_of(const ucontext_t *context) {
#if defined __x86_64__
  return (const void *)context->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
  return (const void *)context->uc_mcontext.pc;
#else
  (void)context;
  return NULL;
#endif
}

/* Returning runs the instruction again, and it crashes again, with nobody in its way; a signal that somebody has sent has
 * to be sent again. */
static void on_crash(int signal, siginfo_t *info, void *context) {
  report(place_of(context));
  if (info->si_code <= 0) raise(signal);
}

void shmx_os_watch_crashes(shmx_os_crash_report *function) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  const stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
  struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
  report = function;
  sigaltstack(&stack, NULL);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}

/* --- /proc/self/maps --- */

/* Reads a number in hexadecimal and the character behind it. */
static uintptr_t read_hex(const char **at) {
  uintptr_t value = 0;
  for (;; (*at)++) {
    char c = **at;
    if (c >= '0' && c <= '9') value = value << 4 | (uintptr_t)(c - '0');
    else if (c >= 'a' && c <= 'f') value = value << 4 | (uintptr_t)(c - 'a' + 10);
    else break;
  }
  if (**at) (*at)++;
  return value;
}

/* "55d0c0-55d0f0 r-xp 00000000 fd:01 1234   /usr/bin/lua": is `address` in it, and in a file? */
static bool line_has(const char *line, uintptr_t address, char *out, size_t room) {
  uintptr_t from = read_hex(&line), to = read_hex(&line);
  const char *file = strchr(line, '/');
  if (address < from || address >= to || !file) return false;
  size_t length = strlen(file);
  if (length >= room) length = room - 1;
  memcpy(out, file, length);
  out[length] = 0;
  return true;
}

bool shmx_os_file_at(const void *address, char *out, size_t room) {
  char text[8192];
  size_t have = 0;
  ssize_t n;
  bool found = false;
  int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || room == 0) return false;
  while (!found && have < sizeof text && (n = read(fd, text + have, sizeof text - have)) > 0) {
    char *line = text, *end = text + have + n, *newline;
    while (!found && (newline = memchr(line, '\n', (size_t)(end - line)))) {
      *newline = 0;
      found = line_has(line, (uintptr_t)address, out, room);
      line = newline + 1;
    }
    have = (size_t)(end - line);
    memmove(text, line, have);
  }
  close(fd);
  return found;
}
