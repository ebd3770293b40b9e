/* SPDX-License-Identifier: MIT */
/* Rows from one dtype to another: see array/cast.h. Compiled once for each level. */
#include "array/cast.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

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
#define CAST_ENTRIES(to)                                                                                               \
  CAST_ENTRY(to, i8, I8), CAST_ENTRY(to, u8, U8), CAST_ENTRY(to, i16, I16), CAST_ENTRY(to, u16, U16),                  \
      CAST_ENTRY(to, i32, I32), CAST_ENTRY(to, u32, U32), CAST_ENTRY(to, i64, I64), CAST_ENTRY(to, u64, U64),          \
      CAST_ENTRY(to, f32, F32), CAST_ENTRY(to, f64, F64), CAST_ENTRY(to, b8, BOOL)
#define CAST_ROW(constant, to, type) [SHMX_##constant] = {CAST_ENTRIES(to)},

const struct shmx_casts SHMX_AT_LEVEL(shmx_casts) = {{SHMX_DTYPES(CAST_ROW)}};

/* NOLINTEND(bugprone-macro-parentheses) */
