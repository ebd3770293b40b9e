/* SPDX-License-Identifier: MIT */
/* See array/stream.h. What is left at the ends, where no whole line is written, is stored as usual. */
#include "array/stream.h"

enum { LARGE = 48 << 20 /* bytes that do not stay in the cache when they are gone through */ };

bool shmx_stream_suits(const void *out, int64_t count, int64_t size, int64_t operands) {
  return count * (size + operands) >= LARGE && (uintptr_t)out % (uintptr_t)size == 0 && shmx_streams()->whole_lines;
}

void shmx_stream_run(void *out, int64_t count, int64_t size, shmx_stream_maker *make, void *context) {
  _Alignas(SHMX_STREAM_LINE) char piece[SHMX_STREAM_PIECE];
  const struct shmx_streams *streams = shmx_streams();
  char *to = out;
  const int64_t step = SHMX_STREAM_PIECE / size;
  int64_t first = (int64_t)(-(uintptr_t)out % SHMX_STREAM_LINE) / size; /* up to where a line begins */
  make(context, 0, first, to);
  for (; first + step <= count; first += step) {
    make(context, first, step, piece);
    streams->store_piece(to + first * size, piece);
  }
  make(context, first, count - first, to + first * size);
  streams->finish();
}
