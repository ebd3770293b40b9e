/* SPDX-License-Identifier: MIT */
/*
 * Writing large results past the cache.
 *
 * An ordinary store reads the line that it writes into, and drives another one out of the cache. For a result that is
 * larger than the cache both are in vain, and cost up to a third of the time. So such a result is made in pieces that stay
 * in the nearest cache, and each goes straight to memory. Pieces are small (half a KiB), so that the processor reads
 * operands and writes results at the same time.
 *
 * It is done where one store writes a whole line, since parts of lines are slower than ordinary stores.
 */
#ifndef SHMX_ARRAY_STREAM_H
#define SHMX_ARRAY_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "array/level.h"

enum { SHMX_STREAM_LINE = 64, SHMX_STREAM_PIECE = 512 };

/* Makes the elements number first, first + 1, ... of a result, `count` of them, one after another at `to`. */
typedef void shmx_stream_maker(void *context, int64_t first, int64_t count, void *to);

/* Whether it is worth it for a contiguous result of `count` elements of `size` bytes, which is not read on the way, where
 * `operands` more bytes are read for each. */
bool shmx_stream_suits(const void *out, int64_t count, int64_t size, int64_t operands);

/* Makes such a result, piece after piece from the first on. It is in memory for everybody when this returns. */
void shmx_stream_run(void *out, int64_t count, int64_t size, shmx_stream_maker *make, void *context);

/* The same for a result in which all elements are equal: `piece` is full of them, and begins where a line does. */
void shmx_stream_repeat(void *out, int64_t count, int64_t size, const char *piece);

/* The kernels, compiled once for each level (array/streamer.c). */
struct shmx_streams {
  bool whole_lines; /* the others are of no use without */
  void (*store_piece)(char *to, const char *piece);
  void (*finish)(void); /* the stores come in no order; before this returns they have come */
};
SHMX_EACH_LEVEL(struct shmx_streams, shmx_streams)

#endif
