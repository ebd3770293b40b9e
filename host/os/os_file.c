/* SPDX-License-Identifier: MIT */
/*
 * Files. A file is written into a new one beside it, which takes its place when all of it is on the disk: whatever happens
 * meanwhile, the old one is there. Where the file system can do it the new one has no name until then, so that nothing is
 * left of it if the process dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "os/os.h"

enum { LINKS_MAX = 40 };

int shmx_os_open(const char *path, int flags, mode_t mode) {
  int fd = open(path, flags | O_CLOEXEC, mode);
  return fd < 0 ? -errno : shmx_os_above_standard(fd);
}

int shmx_os_file_open(const char *path, uint64_t *size) {
  struct stat status;
  int fd = shmx_os_open(path, O_RDONLY | O_NONBLOCK, 0); /* not waiting for anybody who would write into a pipe */
  if (fd < 0) return fd;
  int r = fstat(fd, &status) < 0 ? -errno : S_ISDIR(status.st_mode) ? -EISDIR : S_ISREG(status.st_mode) ? 0 : -ESPIPE;
  if (r == 0) *size = (uint64_t)status.st_size;
  if (r == 0) return fd;
  close(fd);
  return r;
}

int shmx_os_file_read(int fd, uint64_t offset, void *bytes, uint64_t size) {
  for (uint64_t have = 0; have < size;) {
    ssize_t n = pread(fd, (char *)bytes + have, size - have, (off_t)(offset + have));
    if (n == 0) return -ENODATA;
    if (n < 0 && errno != EINTR) return -errno;
    if (n > 0) have += (uint64_t)n;
  }
  return 0;
}

int shmx_os_file_map(int fd, uint64_t size, void **out) {
  void *base = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return -errno;
  *out = base;
  return 0;
}

/* --- growing --- */

static void keep_signal(sigset_t *before) {
  sigset_t signal;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signal, before);
}

/* Takes the signal that has come with the error, before it could be delivered. */
static int drop_signal(const sigset_t *before, int result) {
  static const struct timespec at_once;
  sigset_t signal;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  if (result == -EFBIG) sigtimedwait(&signal, NULL, &at_once);
  pthread_sigmask(SIG_SETMASK, before, NULL);
  return result;
}

int shmx_os_file_grow(int fd, uint64_t size) {
  sigset_t before;
  if (size > INT64_MAX) return -EFBIG;
  keep_signal(&before);
  return drop_signal(&before, shmx_syscalls.ftruncate(fd, (off_t)size) < 0 ? -errno : 0);
}

static int write_all(int fd, const char *bytes, uint64_t size) {
  while (size > 0) {
    ssize_t n = write(fd, bytes, size);
    if (n == 0) return -ENOSPC;
    if (n < 0 && errno != EINTR) return -errno;
    if (n > 0) bytes += n, size -= (uint64_t)n;
  }
  return 0;
}

int shmx_os_file_write(int fd, const void *bytes, uint64_t size) {
  sigset_t before;
  keep_signal(&before);
  return drop_signal(&before, write_all(fd, bytes, size));
}

/* --- where files are --- */

/* Replaces a path by what it leads to, if it is a symbolic link: one to a file that does not exist yet. */
static int follow_links(char path[SHMX_OS_PATH]) {
  for (int links = 0; links < LINKS_MAX; links++) {
    char target[SHMX_OS_PATH];
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0) return errno == EINVAL || errno == ENOENT ? 0 : -errno;
    char *slash = strrchr(path, '/'), *end = target[0] == '/' || !slash ? path : slash + 1;
    if (end - path + length >= SHMX_OS_PATH) return -ENAMETOOLONG;
    memcpy(end, target, (size_t)length);
    end[length] = 0;
  }
  return -ELOOP;
}

/* The directory of the file, to be freed; NULL without memory. */
static char *directory_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

/* Where the file is to be made. What exists and has no path, such as a pipe behind /dev/stdout, is no file. */
static int find_new(const char *path, char found[SHMX_OS_PATH]) {
  char last[SHMX_OS_PATH]; /* behind all links */
  struct stat status;
  if (stat(path, &status) == 0) return -ESPIPE;
  if (snprintf(last, sizeof last, "%s", path) >= SHMX_OS_PATH) return -ENAMETOOLONG;
  int r = follow_links(last);
  char *directory = r == 0 ? directory_of(last) : NULL;
  if (!directory) return r < 0 ? r : -ENOMEM;
  if (!realpath(directory, found)) r = -errno;
  free(directory);
  if (r < 0) return r;
  const char *slash = strrchr(last, '/'), *name = slash ? slash + 1 : last;
  size_t used = strcmp(found, "/") == 0 ? 0 : strlen(found), left = SHMX_OS_PATH - used;
  if (!*name) return -ENOENT;
  return snprintf(found + used, left, "/%s", name) < (int)left ? 0 : -ENAMETOOLONG;
}

int shmx_os_file_find(const char *path, char found[SHMX_OS_PATH], mode_t *mode) {
  struct stat status;
  *mode = 0;
  if (!realpath(path, found)) return errno == ENOENT ? find_new(path, found) : -errno;
  if (stat(found, &status) < 0) return -errno;
  if (!S_ISREG(status.st_mode)) return S_ISDIR(status.st_mode) ? -EISDIR : -ESPIPE;
  if (access(found, W_OK) < 0) return -errno;
  *mode = status.st_mode & 07777;
  return 0;
}

bool shmx_os_file_same(const char *a, const char *b) {
  char found[2][SHMX_OS_PATH];
  struct stat status[2];
  mode_t mode;
  bool there = stat(a, &status[0]) == 0;
  if (stat(b, &status[1]) == 0 && there)
    return status[0].st_dev == status[1].st_dev && status[0].st_ino == status[1].st_ino;
  return shmx_os_file_find(a, found[0], &mode) == 0 && shmx_os_file_find(b, found[1], &mode) == 0 &&
         strcmp(found[0], found[1]) == 0;
}

/* --- replacing --- */

/* Chooses another name in the same directory: it is taken when 0 is returned. */
static int name_temporary(struct shmx_os_replacement *r, int (*take)(struct shmx_os_replacement *)) {
  int length = (int)(strrchr(r->path, '/') + 1 - r->path), result = -EEXIST;
  for (unsigned i = 0; i < 100 && result == -EEXIST; i++) {
    int n = snprintf(r->temporary, sizeof r->temporary, "%.*s.shmx-%d-%u", length, r->path, (int)getpid(), i);
    if (n >= (int)sizeof r->temporary) result = -ENAMETOOLONG;
    else result = take(r);
  }
  if (result < 0) r->temporary[0] = 0;
  return result;
}

static int take_by_open(struct shmx_os_replacement *r) {
  r->fd = shmx_os_open(r->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
  return r->fd < 0 ? r->fd : 0;
}

static int take_by_link(struct shmx_os_replacement *r) {
  char self[32];
  snprintf(self, sizeof self, "/proc/self/fd/%d", r->fd);
  return linkat(AT_FDCWD, self, AT_FDCWD, r->temporary, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int shmx_os_replace_begin(const char *path, struct shmx_os_replacement *r) {
  mode_t mode;
  r->fd = -1;
  r->temporary[0] = 0;
  int result = shmx_os_file_find(path, r->path, &mode);
  char *directory = result == 0 ? directory_of(r->path) : NULL;
  if (!directory) return result < 0 ? result : -ENOMEM;
  r->fd = shmx_os_open(directory, O_WRONLY | O_TMPFILE, 0666);
  free(directory);
  if (r->fd < 0) result = r->fd == -EOPNOTSUPP || r->fd == -EISDIR ? name_temporary(r, take_by_open) : r->fd;
  if (result == 0 && mode && fchmod(r->fd, mode) < 0) result = -errno;
  if (result < 0) shmx_os_replace_abandon(r);
  return result;
}

/* The name is safe on the disk when its directory is. That is not known to fail where the file itself could be written. */
static void sync_directory(const char *path) {
  char *directory = directory_of(path);
  int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  free(directory);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

int shmx_os_replace_end(struct shmx_os_replacement *r) {
  int result = fsync(r->fd) < 0 ? -errno : 0;
  if (result == 0 && !r->temporary[0]) result = name_temporary(r, take_by_link);
  if (result == 0 && rename(r->temporary, r->path) < 0) result = -errno;
  if (result == 0) r->temporary[0] = 0;
  if (result == 0) sync_directory(r->path);
  shmx_os_replace_abandon(r);
  return result;
}

void shmx_os_replace_abandon(struct shmx_os_replacement *r) {
  if (r->temporary[0]) unlink(r->temporary);
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
  r->temporary[0] = 0;
}
