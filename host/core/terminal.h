/* SPDX-License-Identifier: MIT */
/*
 * Writes what core/progress.h makes to main's standard error, without ever waiting long for it.
 *
 * The descriptor is one of its own, which main makes and sends: the terminal (or pipe) is opened once more, since
 * O_NONBLOCK belongs to the open file, and on the shared one it would make main's prints fail. A regular file is
 * written through the shared open file instead, because the place in it has to be shared with main; a socket, which
 * cannot be opened again, with MSG_DONTWAIT. Main does it because it has the controlling terminal: what was opened as
 * /dev/tty can be opened again by it alone. The supervisor has none, so nothing written here can stop it (SIGTTOU); it
 * ignores SIGPIPE.
 *
 * A terminal whose buffer is nearly full takes a part of a write, and main's next print would land in the middle of a
 * line. A write that waits keeps others out until it is complete. So a terminal that has room for a byte is written to
 * with waiting, cut off by SIGALRM after a tenth of a second: long enough for one that is being read, and one that is
 * not costs this once, since it has no room any more.
 *
 * The window's size is asked for whenever something is drawn: its signal goes to the foreground's processes only. While
 * main is not in the foreground of this terminal (stopped with Ctrl-Z, or started with &) no bar is drawn, since the
 * screen may be an editor's.
 *
 * Use: create; shmx_progress_set and shmx_progress_lines on `progress` as things happen; shmx_terminal_tick when the
 * time that it returned last has passed, and after each such call. Stop reading workers' pipes while
 * shmx_progress_full(progress).
 */
#ifndef SHMX_CORE_TERMINAL_H
#define SHMX_CORE_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/progress.h"

enum {
  SHMX_TERMINAL_UTF8 = 1, /* the locale is a UTF-8 one */
  SHMX_TERMINAL_DUMB = 2  /* no escape sequences, though it is a terminal */
};

struct shmx_terminal {
  int fd;
  pid_t main;
  bool is_terminal; /* and not a dumb one */
  bool is_socket;
  bool dead; /* hung up, or its reader is gone */
  int64_t retry_ms;
  struct shmx_progress *progress;
};

/* What the environment says: LC_ALL, LC_CTYPE or LANG, and TERM. */
unsigned shmx_terminal_flags(void);

/* Main: a descriptor to draw on, where `fd` (its standard error) leads. Returns it, close-on-exec, or -errno. */
int shmx_terminal_open(int fd);

/* Main, when the supervisor died with a bar on the screen: takes it away and makes the whole screen scroll again. */
void shmx_terminal_mend(int fd);

/* `fd` comes from shmx_terminal_open and is taken over, also when it fails. `main` is watched for being in the
 * foreground. 0 or -errno. */
int shmx_terminal_create(int fd, pid_t main, unsigned flags, struct shmx_terminal **terminal);

/* True when `fd` leads to the terminal that is drawn on; false when that is none. */
bool shmx_terminal_is_at(const struct shmx_terminal *terminal, int fd);

/* Writes what is due. Returns the milliseconds until it wants to be called again, -1: not until something changes. */
int64_t shmx_terminal_tick(struct shmx_terminal *terminal, int64_t now_ms);

/* Takes the bar away, writes what is left as far as that is possible within half a second, and closes. Call
 * shmx_progress_end before if the bar shall stay as a line. */
void shmx_terminal_destroy(struct shmx_terminal *terminal, int64_t now_ms);

#endif
