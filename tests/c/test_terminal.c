/* SPDX-License-Identifier: MIT */
/*
 * Progress bars on a real pseudo-terminal, a pipe and a file: nothing waits, nothing is lost, the window's size is
 * followed. The test plays the terminal: it reads the master's side into an emulated screen.
 */
#include "core/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>

#include "screen.h"

enum { ROWS = 24, COLUMNS = 80 };

struct pty {
  int master, slave;
};

static void set_size(int fd, int rows, int columns) {
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  CHECK(!ioctl(fd, TIOCSWINSZ, &size));
}

static struct pty open_pty(void) {
  struct pty pty = {.master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)};
  CHECK(pty.master >= 0 && !grantpt(pty.master) && !unlockpt(pty.master));
  pty.slave = open(ptsname(pty.master), O_RDWR | O_NOCTTY);
  CHECK(pty.slave >= 0);
  set_size(pty.master, ROWS, COLUMNS);
  return pty;
}

static void close_pty(struct pty *pty) {
  close(pty->slave);
  close(pty->master);
}

static struct shmx_terminal *open_terminal(int fd) {
  struct shmx_terminal *terminal = NULL;
  CHECK(shmx_terminal_create(shmx_terminal_open(fd), getpid(), SHMX_TERMINAL_UTF8, &terminal) == 0);
  return terminal;
}

/* All that can be read now, to the screen; returns the bytes. */
static size_t read_screen(int fd, struct screen *screen) {
  char bytes[4096];
  size_t all = 0;
  for (;;) {
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n <= 0) return all;
    screen_feed(screen, bytes, (size_t)n);
    all += (size_t)n;
  }
}

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void set_tasks(struct shmx_terminal *terminal, uint64_t done, int64_t now_ms) {
  shmx_progress_set(terminal->progress, SHMX_PHASE_TASKS, done, 1000, "work(1000)", 0, now_ms);
}

static void pass_line(struct shmx_terminal *terminal, const char *text) {
  struct shmx_text partial = {0};
  CHECK(!shmx_progress_lines(terminal->progress, &partial, text, strlen(text)));
  shmx_text_fini(&partial);
}

static void print(int fd, const char *text) { CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text)); }

static void draws_on_the_terminal_and_leaves_it_clean(void) {
  struct pty pty = open_pty();
  struct screen *screen = screen_create(ROWS, COLUMNS);
  struct shmx_terminal *terminal = open_terminal(pty.slave);
  print(pty.slave, "main ");
  set_tasks(terminal, 500, 0);
  CHECK(shmx_terminal_tick(terminal, 0) == SHMX_PROGRESS_FRAME_MS);
  CHECK(shmx_terminal_tick(terminal, 100) == SHMX_PROGRESS_REFRESH_MS);
  print(pty.slave, "prints\n");
  read_screen(pty.master, screen);
  CHECK(!strcmp(screen_row(screen, 0), "main prints"));
  CHECK(strstr(screen_row(screen, ROWS - 1), "tasks:  50%|"));
  shmx_terminal_destroy(terminal, 200);
  read_screen(pty.master, screen);
  CHECK(!strcmp(screen_row(screen, ROWS - 1), "") && screen->bottom == ROWS - 1 && screen->wrap);
  CHECK(screen->cursor.row == 1 && screen->cursor.column == 0);
  CHECK(!(fcntl(pty.slave, F_GETFL) & O_NONBLOCK)); /* main's own open file is untouched */
  screen_destroy(screen);
  close_pty(&pty);
}

static void follows_the_windows_size(void) {
  struct pty pty = open_pty();
  struct screen *screen = screen_create(ROWS, COLUMNS);
  struct shmx_terminal *terminal = open_terminal(pty.slave);
  set_tasks(terminal, 500, 0);
  shmx_terminal_tick(terminal, 100);
  read_screen(pty.master, screen);
  set_size(pty.master, 10, 50);
  screen_resize(screen, 10, 50);
  shmx_terminal_tick(terminal, 100 + SHMX_PROGRESS_REFRESH_MS);
  read_screen(pty.master, screen);
  CHECK(strstr(screen_row(screen, 9), "tasks:  50%|") && screen->bottom == 8);
  shmx_terminal_destroy(terminal, 500);
  screen_destroy(screen);
  close_pty(&pty);
}

static void never_waits_for_a_terminal_that_takes_nothing(void) {
  struct pty pty = open_pty();
  struct screen *screen = screen_create(ROWS, COLUMNS);
  struct shmx_terminal *terminal = open_terminal(pty.slave);
  struct shmx_text partial = {0};
  double start = seconds();
  int64_t now_ms = 0, wait_ms = 0;
  int lines = 0;
  for (; !shmx_progress_full(terminal->progress); lines++, now_ms += 100) {
    char text[64];
    int n = snprintf(text, sizeof text, "line %d of a worker\n", lines);
    CHECK(shmx_progress_lines(terminal->progress, &partial, text, (size_t)n) == 0);
    set_tasks(terminal, (uint64_t)lines % 999, now_ms);
    wait_ms = shmx_terminal_tick(terminal, now_ms);
  }
  CHECK(lines > 5000 && wait_ms > 0 && wait_ms <= 200);
  while (shmx_terminal_tick(terminal, now_ms) >= 0 && read_screen(pty.master, screen) > 0) continue;
  CHECK(seconds() - start < 20);
  CHECK(!shmx_progress_full(terminal->progress));
  for (int i = 0, next = 0; next < lines; i++) {
    char text[64];
    CHECK(i < screen_lines(screen));
    snprintf(text, sizeof text, "line %d of a worker", next);
    next += !strcmp(screen_line(screen, i), text);
  }
  CHECK(strstr(screen_row(screen, ROWS - 1), "tasks: "));
  shmx_text_fini(&partial);
  shmx_terminal_destroy(terminal, now_ms);
  screen_destroy(screen);
  close_pty(&pty);
}

static void gives_up_soon_on_a_stopped_terminal_at_the_end(void) {
  struct pty pty = open_pty();
  struct shmx_terminal *terminal = open_terminal(pty.slave);
  CHECK(!tcflow(pty.slave, TCOOFF));
  set_tasks(terminal, 1, 0);
  CHECK(shmx_terminal_tick(terminal, 100) > 0);
  double start = seconds();
  shmx_terminal_destroy(terminal, 200);
  CHECK(seconds() - start < 1);
  close_pty(&pty);
}

static void a_terminal_that_hung_up_silences_the_progress(void) {
  struct pty pty = open_pty();
  struct shmx_terminal *terminal = open_terminal(pty.slave);
  close(pty.master);
  set_tasks(terminal, 1, 0);
  pass_line(terminal, "nobody reads this\n");
  CHECK(shmx_terminal_tick(terminal, 100) == -1);
  CHECK(terminal->dead);
  shmx_terminal_destroy(terminal, 200);
  close(pty.slave);
}

static void a_dumb_terminal_gets_plain_lines(void) {
  struct pty pty = open_pty();
  struct screen *screen = screen_create(ROWS, COLUMNS);
  struct shmx_terminal *terminal;
  CHECK(!shmx_terminal_create(shmx_terminal_open(pty.slave), getpid(), SHMX_TERMINAL_DUMB, &terminal));
  set_tasks(terminal, 500, 0);
  CHECK(shmx_terminal_tick(terminal, 100) == SHMX_PROGRESS_PLAIN_MS - 100);
  shmx_progress_end(terminal->progress, 1000);
  shmx_terminal_tick(terminal, 1000);
  read_screen(pty.master, screen);
  CHECK(!strcmp(screen_row(screen, 0), "tasks:  50% 500/1,000 [00:01<00:01, 500 task/s]"));
  shmx_terminal_destroy(terminal, 1000);
  screen_destroy(screen);
  close_pty(&pty);
}

static void shares_the_place_in_a_file_with_main(void) {
  FILE *file = tmpfile();
  CHECK(file);
  int fd = fileno(file);
  struct shmx_terminal *terminal = open_terminal(fd);
  print(fd, "one\n");
  pass_line(terminal, "two\n");
  CHECK(shmx_terminal_tick(terminal, 0) == -1);
  print(fd, "three\n");
  shmx_terminal_destroy(terminal, 0);
  char text[64] = "";
  CHECK(pread(fd, text, sizeof text - 1, 0) > 0);
  CHECK(!strcmp(text, "one\ntwo\nthree\n"));
  fclose(file);
}

/* Fills a pipe or a socket that nobody reads, then reads it, then takes the reader away. */
static void check_stream(const int ends[2]) {
  struct shmx_terminal *terminal = open_terminal(ends[1]);
  size_t lines = 0, newlines = 0;
  char bytes[4096];
  ssize_t n;
  for (; !shmx_progress_full(terminal->progress); lines++) {
    pass_line(terminal, "a line of a worker\n");
    (void)shmx_terminal_tick(terminal, 0);
  }
  while ((n = read(ends[0], bytes, sizeof bytes)) > 0) {
    for (ssize_t i = 0; i < n; i++) newlines += bytes[i] == '\n';
    (void)shmx_terminal_tick(terminal, 0);
  }
  CHECK(lines == newlines);
  CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
  close(ends[0]);
  pass_line(terminal, "nobody reads this\n");
  CHECK(shmx_terminal_tick(terminal, 0) == -1 && terminal->dead);
  shmx_terminal_destroy(terminal, 0);
  close(ends[1]);
}

static void never_waits_for_a_pipe_or_a_socket(void) {
  int ends[2];
  signal(SIGPIPE, SIG_IGN); /* as the supervisor does */
  CHECK(!pipe(ends) && !fcntl(ends[0], F_SETFL, O_NONBLOCK));
  check_stream(ends);
  CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends) && !fcntl(ends[0], F_SETFL, O_NONBLOCK));
  check_stream(ends);
}

/* Runs in a session of its own with the terminal as the controlling one, in the background or not. */
static void draw_as(struct pty *pty, bool background, bool expect_bar) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(setsid() > 0 && !ioctl(pty->slave, TIOCSCTTY, 0));
    struct shmx_terminal *terminal = open_terminal(pty->slave);
    pid_t other = background ? fork() : 0;
    if (background && other == 0) {
      setpgid(0, 0);
      signal(SIGTTOU, SIG_IGN);
      CHECK(!tcsetpgrp(pty->slave, getpgrp())); /* this child is in the foreground now */
      _exit(pause());
    }
    while (background && tcgetpgrp(pty->slave) == getpgrp()) usleep(1000);
    set_tasks(terminal, 500, 0);
    (void)shmx_terminal_tick(terminal, 100);
    struct screen *screen = screen_create(ROWS, COLUMNS);
    read_screen(pty->master, screen);
    CHECK((strstr(screen_row(screen, ROWS - 1), "tasks:") != NULL) == expect_bar);
    if (other > 0) kill(other, SIGKILL);
    shmx_terminal_destroy(terminal, 200);
    screen_destroy(screen);
    exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void draws_only_while_main_is_in_the_foreground(void) {
  struct pty first = open_pty(), second = open_pty();
  draw_as(&first, false, true);
  draw_as(&second, true, false);
  close_pty(&first);
  close_pty(&second);
}

static void reads_the_environment(void) {
  unsetenv("LC_ALL");
  unsetenv("LC_CTYPE");
  setenv("LANG", "en_GB.UTF-8", 1);
  setenv("TERM", "xterm", 1);
  CHECK(shmx_terminal_flags() == SHMX_TERMINAL_UTF8);
  setenv("LC_CTYPE", "C", 1);
  CHECK(shmx_terminal_flags() == 0);
  setenv("LC_ALL", "de_DE.utf8", 1);
  setenv("TERM", "dumb", 1);
  CHECK(shmx_terminal_flags() == (SHMX_TERMINAL_UTF8 | SHMX_TERMINAL_DUMB));
}

static void refuses_a_closed_descriptor(void) {
  struct shmx_terminal *terminal;
  CHECK(shmx_terminal_open(999) == -EBADF);
  CHECK(shmx_terminal_create(999, getpid(), 0, &terminal) == -EBADF);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {TEST(draws_on_the_terminal_and_leaves_it_clean),
                                      TEST(follows_the_windows_size),
                                      TEST(never_waits_for_a_terminal_that_takes_nothing),
                                      TEST(gives_up_soon_on_a_stopped_terminal_at_the_end),
                                      TEST(a_terminal_that_hung_up_silences_the_progress),
                                      TEST(a_dumb_terminal_gets_plain_lines),
                                      TEST(shares_the_place_in_a_file_with_main),
                                      TEST(never_waits_for_a_pipe_or_a_socket),
                                      TEST(draws_only_while_main_is_in_the_foreground),
                                      TEST(reads_the_environment),
                                      TEST(refuses_a_closed_descriptor),
                                      {0}};
  return run_tests(tests, argc, argv);
}
