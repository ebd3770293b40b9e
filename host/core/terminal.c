/* SPDX-License-Identifier: MIT */
/*
 * The terminal of the progress bars. All decisions are core/progress.c's; here are the loop that writes one batch after
 * the other until the terminal takes no more, and at the end of the file the system calls.
 *
 * A terminal that takes nothing (Ctrl-S) is tried again after a while that grows. Readiness is no better: the kernel
 * also refuses while main's own write is under way, and that ends unannounced.
 */
#include "core/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "os/os.h"

#define RETRY_FIRST_MS 2
#define RETRY_LAST_MS  200
#define DESTROY_WAITS  5
#define DESTROY_MS     20
#define WRITE_MS       100

struct window {
  unsigned rows, columns;
};

static int open_again(int fd);
static bool device_of(int fd, unsigned *device);
static void prepare_waiting(int fd);
static ssize_t write_some(const struct shmx_terminal *terminal, const char *bytes, size_t n);
static struct window window_size(int fd);
static void wait_writable(int fd, int timeout_ms);
static bool read_stat(pid_t pid, char *text, size_t size);

unsigned shmx_terminal_flags(void) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  const char *locale = NULL, *type = getenv("TERM");
  for (size_t i = 0; i < sizeof variables / sizeof variables[0] && !(locale && *locale); i++) {
    locale = getenv(variables[i]);
  }
  unsigned flags = !type || !*type || !strcmp(type, "dumb") ? SHMX_TERMINAL_DUMB : 0;
  if (locale && (strcasestr(locale, "UTF-8") || strcasestr(locale, "UTF8"))) flags |= SHMX_TERMINAL_UTF8;
  return flags;
}

int shmx_terminal_open(int fd) {
  struct stat stat;
  if (fstat(fd, &stat)) return -errno;
  if (S_ISREG(stat.st_mode) || S_ISSOCK(stat.st_mode)) {
    int shared = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return shared < 0 ? -errno : shared;
  }
  return open_again(fd);
}

int shmx_terminal_create(int fd, pid_t main, unsigned flags, struct shmx_terminal **terminal) {
  struct stat stat;
  if (fstat(fd, &stat)) return -errno;
  struct shmx_terminal *new = calloc(1, sizeof *new);
  if (!new) {
    close(fd);
    return -ENOMEM;
  }
  new->fd = fd;
  new->main = main;
  new->is_terminal = isatty(fd) && !(flags & SHMX_TERMINAL_DUMB);
  new->is_socket = S_ISSOCK(stat.st_mode);
  new->retry_ms = RETRY_FIRST_MS;
  new->progress = shmx_progress_create(new->is_terminal, flags & SHMX_TERMINAL_UTF8);
  if (!new->progress) {
    shmx_terminal_destroy(new, 0);
    return -ENOMEM;
  }
  if (new->is_terminal) prepare_waiting(fd);
  *terminal = new;
  return 0;
}

bool shmx_terminal_is_at(const struct shmx_terminal *terminal, int fd) {
  unsigned ours, other;
  return terminal->is_terminal && device_of(terminal->fd, &ours) && device_of(fd, &other) && ours == other;
}

/* Writes what is in the output. True when all is written; false: later, or never. */
static bool drain(struct shmx_terminal *terminal) {
  for (;;) {
    size_t n;
    const char *bytes = shmx_progress_output(terminal->progress, &n);
    if (n == 0) return true;
    ssize_t written = write_some(terminal, bytes, n);
    if (written == -EAGAIN || written == 0) return false;
    if (written < 0) {
      terminal->dead = true;
      shmx_progress_mute(terminal->progress);
      return false;
    }
    shmx_progress_written(terminal->progress, (size_t)written);
    terminal->retry_ms = RETRY_FIRST_MS;
  }
}

static int64_t retry_later(struct shmx_terminal *terminal) {
  if (terminal->dead) return -1;
  int64_t wait_ms = terminal->retry_ms;
  terminal->retry_ms = wait_ms * 2 < RETRY_LAST_MS ? wait_ms * 2 : RETRY_LAST_MS;
  return wait_ms;
}

/* The fields of /proc/PID/stat after the name, which may contain anything: state, parent, process group, session,
 * terminal, and the terminal's foreground process group. */
static bool in_background(const char *stat, unsigned device) {
  int group, number, foreground;
  const char *fields = strrchr(stat, ')');
  if (!fields || sscanf(fields + 1, " %*c %*d %d %*d %d %d", &group, &number, &foreground) != 3) return false;
  return foreground > 0 && group != foreground && (unsigned)number == device;
}

static bool main_in_background(const struct shmx_terminal *terminal) {
  char text[512];
  unsigned device;
  if (!device_of(terminal->fd, &device) || !read_stat(terminal->main, text, sizeof text)) return false;
  return in_background(text, device);
}

static struct window drawable(const struct shmx_terminal *terminal) {
  if (!terminal->is_terminal) return (struct window){0, 0};
  struct window window = window_size(terminal->fd);
  if (main_in_background(terminal)) window.rows = 0;
  return window;
}

int64_t shmx_terminal_tick(struct shmx_terminal *terminal, int64_t now_ms) {
  struct shmx_progress *progress = terminal->progress;
  for (;;) {
    if (!drain(terminal)) return retry_later(terminal);
    int64_t due_ms = shmx_progress_due(progress, now_ms);
    if (due_ms != 0) return due_ms;
    struct window window = drawable(terminal);
    shmx_progress_make(progress, window.rows, window.columns, now_ms);
  }
}

void shmx_terminal_destroy(struct shmx_terminal *terminal, int64_t now_ms) {
  if (!terminal) return;
  if (terminal->progress) {
    shmx_progress_withdraw(terminal->progress);
    for (int i = 0; i < DESTROY_WAITS && shmx_terminal_tick(terminal, now_ms) >= 0; i++) {
      wait_writable(terminal->fd, DESTROY_MS);
    }
  }
  close(terminal->fd);
  shmx_progress_destroy(terminal->progress);
  free(terminal);
}

/* System calls: each returns a result or -errno. */

/* A terminal of another user's (after su) cannot be opened by its name, but as the controlling one. */
static int open_again(int fd) {
  char path[32];
  unsigned device, controlling;
  int flags = O_WRONLY | O_NOCTTY | O_NONBLOCK;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int own = shmx_os_open(path, flags, 0);
  if (own >= 0 || !device_of(fd, &device)) return own;
  int tty = shmx_os_open("/dev/tty", flags, 0);
  if (tty >= 0 && device_of(tty, &controlling) && controlling == device) return tty;
  if (tty >= 0) close(tty);
  return own;
}

void shmx_terminal_mend(int fd) { shmx_os_file_write(fd, SHMX_PROGRESS_RESET, sizeof SHMX_PROGRESS_RESET - 1); }

/* The number of the terminal behind a descriptor, which also tells /dev/tty by its true name. */
static bool device_of(int fd, unsigned *device) { return ioctl(fd, TIOCGDEV, device) == 0; }

static void wake(int signal) { (void)signal; }

/* Writes wait from now on, until SIGALRM. */
static void prepare_waiting(int fd) {
  struct sigaction action = {.sa_handler = wake}; /* no SA_RESTART */
  sigemptyset(&action.sa_mask);
  sigaction(SIGALRM, &action, NULL);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* Again and again, since the first may come before the write begins to wait. */
static void alarm_every(long ms) {
  struct itimerval timer = {{0, ms * 1000}, {0, ms * 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static ssize_t write_waiting(int fd, const char *bytes, size_t n) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
  if (poll(&poll_fd, 1, 0) <= 0) return -EAGAIN;
  alarm_every(WRITE_MS);
  ssize_t written = write(fd, bytes, n);
  int error = errno;
  alarm_every(0);
  return written >= 0 ? written : error == EINTR ? -EAGAIN : -error;
}

static ssize_t write_some(const struct shmx_terminal *terminal, const char *bytes, size_t n) {
  if (terminal->is_terminal) return write_waiting(terminal->fd, bytes, n);
  for (;;) {
    ssize_t written =
        terminal->is_socket ? send(terminal->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(terminal->fd, bytes, n);
    if (written >= 0) return written;
    if (errno != EINTR) return -errno;
  }
}

static struct window window_size(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size)) return (struct window){0, 0};
  return (struct window){size.ws_row, size.ws_col};
}

static void wait_writable(int fd, int timeout_ms) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
  (void)poll(&poll_fd, 1, timeout_ms);
}

static bool read_stat(pid_t pid, char *text, size_t size) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, size - 1);
  close(fd);
  if (n < 0) return false;
  text[n] = '\0';
  return true;
}
