/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the project rests on: memory objects, futexes, processes, sockets with descriptors, clocks. What one
 * file alone needs stands in it: the supervisor's epoll, the terminal (core/terminal.c), the worker's prints (core/output.c).
 *
 * Mechanism without policy: each function does one thing and returns 0, a non-negative result, or -errno. Interrupted
 * calls are repeated except where waiting is the point. Calls that tests want to make fail go through shmx_syscalls,
 * which a test may overwrite; everything opened here is close-on-exec.
 */
#ifndef SHMX_OS_OS_H
#define SHMX_OS_OS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

struct shmx_syscalls {
  int (*memfd_create)(const char *name, unsigned flags);
  int (*ftruncate)(int fd, off_t size);
  int (*fallocate)(int fd, int mode, off_t offset, off_t size);
  ssize_t (*pwrite)(int fd, const void *bytes, size_t size, off_t offset);
  void *(*mmap)(void *address, size_t size, int protection, int flags, int fd, off_t offset);
  int (*madvise)(void *base, size_t size, int advice);
  ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
  ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
  pid_t (*fork)(void);
};
extern struct shmx_syscalls shmx_syscalls;

/* What a negative code of these functions means, for people: of a limit, how it is called. */
const char *shmx_os_explain(int code);
#define SHMX_OS_FILE_TOO_LARGE "no file may be that large (ulimit -f)"
/* -EAGAIN of what starts a process */
#define SHMX_OS_TOO_MANY_PROCESSES "the limit of processes is reached (ulimit -u, or that of the cgroup)"

/* --- memory --- */

/* A memory object of `size` bytes, sealed against shrinking and growing, and against execution where the kernel can.
 * Returns its descriptor; -EFBIG as for files (shmx_os_file_grow). */
int shmx_os_memfd(const char *name, uint64_t size);

/* 0 when `fd` is a memory object of exactly `size` bytes that cannot shrink; -EPROTO for anything else. */
int shmx_os_memfd_check(int fd, uint64_t size);
/* The same for one that may be sealed against writing too, which *sealed says. */
int shmx_os_memfd_check_sealed(int fd, uint64_t size, bool *sealed);

/* Nobody can write the object any more, but through mappings that are there already. That cannot be undone. */
int shmx_os_memfd_seal(int fd);

int shmx_os_map(int fd, uint64_t size, void **out); /* shared, readable and writable; large pages can be mapped there */
int shmx_os_map_to_read(int fd, uint64_t size, void **out); /* the same, to be read only */
void shmx_os_unmap(void *base, uint64_t size);
int shmx_os_protect(void *base, uint64_t size);              /* a mapping is to be read only from now on */
int shmx_os_reserve(int fd, uint64_t offset, uint64_t size); /* so that touching the pages cannot fail */
int shmx_os_reserve_mapped(char *base, uint64_t size);       /* the same without the descriptor */
/* Gives an object that has no pages yet large ones, as many as its size has room for: they are made, mapped and freed in a
 * fraction of the time that as many small ones take. `base` is where it is mapped. On failure it has some or none: -EINVAL
 * when the kernel cannot do that (before 6.1) or the object is too small, -ENOMEM when no large page is free, and without
 * `wait` -EBUSY when they take longer than small ones, or did half a second ago. */
int shmx_os_take_large_pages(int fd, void *base, uint64_t size, bool wait);
int shmx_os_write(int fd, uint64_t offset, const void *bytes, uint64_t size); /* all of it, or an error */
int shmx_os_punch(int fd, uint64_t offset, uint64_t size); /* gives whole pages back; they read as zero */
int shmx_os_punch_mapped(void *base, uint64_t size);       /* the same without the descriptor */
int shmx_os_keep_from_children(void *base, uint64_t size); /* not there after fork */
uint64_t shmx_os_page_size(void);
/* Bytes that can be had now: what the machine has available, or less where a cgroup (v1 or v2) says so. */
uint64_t shmx_os_memory_available(void);
/* The room that the limits of the cgroup at `path` below the mount `root`, and of all above it, leave; UINT64_MAX: there are
 * none. */
uint64_t shmx_os_cgroup_room(const char *root, const char *path, bool v1);

/* True in a child that was forked from a process after its first call of this function, unless it has settled as a process
 * in its own right (shmx_os_settle_child). */
bool shmx_os_forked(void);
void shmx_os_forget_fork(void);

/* --- files --- */

/* open(), close-on-exec and above the standard descriptors. Returns the descriptor or -errno. */
int shmx_os_open(const char *path, int flags, mode_t mode);
/* Opens a regular file for reading; *size is what it has now. -EISDIR and -ESPIPE for what is none. */
int shmx_os_file_open(const char *path, uint64_t *size);
int shmx_os_file_read(int fd, uint64_t offset, void *bytes,
                      uint64_t size);                    /* all of it; -ENODATA: the file ends before */
int shmx_os_file_map(int fd, uint64_t size, void **out); /* shared, to be read only */
/* What would make a file, or a memory object, larger than the process may (RLIMIT_FSIZE, `ulimit -f`) fails with -EFBIG. The
 * kernel sends a signal with that, which ends the process; these two keep it from doing so. */
int shmx_os_file_write(int fd, const void *bytes, uint64_t size); /* all of it */
int shmx_os_file_grow(int fd, uint64_t size);                     /* to this size */

enum { SHMX_OS_PATH = 4096 }; /* bytes of a path with its terminator */

/* Where the regular file is, or is to be made, that `path` leads to: a whole path without symbolic links. 0, and *mode is
 * what the file may be read and written by, 0 if there is none yet; -EISDIR and -ESPIPE for what is no regular file, or why
 * it cannot be written. */
int shmx_os_file_find(const char *path, char found[SHMX_OS_PATH], mode_t *mode);
/* Whether both paths lead to one file, which need not be there yet. */
bool shmx_os_file_same(const char *a, const char *b);

/* A file that is to take the place of another, or of none. Write into `fd`, then end: from then on the new one is there,
 * on the disk; after an error, and after abandoning it, the old one. */
struct shmx_os_replacement {
  int fd;
  char path[SHMX_OS_PATH], temporary[SHMX_OS_PATH];
};
int shmx_os_replace_begin(const char *path, struct shmx_os_replacement *replacement);
int shmx_os_replace_end(struct shmx_os_replacement *replacement);
void shmx_os_replace_abandon(struct shmx_os_replacement *replacement);

/* --- memory objects with a name --- */

enum { SHMX_OS_NAME_ROOM = 200 }; /* bytes of a name with its terminator */

/* Whether an object can have this name. */
bool shmx_os_shm_is_name(const char *name);
/* An object without a name, all of its pages reserved: its descriptor, or -ENOSPC when the file system is full. */
int shmx_os_shm_make(uint64_t size);
/* Opens the object that has the name; *size is what it has now, *sealed whether it can only be read. */
int shmx_os_shm_open(const char *name, uint64_t *size, bool *sealed);
/* 0 when `fd` is a file of at least `size` bytes, open for reading and writing, or for reading if it is sealed; -ENODATA
 * when it is shorter, as anybody can make it; -EPROTO for anything else. */
int shmx_os_shm_check(int fd, uint64_t size, bool *sealed);
/* Nobody can open the object for writing any more; but the superuser can, if it is not by shmx_os_shm_open. -ETXTBSY when it
 * has been opened elsewhere by that, or was made elsewhere, and is open or mapped there. */
int shmx_os_shm_seal(int fd);

/* The names that this process has given: a file that says to others, when the process is gone, what may be removed. */
struct shmx_os_register {
  int fd;
  char path[64];
};
int shmx_os_register_open(struct shmx_os_register *names);
void shmx_os_register_close(struct shmx_os_register *names);
/* Gives the object a name, which is written down at this place of the register (from 0); what stood there has lost its name.
 * -EEXIST when there is one of that name. */
int shmx_os_register_name(struct shmx_os_register *names, uint32_t place, int fd, const char *name);
/* Takes the name away, unless it is another object's by now. */
void shmx_os_register_remove(int fd, const char *name);
/* Removes what processes of this user have left that are gone. */
void shmx_os_register_clean(void);

/* --- waking --- */

/* Sleeps while *word == expected, at most until `deadline` (shmx_os_now, < 0: no limit). 0, -EAGAIN, -EINTR, -ETIMEDOUT. */
int shmx_os_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
void shmx_os_futex_wake(_Atomic uint32_t *word);
int shmx_os_eventfd(void); /* non-blocking */
void shmx_os_eventfd_ring(int fd);
void shmx_os_eventfd_clear(int fd);

/* Moves a new descriptor (or passes a negative number on) above 0, 1 and 2: where a standard stream is closed, what is
 * opened next takes its number, and a print would go into it. Returns the descriptor or -errno. */
int shmx_os_above_standard(int fd);

/* A breath in a loop that looks at memory again and again. */
static inline void shmx_os_pause(void) {
#if defined __x86_64__ || defined __i386__
  __builtin_ia32_pause();
#elif defined __aarch64__
  __asm__ volatile("yield");
#endif
}

void shmx_os_yield(void);    /* lets others run that wait for this core */
uint32_t shmx_os_core(void); /* the number of the core that this thread runs on */
/* Goes on, on another of the cores that this thread may use, if there is one; where it may run stays as it was. */
void shmx_os_change_core(void);

/* --- time and machine --- */

int64_t shmx_os_now(void);       /* monotonic, nanoseconds */
int64_t shmx_os_now_about(void); /* the same, some milliseconds late, for next to nothing */
unsigned shmx_os_cpus(void);     /* that this process may use, at least 1 */

/* --- processes --- */

int shmx_os_pidfd(pid_t pid);
int shmx_os_pidfd_kill(int pidfd, int signal);
/* What tells a worker that its task is to stop: ignored unless it is handled, and hardly ever used by anyone else. */
#define SHMX_OS_STOP_SIGNAL SIGURG
bool shmx_os_dies_of(int signal); /* it has its default meaning in this process */
/* Waits for the end of a child and reaps it, unless that has been done. */
void shmx_os_reap(pid_t pid);
/* Starts `path` as a fresh process whose descriptors 3, 4, ... are `fds` and which has no other of ours but 0, 1, 2. */
int shmx_os_spawn(const char *path, char *const argv[], const int *fds, int nfds, pid_t *pid);
/* Closes every descriptor from `first` up, except those in the sorted list `keep`. */
void shmx_os_close_all(int first, const int *keep, int nkeep);
void shmx_os_close_on_exec(int fd);
int shmx_os_pipe(int ends[2]); /* to read from without waiting, and to write to */
int shmx_os_directory(void);   /* a descriptor of the working directory */
/* True when this process, or the machine, cannot have so many descriptors more, at most SHMX_OS_FDS. */
bool shmx_os_files_are_used_up(int wanted);
uint64_t shmx_os_files(void); /* how many this process may have open */
/* Raises the soft limit of open files to the hard one; *before is what it was. */
int shmx_os_raise_files(uint64_t *before);
void shmx_os_restore_files(uint64_t soft);
/* In a forked child: leads a process group of its own that dies with `parent`, has default signals and none blocked, and
 * no descriptor but 0, 1, 2 and the sorted list `keep`. -ESRCH when the parent is gone already. */
int shmx_os_settle_child(pid_t parent, const int *keep, int nkeep);
/* Calls `report` when this process crashes (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT), with the instruction at which it
 * does, NULL where that is not known; then it ends as it would have. The function may do nothing that a signal handler may
 * not. */
typedef void shmx_os_crash_report(const void *place);
void shmx_os_watch_crashes(shmx_os_crash_report *report);
/* The file from which the code at `address` was loaded; false when it is none. For reports too. */
bool shmx_os_file_at(const void *address, char *out, size_t room);
/* A process without terminal that inherits its descendants' orphans; its standard input is /dev/null, and writing where
 * nobody reads, or more into a file than it may, is an error like others. Should it be stopped when its parent dies, it goes
 * on: it has to hear of that. */
int shmx_os_settle_supervisor(void);
/* A descriptor that becomes readable when children change; SIGCHLD is blocked from now on. */
int shmx_os_child_events(void);
/* The next change of a child: its pid, or 0 when there is none. *change: 'x' ended (*status as waitpid gives it), 's'
 * stopped, 'c' continued. It is told again until shmx_os_take_child, so that a process that has ended keeps its number. */
pid_t shmx_os_next_child(char *change, int *status);
void shmx_os_take_child(pid_t pid, char change);
/* Kills every process of a session whose leader is dead. */
void shmx_os_kill_session(pid_t session);
/* Kills every child process of ours whose pid `known` does not claim: what a dead worker left behind. */
void shmx_os_kill_strangers(bool (*known)(void *context, pid_t pid), void *context);

/* --- sockets --- */

int shmx_os_socketpair(int ends[2]); /* SOCK_SEQPACKET */
/* Sends one record with `nfds` descriptors (at most SHMX_OS_FDS). Never blocks with `wait` false. 0 or -errno. */
int shmx_os_send(int fd, const void *bytes, size_t size, const int *fds, int nfds, bool wait);
/* Receives one record of at most `size` bytes; *nfds in: room in `fds`, out: descriptors received. Returns the record's
 * bytes; 0: end of file; -EAGAIN: nothing there (wait false); -EMSGSIZE: bytes or descriptors were cut off or too many
 * (those that came are closed). A reset connection is read on to its end. */
ssize_t shmx_os_receive(int fd, void *bytes, size_t size, int *fds, int *nfds, bool wait);
enum { SHMX_OS_FDS = 4 };

/* Waits until `fd` (or `other`, -1: none) is readable. A bit mask of which (1, 2), 0 on time-out, -EINTR. */
int shmx_os_poll(int fd, int other, int64_t deadline);

#endif
