/* SPDX-License-Identifier: MIT */
/*
 * Choosing elements: see array/select.h. Positions are read in blocks, as 0-based 64-bit integers, whatever they are
 * stored as.
 */
#include "array/select.h"

#include <string.h>

#include "array/cast.h"
#include "array/fold.h"
#include "array/kernel.h"
#include "array/loop.h"

enum { BLOCK = 1024 };

/* Positions block by block. */
struct reader {
  struct shmx_loop loop;
  shmx_cast_row *cast;
  int64_t size; /* of what they point into */
  int64_t at;   /* where the next block begins in the row */
  int64_t count;
  int64_t block[BLOCK];
};

static bool start_reading(struct reader *r, const struct shmx_view *positions, int64_t size) {
  r->cast = shmx_casts()->row[SHMX_I64][positions->dtype];
  r->size = size;
  r->at = 0;
  return shmx_loop_start(&r->loop, positions, NULL);
}

/* Loads the next block as it is; false when there is none. */
static bool load_block(struct reader *r) {
  if (r->at == r->loop.count) {
    if (!shmx_loop_next(&r->loop)) return false;
    r->at = 0;
  }
  r->count = r->loop.count - r->at < BLOCK ? r->loop.count - r->at : BLOCK;
  const char *from = r->loop.data[0] + r->at * r->loop.stride[0];
  r->cast((char *)r->block, sizeof r->block[0], from, r->loop.stride[0], r->count);
  r->at += r->count;
  return true;
}

/* Loads the next block and makes its positions 0-based. They have been checked, but in shared memory somebody may have
 * changed them since: what is none now is the first. */
static bool read_block(struct reader *r) {
  if (!load_block(r)) return false;
  for (int64_t i = 0; i < r->count; i++) {
    uint64_t p = (uint64_t)(r->block[i] + (r->block[i] < 0 ? r->size : -1));
    r->block[i] = p < (uint64_t)r->size ? (int64_t)p : 0;
  }
  return true;
}

int64_t shmx_positions_check(const struct shmx_view *positions, int64_t size, int64_t *bad) {
  struct reader r;
  int64_t before = 0;
  if (!start_reading(&r, positions, size)) return 0;
  for (; load_block(&r); before += r.count) {
    bool wrong = false;
    for (int64_t i = 0; i < r.count; i++) wrong |= (r.block[i] > size) | (r.block[i] < -size) | (r.block[i] == 0);
    for (int64_t i = 0; wrong; i++) {
      *bad = r.block[i];
      if (*bad > size || *bad < -size || *bad == 0) return before + i + 1;
    }
  }
  return 0;
}

/* --- take --- */

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

typedef void gather_block(char *out, const char *in, int64_t step, const int64_t *block, int64_t count);

#define GATHER(type)                                                                                                   \
  static void gather_##type(char *out, const char *in, int64_t step, const int64_t *block, int64_t count) {            \
    type *to = (type *)(void *)out;                                                                                    \
    if (step == (int64_t)sizeof(type)) {                                                                               \
      const type *from = (const type *)(const void *)in;                                                               \
      for (int64_t i = 0; i < count; i++) to[i] = from[block[i]];                                                      \
    } else {                                                                                                           \
      for (int64_t i = 0; i < count; i++) to[i] = *(const type *)(const void *)(in + block[i] * step);                 \
    }                                                                                                                  \
  }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)

#define COMPRESS(type)                                                                                                 \
  static int64_t compress_##type(char *out, int64_t room, const char *in, int64_t stride, const char *mask,            \
                                 int64_t mask_stride, int64_t count) {                                                 \
    type *to = (type *)(void *)out;                                                                                    \
    int64_t n = 0;                                                                                                     \
    for (int64_t i = 0; i < count && n < room; i++) {                                                                  \
      to[n] = *(const type *)(const void *)(in + i * stride);                                                          \
      n += mask[i * mask_stride] != 0;                                                                                 \
    }                                                                                                                  \
    return n;                                                                                                          \
  }
COMPRESS(uint8_t)
COMPRESS(uint16_t)
COMPRESS(uint32_t)
COMPRESS(uint64_t)

/* NOLINTEND(bugprone-macro-parentheses) */

void shmx_take_run(const struct shmx_take *take) {
  static gather_block *const gathers[] = {
      [1] = gather_uint8_t, [2] = gather_uint16_t, [4] = gather_uint32_t, [8] = gather_uint64_t};
  int64_t unit = shmx_dtype_size(take->dtype);
  char *out = take->out;
  struct reader r;
  for (int64_t o = 0; o < take->outer; o++) {
    const char *in = (const char *)take->in + o * take->size * take->inner;
    if (!start_reading(&r, take->positions, take->size)) return;
    while (read_block(&r)) {
      if (take->inner == unit) {
        gathers[unit](out, in, take->step, r.block, r.count);
      } else {
        for (int64_t i = 0; i < r.count; i++) {
          memcpy(out + i * take->inner, in + r.block[i] * take->step, (size_t)take->inner);
        }
      }
      out += r.count * take->inner;
    }
  }
}

/* --- put --- */

/* The element with a number in index order. */
static char *element_at(const struct shmx_view *view, int64_t number) {
  char *p = view->data;
  for (int d = view->ndim - 1; d >= 0; d--) {
    p += number % view->shape[d] * view->strides[d];
    number /= view->shape[d];
  }
  return p;
}

/* Gives out values one after another, in index order, as elements of another dtype. */
struct values {
  struct shmx_loop loop;
  shmx_cast_row *cast;
  int64_t at;
  bool single; /* the same again and again */
};

static void start_values(struct values *v, const struct shmx_view *values, enum shmx_dtype dtype) {
  v->cast = shmx_casts()->row[dtype][values->dtype];
  v->at = 0;
  v->single = shmx_view_count(values) == 1;
  shmx_loop_start(&v->loop, values, NULL);
}

static void put_next(struct values *v, char *to) {
  v->cast(to, 0, v->loop.data[0] + v->at * v->loop.stride[0], 0, 1);
  if (v->single || ++v->at < v->loop.count) return;
  v->at = 0;
  shmx_loop_next(&v->loop);
}

void shmx_put_run(const struct shmx_view *target, const struct shmx_view *positions, const struct shmx_view *values) {
  struct reader r;
  struct values v;
  if (!start_reading(&r, positions, shmx_view_count(target))) return;
  start_values(&v, values, target->dtype);
  while (read_block(&r)) {
    for (int64_t i = 0; i < r.count; i++) put_next(&v, element_at(target, r.block[i]));
  }
}

/* --- masks --- */

int64_t shmx_mask_count(const struct shmx_view *mask) {
  uint64_t count = 0;
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, mask, NULL)) return 0;
  if (mask->dtype == SHMX_BOOL) {
    do shmx_folds()->row[SHMX_FOLD_SUM][SHMX_BOOL](&count, loop.data[0], loop.stride[0], loop.count);
    while (shmx_loop_next(&loop));
    return (int64_t)count;
  }
  do {
    shmx_bool truth[BLOCK];
    for (int64_t i = 0; i < loop.count; i += BLOCK) {
      int64_t n = loop.count - i < BLOCK ? loop.count - i : BLOCK;
      shmx_casts()->row[SHMX_BOOL][mask->dtype]((char *)truth, 1, loop.data[0] + i * loop.stride[0], loop.stride[0], n);
      shmx_folds()->row[SHMX_FOLD_SUM][SHMX_BOOL](&count, (const char *)truth, 1, n);
    }
  } while (shmx_loop_next(&loop));
  return (int64_t)count;
}

void shmx_mask_take(const struct shmx_view *out, const struct shmx_view *in, const struct shmx_view *mask) {
  typedef int64_t compress_row(char *, int64_t, const char *, int64_t, const char *, int64_t, int64_t);
  static compress_row *const rows[] = {
      [1] = compress_uint8_t, [2] = compress_uint16_t, [4] = compress_uint32_t, [8] = compress_uint64_t};
  int64_t size = shmx_dtype_size(out->dtype), room = out->shape[0];
  char *to = out->data;
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, in, mask)) return;
  do {
    int64_t n = rows[size](to, room, loop.data[0], loop.stride[0], loop.data[1], loop.stride[1], loop.count);
    to += n * size;
    room -= n;
  } while (room > 0 && shmx_loop_next(&loop));
}

void shmx_mask_put(const struct shmx_view *target, const struct shmx_view *mask, const struct shmx_view *values) {
  struct shmx_loop loop;
  struct values v;
  if (shmx_view_count(values) == 0 || !shmx_loop_start(&loop, target, mask)) return;
  start_values(&v, values, target->dtype);
  do {
    for (int64_t i = 0; i < loop.count; i++) {
      if (loop.data[1][i * loop.stride[1]]) put_next(&v, loop.data[0] + i * loop.stride[0]);
    }
  } while (shmx_loop_next(&loop));
}

/* Goes to the next index; false after the last one. */
static bool next_index(const struct shmx_view *view, int64_t *index) {
  for (int d = view->ndim - 1; d >= 0; d--) {
    if (++index[d] < view->shape[d]) return true;
    index[d] = 0;
  }
  return false;
}

void shmx_mask_find(const struct shmx_view *mask, int64_t *const *columns, int64_t room) {
  shmx_cast_row *cast = shmx_casts()->row[SHMX_BOOL][mask->dtype];
  int64_t index[SHMX_MAX_NDIM] = {0}, found = 0;
  if (shmx_view_count(mask) == 0 || room == 0) return;
  do {
    shmx_bool truth;
    cast((char *)&truth, 0, shmx_view_at(mask, index), 0, 1);
    if (!truth) continue;
    for (int d = 0; d < mask->ndim; d++) columns[d][found] = index[d] + 1;
    found++;
  } while (found < room && next_index(mask, index));
}
