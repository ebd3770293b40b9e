/* SPDX-License-Identifier: MIT */
/*
 * Choosing elements: see array/select.h. Positions are read as 64-bit integers, whatever they are stored as: where they
 * are such, in place, otherwise in blocks.
 */
#include "array/select.h"

#include <string.h>

#include "array/cast.h"
#include "array/compress.h"
#include "array/fold.h"
#include "array/gather.h"
#include "array/kernel.h"
#include "array/loop.h"

enum { BLOCK = 1024 };

/* Positions, some at a time. */
struct reader {
  struct shmx_loop loop;
  shmx_cast_row *cast;
  int64_t size; /* of what they point into */
  int64_t most; /* positions at a time */
  int64_t at;   /* where the next ones begin in the row */
  int64_t count;
  const int64_t *positions; /* where they are stored, or `block` */
  bool direct;              /* they are stored as such integers without gaps */
  int64_t block[BLOCK];
};

static bool start_reading(struct reader *r, const struct shmx_view *positions, int64_t size) {
  r->cast = shmx_casts()->row[SHMX_I64][positions->dtype];
  r->size = size;
  r->at = 0;
  if (!shmx_loop_start(&r->loop, positions, NULL)) return false;
  r->direct = (positions->dtype == SHMX_I64 || positions->dtype == SHMX_U64) && r->loop.stride[0] == sizeof(int64_t);
  r->most = r->direct ? INT64_MAX : BLOCK;
  return true;
}

/* For read_offsets, which needs the block in any case. */
static bool start_offsets(struct reader *r, const struct shmx_view *positions, int64_t size) {
  bool some = start_reading(r, positions, size);
  r->most = BLOCK;
  return some;
}

/* Loads the next positions as they are; false when there are none. */
static bool read_positions(struct reader *r) {
  if (r->at == r->loop.count) {
    if (!shmx_loop_next(&r->loop)) return false;
    r->at = 0;
  }
  r->count = r->loop.count - r->at < r->most ? r->loop.count - r->at : r->most;
  const char *from = r->loop.data[0] + r->at * r->loop.stride[0];
  r->at += r->count;
  r->positions = r->direct ? (const int64_t *)(const void *)from : r->block;
  if (!r->direct) r->cast((char *)r->block, sizeof r->block[0], from, r->loop.stride[0], r->count);
  return true;
}

/* Loads the next positions to the block, and makes them 0-based; what is none becomes the nearest. *right says whether
 * all so far were positions. */
static bool read_offsets(struct reader *r, bool *right) {
  if (!read_positions(r)) return false;
  *right &= shmx_gathers()->to_offsets(r->block, r->positions, r->count, r->size);
  return true;
}

int64_t shmx_positions_check(const struct shmx_view *positions, int64_t size, int64_t *bad) {
  struct reader r;
  int64_t before = 0;
  if (!start_reading(&r, positions, size)) return 0;
  for (; read_positions(&r); before += r.count) {
    if (shmx_gathers()->are_positions(r.positions, r.count, size)) continue;
    for (int64_t i = 0; i < r.count; i++) {
      *bad = r.positions[i];
      if (*bad > size || *bad < -size || *bad == 0) return before + i + 1;
    }
  }
  return 0;
}

/* --- take --- */

/* Takes from one of the outer vectors, whose runs are elements. */
static bool take_elements(const struct shmx_take *take, const char *in, char *out) {
  const int64_t unit = shmx_dtype_size(take->dtype);
  const struct shmx_source source = {in, take->step, take->size};
  bool right = true;
  struct reader r;
  if (!start_reading(&r, take->positions, take->size)) return true;
  for (; read_positions(&r); out += r.count * unit) {
    right &= shmx_gathers()->gather[unit](out, &source, r.positions, r.count);
  }
  return right;
}

static bool take_runs(const struct shmx_take *take, const char *in, char *out) {
  bool right = true;
  struct reader r;
  if (!start_offsets(&r, take->positions, take->size)) return true;
  while (read_offsets(&r, &right)) {
    for (int64_t i = 0; i < r.count; i++, out += take->inner) {
      memcpy(out, in + r.block[i] * take->step, (size_t)take->inner);
    }
  }
  return right;
}

bool shmx_take_run(const struct shmx_take *take) {
  int64_t count = shmx_view_count(take->positions);
  bool right = true;
  if (count > 0 && take->size == 0) return false;
  for (int64_t o = 0; o < take->outer; o++) {
    const char *in = (const char *)take->in + o * take->size * take->inner;
    char *out = (char *)take->out + o * count * take->inner;
    right &= take->inner == shmx_dtype_size(take->dtype) ? take_elements(take, in, out) : take_runs(take, in, out);
  }
  return right;
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
  bool right = true;
  if (!start_offsets(&r, positions, shmx_view_count(target))) return;
  start_values(&v, values, target->dtype);
  while (read_offsets(&r, &right)) {
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
    int64_t n = shmx_compressors()->compress[size](to, room, loop.data[0], loop.stride[0], loop.data[1], loop.stride[1],
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

/* Goes to the next index of the first `ndim` dimensions; false after the last one. */
static bool next_index(const struct shmx_view *view, int ndim, int64_t *index) {
  for (int d = ndim - 1; d >= 0; d--) {
    if (++index[d] < view->shape[d]) return true;
    index[d] = 0;
  }
  return false;
}

/* Writes where elements of a row along the last dimension are true, 1-based; returns how many there are. */
static int64_t locate_in_row(const struct shmx_view *mask, const char *row, int64_t *out, int64_t room) {
  const int64_t count = mask->shape[mask->ndim - 1], stride = mask->strides[mask->ndim - 1];
  int64_t n = 0;
  if (mask->dtype == SHMX_BOOL && stride == 1) return shmx_compressors()->locate(out, room, row, count, 1);
  for (int64_t i = 0; i < count && n < room; i += BLOCK) {
    shmx_bool truth[BLOCK];
    int64_t some = count - i < BLOCK ? count - i : BLOCK;
    shmx_casts()->row[SHMX_BOOL][mask->dtype]((char *)truth, 1, row + i * stride, stride, some);
    n += shmx_compressors()->locate(out + n, room - n, (const char *)truth, some, i + 1);
  }
  return n;
}

void shmx_mask_find(const struct shmx_view *mask, int64_t *const *columns, int64_t room) {
  const int last = mask->ndim - 1;
  int64_t index[SHMX_MAX_NDIM] = {0}, found = 0;
  if (shmx_view_count(mask) == 0) return;
  do {
    int64_t n = locate_in_row(mask, shmx_view_at(mask, index), columns[last] + found, room - found);
    for (int d = 0; d < last; d++) {
      for (int64_t i = found; i < found + n; i++) columns[d][i] = index[d] + 1;
    }
    found += n;
  } while (found < room && next_index(mask, last, index));
}
