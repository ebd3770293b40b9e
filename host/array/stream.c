/* SPDX-License-Identifier: MIT */
/* See array/stream.h. What is left at the ends, where no whole line is written, is stored as usual. */
#include "array/stream.h"

#include <string.h>

enum { LARGE = 48 << 20 /* bytes that do not stay in the cache when they are gone through */ };

bool shmx_stream_suits(const void *out, int64_t count, int64_t size, int64_t operands) {
  return count * (size + operands) >= LARGE && (uintptr_t)out % (uintptr_t)size == 0 && shmx_streams()->whole_lines;
}

/* How many elements stand before the first line. */
static int64_t count_ahead(const void *out, int64_t size) {
  return (int64_t)(-(uintptr_t)out % SHMX_STREAM_LINE) / size;
}

void shmx_stream_run(void *out, int64_t count, int64_t size, shmx_stream_maker *make, void *context) {
  _Alignas(SHMX_STREAM_LINE) char piece[SHMX_STREAM_PIECE];
  const struct shmx_streams *streams = shmx_streams();
  char *to = out;
  const int64_t step = SHMX_STREAM_PIECE / size;
  int64_t first = count_ahead(out, size);
  make(context, 0, first, to);
  for (; first + step <= count; first += step) {
    make(context, first, step, piece);
    streams->store_piece(to + first * size, piece);
  }
  make(context, first, count - first, to + first * size);
  streams->finish();
}

void shmx_stream_repeat(void *out, int64_t count, int64_t size, const char *piece) {
  const struct shmx_streams *streams = shmx_streams();
  char *to = out, *end = to + count * size;
  const int64_t ahead = count_ahead(out, size) * size;
  memcpy(to, piece, (size_t)ahead);
  for (to += ahead; end - to >= SHMX_STREAM_PIECE; to += SHMX_STREAM_PIECE) streams->store_piece(to, piece);
  memcpy(to, piece, (size_t)(end - to));
  streams->finish();
}
