/* SPDX-License-Identifier: MIT */
/*
 * Running sums and products: see array/scan.h. Lines are scanned one by one where their elements lie closer together than
 * the lines do, and otherwise side by side, with an accumulator for each, in the order of memory.
 */
#include "array/scan.h"

#include <stdlib.h>
#include <string.h>

#include "array/cast.h"
#include "array/fold.h"
#include "array/loop.h"

enum { TILE = 1024, PIECE = 64 /* so small that reading and writing go on at the same time */ };

/* NOLINTBEGIN(bugprone-macro-parentheses): types and operators are meant to be expanded as they are. */

/* Goes on with a line from *accumulator, and writes contiguous results. */
typedef void scan_line(void *accumulator, void *out, const char *data, int64_t stride, int64_t count);
/* Takes element i into accumulator i. */
typedef void scan_row(void *accumulators, const char *data, int64_t stride, int64_t count);

#define SCAN_LINE(name, type, acc_type, operator, value)                                                               \
  static void line_##name(void *accumulator, void *out, const char *data, int64_t stride, int64_t count) {             \
    acc_type acc = *(acc_type *)accumulator, *results = out;                                                           \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      results[i] = acc = acc operator(acc_type)(value(*(const type *)(const void *)(data + i * stride)));              \
    }                                                                                                                  \
    *(acc_type *)accumulator = acc;                                                                                    \
  }
#define SCAN_ROW(name, type, acc_type, operator, value)                                                                \
  static void row_##name(void *accumulators, const char *data, int64_t stride, int64_t count) {                        \
    acc_type *accs = accumulators;                                                                                     \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      accs[i] = accs[i] operator(acc_type)(value(*(const type *)(const void *)(data + i * stride)));                   \
    }                                                                                                                  \
  }
#define SCAN(name, type, acc_type, operator, value)                                                                    \
  SCAN_LINE(name, type, acc_type, operator, value)                                                                     \
  SCAN_ROW(name, type, acc_type, operator, value)

/* Integers may be grouped: four are combined among themselves, so that only the last of them waits for the four before. */
#define SCAN_IN_FOURS(name, type, operator)                                                                            \
  SCAN_LINE(name##_each, type, uint64_t, operator, ITSELF)                                                             \
  SCAN_ROW(name, type, uint64_t, operator, ITSELF)                                                                     \
  static void line_##name(void *accumulator, void *out, const char *data, int64_t stride, int64_t count) {             \
    uint64_t acc = *(uint64_t *)accumulator, *results = out;                                                           \
    const int64_t fours = stride == (int64_t)sizeof(type) ? count / 4 * 4 : 0;                                         \
    const type *in = (const type *)(const void *)data;                                                                 \
    for (int64_t i = 0; i < fours; i += 4) {                                                                           \
      const uint64_t x = (uint64_t)in[i], y = x operator(uint64_t) in[i + 1], z = y operator(uint64_t) in[i + 2];      \
      const uint64_t last = z operator(uint64_t) in[i + 3];                                                            \
      results[i] = acc operator x, results[i + 1] = acc operator y, results[i + 2] = acc operator z;                   \
      results[i + 3] = acc = acc operator last;                                                                        \
    }                                                                                                                  \
    line_##name##_each(&acc, results + fours, data + fours * stride, stride, count - fours);                           \
    *(uint64_t *)accumulator = acc;                                                                                    \
  }
#define ITSELF(x) (x)
#define TRUTH(x)  ((x) != 0)
#define SCAN_INTEGERS(constant, tag, type)                                                                             \
  SCAN_IN_FOURS(sum_##tag, type, +)                                                                                    \
  SCAN_IN_FOURS(prod_##tag, type, *)
#define SCAN_FLOATS(constant, tag, type)                                                                               \
  SCAN(sum_##tag, type, type, +, ITSELF)                                                                               \
  SCAN(prod_##tag, type, type, *, ITSELF)
SHMX_INTEGER_DTYPES(SCAN_INTEGERS)
SHMX_FLOAT_DTYPES(SCAN_FLOATS)
SCAN(sum_b8, shmx_bool, uint64_t, +, TRUTH)
SCAN(prod_b8, shmx_bool, uint64_t, *, TRUTH)

#define LINE_SUM(constant, tag, type)  [SHMX_##constant] = line_sum_##tag,
#define LINE_PROD(constant, tag, type) [SHMX_##constant] = line_prod_##tag,
#define ROW_SUM(constant, tag, type)   [SHMX_##constant] = row_sum_##tag,
#define ROW_PROD(constant, tag, type)  [SHMX_##constant] = row_prod_##tag,
static scan_line *const scan_lines[][SHMX_DTYPE_COUNT] = {{SHMX_DTYPES(LINE_SUM)}, {SHMX_DTYPES(LINE_PROD)}};
static scan_row *const scan_rows[][SHMX_DTYPE_COUNT] = {{SHMX_DTYPES(ROW_SUM)}, {SHMX_DTYPES(ROW_PROD)}};

/* NOLINTEND(bugprone-macro-parentheses) */

enum shmx_dtype shmx_scan_dtype(enum shmx_dtype dtype) {
  return shmx_dtype_is_float(dtype) ? dtype : shmx_fold_dtype(SHMX_FOLD_SUM, dtype);
}

/* One scan under way. */
struct scanning {
  scan_line *line;
  scan_row *row;
  enum shmx_dtype dtype; /* of accumulators */
  shmx_cast_row *store;  /* from them to the results */
  bool direct;           /* results are accumulators without gaps */
  int64_t count;         /* elements in a line, and their distances */
  int64_t in_step, out_step;
  char start[8]; /* what an accumulator begins with */
};

static struct scanning begin(enum shmx_scan scan, const struct shmx_view *out, const struct shmx_view *in, int axis) {
  enum shmx_dtype dtype = shmx_scan_dtype(in->dtype);
  struct scanning s = {.line = scan_lines[scan][in->dtype],
                       .row = scan_rows[scan][in->dtype],
                       .dtype = dtype,
                       .store = shmx_casts()->row[out->dtype][dtype],
                       .direct = out->dtype == dtype && out->strides[axis] == shmx_dtype_size(dtype),
                       .count = in->shape[axis],
                       .in_step = in->strides[axis],
                       .out_step = out->strides[axis]};
  const double start = scan == SHMX_SCAN_PROD ? 1 : -0.0; /* 0.0 would make a -0.0 that comes first its own */
  shmx_casts()->row[dtype][SHMX_F64](s.start, 0, (const char *)&start, 0, 1);
  return s;
}

static void scan_one(const struct scanning *s, char *out, const char *in) {
  _Alignas(64) char results[PIECE * sizeof(double)];
  _Alignas(8) char accumulator[8];
  memcpy(accumulator, s->start, sizeof accumulator);
  if (s->direct) {
    s->line(accumulator, out, in, s->in_step, s->count);
    return;
  }
  for (int64_t i = 0; i < s->count; i += PIECE) {
    int64_t n = s->count - i < PIECE ? s->count - i : PIECE;
    s->line(accumulator, results, in + i * s->in_step, s->in_step, n);
    s->store(out + i * s->out_step, s->out_step, results, shmx_dtype_size(s->dtype), n);
  }
}

/* Scans `lines` lines side by side, at most TILE. */
static void scan_tile(const struct scanning *s, char *out, int64_t out_stride, const char *in, int64_t in_stride,
                      int64_t lines) {
  _Alignas(8) char accumulators[TILE * sizeof(double)];
  int64_t size = shmx_dtype_size(s->dtype);
  for (int64_t i = 0; i < lines; i++) memcpy(accumulators + i * size, s->start, (size_t)size);
  for (int64_t i = 0; i < s->count; i++) {
    s->row(accumulators, in + i * s->in_step, in_stride, lines);
    s->store(out + i * s->out_step, out_stride, accumulators, size, lines);
  }
}

static void scan_loop_row(const struct scanning *s, const struct shmx_loop *loop) {
  bool side_by_side = loop->count > 1 && llabs(s->in_step) > llabs(loop->stride[0]);
  for (int64_t i = 0; i < loop->count; i += side_by_side ? TILE : 1) {
    int64_t n = loop->count - i < TILE ? loop->count - i : TILE;
    char *out = loop->data[1] + i * loop->stride[1];
    const char *in = loop->data[0] + i * loop->stride[0];
    if (side_by_side) {
      scan_tile(s, out, loop->stride[1], in, loop->stride[0], n);
    } else {
      scan_one(s, out, in);
    }
  }
}

void shmx_scan_run(enum shmx_scan scan, const struct shmx_view *out, const struct shmx_view *in, int axis) {
  struct scanning s = begin(scan, out, in, axis);
  struct shmx_view lines = *in, results = *out;
  struct shmx_loop loop;
  if (shmx_view_count(in) == 0) return;
  if (in->ndim == 1) {
    scan_one(&s, out->data, in->data);
    return;
  }
  shmx_view_drop(&lines, axis, 0);
  shmx_view_drop(&results, axis, 0);
  if (!shmx_loop_start(&loop, &lines, &results)) return;
  do scan_loop_row(&s, &loop);
  while (shmx_loop_next(&loop));
}
