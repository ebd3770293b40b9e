/* SPDX-License-Identifier: MIT */
/*
 * Memory, waking, time: the system calls that a single process needs. Processes and sockets are in os_process.c.
 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

enum { LARGE_PAGE = 2 << 20 }; /* where the processor has larger ones only, there are none for us */

/* Memory that a virtual machine has reported free is the hypervisor's again, and a large page of it takes longer than as many
 * small ones, which come from what was free for a moment only. A page takes 0.1 ms otherwise. */
enum { SLOW_PAGE_NS = 1000000, SLOW_FOR_NS = 500000000 };

struct shmx_syscalls shmx_syscalls = {memfd_create, ftruncate, fallocate, pwrite, mmap,
                                      madvise,      sendmsg,   recvmsg,   fork};

const char *shmx_os_explain(int code) {
  switch (code) {
  case -EFBIG: return SHMX_OS_FILE_TOO_LARGE;
  case -EMFILE: return "the limit of open files is reached (ulimit -n)";
  case -ENOMEM: return "the system has no memory left, or none for this process (ulimit -v, ulimit -d)";
  case -ETOOMANYREFS: return "as many open files as there may be are on their way between processes (ulimit -n)";
  default: return strerror(-code);
  }
}

int shmx_os_above_standard(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  close(fd);
  return higher < 0 ? -error : higher;
}

int shmx_os_memfd(const char *name, uint64_t size) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = shmx_syscalls.memfd_create(name, flags | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL) fd = shmx_syscalls.memfd_create(name, flags);
  if (fd < 0) return -errno;
  fd = shmx_os_above_standard(fd);
  if (fd < 0) return fd;
  int r = shmx_os_file_grow(fd, size);
  if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) r = -errno;
  if (r == 0) return fd;
  close(fd);
  return r;
}

int shmx_os_memfd_check_sealed(int fd, uint64_t size, bool *sealed) {
  struct stat st;
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || !(seals & F_SEAL_SHRINK) || (seals & F_SEAL_WRITE)) return -EPROTO;
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size) return -EPROTO;
  *sealed = seals & F_SEAL_FUTURE_WRITE;
  return 0;
}

int shmx_os_memfd_check(int fd, uint64_t size) {
  bool sealed;
  int r = shmx_os_memfd_check_sealed(fd, size, &sealed);
  return r == 0 && sealed ? -EPROTO : r;
}

int shmx_os_memfd_seal(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0 ? -errno : 0; }

/* Where large pages can be mapped: an address that is a multiple of their size, with as much room behind it. Another
 * thread may take it first; then the caller's mapping lies elsewhere, and has small ones. */
static void *find_place(uint64_t size) {
  if (size < LARGE_PAGE || size > SIZE_MAX - LARGE_PAGE) return NULL;
  char *room =
      shmx_syscalls.mmap(NULL, size + LARGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return NULL;
  munmap(room, size + LARGE_PAGE);
  return room + (LARGE_PAGE - (uintptr_t)room % LARGE_PAGE) % LARGE_PAGE;
}

static int map(int fd, uint64_t size, int protection, void **out) {
  void *base = shmx_syscalls.mmap(find_place(size), size, protection, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return -errno;
  *out = base;
  return 0;
}

int shmx_os_map(int fd, uint64_t size, void **out) { return map(fd, size, PROT_READ | PROT_WRITE, out); }

int shmx_os_map_to_read(int fd, uint64_t size, void **out) { return map(fd, size, PROT_READ, out); }

void shmx_os_unmap(void *base, uint64_t size) { munmap(base, size); }

int shmx_os_protect(void *base, uint64_t size) { return mprotect(base, size, PROT_READ) < 0 ? -errno : 0; }

static int allocate(int fd, int mode, uint64_t offset, uint64_t size) {
  while (shmx_syscalls.fallocate(fd, mode, (off_t)offset, (off_t)size) < 0)
    if (errno != EINTR) return -errno;
  return 0;
}

int shmx_os_reserve(int fd, uint64_t offset, uint64_t size) { return allocate(fd, 0, offset, size); }

/* The kernel puts a large page in the place of what is there, and not in the place of nothing. */
static int take_large_page(int fd, char *base, uint64_t offset) {
  int r = shmx_os_reserve(fd, offset, shmx_os_page_size());
  if (r < 0) return r;
  return shmx_syscalls.madvise(base + offset, LARGE_PAGE, MADV_COLLAPSE) < 0 ? -errno : 0;
}

int shmx_os_take_large_pages(int fd, void *base, uint64_t size, bool wait) {
  static _Atomic int64_t not_before; /* they were slow then; atomic because tests play processes as threads */
  if (size < LARGE_PAGE) return -EINVAL;
  int64_t begin = shmx_os_now();
  if (!wait && begin < atomic_load_explicit(&not_before, memory_order_relaxed)) return -EBUSY;
  for (uint64_t offset = 0; offset + LARGE_PAGE <= size; offset += LARGE_PAGE) {
    int r = take_large_page(fd, base, offset);
    if (r < 0) return r;
    int64_t end = shmx_os_now();
    if (end - begin > SLOW_PAGE_NS) {
      atomic_store_explicit(&not_before, end + SLOW_FOR_NS, memory_order_relaxed);
      if (!wait) return -EBUSY;
    }
    begin = end;
  }
  return 0;
}

int shmx_os_write(int fd, uint64_t offset, const void *bytes, uint64_t size) {
  for (uint64_t done = 0; done < size;) {
    ssize_t n = shmx_syscalls.pwrite(fd, (const char *)bytes + done, size - done, (off_t)(offset + done));
    if (n > 0) done += (uint64_t)n;
    else if (n == 0) return -ENOSPC;
    else if (errno != EINTR) return -errno;
  }
  return 0;
}

int shmx_os_punch(int fd, uint64_t offset, uint64_t size) {
  return allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

int shmx_os_punch_mapped(void *base, uint64_t size) { return madvise(base, size, MADV_REMOVE) < 0 ? -errno : 0; }

int shmx_os_reserve_mapped(char *base, uint64_t size) {
  uint64_t ahead = (uintptr_t)base % shmx_os_page_size();
  return shmx_syscalls.madvise(base - ahead, size + ahead, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
}

int shmx_os_keep_from_children(void *base, uint64_t size) {
  return madvise(base, size, MADV_DONTFORK) < 0 ? -errno : 0;
}

uint64_t shmx_os_page_size(void) {
  static uint64_t size;
  if (!size) size = (uint64_t)sysconf(_SC_PAGESIZE);
  return size;
}

/* The number at the start of a file, or after `key` in it; `otherwise` when it is not there (cgroups write "max"). */
static uint64_t read_number(const char *path, const char *key, uint64_t otherwise) {
  FILE *file = fopen(path, "re");
  if (!file) return otherwise;
  char line[256];
  uint64_t number = otherwise;
  while (fgets(line, sizeof line, file)) {
    size_t skip = key ? strlen(key) : 0;
    if (key && strncmp(line, key, skip) != 0) continue;
    char *end;
    unsigned long long value = strtoull(line + skip, &end, 10);
    if (end != line + skip) number = value;
    break;
  }
  fclose(file);
  return number;
}

/* The room that one cgroup leaves, without a look at those above it. Version 1 says by a huge number that there is no limit. */
static uint64_t room_of_one(const char *folder, bool v1) {
  char limit[2 * PATH_MAX + 32], usage[2 * PATH_MAX + 32];
  snprintf(limit, sizeof limit, "%s/%s", folder, v1 ? "memory.limit_in_bytes" : "memory.max");
  snprintf(usage, sizeof usage, "%s/%s", folder, v1 ? "memory.usage_in_bytes" : "memory.current");
  uint64_t most = read_number(limit, NULL, UINT64_MAX), used = read_number(usage, NULL, 0);
  if (most >= UINT64_C(1) << 60) return UINT64_MAX;
  return used < most ? most - used : 0;
}

uint64_t shmx_os_cgroup_room(const char *root, const char *path, bool v1) {
  char folder[2 * PATH_MAX];
  uint64_t room = UINT64_MAX;
  if (snprintf(folder, sizeof folder, "%s/%s", root, path) >= (int)sizeof folder) return room;
  for (char *slash; (slash = strrchr(folder, '/')) && slash >= folder + strlen(root); *slash = 0) {
    uint64_t here = room_of_one(folder, v1);
    if (here < room) room = here;
  }
  return room;
}

/* Paths are in /proc/self/cgroup, as `0::/path` (v2) or `n:memory:/path` (v1). In a container they may be the host's, and are
 * not there; then the files of its own cgroup lie at the mount's root. */
static uint64_t cgroup_room(void) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (!file) return UINT64_MAX;
  uint64_t room = UINT64_MAX;
  char line[PATH_MAX];
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    char *v1 = strstr(line, ":memory:");
    char *path = v1 ? v1 + 8 : strncmp(line, "0::", 3) == 0 ? line + 3 : NULL;
    uint64_t here = path ? shmx_os_cgroup_room(v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup", path, v1) : UINT64_MAX;
    if (here < room) room = here;
  }
  fclose(file);
  return room;
}

uint64_t shmx_os_memory_available(void) {
  uint64_t machine = read_number("/proc/meminfo", "MemAvailable:", UINT64_MAX >> 10);
  machine = machine > UINT64_MAX >> 10 ? UINT64_MAX : machine << 10;
  uint64_t group = cgroup_room();
  return group < machine ? group : machine;
}

/* In a page that the kernel wipes in forked children: 1 in the process that asked first, 0 in its children. */
static volatile uint32_t *fork_word;

void shmx_os_forget_fork(void) {
  if (fork_word) *fork_word = 1;
}

bool shmx_os_forked(void) {
  if (fork_word) return *fork_word == 0;
  void *page = mmap(NULL, shmx_os_page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED || madvise(page, shmx_os_page_size(), MADV_WIPEONFORK) < 0) return false;
  fork_word = page;
  *fork_word = 1;
  return false;
}

static struct timespec timespec_of(int64_t ns) {
  return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

int shmx_os_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline) {
  struct timespec until = timespec_of(deadline < 0 ? 0 : deadline);
  /* FUTEX_WAIT_BITSET takes an absolute monotonic time, FUTEX_WAIT a relative one. */
  long r =
      syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline < 0 ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
  return r < 0 ? -errno : 0;
}

void shmx_os_futex_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

int shmx_os_eventfd(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? -errno : shmx_os_above_standard(fd);
}

void shmx_os_eventfd_ring(int fd) {
  uint64_t one = 1;
  /* EAGAIN means that the count is at its limit, so the reader has a reason to wake already. */
  while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void shmx_os_eventfd_clear(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

int64_t shmx_os_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t shmx_os_now_about(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void shmx_os_yield(void) { sched_yield(); }

uint32_t shmx_os_core(void) { return (uint32_t)sched_getcpu(); }

void shmx_os_change_core(void) {
  cpu_set_t allowed, one;
  int here = sched_getcpu(), next = here;
  if (here < 0 || sched_getaffinity(0, sizeof allowed, &allowed) < 0) return;
  do next = (next + 1) % CPU_SETSIZE;
  while (next != here && !CPU_ISSET(next, &allowed));
  if (next == here) return;
  CPU_ZERO(&one);
  CPU_SET(next, &one);
  if (sched_setaffinity(0, sizeof one, &one) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

unsigned shmx_os_cpus(void) {
  cpu_set_t *set = CPU_ALLOC(4096);
  if (!set) return 1;
  size_t size = CPU_ALLOC_SIZE(4096);
  int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 1;
  CPU_FREE(set);
  return count < 1 ? 1 : (unsigned)count;
}
