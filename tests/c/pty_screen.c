/* SPDX-License-Identifier: MIT */
/*
 * pty_screen RECORD ROWS COLUMNS COMMAND [ARGUMENT...]
 *
 * Runs a command on a pseudo-terminal of its own, its controlling one, until nobody has that open any more, and shows
 * what a person would see: all rows that scrolled off and those of the screen, then a line on the terminal's state.
 * The bytes themselves go into the file RECORD. Fails when the command leaves processes behind that hold the terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "screen.h"

enum { LIMIT_S = 60 };

static int open_master(int rows, int columns) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  CHECK(master >= 0 && !grantpt(master) && !unlockpt(master) && !ioctl(master, TIOCSWINSZ, &size));
  return master;
}

static pid_t start(int master, char **command) {
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  CHECK(slave >= 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid > 0) {
    close(slave);
    return pid;
  }
  CHECK(setsid() > 0 && !ioctl(slave, TIOCSCTTY, 0));
  for (int fd = 0; fd < 3; fd++) CHECK(dup2(slave, fd) == fd);
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

/* Until the last process has closed the terminal, which reads as EIO. */
static void follow(int master, struct screen *screen, FILE *record) {
  char bytes[4096];
  ssize_t n;
  while ((n = read(master, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR)) {
    if (n < 0) continue;
    fwrite(bytes, 1, (size_t)n, record);
    screen_feed(screen, bytes, (size_t)n);
  }
}

static void show(const struct screen *screen) {
  int lines = screen_lines(screen);
  while (lines > 0 && screen_line(screen, lines - 1)[0] == '\0') lines--;
  for (int i = 0; i < lines; i++) puts(screen_line(screen, i));
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: %s RECORD ROWS COLUMNS COMMAND [ARGUMENT...]\n", argv[0]);
    return 2;
  }
  alarm(LIMIT_S);
  int status, rows = atoi(argv[2]), columns = atoi(argv[3]), master = open_master(rows, columns);
  struct screen *screen = screen_create(rows, columns);
  FILE *record = fopen(argv[1], "wb");
  CHECK(record);
  pid_t pid = start(master, argv + 4);
  follow(master, screen, record);
  CHECK(waitpid(pid, &status, 0) == pid && fclose(record) == 0);
  show(screen);
  printf("region %d-%d, wrapping %s, column %d, %s %d\n", screen->top + 1, screen->bottom + 1,
         screen->wrap ? "on" : "off", screen->cursor.column + 1, WIFSIGNALED(status) ? "signal" : "exit",
         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  screen_destroy(screen);
  return 0;
}
