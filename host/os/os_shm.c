/* SPDX-License-Identifier: MIT */
/*
 * Memory objects with a name, as shm_open makes them, and a register of the names that a process has given.
 *
 * An object gets its name when it is complete. The register is a file beside the objects, which its owner keeps locked; the
 * lock goes with the owner, however it ends. A name is written into it first and given then, and it is taken away only
 * from the object that was written down: so whoever finds a register that nobody locks can remove what its owner left,
 * and nothing else. A record of which only a part was written, over one whose name is gone, fits no object.
 *
 * An object is sealed by taking away everybody's permission to write. Who has it open, or mapped, by a descriptor that was got
 * here keeps a lock on it, which nobody ever waits for: the kernel drops it with the last descriptor and mapping, so that
 * it tells whether others could still write. Who opens takes the lock and then looks at the permissions; who seals changes
 * them and then looks for locks, and changes them back if there are any that were not there before. In between, or when it
 * dies there, others may find the object sealed that is not to be, which harms nobody.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "os/os.h"

#define FOLDER   "/dev/shm"
#define REGISTER ".shmx-" /* then the user's number and whatever makes it the only one */

struct record {
  uint64_t device, inode;
  char name[SHMX_OS_NAME_ROOM];
};

bool shmx_os_shm_is_name(const char *name) {
  size_t length = strlen(name);
  bool special = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strncmp(name, REGISTER, strlen(REGISTER)) == 0;
  return length > 0 && length < SHMX_OS_NAME_ROOM && !strchr(name, '/') && !special;
}

static void path_of(const char *name, char path[sizeof FOLDER + SHMX_OS_NAME_ROOM]) {
  snprintf(path, sizeof FOLDER + SHMX_OS_NAME_ROOM, "%s/%s", FOLDER, name);
}

static struct flock lock_of(short type) { return (struct flock){.l_type = type, .l_whence = SEEK_SET}; }

static int keep_lock(int fd) {
  struct flock lock = lock_of(F_RDLCK);
  return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -EBUSY : 0;
}

static bool is_locked_by_others(int fd) {
  struct flock lock = lock_of(F_WRLCK);
  return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

enum { WRITERS = S_IWUSR | S_IWGRP | S_IWOTH };

int shmx_os_shm_make(uint64_t size) {
  int fd = shmx_os_open(FOLDER, O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) return fd;
  int r = keep_lock(fd);
  if (r == 0) r = shmx_os_file_grow(fd, size);
  if (r == 0) r = shmx_os_reserve(fd, 0, size);
  if (r == 0) return fd;
  close(fd);
  return r;
}

/* Looks at what has been opened. 0, or why it is nothing to map. */
static int look(int fd, uint64_t *size, bool *sealed) {
  struct stat status;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fstat(fd, &status) < 0) return -errno;
  if (!S_ISREG(status.st_mode)) return -EINVAL;
  *size = (uint64_t)status.st_size;
  *sealed = (status.st_mode & WRITERS) == 0;
  int mode = flags & O_ACCMODE;
  return mode == O_RDWR || (mode == O_RDONLY && *sealed) ? 0 : -EACCES;
}

int shmx_os_shm_open(const char *name, uint64_t *size, bool *sealed) {
  char path[sizeof FOLDER + SHMX_OS_NAME_ROOM];
  path_of(name, path);
  int fd = shmx_os_open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
  if (fd == -EACCES) fd = shmx_os_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
  if (fd < 0) return fd;
  int r = keep_lock(fd);
  if (r == 0) r = look(fd, size, sealed);
  if (r == 0) return fd;
  close(fd);
  return r;
}

int shmx_os_shm_check(int fd, uint64_t size, bool *sealed) {
  uint64_t there;
  if (look(fd, &there, sealed) < 0) return -EPROTO;
  return there >= size ? 0 : -ENODATA;
}

int shmx_os_shm_seal(int fd) {
  struct stat status;
  if (is_locked_by_others(fd)) return -ETXTBSY;
  if (fstat(fd, &status) < 0 || fchmod(fd, status.st_mode & ~(mode_t)(S_IFMT | WRITERS)) < 0) return -errno;
  if (!is_locked_by_others(fd)) return 0;
  fchmod(fd, status.st_mode & ~(mode_t)S_IFMT);
  return -ETXTBSY;
}

/* Gives what the descriptor leads to a name in the folder. */
static int link_to(int fd, const char *path) {
  char self[32];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* --- the register --- */

int shmx_os_register_open(struct shmx_os_register *r) {
  r->fd = shmx_os_open(FOLDER, O_TMPFILE | O_RDWR, 0600);
  if (r->fd < 0) return r->fd;
  int result = flock(r->fd, LOCK_EX | LOCK_NB) < 0 ? -errno : -EEXIST;
  for (unsigned i = 0; result == -EEXIST && i < 100; i++) {
    snprintf(r->path, sizeof r->path, "%s/%s%d-%d-%u", FOLDER, REGISTER, (int)geteuid(), (int)getpid(), i);
    result = link_to(r->fd, r->path);
  }
  if (result == 0) return 0;
  close(r->fd);
  r->fd = -1;
  return result;
}

void shmx_os_register_close(struct shmx_os_register *r) {
  unlink(r->path);
  close(r->fd);
  r->fd = -1;
}

int shmx_os_register_name(struct shmx_os_register *r, uint32_t place, int fd, const char *name) {
  char path[sizeof FOLDER + SHMX_OS_NAME_ROOM];
  struct record record = {0};
  struct stat status;
  if (fstat(fd, &status) < 0) return -errno;
  record.device = status.st_dev;
  record.inode = status.st_ino;
  snprintf(record.name, sizeof record.name, "%s", name);
  int result = shmx_os_write(r->fd, place * sizeof record, &record, sizeof record);
  if (result < 0) return result;
  path_of(name, path);
  return link_to(fd, path);
}

static void remove_name(const struct record *record) {
  char path[sizeof FOLDER + SHMX_OS_NAME_ROOM];
  struct stat status;
  path_of(record->name, path);
  if (lstat(path, &status) < 0 || status.st_dev != record->device || status.st_ino != record->inode) return;
  unlink(path);
}

void shmx_os_register_remove(int fd, const char *name) {
  struct record record = {0};
  struct stat status;
  if (fstat(fd, &status) < 0) return;
  record.device = status.st_dev;
  record.inode = status.st_ino;
  snprintf(record.name, sizeof record.name, "%s", name);
  remove_name(&record);
}

/* Removes what a register lists, and the register, if its owner is gone. It was written by a process of this user, which
 * may have died in the middle of a record. */
static void clean_one(int folder, const char *file) {
  struct record record;
  struct stat status;
  int fd = openat(folder, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return;
  bool left = fstat(fd, &status) == 0 && status.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0;
  for (uint64_t at = 0; left && shmx_os_file_read(fd, at, &record, sizeof record) == 0; at += sizeof record) {
    record.name[sizeof record.name - 1] = 0;
    if (shmx_os_shm_is_name(record.name)) remove_name(&record);
  }
  if (left) unlinkat(folder, file, 0);
  close(fd);
}

void shmx_os_register_clean(void) {
  char prefix[64];
  snprintf(prefix, sizeof prefix, "%s%d-", REGISTER, (int)geteuid());
  DIR *folder = opendir(FOLDER);
  if (!folder) return;
  for (struct dirent *entry; (entry = readdir(folder));)
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) clean_one(dirfd(folder), entry->d_name);
  closedir(folder);
}
