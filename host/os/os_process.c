/* SPDX-License-Identifier: MIT */
/*
 * Processes and the sockets between them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "os/os.h"

extern char **environ;

enum { SHORT_SLICE_NS = 100000 }; /* the least there is */

int shmx_os_pidfd(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by definition */
  return fd < 0 ? -errno : shmx_os_above_standard((int)fd);
}

int shmx_os_pidfd_kill(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

bool shmx_os_dies_of(int signal) {
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

void shmx_os_reap(pid_t pid) {
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
}

pid_t shmx_os_next_child(char *change, int *status) {
  siginfo_t info = {0};
  while (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT) < 0)
    if (errno != EINTR) return 0;
  bool exited = info.si_code == CLD_EXITED;
  *change = info.si_code == CLD_STOPPED ? 's' : info.si_code == CLD_CONTINUED ? 'c' : 'x';
  *status = exited ? (info.si_status & 0xFF) << 8 : info.si_status & 0x7F;
  return info.si_pid;
}

void shmx_os_take_child(pid_t pid, char change) {
  siginfo_t info;
  int what = change == 'x' ? WEXITED : change == 's' ? WSTOPPED : WCONTINUED;
  while (waitid(P_PID, (id_t)pid, &info, what | WNOHANG) < 0 && errno == EINTR) {
  }
}

int shmx_os_child_events(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

/* Standard input reads from /dev/null, which also stands in where another standard stream is closed: otherwise what we open
 * next would take its place. */
static int settle_standard(void) {
  int fd = open("/dev/null", O_RDWR);
  if (fd < 0) return -errno;
  int r = dup2(fd, STDIN_FILENO) < 0 ? -errno : 0;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd >= 0) close(fd);
  return r;
}

/* A process that asks for short slices of time may interrupt others when it wakes up (Linux 6.12 and later): one that runs
 * for microseconds gets its core at once and takes next to nothing from anyone. Its share of the core stays what it was.
 * Workers have this from the supervisor: main wakes one, often on its own core, and the task runs before main goes on to
 * wait for it. Without this they only come later, so failing is no failure. Who was started with another policy keeps it. */
static void ask_for_short_slices(void) {
  struct { /* the kernel's struct sched_attr, in its first version */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attr;
  if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) < 0 || attr.policy != SCHED_OTHER) return;
  attr.runtime = SHORT_SLICE_NS;
  syscall(SYS_sched_setattr, 0, &attr, 0);
}

int shmx_os_settle_supervisor(void) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || prctl(PR_SET_PDEATHSIG, SIGCONT) < 0) return -errno;
  ask_for_short_slices();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  return settle_standard();
}

/* The parent is dead, and with it who would have killed what this process has started. */
static void end_group(int signal) {
  (void)signal;
  kill(0, SIGKILL);
}

/* The death of the parent arrives as a signal that nobody else uses: SIGKILL would end this process alone. Should it be
 * stopped at that time, the kernel wakes it, because its group has become an orphan. */
static int die_with_parent(pid_t parent) {
  int signal = SIGRTMAX - 1;
  struct sigaction action = {.sa_handler = end_group};
  sigemptyset(&action.sa_mask);
  if (sigaction(signal, &action, NULL) < 0 || prctl(PR_SET_PDEATHSIG, signal) < 0) return -errno;
  return getppid() == parent ? 0 : -ESRCH; /* it may have died before the kernel knew our wish */
}

int shmx_os_settle_child(pid_t parent, const int *keep, int nkeep) {
  setpgid(0, 0);
  shmx_os_forget_fork();
  sigset_t none;
  sigemptyset(&none);
  for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
  int r = die_with_parent(parent);
  if (r < 0) return r;
  sigprocmask(SIG_SETMASK, &none, NULL);
  shmx_os_close_all(3, keep, nkeep);
  return 0;
}

/* Moves the descriptors above the places they are to have, so that no dup2 of the child overwrites one not yet moved. */
static int lift(const int *fds, int nfds, int *lifted) {
  for (int i = 0; i < nfds; i++) {
    lifted[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3 + nfds);
    if (lifted[i] < 0) {
      int error = errno;
      while (i-- > 0) close(lifted[i]);
      return -error;
    }
  }
  return 0;
}

int shmx_os_spawn(const char *path, char *const argv[], const int *fds, int nfds, pid_t *pid) {
  int lifted[16];
  if (nfds > 16) return -EINVAL;
  int r = lift(fds, nfds, lifted);
  if (r < 0) return r;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  for (int i = 0; i < nfds; i++) posix_spawn_file_actions_adddup2(&actions, lifted[i], 3 + i);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3 + nfds);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  r = -posix_spawn(pid, path, &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  for (int i = 0; i < nfds; i++) close(lifted[i]);
  return r;
}

void shmx_os_close_all(int first, const int *keep, int nkeep) {
  int from = first;
  for (int i = 0; i <= nkeep; i++) {
    int next = i < nkeep ? keep[i] : -1;
    if (i < nkeep && next < from) continue;
    if (i == nkeep) {
      close_range((unsigned)from, ~0U, 0);
    } else {
      if (next > from) close_range((unsigned)from, (unsigned)next - 1, 0);
      from = next + 1;
    }
  }
}

void shmx_os_close_on_exec(int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); }

int shmx_os_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return 0;
}

int shmx_os_directory(void) {
  int fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

bool shmx_os_files_are_used_up(int wanted) {
  int fds[SHMX_OS_FDS], count = 0;
  while (count < wanted && (fds[count] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) >= 0) count++;
  bool used_up = count < wanted && (errno == EMFILE || errno == ENFILE);
  while (count > 0) close(fds[--count]);
  return used_up;
}

uint64_t shmx_os_files(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur;
}

int shmx_os_raise_files(uint64_t *before) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  *before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

void shmx_os_restore_files(uint64_t soft) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = soft;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* The children of a process, as the kernel lists them; the list may miss some while others exit, so the caller repeats
 * it at the next death. */
void shmx_os_kill_strangers(bool (*known)(void *context, pid_t pid), void *context) {
  char path[64];
  siginfo_t info;
  if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD) return; /* there is none at all */
  snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
  FILE *file = fopen(path, "re");
  if (!file) return;
  int pid;
  while (fscanf(file, "%d", &pid) == 1)
    if (!known(context, pid)) kill(pid, SIGKILL);
  fclose(file);
}

/* The session of a process: the sixth field of its stat, counted from behind the name, which may have blanks. */
static pid_t session_of(const char *pid) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  char *name_end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  fclose(file);
  int session = -1;
  if (name_end) sscanf(name_end, ") %*c %*d %*d %d", &session);
  return session;
}

static bool kill_some_of_session(pid_t session) {
  DIR *proc = opendir("/proc");
  bool found = false;
  for (struct dirent *entry; proc && (entry = readdir(proc));) {
    pid_t pid = (pid_t)atol(entry->d_name);
    if (pid <= 0 || pid == session || session_of(entry->d_name) != session) continue;
    found |= kill(pid, SIGKILL) == 0;
  }
  if (proc) closedir(proc);
  return found;
}

/* While one process is killed another may fork, so the list is walked until it is empty, within reason. */
void shmx_os_kill_session(pid_t session) {
  for (int walks = 0; walks < 10 && kill_some_of_session(session); walks++) {
  }
}

int shmx_os_socketpair(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  for (int i = 0; i < 2; i++) ends[i] = shmx_os_above_standard(ends[i]);
  if (ends[0] >= 0 && ends[1] >= 0) return 0;
  int error = ends[0] < 0 ? ends[0] : ends[1];
  for (int i = 0; i < 2; i++) {
    if (ends[i] >= 0) close(ends[i]);
    ends[i] = -1;
  }
  return error;
}

union fd_buffer {
  char bytes[CMSG_SPACE(sizeof(int) * SHMX_OS_FDS)];
  struct cmsghdr align;
};

int shmx_os_send(int fd, const void *bytes, size_t size, const int *fds, int nfds, bool wait) {
  union fd_buffer control = {{0}};
  struct iovec part = {(void *)bytes, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (nfds > SHMX_OS_FDS) return -EINVAL;
  if (nfds > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)nfds);
  }
  for (;;) {
    ssize_t sent = shmx_syscalls.sendmsg(fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    if (sent >= 0) return 0;
    if (errno != EINTR) return -errno;
  }
}

/* Takes the descriptors out of a received message into `fds`. False when there are more than there is room for, or one
 * cannot be had: those are closed. */
static bool take_fds(struct msghdr *message, int *fds, int room, int *count) {
  bool all = true;
  *count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      fd = shmx_os_above_standard(fd);
      bool taken = fd >= 0 && *count < room;
      if (taken) fds[(*count)++] = fd;
      else if (fd >= 0) close(fd);
      all = all && taken;
    }
  }
  return all;
}

ssize_t shmx_os_receive(int fd, void *bytes, size_t size, int *fds, int *nfds, bool wait) {
  union fd_buffer control;
  struct iovec part = {bytes, size};
  ssize_t got;
  struct msghdr message;
  for (;;) {
    message = (struct msghdr){
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    got = shmx_syscalls.recvmsg(fd, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    if (got >= 0) break;
    /* A dead peer that left a message of ours unread resets the connection, before its own queue has been read. */
    if (errno != EINTR && errno != ECONNRESET) return -errno;
  }
  bool all = take_fds(&message, fds, *nfds, nfds);
  /* An empty record with descriptors would pass for the end of file. */
  if (all && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && (got > 0 || *nfds == 0)) return got;
  for (int i = 0; i < *nfds; i++) close(fds[i]);
  *nfds = 0;
  return -EMSGSIZE;
}

int shmx_os_poll(int fd, int other, int64_t deadline) {
  struct pollfd fds[2] = {{fd, POLLIN, 0}, {other, POLLIN, 0}};
  struct timespec left = {0}, *timeout = NULL;
  if (deadline >= 0) {
    int64_t ns = deadline - shmx_os_now();
    if (ns > 0) left = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    timeout = &left;
  }
  int r = ppoll(fds, 2, timeout, NULL);
  if (r < 0) return -errno;
  return (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0);
}
