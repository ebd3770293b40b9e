/* SPDX-License-Identifier: MIT */
/* The kernels of array/stream.h. Compiled once for each level. */
#include "array/stream.h"

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

#if defined(__AVX512F__)
#include <immintrin.h>

static void store_piece(char *to, const char *piece) {
  for (int i = 0; i < SHMX_STREAM_PIECE; i += SHMX_STREAM_LINE) {
    _mm512_stream_si512((void *)(to + i), _mm512_load_si512((const void *)(piece + i)));
  }
}

static void finish(void) { _mm_sfence(); }

const struct shmx_streams SHMX_AT_LEVEL(shmx_streams) = {true, store_piece, finish};

#else

const struct shmx_streams SHMX_AT_LEVEL(shmx_streams) = {.whole_lines = false};

#endif
