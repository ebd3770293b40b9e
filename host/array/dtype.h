/* SPDX-License-Identifier: MIT */
/*
 * The element types of arrays. A new one is a line in SHMX_DTYPES; the kernels are generated from that list.
 */
#ifndef SHMX_ARRAY_DTYPE_H
#define SHMX_ARRAY_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bool in shared memory is a byte that anyone may have written: everything but 0 is true. */
typedef uint8_t shmx_bool;

/* X(constant, tag, C type). The order is part of the messages between processes: append, never renumber. The tag is
 * part of function names (`bool` would be expanded there, as a macro). */
#define SHMX_NARROW_DTYPES(X)                                                                                          \
  X(I8, i8, int8_t)                                                                                                    \
  X(U8, u8, uint8_t)                                                                                                   \
  X(I16, i16, int16_t)                                                                                                 \
  X(U16, u16, uint16_t)                                                                                                \
  X(I32, i32, int32_t)                                                                                                 \
  X(U32, u32, uint32_t)
#define SHMX_INTEGER_DTYPES(X)                                                                                         \
  SHMX_NARROW_DTYPES(X)                                                                                                \
  X(I64, i64, int64_t)                                                                                                 \
  X(U64, u64, uint64_t)
#define SHMX_FLOAT_DTYPES(X)                                                                                           \
  X(F32, f32, float)                                                                                                   \
  X(F64, f64, double)
#define SHMX_DTYPES(X)                                                                                                 \
  SHMX_INTEGER_DTYPES(X)                                                                                               \
  SHMX_FLOAT_DTYPES(X)                                                                                                 \
  X(BOOL, b8, shmx_bool)

#define SHMX_DTYPE_CONSTANT(constant, tag, type) SHMX_##constant,
enum shmx_dtype { SHMX_DTYPES(SHMX_DTYPE_CONSTANT) SHMX_DTYPE_COUNT };
#undef SHMX_DTYPE_CONSTANT

/* Bytes of one element. */
int64_t shmx_dtype_size(enum shmx_dtype dtype);

/* "i64" and so on. */
const char *shmx_dtype_name(enum shmx_dtype dtype);

/* Finds the type of that name; false when there is none. */
bool shmx_dtype_parse(const char *name, size_t length, enum shmx_dtype *out);

static inline bool shmx_dtype_is_integer(enum shmx_dtype dtype) { return dtype <= SHMX_U64; }
static inline bool shmx_dtype_is_float(enum shmx_dtype dtype) { return dtype == SHMX_F32 || dtype == SHMX_F64; }

#endif
