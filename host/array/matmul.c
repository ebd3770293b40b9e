/* SPDX-License-Identifier: MIT */
/*
 * Products: see array/matmul.h.
 *
 * A matrix product is computed in blocks that fit into the caches. The blocks of both matrices are first copied into
 * strips, in the order in which the kernel (array/product.h) reads them; so it does not matter how the matrices lie, and
 * what is missing at their edges is filled with zeros.
 */
#include "array/matmul.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array/cast.h"
#include "array/kernel.h"
#include "array/pile.h"
#include "array/product.h"

enum { BLOCK = 512 };                            /* elements of a block of vectors */
enum { DEPTH = 256, ROWS = 96, COLUMNS = 1024 }; /* of a block of matrices */

enum shmx_dtype shmx_dot_dtype(enum shmx_dtype dtype) {
  if (shmx_dtype_is_float(dtype)) return SHMX_F64;
  return dtype == SHMX_U64 || dtype == SHMX_U32 || dtype == SHMX_U16 || dtype == SHMX_U8 ? SHMX_U64 : SHMX_I64;
}

enum shmx_dtype shmx_matmul_dtype(enum shmx_dtype dtype) {
  if (shmx_dtype_is_float(dtype) || shmx_dtype_size(dtype) >= 4) return dtype;
  return dtype == SHMX_BOOL ? SHMX_I64 : SHMX_I32;
}

/* --- vectors --- */

/* Elements of a vector as contiguous ones of a dtype: where they are, or in the buffer. */
static const void *gather(const struct shmx_view *v, int64_t first, int64_t count, enum shmx_dtype dtype,
                          void *buffer) {
  int64_t size = shmx_dtype_size(dtype);
  const char *from = (const char *)v->data + first * v->strides[0];
  if (v->dtype == dtype && v->strides[0] == size) return from;
  shmx_casts()->row[dtype][v->dtype](buffer, size, from, v->strides[0], count);
  return buffer;
}

void shmx_dot_run(void *result, enum shmx_dtype dtype, const struct shmx_view *a, const struct shmx_view *b) {
  bool narrow = a->dtype == b->dtype && (a->dtype == SHMX_F32 || a->dtype == SHMX_I32 || a->dtype == SHMX_U32);
  enum shmx_dtype in = narrow ? a->dtype : dtype;
  double x[BLOCK], y[BLOCK], number = 0;
  shmx_dot_kernel *dot = shmx_products_for(shmx_view_nbytes(a) + shmx_view_nbytes(b))->dot[in];
  struct shmx_pile pile;
  uint64_t sum = 0, part = 0;
  pile.blocks = 0;
  for (int64_t i = 0; i < a->shape[0]; i += BLOCK) {
    int64_t n = a->shape[0] - i < BLOCK ? a->shape[0] - i : BLOCK;
    const void *u = gather(a, i, n, in, x), *v = gather(b, i, n, in, y);
    dot(dtype == SHMX_F64 ? (void *)&number : &part, u, v, n);
    sum += part;
    if (dtype == SHMX_F64) shmx_pile_add(&pile, number);
  }
  number = shmx_pile_total(&pile);
  memcpy(result, dtype == SHMX_F64 ? (void *)&number : &sum, 8);
}

/* --- matrices --- */

/* A product under way. */
struct product {
  struct shmx_view out, a, b;
  shmx_cast_row *move; /* elements of the dtype */
  shmx_tile_kernel *tile;
  int64_t size, width;  /* of an element in bytes, of a tile in elements */
  char *rows, *columns; /* a block of `a` in strips of tiles' rows, one of `b` in strips of tiles' width */
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Copies `count` lines, which lie `across` apart, of `depth` elements, `along` apart, into strips of `width` lines. */
static void pack(const struct product *p, char *to, const char *from, int64_t across, int64_t count, int64_t along,
                 int64_t depth, int64_t width) {
  for (int64_t first = 0; first < count; first += width) {
    int64_t n = least(width, count - first);
    for (int64_t k = 0; k < depth; k++, to += width * p->size) {
      p->move(to, p->size, from + first * across + k * along, across, n);
      memset(to + n * p->size, 0, (size_t)((width - n) * p->size));
    }
  }
}

#define ADD_ROW(type)                                                                                                  \
  static void add_row_##type(char *to, int64_t stride, const void *from, int64_t count) {                              \
    const type *in = from;                                                                                             \
    for (int64_t i = 0; i < count; i++) *(type *)(void *)(to + i * stride) += in[i];                                   \
  }
ADD_ROW(uint32_t)
ADD_ROW(uint64_t)
ADD_ROW(float)
ADD_ROW(double)

static void add_row(enum shmx_dtype dtype, char *to, int64_t stride, const void *from, int64_t count) {
  switch (dtype) {
  case SHMX_F32: add_row_float(to, stride, from, count); break;
  case SHMX_F64: add_row_double(to, stride, from, count); break;
  case SHMX_I32:
  case SHMX_U32: add_row_uint32_t(to, stride, from, count); break;
  default: add_row_uint64_t(to, stride, from, count); break;
  }
}

/* Writes a tile to row i, column j of the result, or adds it to what is there. */
static void deliver(const struct product *p, const char *tile, int64_t i, int64_t j, bool add) {
  const struct shmx_view *out = &p->out;
  int64_t rows = least(SHMX_TILE_ROWS, out->shape[0] - i), columns = least(p->width, out->shape[1] - j);
  for (int64_t r = 0; r < rows; r++, tile += p->width * p->size) {
    char *to = (char *)out->data + (i + r) * out->strides[0] + j * out->strides[1];
    if (add) add_row(out->dtype, to, out->strides[1], tile, columns);
    if (!add) p->move(to, out->strides[1], tile, p->size, columns);
  }
}

/* Multiplies packed blocks: rows from i, columns from j, a part of the depth from k. */
static void multiply_blocks(const struct product *p, int64_t i, int64_t m, int64_t j, int64_t n, int64_t k,
                            int64_t depth) {
  _Alignas(64) char tile[SHMX_TILE_ROWS * SHMX_TILE_BYTES];
  for (int64_t c = 0; c < n; c += p->width) {
    for (int64_t r = 0; r < m; r += SHMX_TILE_ROWS) {
      p->tile(tile, p->rows + r * depth * p->size, p->columns + c * depth * p->size, depth);
      deliver(p, tile, i + r, j + c, k > 0);
    }
  }
}

static void multiply(const struct product *p) {
  const struct shmx_view *a = &p->a, *b = &p->b;
  int64_t m = a->shape[0], n = b->shape[1];
  for (int64_t k = 0; k < a->shape[1]; k += DEPTH) {
    int64_t depth = least(DEPTH, a->shape[1] - k);
    for (int64_t j = 0; j < n; j += COLUMNS) {
      int64_t columns = least(COLUMNS, n - j);
      const char *from = (const char *)b->data + k * b->strides[0] + j * b->strides[1];
      pack(p, p->columns, from, b->strides[1], columns, b->strides[0], depth, p->width);
      for (int64_t i = 0; i < m; i += ROWS) {
        int64_t rows = least(ROWS, m - i);
        from = (const char *)a->data + i * a->strides[0] + k * a->strides[1];
        pack(p, p->rows, from, a->strides[0], rows, a->strides[1], depth, SHMX_TILE_ROWS);
        multiply_blocks(p, i, rows, j, columns, k, depth);
      }
    }
  }
}

/* Multiplies matrices of `out`, `a` and `b`, one after another. */
static void multiply_all(struct product *p, struct shmx_view out, struct shmx_view a, struct shmx_view b) {
  if (out.ndim == 2) {
    p->out = out, p->a = a, p->b = b;
    multiply(p);
    return;
  }
  for (int64_t i = 0; i < out.shape[0]; i++) {
    struct shmx_view of_out = out, of_a = a, of_b = b;
    shmx_view_drop(&of_out, 0, i);
    shmx_view_drop(&of_a, 0, i);
    shmx_view_drop(&of_b, 0, i);
    multiply_all(p, of_out, of_a, of_b);
  }
}

int shmx_matmul_run(const struct shmx_view *out, const struct shmx_view *a, const struct shmx_view *b) {
  enum shmx_dtype dtype = out->dtype;
  uint64_t zero = 0;
  if (shmx_view_count(out) == 0) return 0;
  if (a->shape[a->ndim - 1] == 0) {
    shmx_kernel_fill(out, &zero);
    return 0;
  }
  struct product p = {.move = shmx_casts()->row[dtype][dtype],
                      .tile = shmx_products()->tile[dtype],
                      .size = shmx_dtype_size(dtype),
                      .width = SHMX_TILE_BYTES / shmx_dtype_size(dtype)};
  size_t of_rows = (size_t)ROWS * DEPTH * (size_t)p.size, of_columns = (size_t)COLUMNS * DEPTH * (size_t)p.size;
  p.rows = aligned_alloc(64, of_rows + of_columns);
  if (!p.rows) return -ENOMEM;
  p.columns = p.rows + of_rows;
  multiply_all(&p, *out, *a, *b);
  free(p.rows);
  return 0;
}
