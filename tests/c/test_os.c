/* SPDX-License-Identifier: MIT */
/*
 * The system calls: what is refused, what is passed on, and that no descriptor is left behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "check.h"
#include "os/os.h"

static int open_fds(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

/* --- memory objects --- */

static void a_memfd_is_sealed_and_checked(void) {
  int fd = shmx_os_memfd("shmx", 8192);
  CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
  CHECK(ftruncate(fd, 4096) < 0 && ftruncate(fd, 16384) < 0);
  CHECK(shmx_os_memfd_check(fd, 8192) == 0);
  CHECK(shmx_os_memfd_check(fd, 4096) == -EPROTO && shmx_os_memfd_check(fd, 16384) == -EPROTO);
  CHECK(shmx_os_memfd("shmx", UINT64_MAX) == -EFBIG);
}

static bool is_kept_from_us(int signal) {
  sigset_t blocked, pending;
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  sigpending(&pending);
  return sigismember(&blocked, signal) || sigismember(&pending, signal);
}

static void what_is_larger_than_a_file_may_be_is_an_error_and_no_signal(void) {
  char path[] = "/tmp/shmx-test-XXXXXX", bytes[5000] = "";
  struct stat status;
  int file = mkstemp(path);
  unlink(path);
  CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, 8192}) == 0);
  CHECK(shmx_os_memfd("shmx", 8192) >= 0 && shmx_os_memfd("shmx", 8193) == -EFBIG);
  CHECK(shmx_os_shm_make(8192) >= 0 && shmx_os_shm_make(8193) == -EFBIG);
  CHECK(shmx_os_file_write(file, bytes, sizeof bytes) == 0);
  CHECK(shmx_os_file_write(file, bytes, sizeof bytes) == -EFBIG);
  CHECK(fstat(file, &status) == 0 && status.st_size == 8192);
  CHECK(!is_kept_from_us(SIGXFSZ));
  pid_t pid = fork();
  if (pid == 0) _exit((int)write(file, bytes, 1)); /* what is not ours ends as it would have */
  int how;
  CHECK(waitpid(pid, &how, 0) == pid && WIFSIGNALED(how) && WTERMSIG(how) == SIGXFSZ);
}

static void the_check_refuses_what_is_not_a_chunk(void) {
  int fds[2];
  CHECK(pipe(fds) == 0);
  CHECK(shmx_os_memfd_check(fds[0], 0) == -EPROTO && shmx_os_memfd_check(fds[1], 0) == -EPROTO);
  int directory = open("/tmp", O_RDONLY), null = open("/dev/null", O_RDWR);
  CHECK(shmx_os_memfd_check(directory, 0) == -EPROTO && shmx_os_memfd_check(null, 0) == -EPROTO);
  int unsealed = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING), never = memfd_create("x", MFD_CLOEXEC);
  CHECK(ftruncate(unsealed, 4096) == 0 && ftruncate(never, 4096) == 0);
  CHECK(shmx_os_memfd_check(unsealed, 4096) == -EPROTO && shmx_os_memfd_check(never, 4096) == -EPROTO);
  CHECK(fcntl(unsealed, F_ADD_SEALS, F_SEAL_GROW) == 0 && shmx_os_memfd_check(unsealed, 4096) == -EPROTO);
  CHECK(fcntl(unsealed, F_ADD_SEALS, F_SEAL_SHRINK) == 0 && shmx_os_memfd_check(unsealed, 4096) == 0);
  bool sealed = true;
  CHECK(shmx_os_memfd_check_sealed(unsealed, 4096, &sealed) == 0 && !sealed);
  CHECK(shmx_os_memfd_seal(unsealed) == 0 && shmx_os_memfd_check(unsealed, 4096) == -EPROTO);
  CHECK(shmx_os_memfd_check_sealed(unsealed, 4096, &sealed) == 0 && sealed);
  CHECK(fcntl(unsealed, F_ADD_SEALS, F_SEAL_WRITE) == 0 && shmx_os_memfd_check(unsealed, 4096) == -EPROTO);
  CHECK(shmx_os_memfd_check_sealed(unsealed, 4096, &sealed) == -EPROTO && shmx_os_memfd_seal(-1) == -EBADF);
  CHECK(shmx_os_memfd_check(-1, 0) == -EPROTO && shmx_os_memfd_check(999, 0) == -EPROTO);
}

static int asked;

static int slow_madvise(void *base, size_t size, int advice) {
  (void)base, (void)size, (void)advice;
  asked++;
  usleep(3000);
  return 0;
}

static void large_pages_that_take_longer_than_small_ones_are_for_those_who_wait(void) {
  enum { SIZE = 8 << 20 };
  struct shmx_syscalls real = shmx_syscalls;
  int fd = shmx_os_memfd("shmx", SIZE);
  void *base;
  CHECK(shmx_os_map(fd, SIZE, &base) == 0);
  shmx_syscalls.madvise = slow_madvise;
  CHECK(shmx_os_take_large_pages(fd, base, SIZE, false) == -EBUSY && asked == 1);
  CHECK(shmx_os_take_large_pages(fd, base, SIZE, false) == -EBUSY && asked == 1);
  CHECK(shmx_os_take_large_pages(fd, base, SIZE, true) == 0 && asked == 5);
  shmx_syscalls = real;
  shmx_os_unmap(base, SIZE);
  close(fd);
}

/* Whether this kernel has them or not. */
static void large_pages_are_zero_and_shared_like_others(void) {
  enum { SIZE = (4 << 20) + 4096 };
  int fd = shmx_os_memfd("shmx", SIZE);
  void *one, *other;
  CHECK(shmx_os_map(fd, SIZE, &one) == 0 && (uintptr_t)one % (2 << 20) == 0);
  int r = shmx_os_take_large_pages(fd, one, SIZE, true);
  CHECK(r == 0 || r == -EINVAL || r == -ENOMEM || r == -EAGAIN);
  CHECK(shmx_os_map(fd, SIZE, &other) == 0 && other != one);
  const char *bytes = other;
  CHECK(bytes[0] == 0 && memcmp(bytes, bytes + 1, SIZE - 1) == 0);
  memset(one, 7, SIZE);
  CHECK(bytes[0] == 7 && memcmp(bytes, bytes + 1, SIZE - 1) == 0);
  CHECK(shmx_os_punch(fd, 4096, 2 << 20) == 0); /* a large page is taken apart */
  CHECK(bytes[4095] == 7 && bytes[4096] == 0 && bytes[4095 + (2 << 20)] == 0 && bytes[4096 + (2 << 20)] == 7);
  CHECK(shmx_os_take_large_pages(fd, one, 4096, true) == -EINVAL);
  shmx_os_unmap(one, SIZE);
  shmx_os_unmap(other, SIZE);
  close(fd);
}

static void write_number(const char *folder, const char *name, const char *number) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  CHECK(file && fprintf(file, "%s\n", number) > 0 && fclose(file) == 0);
}

static void a_cgroup_has_the_room_that_the_ones_above_it_leave(void) {
  char root[] = "/tmp/test_os.XXXXXX", outer[64], inner[96], remove[128];
  CHECK(mkdtemp(root));
  snprintf(outer, sizeof outer, "%s/outer", root);
  snprintf(inner, sizeof inner, "%s/inner", outer);
  CHECK(mkdir(outer, 0700) == 0 && mkdir(inner, 0700) == 0);
  CHECK(shmx_os_cgroup_room(root, "/outer/inner", false) == UINT64_MAX);
  write_number(inner, "memory.max", "max");
  write_number(inner, "memory.current", "100");
  write_number(outer, "memory.max", "1000");
  write_number(outer, "memory.current", "300");
  CHECK(shmx_os_cgroup_room(root, "/outer/inner", false) == 700);
  write_number(inner, "memory.max", "150");
  CHECK(shmx_os_cgroup_room(root, "/outer/inner", false) == 50 && shmx_os_cgroup_room(root, "/outer", false) == 700);
  write_number(inner, "memory.current", "200"); /* the limit was made smaller than the use */
  CHECK(shmx_os_cgroup_room(root, "/outer/inner", false) == 0);
  write_number(root, "memory.limit_in_bytes", "5000");
  write_number(outer, "memory.limit_in_bytes", "9223372036854771712");
  CHECK(shmx_os_cgroup_room(root, "/outer/inner", true) == 5000);
  CHECK(shmx_os_cgroup_room(root, "/of/the/host", true) == 5000 && shmx_os_cgroup_room(root, "/", true) == 5000);
  snprintf(remove, sizeof remove, "rm -r %s", root);
  CHECK(system(remove) == 0);
}

/* With a standard descriptor closed, what is opened here must not become the new standard output. */
static void nothing_opened_takes_a_standard_descriptor(void) {
  int ends[2];
  close(0);
  close(1);
  CHECK(shmx_os_memfd("shmx", 4096) > 2);
  CHECK(shmx_os_eventfd() > 2 && shmx_os_pidfd(getpid()) > 2);
  CHECK(shmx_os_socketpair(ends) == 0 && ends[0] > 2 && ends[1] > 2);
  int sent = dup(2), fd = -1, count = 1;
  char byte;
  CHECK(shmx_os_send(ends[0], "x", 1, &sent, 1, false) == 0);
  close(sent);
  CHECK(shmx_os_receive(ends[1], &byte, 1, &fd, &count, false) == 1 && count == 1 && fd > 2);
}

/* --- sockets --- */

static void descriptors_travel_with_a_record(void) {
  int ends[2];
  CHECK(shmx_os_socketpair(ends) == 0);
  const int counts[] = {0, 1, 2, SHMX_OS_FDS};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    int before = open_fds(), n = counts[i], fds[SHMX_OS_FDS], got[SHMX_OS_FDS], room = SHMX_OS_FDS;
    char text[8];
    for (int k = 0; k < n; k++) fds[k] = shmx_os_memfd("shmx", 4096 * (uint64_t)(k + 1));
    CHECK(shmx_os_send(ends[0], "hello", 5, fds, n, false) == 0);
    for (int k = 0; k < n; k++) close(fds[k]);
    CHECK(shmx_os_receive(ends[1], text, sizeof text, got, &room, false) == 5 && memcmp(text, "hello", 5) == 0);
    CHECK(room == n);
    for (int k = 0; k < n; k++) {
      CHECK(shmx_os_memfd_check(got[k], 4096 * (uint64_t)(k + 1)) == 0 && (fcntl(got[k], F_GETFD) & FD_CLOEXEC));
      close(got[k]);
    }
    CHECK(open_fds() == before);
  }
}

/* A record with as many descriptors as a hostile sender likes. */
static void send_raw(int fd, size_t size, int nfds) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * 253)];
    struct cmsghdr align;
  } control = {{0}};
  char byte = 0;
  struct iovec part = {&byte, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes};
  message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
  for (int i = 0; i < nfds; i++) memcpy(CMSG_DATA(header) + (size_t)i * sizeof(int), &(int){2}, sizeof(int));
  CHECK(sendmsg(fd, &message, 0) >= 0);
}

static void more_descriptors_than_there_is_room_for_are_all_closed(void) {
  int ends[2], before;
  CHECK(shmx_os_socketpair(ends) == 0);
  before = open_fds();
  const int counts[] = {2, 4, 5, 16, 253};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    int fd = -1, room = 1;
    char byte;
    send_raw(ends[0], 1, counts[i]);
    CHECK(shmx_os_receive(ends[1], &byte, 1, &fd, &room, false) == -EMSGSIZE && room == 0);
    CHECK(open_fds() == before);
  }
  int fds[SHMX_OS_FDS], room = SHMX_OS_FDS;
  char byte;
  send_raw(ends[0], 0, 3); /* an empty record looks like the end of file, and brings descriptors all the same */
  CHECK(shmx_os_receive(ends[1], &byte, 1, fds, &room, false) == -EMSGSIZE && room == 0);
  CHECK(open_fds() == before);
  int five[5] = {2, 2, 2, 2, 2};
  CHECK(shmx_os_send(ends[0], "x", 1, five, 5, false) == -EINVAL);
}

static void a_record_that_is_too_long_is_refused(void) {
  int ends[2], none = 0;
  char bytes[4];
  CHECK(shmx_os_socketpair(ends) == 0);
  CHECK(shmx_os_send(ends[0], "0123456789", 10, NULL, 0, false) == 0);
  CHECK(shmx_os_receive(ends[1], bytes, sizeof bytes, NULL, &none, false) == -EMSGSIZE);
  CHECK(shmx_os_receive(ends[1], bytes, sizeof bytes, NULL, &none, false) == -EAGAIN);
}

/* At the limit of open files a record arrives without its descriptors: that is a failure. */
static void a_descriptor_that_could_not_be_had_is_a_failure(void) {
  int ends[2], fds[2] = {-1, -1}, room = 2;
  char byte;
  CHECK(shmx_os_socketpair(ends) == 0);
  CHECK(shmx_os_send(ends[0], "x", 1, (int[]){0, 2}, 2, false) == 0);
  struct rlimit usual;
  CHECK(getrlimit(RLIMIT_NOFILE, &usual) == 0);
  struct rlimit limit = {(rlim_t)ends[1] + 2, usual.rlim_max};
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0); /* room for one */
  int before = dup(0);
  close(before);
  CHECK(shmx_os_receive(ends[1], &byte, 1, fds, &room, false) == -EMSGSIZE && room == 0);
  CHECK(dup(0) == before);
  CHECK(setrlimit(RLIMIT_NOFILE, &usual) == 0);
}

static void what_a_reset_peer_had_sent_is_still_read(void) {
  int ends[2], none = 0;
  char byte;
  CHECK(shmx_os_socketpair(ends) == 0);
  for (int i = 0; i < 3; i++) CHECK(shmx_os_send(ends[1], &(char){(char)('a' + i)}, 1, NULL, 0, false) == 0);
  CHECK(shmx_os_send(ends[0], "unread", 6, NULL, 0, false) == 0);
  close(ends[1]); /* with a record of ours unread: the kernel says ECONNRESET first */
  for (int i = 0; i < 3; i++) CHECK(shmx_os_receive(ends[0], &byte, 1, NULL, &none, false) == 1 && byte == 'a' + i);
  CHECK(shmx_os_receive(ends[0], &byte, 1, NULL, &none, false) == 0);
  CHECK(shmx_os_send(ends[0], "x", 1, NULL, 0, false) == -EPIPE);
}

static int interruptions;
static ssize_t interrupted_send(int fd, const struct msghdr *message, int flags) {
  if (interruptions-- > 0) return errno = EINTR, -1;
  return sendmsg(fd, message, flags);
}
static ssize_t interrupted_receive(int fd, struct msghdr *message, int flags) {
  if (interruptions-- > 0) return errno = EINTR, -1;
  return recvmsg(fd, message, flags);
}

static void interrupted_calls_are_repeated(void) {
  int ends[2], none = 0;
  char byte;
  CHECK(shmx_os_socketpair(ends) == 0);
  shmx_syscalls.sendmsg = interrupted_send;
  shmx_syscalls.recvmsg = interrupted_receive;
  interruptions = 3;
  CHECK(shmx_os_send(ends[0], "x", 1, NULL, 0, true) == 0);
  interruptions = 3;
  CHECK(shmx_os_receive(ends[1], &byte, 1, NULL, &none, true) == 1 && byte == 'x');
}

/* --- processes --- */

/* The shell says which of its descriptors are open, and what comes out of number 4. */
static void a_spawned_process_has_exactly_the_descriptors(void) {
  int out[2], in[2];
  CHECK(pipe(out) == 0 && pipe(in) == 0);
  for (int i = 0; i < 5; i++) CHECK(dup(0) >= 0); /* not close-on-exec: must not arrive either */
  CHECK(write(in[1], "hello\n", 6) == 6);
  char script[] = "read x <&4; for i in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$i ] && echo $i; done >&3; "
                  "echo $x >&3";
  char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
  pid_t pid;
  fflush(NULL);
  CHECK(shmx_os_spawn("/bin/sh", argv, (int[]){out[1], in[0]}, 2, &pid) == 0);
  close(out[1]);
  char text[100] = "";
  size_t size = 0;
  for (ssize_t n; (n = read(out[0], text + size, sizeof text - 1 - size)) > 0;) size += (size_t)n;
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(strstr(text, "hello"));
  for (const char *line = text; *line >= '0' && *line <= '9'; line += 2) CHECK(*line <= '4');
  CHECK(strstr(text, "3\n4\nhello"));
}

static void a_program_that_is_not_there_cannot_be_spawned(void) {
  int before = open_fds();
  char *argv[] = {(char *)"none", NULL};
  pid_t pid;
  CHECK(shmx_os_spawn("/none/such", argv, (int[]){0, 2}, 2, &pid) == -ENOENT);
  CHECK(open_fds() == before);
}

static void all_but_the_kept_are_closed(void) {
  int fds[10];
  for (int i = 0; i < 10; i++) fds[i] = dup(2);
  int keep[] = {fds[1], fds[4], fds[5], fds[9]};
  shmx_os_close_all(3, keep, 4);
  for (int i = 0; i < 10; i++) CHECK((fcntl(fds[i], F_GETFD) >= 0) == (i == 1 || i == 4 || i == 5 || i == 9));
  shmx_os_close_all(3, NULL, 0);
  CHECK(fcntl(fds[1], F_GETFD) < 0 && fcntl(fds[9], F_GETFD) < 0 && fcntl(2, F_GETFD) >= 0);
}

static void a_pidfd_tells_of_the_end_and_reaps(void) {
  pid_t pid = fork();
  if (pid == 0) {
    pause();
    _exit(0);
  }
  int fd = shmx_os_pidfd(pid);
  CHECK(fd >= 0 && shmx_os_poll(fd, -1, 0) == 0);
  CHECK(shmx_os_pidfd_kill(fd, SIGKILL) == 0);
  CHECK(shmx_os_poll(fd, -1, shmx_os_now() + 10000000000) == 1);
  shmx_os_reap(pid);
  CHECK(waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void a_forked_child_knows_it(void) {
  CHECK(!shmx_os_forked());
  pid_t pid = fork();
  if (pid == 0) _exit(shmx_os_forked() ? 7 : 8);
  int status;
  waitpid(pid, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7 && !shmx_os_forked());
}

static void code_is_found_in_its_file(void) {
  char file[4096], small[8] = "";
  int here = 0;
  CHECK(shmx_os_file_at((const void *)code_is_found_in_its_file, file, sizeof file));
  CHECK(strcmp(strrchr(file, '/'), "/test_os") == 0);
  CHECK(shmx_os_file_at((const void *)getppid, file, sizeof file) && strstr(file, "libc"));
  CHECK(shmx_os_file_at((const void *)getppid, small, sizeof small) && strncmp(small, file, 7) == 0 && small[7] == 0);
  CHECK(!shmx_os_file_at(&here, file, sizeof file) && !shmx_os_file_at(NULL, file, sizeof file));
}

static int report_pipe[2];
static void report_crash(const void *place) {
  char file[4096];
  if (shmx_os_file_at(place, file, sizeof file)) shmx_os_send(report_pipe[1], strrchr(file, '/'), 8, NULL, 0, false);
}

static void a_crash_is_reported_and_ends_the_process_all_the_same(void) {
  volatile char *closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char text[16] = "";
  int status, nfds = 0;
  CHECK(shmx_os_socketpair(report_pipe) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    shmx_os_watch_crashes(report_crash);
    *closed = 1;
    _exit(0);
  }
  waitpid(pid, &status, 0);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  CHECK(shmx_os_receive(report_pipe[0], text, sizeof text, NULL, &nfds, false) == 8 && strcmp(text, "/test_os") == 0);
}

static void names_that_a_dead_process_has_left_are_removed(void) {
  char mine[64], theirs[64];
  uint64_t size;
  bool sealed;
  snprintf(mine, sizeof mine, "shmx-test-%d-mine", (int)getpid());
  snprintf(theirs, sizeof theirs, "shmx-test-%d-theirs", (int)getpid());
  pid_t pid = fork();
  if (pid == 0) {
    struct shmx_os_register names;
    int first = shmx_os_shm_make(8192), second = shmx_os_shm_make(1), gone = shmx_os_shm_make(1);
    if (first < 0 || second < 0 || gone < 0 || shmx_os_register_open(&names) < 0) _exit(1);
    if (shmx_os_register_name(&names, 0, gone, theirs) < 0) _exit(1);
    shmx_os_register_remove(gone, theirs); /* its place is free again */
    if (shmx_os_register_name(&names, 0, first, mine) < 0) _exit(1);
    if (shmx_os_register_name(&names, 1, second, theirs) < 0) _exit(1);
    if (shmx_os_register_name(&names, 2, second, mine) != -EEXIST) _exit(1);
    shmx_os_register_clean(); /* its own is locked */
    int fd = shmx_os_shm_open(mine, &size, &sealed);
    if (fd < 0 || size != 8192 || sealed) _exit(1);
    if (shmx_os_shm_check(fd, 8193, &sealed) != -ENODATA || shmx_os_shm_check(fd, 8192, &sealed) < 0) _exit(1);
    shmx_os_register_remove(second, theirs);
    int other = shmx_os_shm_make(1);
    if (other < 0 || shmx_os_register_name(&names, 2, other, theirs) < 0) _exit(1);
    ftruncate(names.fd, 2 * 216); /* the last one is nobody's: as if another had made it */
    shmx_os_register_remove(second, theirs);
    raise(SIGKILL);
  }
  int status;
  waitpid(pid, &status, 0);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  shmx_os_register_clean();
  CHECK(shmx_os_shm_open(mine, &size, &sealed) == -ENOENT);
  int fd = shmx_os_shm_open(theirs, &size, &sealed);
  CHECK(fd >= 0 && size == 1);
  shmx_os_register_remove(fd, theirs);
  CHECK(shmx_os_shm_open(theirs, &size, &sealed) == -ENOENT);
}

/* Whoever has it open or mapped otherwise than by the same opening stands in the way of a seal; then all can only read. */
static void a_named_object_is_sealed_when_nobody_else_has_it(void) {
  char name[64];
  uint64_t size;
  bool sealed;
  void *base;
  struct shmx_os_register names;
  snprintf(name, sizeof name, "shmx-test-%d-sealed", (int)getpid());
  int made = shmx_os_shm_make(8192);
  CHECK(made >= 0 && shmx_os_register_open(&names) == 0 && shmx_os_register_name(&names, 0, made, name) == 0);
  int open = shmx_os_shm_open(name, &size, &sealed);
  CHECK(open >= 0 && !sealed && shmx_os_map(open, size, &base) == 0);
  CHECK(shmx_os_shm_seal(made) == -ETXTBSY && shmx_os_shm_seal(open) == -ETXTBSY);
  close(open);
  CHECK(shmx_os_shm_seal(made) == -ETXTBSY); /* it is still mapped */
  CHECK(shmx_os_shm_check(made, 8192, &sealed) == 0 && !sealed);
  shmx_os_unmap(base, size);
  CHECK(shmx_os_shm_seal(made) == 0 && shmx_os_shm_check(made, 8192, &sealed) == 0 && sealed);
  open = shmx_os_shm_open(name, &size, &sealed);
  CHECK(open >= 0 && sealed && shmx_os_shm_check(open, 8192, &sealed) == 0 && sealed);
  close(open);
  shmx_os_register_remove(made, name);
  shmx_os_register_close(&names);
  close(made);
}

/* EAGAIN is also what a lock or a descriptor that does not wait gives. */
static void only_fork_is_said_to_meet_the_limit_of_processes(void) {
  CHECK(strcmp(shmx_os_explain(-EAGAIN), strerror(EAGAIN)) == 0);
}

static const struct test tests[] = {
    {"a_memfd_is_sealed_and_checked", a_memfd_is_sealed_and_checked},
    {"what_is_larger_than_a_file_may_be_is_an_error_and_no_signal",
     what_is_larger_than_a_file_may_be_is_an_error_and_no_signal},
    {"the_check_refuses_what_is_not_a_chunk", the_check_refuses_what_is_not_a_chunk},
    {"large_pages_are_zero_and_shared_like_others", large_pages_are_zero_and_shared_like_others},
    {"large_pages_that_take_longer_than_small_ones_are_for_those_who_wait",
     large_pages_that_take_longer_than_small_ones_are_for_those_who_wait},
    {"a_cgroup_has_the_room_that_the_ones_above_it_leave", a_cgroup_has_the_room_that_the_ones_above_it_leave},
    {"nothing_opened_takes_a_standard_descriptor", nothing_opened_takes_a_standard_descriptor},
    {"descriptors_travel_with_a_record", descriptors_travel_with_a_record},
    {"more_descriptors_than_there_is_room_for_are_all_closed", more_descriptors_than_there_is_room_for_are_all_closed},
    {"a_record_that_is_too_long_is_refused", a_record_that_is_too_long_is_refused},
    {"a_descriptor_that_could_not_be_had_is_a_failure", a_descriptor_that_could_not_be_had_is_a_failure},
    {"what_a_reset_peer_had_sent_is_still_read", what_a_reset_peer_had_sent_is_still_read},
    {"interrupted_calls_are_repeated", interrupted_calls_are_repeated},
    {"a_spawned_process_has_exactly_the_descriptors", a_spawned_process_has_exactly_the_descriptors},
    {"a_program_that_is_not_there_cannot_be_spawned", a_program_that_is_not_there_cannot_be_spawned},
    {"all_but_the_kept_are_closed", all_but_the_kept_are_closed},
    {"a_pidfd_tells_of_the_end_and_reaps", a_pidfd_tells_of_the_end_and_reaps},
    {"a_forked_child_knows_it", a_forked_child_knows_it},
    {"code_is_found_in_its_file", code_is_found_in_its_file},
    {"names_that_a_dead_process_has_left_are_removed", names_that_a_dead_process_has_left_are_removed},
    {"a_named_object_is_sealed_when_nobody_else_has_it", a_named_object_is_sealed_when_nobody_else_has_it},
    {"a_crash_is_reported_and_ends_the_process_all_the_same", a_crash_is_reported_and_ends_the_process_all_the_same},
    {"only_fork_is_said_to_meet_the_limit_of_processes", only_fork_is_said_to_meet_the_limit_of_processes},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
