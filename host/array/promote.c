/* SPDX-License-Identifier: MIT */
/* Promotion of dtypes: see array/promote.h. The integer dtypes alternate, signed and unsigned, and become wider. */
#include "array/promote.h"

static bool is_signed(enum shmx_dtype dtype) { return shmx_dtype_is_integer(dtype) && dtype % 2 == 0; }

static enum shmx_dtype wider(enum shmx_dtype a, enum shmx_dtype b) {
  return shmx_dtype_size(a) < shmx_dtype_size(b) ? b : a;
}

static enum shmx_dtype promote_integers(enum shmx_dtype a, enum shmx_dtype b) {
  if (is_signed(a) == is_signed(b)) return wider(a, b);
  enum shmx_dtype with_sign = is_signed(a) ? a : b, without = is_signed(a) ? b : a;
  if (shmx_dtype_size(with_sign) > shmx_dtype_size(without)) return with_sign;
  return without == SHMX_U64 ? SHMX_F64 : (enum shmx_dtype)(without + 1); /* the next wider signed one */
}

enum shmx_dtype shmx_promote(enum shmx_dtype a, enum shmx_dtype b) {
  if (a == b || b == SHMX_BOOL) return a;
  if (a == SHMX_BOOL) return b;
  if (shmx_dtype_is_integer(a) && shmx_dtype_is_integer(b)) return promote_integers(a, b);
  if (shmx_dtype_is_float(a) && shmx_dtype_is_float(b)) return SHMX_F64;
  enum shmx_dtype number = shmx_dtype_is_float(a) ? a : b, integer = shmx_dtype_is_float(a) ? b : a;
  return shmx_dtype_size(integer) <= 2 ? number : SHMX_F64;
}

#define PAIR(first, second, tag, other) [SHMX_##first##_##second - SHMX_DTYPE_COUNT] = {SHMX_##first, SHMX_##second},
static const enum shmx_dtype pairs[][2] = {SHMX_PAIRS(PAIR)};

/* The dtype of 64 bits that holds what a number of that dtype is. */
static enum shmx_dtype widest(enum shmx_dtype dtype) {
  return shmx_dtype_is_float(dtype) ? SHMX_F64 : dtype == SHMX_U64 ? SHMX_U64 : SHMX_I64;
}

static bool is_wide_integer(enum shmx_dtype dtype) { return dtype == SHMX_I64 || dtype == SHMX_U64; }

/* An f64 holds all but 64-bit integers. */
enum shmx_dtype shmx_promote_compared(enum shmx_dtype a, enum shmx_dtype b) {
  enum shmx_dtype dtype = shmx_promote(a, b);
  if (dtype != SHMX_F64 || (!is_wide_integer(a) && !is_wide_integer(b))) return dtype;
  int pair = 0;
  while (pairs[pair][0] != widest(a) || pairs[pair][1] != widest(b)) pair++;
  return (enum shmx_dtype)(SHMX_DTYPE_COUNT + pair);
}

enum shmx_dtype shmx_compared_operand(int i, enum shmx_dtype compared) {
  return (int)compared < SHMX_DTYPE_COUNT ? compared : pairs[compared - SHMX_DTYPE_COUNT][i];
}

enum shmx_dtype shmx_dtype_of_kind(enum shmx_scalar_kind kind) {
  static const enum shmx_dtype dtypes[] = {
      [SHMX_SCALAR_INTEGER] = SHMX_I64, [SHMX_SCALAR_FLOAT] = SHMX_F64, [SHMX_SCALAR_BOOL] = SHMX_BOOL};
  return dtypes[kind];
}

enum shmx_dtype shmx_promote_weak(enum shmx_dtype dtype, enum shmx_scalar_kind kind) {
  if (kind == SHMX_SCALAR_BOOL) return dtype;
  if (dtype == SHMX_BOOL) return shmx_dtype_of_kind(kind);
  return kind == SHMX_SCALAR_FLOAT ? shmx_promote_float(dtype) : dtype;
}

enum shmx_dtype shmx_promote_float(enum shmx_dtype dtype) { return shmx_dtype_is_float(dtype) ? dtype : SHMX_F64; }

bool shmx_dtype_may_hold(enum shmx_dtype to, enum shmx_dtype from) {
  if (from == to || from == SHMX_BOOL) return true;
  if (to == SHMX_BOOL) return false;
  if (shmx_dtype_is_float(to)) return true;
  return shmx_dtype_is_integer(from) && (is_signed(to) || !is_signed(from));
}
