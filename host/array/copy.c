/* SPDX-License-Identifier: MIT */
/*
 * Copying between views, row by row; or, where rows of one view are columns of the other, tile by tile, so that each cache
 * line is used while it is there.
 */
#include <stdlib.h>
#include <string.h>

#include "array/cast.h"
#include "array/kernel.h"
#include "array/loop.h"
#include "array/stream.h"
#include "array/turn.h"

enum { TILE = 16, TILED_ROW = 8 };

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

/* Two dimensions of both views: elements of a row, and rows. */
struct plane {
  char *to;
  const char *from;
  int64_t to_stride, from_stride, count; /* along a row */
  int64_t to_step, from_step, rows;      /* from row to row */
};

#define COPY_TILE(type)                                                                                                \
  static void copy_tile_##type(const struct plane *p, int64_t row, int64_t column, int64_t rows, int64_t columns) {    \
    char *to = p->to + row * p->to_step + column * p->to_stride;                                                       \
    const char *from = p->from + row * p->from_step + column * p->from_stride;                                         \
    for (int64_t r = 0; r < rows; r++, to += p->to_step, from += p->from_step) {                                       \
      for (int64_t c = 0; c < columns; c++) {                                                                          \
        *(type *)(void *)(to + c * p->to_stride) = *(const type *)(const void *)(from + c * p->from_stride);           \
      }                                                                                                                \
    }                                                                                                                  \
  }
COPY_TILE(uint8_t)
COPY_TILE(uint16_t)
COPY_TILE(uint32_t)
COPY_TILE(uint64_t)

/* NOLINTEND(bugprone-macro-parentheses) */

/* Whether rows of the target are columns of the source, both without gaps; turned around to be so if the columns are. */
static bool are_crossed(struct plane *p, int64_t size) {
  if (p->to_step == size && p->from_stride == size) {
    *p = (struct plane){p->to, p->from, p->to_step, p->from_step, p->rows, p->to_stride, p->from_stride, p->count};
  }
  return p->to_stride == size && p->from_step == size;
}

static void copy_plane(struct plane p, int64_t size) {
  typedef void copy_tile(const struct plane *, int64_t, int64_t, int64_t, int64_t);
  static copy_tile *const tiles[] = {
      [1] = copy_tile_uint8_t, [2] = copy_tile_uint16_t, [4] = copy_tile_uint32_t, [8] = copy_tile_uint64_t};
  shmx_turn_kernel *turn = are_crossed(&p, size) ? shmx_turns()->turn[size] : NULL;
  for (int64_t row = 0; row < p.rows; row += TILE) {
    int64_t rows = p.rows - row < TILE ? p.rows - row : TILE;
    for (int64_t column = 0; column < p.count; column += TILE) {
      int64_t columns = p.count - column < TILE ? p.count - column : TILE;
      if (!turn) tiles[size](&p, row, column, rows, columns);
      else
        turn(p.to + row * p.to_step + column * size, p.to_step, p.from + row * size + column * p.from_stride,
             p.from_stride, rows, columns);
    }
  }
}

/* Whether the elements of a row lie further apart than the rows, in one view or both. */
static bool is_turned(const struct shmx_loop *loop) {
  if (loop->ndim == 0 || loop->count < TILED_ROW || loop->shape[0] < TILED_ROW) return false;
  return llabs(loop->stride[0]) > llabs(loop->outer[0][0]) || llabs(loop->stride[1]) > llabs(loop->outer[1][0]);
}

/* Copies all planes of the rows and the innermost dimension around them, which the loop then has no more. */
static void copy_planes(struct shmx_loop *loop, int64_t size) {
  struct plane p = {.to_stride = loop->stride[0],
                    .from_stride = loop->stride[1],
                    .count = loop->count,
                    .to_step = loop->outer[0][0],
                    .from_step = loop->outer[1][0],
                    .rows = loop->shape[0]};
  loop->ndim--;
  memmove(loop->shape, loop->shape + 1, (size_t)loop->ndim * sizeof loop->shape[0]);
  for (int v = 0; v < 2; v++) {
    memmove(loop->outer[v], loop->outer[v] + 1, (size_t)loop->ndim * sizeof loop->outer[v][0]);
  }
  do {
    p.to = loop->data[0], p.from = loop->data[1];
    copy_plane(p, size);
  } while (shmx_loop_next(loop));
}

/* A row that is written past the cache. */
struct source {
  shmx_cast_row *cast;
  const char *data;
  int64_t stride, size; /* of an element of the target */
};

static void cast_piece(void *context, int64_t first, int64_t count, void *to) {
  const struct source *s = context;
  s->cast(to, s->size, s->data + first * s->stride, s->stride, count);
}

static void copy_row(shmx_cast_row *cast, const struct shmx_loop *loop, int64_t size, int64_t from_size) {
  struct source source = {cast, loop->data[1], loop->stride[1], size};
  if (loop->stride[0] == size && shmx_stream_suits(loop->data[0], loop->count, size, from_size)) {
    shmx_stream_run(loop->data[0], loop->count, size, cast_piece, &source);
  } else {
    cast(loop->data[0], loop->stride[0], loop->data[1], loop->stride[1], loop->count);
  }
}

void shmx_kernel_copy(const struct shmx_view *to, const struct shmx_view *from) {
  const int64_t bytes = shmx_view_nbytes(to) + shmx_view_nbytes(from);
  shmx_cast_row *row = shmx_casts_for(bytes)->row[to->dtype][from->dtype];
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, to, from)) return;
  if (to->dtype == from->dtype && is_turned(&loop)) {
    copy_planes(&loop, shmx_dtype_size(to->dtype));
    return;
  }
  do copy_row(row, &loop, shmx_dtype_size(to->dtype), shmx_dtype_size(from->dtype));
  while (shmx_loop_next(&loop));
}
