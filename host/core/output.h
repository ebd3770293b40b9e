/* SPDX-License-Identifier: MIT */
/*
 * What a worker prints: whole lines, each written in one piece, so that those of several workers do not mix.
 *
 * A worker puts together what is printed until a line is complete. What it has of a line that is not is kept in its lane
 * too, in shared memory, when it is flushed: if the worker dies, main writes it. When a task ends, its last line does.
 * There are three ways: to *pass* lines on, to *label* each with the task's name, and to *capture* everything and send it
 * with the result; what a dead worker had captured, main finds in the lane.
 *
 * Writing is done by the worker itself and may block, as printing does. On a pipe, where the kernel keeps only short
 * writes in one piece, workers take turns by a record lock on the pipe itself, which the kernel takes from the dead.
 */
#ifndef SHMX_CORE_OUTPUT_H
#define SHMX_CORE_OUTPUT_H

#include "core/layout.h"

enum shmx_output_mode { SHMX_OUTPUT_PASS = 0, SHMX_OUTPUT_LABEL, SHMX_OUTPUT_CAPTURE };

/* What has been chosen. */
extern enum shmx_output_mode shmx_output_mode;

/* Standard output and standard error of this process go here. */
struct shmx_output {
  struct shmx_kept_shm *kept;
  int fd;
  bool is_pipe;
  char *bytes; /* of a line that is not complete, or what has been captured; owned */
  size_t size, capacity;
};

/* The worker's streams (STDOUT_FILENO, STDERR_FILENO), once it has said where its lane's kept bytes are. When everything is
 * captured there is only one, which keeps the order. */
struct shmx_output *shmx_output_stream(int fd);

/* Worker: the lane's kept bytes, two of them; what a dead worker left there is forgotten. */
void shmx_output_attach(struct shmx_kept_shm *kept);
void shmx_output_choose(enum shmx_output_mode mode);
/* Worker: the name of the task that runs; not terminated when it fills its place. */
void shmx_output_name(const char *name);

/* Takes bytes that were printed. False when they could not be written. */
bool shmx_output_write(struct shmx_output *output, const char *bytes, size_t size);
/* The task has ended, and its last lines do. */
void shmx_output_end_lines(void);
/* What has been captured goes. */
void shmx_output_forget(struct shmx_output *output);

/* Main: writes the unfinished lines of a dead worker, of whose lane these are. */
void shmx_output_salvage(struct shmx_kept_shm *kept);

#endif
