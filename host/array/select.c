/* SPDX-License-Identifier: MIT */
/*
 * Choosing elements: see array/select.h. Positions are read in blocks, as 0-based 64-bit integers, whatever they are
 * stored as.
 */
#include "array/select.h"

#include <string.h>

#include "array/cast.h"
#include "array/fold.h"
#include "array/gather.h"
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
  const int64_t *positions; /* of the block: where they are stored, or `block` */
  bool direct;              /* they are stored as such integers without gaps */
  int64_t block[BLOCK];
};

static bool start_reading(struct reader *r, const struct shmx_view *positions, int64_t size) {
  r->cast = shmx_casts()->row[SHMX_I64][positions->dtype];
  r->size = size;
  r->at = 0;
  if (!shmx_loop_start(&r->loop, positions, NULL)) return false;
  r->direct = (positions->dtype == SHMX_I64 || positions->dtype == SHMX_U64) && r->loop.stride[0] == sizeof(int64_t);
  return true;
}

/* Loads the next block as it is; false when there is none. */
static bool load_block(struct reader *r) {
  if (r->at == r->loop.count) {
    if (!shmx_loop_next(&r->loop)) return false;
    r->at = 0;
  }
  r->count = r->loop.count - r->at < BLOCK ? r->loop.count - r->at : BLOCK;
  const char *from = r->loop.data[0] + r->at * r->loop.stride[0];
  r->at += r->count;
  r->positions = r->direct ? (const int64_t *)(const void *)from : r->block;
  if (!r->direct) r->cast((char *)r->block, sizeof r->block[0], from, r->loop.stride[0], r->count);
  return true;
}

/* Loads the next block and makes its positions 0-based. They have been checked, but in shared memory somebody may have
 * changed them since: what is none now is the first. */
static bool read_block(struct reader *r) {
  if (!load_block(r)) return false;
  shmx_gathers()->to_offsets(r->block, r->positions, r->count, r->size);
  return true;
}

int64_t shmx_positions_check(const struct shmx_view *positions, int64_t size, int64_t *bad) {
  struct reader r;
  int64_t before = 0;
  if (!start_reading(&r, positions, size)) return 0;
  for (; load_block(&r); before += r.count) {
    if (shmx_gathers()->are_positions(r.positions, r.count, size)) continue;
    for (int64_t i = 0; i < r.count; i++) {
      *bad = r.positions[i];
      if (*bad > size || *bad < -size || *bad == 0) return before + i + 1;
    }
  }
  return 0;
}

/* --- take --- */

void shmx_take_run(const struct shmx_take *take) {
  int64_t unit = shmx_dtype_size(take->dtype);
  char *out = take->out;
  struct reader r;
  for (int64_t o = 0; o < take->outer; o++) {
    const char *in = (const char *)take->in + o * take->size * take->inner;
    if (!start_reading(&r, take->positions, take->size)) return;
    while (read_block(&r)) {
      if (take->inner == unit) {
        shmx_gathers()->gather[unit](out, in, take->step, r.block, r.count);
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
  int64_t size = shmx_dtype_size(out->dtype), room = out->shape[0];
  char *to = out->data;
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, in, mask)) return;
  do {
    int64_t n = shmx_gathers()->compress[size](to, room, loop.data[0], loop.stride[0], loop.data[1], loop.stride[1],
                                               loop.count);
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
