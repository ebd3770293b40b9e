/* SPDX-License-Identifier: MIT */
/*
 * Copying between views: of one dtype by the size of an element alone, of two by a row function for each pair, which
 * the lists of dtypes generate.
 */
#include <string.h>

#include "array/kernel.h"
#include "array/loop.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

typedef void copy_row(char *to, int64_t to_stride, const char *from, int64_t from_stride, int64_t count);

#define MOVE(type)                                                                                                     \
  static void move_##type(char *to, int64_t to_stride, const char *from, int64_t from_stride, int64_t count) {         \
    if (to_stride == (int64_t)sizeof(type) && from_stride == to_stride) {                                              \
      memcpy(to, from, (size_t)count * sizeof(type));                                                                  \
      return;                                                                                                          \
    }                                                                                                                  \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      *(type *)(void *)(to + i * to_stride) = *(const type *)(const void *)(from + i * from_stride);                   \
    }                                                                                                                  \
  }
MOVE(uint8_t)
MOVE(uint16_t)
MOVE(uint32_t)
MOVE(uint64_t)

/* A cast between integers cuts; one from a float outside the range would be undefined, hence the clamps. The limits of
 * the 64-bit types round up to a power of two as doubles, which >= excludes. */
#define CLAMP(type, low, high, x)                                                                                      \
  ((x) != (x) ? 0 : (x) <= (low) ? (type)(low) : (x) >= (double)(high) ? (high) : (type)(x))

static inline int8_t float_to_i8(double x) { return CLAMP(int8_t, INT8_MIN, INT8_MAX, x); }
static inline uint8_t float_to_u8(double x) { return CLAMP(uint8_t, 0, UINT8_MAX, x); }
static inline int16_t float_to_i16(double x) { return CLAMP(int16_t, INT16_MIN, INT16_MAX, x); }
static inline uint16_t float_to_u16(double x) { return CLAMP(uint16_t, 0, UINT16_MAX, x); }
static inline int32_t float_to_i32(double x) { return CLAMP(int32_t, INT32_MIN, INT32_MAX, x); }
static inline uint32_t float_to_u32(double x) { return CLAMP(uint32_t, 0, UINT32_MAX, x); }
static inline int64_t float_to_i64(double x) { return CLAMP(int64_t, INT64_MIN, INT64_MAX, x); }
static inline uint64_t float_to_u64(double x) { return CLAMP(uint64_t, 0, UINT64_MAX, x); }

#define CUT(to, to_type, x)     ((to_type)(x))
#define CLAMPED(to, to_type, x) float_to_##to(x)
#define TRUTH(to, to_type, x)   ((x) != 0)

#define CAST(to, to_type, from, from_type, convert)                                                                    \
  static void cast_##to##_##from(char *out, int64_t out_stride, const char *in, int64_t in_stride, int64_t count) {    \
    if (out_stride == (int64_t)sizeof(to_type) && in_stride == (int64_t)sizeof(from_type)) {                           \
      to_type *restrict target = (to_type *)(void *)out;                                                               \
      const from_type *restrict source = (const from_type *)(const void *)in;                                          \
      for (int64_t i = 0; i < count; i++) target[i] = convert(to, to_type, source[i]);                                 \
      return;                                                                                                          \
    }                                                                                                                  \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      from_type x = *(const from_type *)(const void *)(in + i * in_stride);                                            \
      *(to_type *)(void *)(out + i * out_stride) = convert(to, to_type, x);                                            \
    }                                                                                                                  \
  }

#define TO_INTEGER(constant, tag, type)                                                                                \
  CAST(tag, type, i8, int8_t, CUT)                                                                                     \
  CAST(tag, type, u8, uint8_t, CUT)                                                                                    \
  CAST(tag, type, i16, int16_t, CUT)                                                                                   \
  CAST(tag, type, u16, uint16_t, CUT)                                                                                  \
  CAST(tag, type, i32, int32_t, CUT)                                                                                   \
  CAST(tag, type, u32, uint32_t, CUT)                                                                                  \
  CAST(tag, type, i64, int64_t, CUT)                                                                                   \
  CAST(tag, type, u64, uint64_t, CUT)                                                                                  \
  CAST(tag, type, f32, float, CLAMPED)                                                                                 \
  CAST(tag, type, f64, double, CLAMPED)                                                                                \
  CAST(tag, type, b8, shmx_bool, TRUTH)
SHMX_INTEGER_DTYPES(TO_INTEGER)

#define FROM_NUMBER(constant, tag, type)                                                                               \
  CAST(f32, float, tag, type, CUT)                                                                                     \
  CAST(f64, double, tag, type, CUT)                                                                                    \
  CAST(b8, shmx_bool, tag, type, TRUTH)
SHMX_INTEGER_DTYPES(FROM_NUMBER)
SHMX_FLOAT_DTYPES(FROM_NUMBER)
CAST(f32, float, b8, shmx_bool, TRUTH)
CAST(f64, double, b8, shmx_bool, TRUTH)
CAST(b8, shmx_bool, b8, shmx_bool, TRUTH)

#define CAST_ENTRY(to, from, constant) [SHMX_##constant] = cast_##to##_##from
#define CAST_ROW(constant, to, type)                                                                                   \
  [SHMX_##constant] = {CAST_ENTRY(to, i8, I8),   CAST_ENTRY(to, u8, U8),   CAST_ENTRY(to, i16, I16),                   \
                       CAST_ENTRY(to, u16, U16), CAST_ENTRY(to, i32, I32), CAST_ENTRY(to, u32, U32),                   \
                       CAST_ENTRY(to, i64, I64), CAST_ENTRY(to, u64, U64), CAST_ENTRY(to, f32, F32),                   \
                       CAST_ENTRY(to, f64, F64), CAST_ENTRY(to, b8, BOOL)},
static copy_row *const casts[SHMX_DTYPE_COUNT][SHMX_DTYPE_COUNT] = {SHMX_DTYPES(CAST_ROW)};

static copy_row *find_row(enum shmx_dtype to, enum shmx_dtype from) {
  static copy_row *const moves[] = {[1] = move_uint8_t, [2] = move_uint16_t, [4] = move_uint32_t, [8] = move_uint64_t};
  return to == from ? moves[shmx_dtype_size(to)] : casts[to][from];
}

void shmx_kernel_copy(const struct shmx_view *to, const struct shmx_view *from) {
  copy_row *row = find_row(to->dtype, from->dtype);
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, to, from)) return;
  do row(loop.data[0], loop.stride[0], loop.data[1], loop.stride[1], loop.count);
  while (shmx_loop_next(&loop));
}

/* NOLINTEND(bugprone-macro-parentheses) */
