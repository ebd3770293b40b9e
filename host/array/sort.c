/* SPDX-License-Identifier: MIT */
/*
 * Sorting: see array/sort.h. A line becomes a row of unsigned keys that are ordered as its elements are, of 32 or 64 bits;
 * these are sorted (array/sort_items.h), and become elements again. For positions each key has the number of its element
 * beside it.
 */
#include "array/sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array/cast.h"
#include "array/loop.h"

enum { FEW = 12, MAX_BITS = 11, MAX_BUCKETS = 1 << MAX_BITS };

struct item32 {
  uint32_t key, number;
};
struct item64 {
  uint64_t key, number;
};

/* The binary digits of a number. */
static int bits_of(uint64_t n) { return n == 0 ? 0 : 64 - __builtin_clzll(n); }

#define ITEM         uint32_t
#define KEY          uint32_t
#define KEY_OF(item) (item)
#define AS(name)     name##_32
#include "array/sort_items.h"
#undef ITEM
#undef KEY
#undef AS
#define ITEM     uint64_t
#define KEY      uint64_t
#define AS(name) name##_64
#include "array/sort_items.h"
#undef ITEM
#undef KEY_OF
#undef AS
#define ITEM         struct item64
#define KEY_OF(item) (item).key
#define AS(name)     name##_item64
#include "array/sort_items.h"
#undef ITEM
#undef KEY
#undef AS
#define ITEM     struct item32
#define KEY      uint32_t
#define AS(name) name##_item32
#include "array/sort_items.h"
#undef ITEM
#undef KEY
#undef KEY_OF
#undef AS

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

/* --- elements and keys --- */

/* Turn a line into keys, each with `flip` turned around in the end, and back. */
typedef void encode_line(void *keys, const char *data, int64_t stride, int64_t count, uint64_t flip);
typedef void decode_line(const void *keys, char *data, int64_t stride, int64_t count, uint64_t flip);

#define CODEC(tag, type, key, encoded, decoded)                                                                        \
  static void encode_##tag(void *keys, const char *data, int64_t stride, int64_t count, uint64_t flip) {               \
    key *out = keys;                                                                                                   \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      type x = *(const type *)(const void *)(data + i * stride);                                                       \
      out[i] = (key)(encoded) ^ (key)flip;                                                                             \
    }                                                                                                                  \
  }                                                                                                                    \
  static void decode_##tag(const void *keys, char *data, int64_t stride, int64_t count, uint64_t flip) {               \
    const key *in = keys;                                                                                              \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      key k = in[i] ^ (key)flip;                                                                                       \
      *(type *)(void *)(data + i * stride) = decoded;                                                                  \
    }                                                                                                                  \
  }
#define UNSIGNED_CODEC(tag, type, key) CODEC(tag, type, key, x, (type)k)
#define SIGNED_CODEC(tag, type, key, sign)                                                                             \
  CODEC(tag, type, key, (key)x ^ ((key)1 << (sign)), (type)(k ^ ((key)1 << (sign))))
SIGNED_CODEC(i8, int8_t, uint32_t, 31)
SIGNED_CODEC(i16, int16_t, uint32_t, 31)
SIGNED_CODEC(i32, int32_t, uint32_t, 31)
SIGNED_CODEC(i64, int64_t, uint64_t, 63)
UNSIGNED_CODEC(u8, uint8_t, uint32_t)
UNSIGNED_CODEC(u16, uint16_t, uint32_t)
UNSIGNED_CODEC(u32, uint32_t, uint32_t)
UNSIGNED_CODEC(u64, uint64_t, uint64_t)
CODEC(b8, shmx_bool, uint32_t, x != 0, (shmx_bool)k)

/* The bits of floats are ordered like them if those of negative ones are turned around; a NaN loses its sign, and so comes
 * last. The bits of a float are read as an integer of its size. */
#define FLOAT_CODEC(tag, bits, top)                                                                                    \
  static inline bits order_##tag(bits x) {                                                                             \
    const bits sign = (bits)1 << (top), infinite = sizeof(bits) == 4 ? (bits)0x7F800000 : (bits)0x7FF0000000000000;    \
    x = (x & ~sign) > infinite ? x & ~sign : x;                                                                        \
    return x & sign ? ~x : x | sign;                                                                                   \
  }                                                                                                                    \
  static inline bits disorder_##tag(bits k) {                                                                          \
    const bits sign = (bits)1 << (top);                                                                                \
    return k & sign ? k & ~sign : ~k;                                                                                  \
  }                                                                                                                    \
  CODEC(tag, bits, bits, order_##tag(x), disorder_##tag(k))
FLOAT_CODEC(f32, uint32_t, 31)
FLOAT_CODEC(f64, uint64_t, 63)

#define ENCODE_ENTRY(constant, tag, type) [SHMX_##constant] = encode_##tag,
#define DECODE_ENTRY(constant, tag, type) [SHMX_##constant] = decode_##tag,
static encode_line *const encoders[] = {SHMX_DTYPES(ENCODE_ENTRY)};
static decode_line *const decoders[] = {SHMX_DTYPES(DECODE_ENTRY)};

/* NOLINTEND(bugprone-macro-parentheses) */

/* --- lines --- */

/* A sort under way: what every line of it has in common. */
struct sorting {
  const struct shmx_sort *call;
  enum shmx_dtype dtype;
  bool wide;     /* keys have 64 bits */
  int64_t size;  /* bytes of an item */
  int64_t count; /* items in a line, and the distances of elements */
  int64_t in_step, out_step;
  uint64_t flip;
  char *items, *spare; /* two buffers; of our own, since in shared memory anyone may write to what is being sorted */
};

static void sort_values(const struct sorting *s, char *out, const char *in) {
  encoders[s->dtype](s->items, in, s->in_step, s->count, s->flip);
  if (s->wide) {
    sort_run_64((uint64_t *)(void *)s->items, (uint64_t *)(void *)s->spare, s->count, true);
  } else {
    sort_run_32((uint32_t *)(void *)s->items, (uint32_t *)(void *)s->spare, s->count, true);
  }
  decoders[s->dtype](s->spare, out, s->out_step, s->count, s->flip);
}

/* All NaNs are equal, and both zeros. */
static uint64_t equal_key(enum shmx_dtype dtype, uint64_t key, uint64_t flip) {
  const uint64_t zero = dtype == SHMX_F32 ? 1ULL << 31 : 1ULL << 63, all = dtype == SHMX_F32 ? UINT32_MAX : UINT64_MAX;
  const uint64_t infinity = dtype == SHMX_F32 ? 0xFF800000 : 0xFFF0000000000000;
  key = (key ^ flip) & all;
  if (key == zero - 1) key = zero;
  if (key > infinity) key = all;
  return (key ^ flip) & all;
}

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define SORT_POSITIONS(width, KEY)                                                                                     \
  static void sort_positions_##width(const struct sorting *s, char *out, const char *in) {                             \
    struct item##width *items = (struct item##width *)(void *)s->items;                                                \
    struct item##width *spare = (struct item##width *)(void *)s->spare;                                                \
    KEY *keys = (KEY *)(void *)s->spare;                                                                               \
    encoders[s->dtype](keys, in, s->in_step, s->count, s->flip);                                                       \
    for (int64_t i = 0; i < s->count; i++) items[i] = (struct item##width){keys[i], (KEY)i};                           \
    for (int64_t i = 0; i < s->count && shmx_dtype_is_float(s->dtype); i++) {                                          \
      items[i].key = (KEY)equal_key(s->dtype, items[i].key, s->flip);                                                  \
    }                                                                                                                  \
    sort_run_item##width(items, spare, s->count, false);                                                               \
    for (int64_t i = 0; i < s->count; i++) {                                                                           \
      *(int64_t *)(void *)(out + i * s->out_step) = (int64_t)items[i].number + 1;                                      \
    }                                                                                                                  \
  }
SORT_POSITIONS(32, uint32_t)
SORT_POSITIONS(64, uint64_t)
/* NOLINTEND(bugprone-macro-parentheses) */

static void sort_line(const struct sorting *s, char *out, const char *in) {
  if (!s->call->positions) {
    sort_values(s, out, in);
  } else if (s->wide) {
    sort_positions_64(s, out, in);
  } else {
    sort_positions_32(s, out, in);
  }
}

static void sort_lines(const struct sorting *s) {
  struct shmx_view in = *s->call->in, out = *s->call->out;
  struct shmx_loop loop;
  if (in.ndim == 1) {
    sort_line(s, out.data, in.data);
    return;
  }
  shmx_view_drop(&in, s->call->axis, 0);
  shmx_view_drop(&out, s->call->axis, 0);
  if (!shmx_loop_start(&loop, &in, &out)) return;
  do {
    for (int64_t i = 0; i < loop.count; i++) {
      sort_line(s, loop.data[1] + i * loop.stride[1], loop.data[0] + i * loop.stride[0]);
    }
  } while (shmx_loop_next(&loop));
}

int shmx_sort_run(const struct shmx_sort *sort) {
  enum shmx_dtype dtype = sort->in->dtype;
  struct sorting s = {.call = sort, .dtype = dtype, .wide = shmx_dtype_size(dtype) == 8};
  s.size = (s.wide ? INT64_C(8) : INT64_C(4)) * (sort->positions ? 2 : 1);
  s.count = sort->in->shape[sort->axis];
  s.in_step = sort->in->strides[sort->axis];
  s.out_step = sort->out->strides[sort->axis];
  s.flip = sort->descending ? UINT64_MAX : 0;
  if (shmx_view_count(sort->in) == 0) return 0;
  if (s.count > UINT32_MAX) return -EFBIG;
  s.items = malloc((size_t)(s.count * s.size) * 2);
  if (!s.items) return -ENOMEM;
  s.spare = s.items + s.count * s.size;
  sort_lines(&s);
  free(s.items);
  return 0;
}
