/* SPDX-License-Identifier: MIT */
/*
 * A trace file: the JSON that Perfetto and chrome://tracing open, one event in a line.
 *
 * Each write ends with what closes the JSON, and the next one begins where that stood: so the file is valid after every
 * write, whoever is killed. An error of the disk ends the trace; what is put into it afterwards is dropped.
 */
#ifndef SHMX_CORE_TRACE_FILE_H
#define SHMX_CORE_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shmx_trace_file {
  int fd;
  int error; /* 0 or -errno */
  int64_t origin;
  uint64_t position; /* where the next bytes go */
  char *buffer;
  size_t used;
};

/* What all events have. Times are in nanoseconds, of the clock of shmx_os_now. */
struct shmx_trace_event {
  const char *name, *category;
  char phase; /* X: complete, s t f: the begin, a step and the finish of a flow, i: instant, C: counter, M: metadata */
  int64_t time;
  uint64_t duration; /* X */
  uint32_t process;
  uint64_t flow; /* s t f */
};

/* `fd` is taken over. 0 or -ENOMEM. */
int shmx_trace_file_open(struct shmx_trace_file *file, int fd, int64_t origin);

/* An event with its arguments in between: begin, any of the next three, end. */
void shmx_trace_file_begin(struct shmx_trace_file *file, const struct shmx_trace_event *event);
void shmx_trace_file_number(struct shmx_trace_file *file, const char *key, uint64_t value);
void shmx_trace_file_micros(struct shmx_trace_file *file, const char *key, uint64_t nanoseconds);
void shmx_trace_file_text(struct shmx_trace_file *file, const char *key, const char *text);
void shmx_trace_file_end(struct shmx_trace_file *file);

/* Writes what is there. */
void shmx_trace_file_flush(struct shmx_trace_file *file);
void shmx_trace_file_close(struct shmx_trace_file *file);

#endif
