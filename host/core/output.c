/* SPDX-License-Identifier: MIT */
/*
 * See output.h. Dying here: before a line is written, what was kept of it is main's to write; after it, a death before the
 * kept bytes are forgotten shows the begin of the line twice. That is better than losing it.
 */
#include "core/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum shmx_output_mode shmx_output_mode;
static struct {
  const char *name;
  struct shmx_output streams[2];
} here;

/* --- writing --- */

static bool write_all(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, bytes, size);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      poll(&wait, 1, -1);
    } else if (n < 0 && errno != EINTR) return false;
    if (n > 0) bytes += n, size -= (size_t)n;
  }
  return true;
}

static void take_turn(int fd, short type) {
  struct flock turn = {.l_type = type, .l_whence = SEEK_SET};
  while (fcntl(fd, F_SETLKW, &turn) < 0 && errno == EINTR) continue;
}

static bool write_in_one_piece(const struct shmx_output *output, const char *bytes, size_t size) {
  if (output->is_pipe) take_turn(output->fd, F_WRLCK);
  bool ok = write_all(output->fd, bytes, size);
  if (output->is_pipe) take_turn(output->fd, F_UNLCK);
  return ok;
}

/* --- what is put together --- */

static bool reserve(struct shmx_output *output, size_t more) {
  size_t capacity = output->capacity ? output->capacity : 4096;
  if (output->size + more <= output->capacity) return true;
  while (capacity < output->size + more) capacity *= 2;
  char *grown = realloc(output->bytes, capacity);
  if (!grown) return false;
  output->bytes = grown;
  output->capacity = capacity;
  return true;
}

static bool append(struct shmx_output *output, const char *bytes, size_t size) {
  if (!reserve(output, size)) return false;
  memcpy(output->bytes + output->size, bytes, size);
  output->size += size;
  return true;
}

/* Makes the lane's kept bytes those that we have, as far as there is room. The first `same` of them are there already. */
static void keep(struct shmx_output *output, size_t same) {
  size_t size = output->size < SHMX_KEPT_BYTES ? output->size : SHMX_KEPT_BYTES;
  if (same < size) memcpy(output->kept->bytes + same, output->bytes + same, size - same);
  atomic_store_explicit(&output->kept->size, (uint32_t)size, memory_order_release);
}

static bool append_label(struct shmx_output *output) {
  const char *name = here.name ? here.name : "";
  size_t size = strnlen(name, SHMX_SLOT_NAME);
  if (shmx_output_mode != SHMX_OUTPUT_LABEL || size == 0) return true;
  return append(output, name, size) && append(output, ": ", 2);
}

/* Bytes after the last newline. */
static size_t unfinished(const char *bytes, size_t size) {
  const char *newline = size > 0 ? memrchr(bytes, '\n', size) : NULL;
  return newline ? size - (size_t)(newline + 1 - bytes) : size;
}

/* Writes the complete lines that have been put together. */
static bool write_lines(struct shmx_output *output, size_t same) {
  size_t rest = unfinished(output->bytes, output->size), lines = output->size - rest;
  bool ok = true;
  if (lines > 0) {
    ok = write_in_one_piece(output, output->bytes, lines);
    memmove(output->bytes, output->bytes + lines, rest);
    output->size = rest;
    same = 0;
  }
  if (rest > 0 || atomic_load_explicit(&output->kept->size, memory_order_relaxed) > 0) keep(output, same);
  return ok;
}

/* Every line begins with the name. */
static bool put_labelled(struct shmx_output *output, const char *bytes, size_t size) {
  while (size > 0) {
    const char *newline = memchr(bytes, '\n', size);
    size_t part = newline ? (size_t)(newline + 1 - bytes) : size;
    bool begins = output->size == 0 || output->bytes[output->size - 1] == '\n';
    if ((begins && !append_label(output)) || !append(output, bytes, part)) return false;
    bytes += part;
    size -= part;
  }
  return true;
}

bool shmx_output_write(struct shmx_output *output, const char *bytes, size_t size) {
  size_t same = output->size;
  if (shmx_output_mode == SHMX_OUTPUT_CAPTURE) {
    bool ok = append(output, bytes, size);
    keep(output, same);
    return ok;
  }
  if (shmx_output_mode == SHMX_OUTPUT_PASS && same == 0 && unfinished(bytes, size) == 0)
    return write_in_one_piece(output, bytes, size); /* nearly always */
  bool ok = shmx_output_mode == SHMX_OUTPUT_LABEL ? put_labelled(output, bytes, size) : append(output, bytes, size);
  return write_lines(output, same) && ok;
}

static void end_line(struct shmx_output *output) {
  size_t same = output->size;
  if (same > 0 && append(output, "\n", 1)) write_lines(output, same);
}

void shmx_output_end_lines(void) {
  if (shmx_output_mode == SHMX_OUTPUT_CAPTURE) return;
  end_line(&here.streams[0]);
  end_line(&here.streams[1]);
}

void shmx_output_forget(struct shmx_output *output) {
  output->size = 0;
  keep(output, 0);
}

/* --- who --- */

static void open_stream(struct shmx_output *output, int fd, struct shmx_kept_shm *kept) {
  struct stat st;
  *output = (struct shmx_output){.fd = fd, .kept = kept};
  output->is_pipe = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
  atomic_store(&kept->size, 0);
}

void shmx_output_attach(struct shmx_kept_shm *kept) {
  open_stream(&here.streams[0], STDOUT_FILENO, &kept[0]);
  open_stream(&here.streams[1], STDERR_FILENO, &kept[1]);
}

struct shmx_output *shmx_output_stream(int fd) {
  return &here.streams[fd == STDERR_FILENO && shmx_output_mode != SHMX_OUTPUT_CAPTURE];
}

void shmx_output_choose(enum shmx_output_mode mode) { shmx_output_mode = mode; }

void shmx_output_name(const char *name) { here.name = name; }

/* --- main --- */

void shmx_output_salvage(struct shmx_kept_shm *kept) {
  for (int i = 0; i < 2; i++) {
    struct shmx_output output = {.fd = i == 0 ? STDOUT_FILENO : STDERR_FILENO};
    struct stat st;
    uint32_t size = atomic_load_explicit(&kept[i].size, memory_order_acquire);
    if (size == 0 || size > SHMX_KEPT_BYTES) continue;
    char *line = malloc(size + 1);
    if (!line) continue;
    memcpy(line, kept[i].bytes, size);
    line[size] = '\n';
    output.is_pipe = fstat(output.fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
    write_in_one_piece(&output, line, size + 1);
    free(line);
    atomic_store(&kept[i].size, 0);
  }
}
