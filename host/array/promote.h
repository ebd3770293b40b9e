/* SPDX-License-Identifier: MIT */
/*
 * Which dtype comes out when dtypes meet: NumPy's rules. Numbers and booleans of a script are *weak*, as in NumPy 2: they
 * take the dtype of the array that they meet, and only a float that meets integers, or a number that meets booleans, makes
 * something else of it.
 */
#ifndef SHMX_ARRAY_PROMOTE_H
#define SHMX_ARRAY_PROMOTE_H

#include "array/kernel.h"

/* The dtype that holds what both hold: the wider one; a signed one for signed and unsigned; a float when there is no
 * integer dtype (i64 and u64) or one of them is a float. */
enum shmx_dtype shmx_promote(enum shmx_dtype a, enum shmx_dtype b);

/* Two dtypes that no dtype holds both of: they are compared as they are. X(first, second, and their tags). */
#define SHMX_PAIRS(X)                                                                                                  \
  X(I64, U64, i64, u64)                                                                                                \
  X(U64, I64, u64, i64)                                                                                                \
  X(I64, F64, i64, f64)                                                                                                \
  X(F64, I64, f64, i64)                                                                                                \
  X(U64, F64, u64, f64)                                                                                                \
  X(F64, U64, f64, u64)

/* The pairs, numbered behind the dtypes. */
#define SHMX_PAIR_CONSTANT(first, second, tag, other) SHMX_##first##_##second,
enum shmx_pair { SHMX_BEFORE_PAIRS = SHMX_DTYPE_COUNT - 1, SHMX_PAIRS(SHMX_PAIR_CONSTANT) SHMX_COMPARED_COUNT };
#undef SHMX_PAIR_CONSTANT

/* In which dtype elements of two are compared exactly, or in which pair. */
enum shmx_dtype shmx_promote_compared(enum shmx_dtype a, enum shmx_dtype b);

/* The dtype of operand `i` of a comparison in that dtype, or in that pair. */
enum shmx_dtype shmx_compared_operand(int i, enum shmx_dtype compared);

/* The dtype of an array that meets a value of a script. */
enum shmx_dtype shmx_promote_weak(enum shmx_dtype dtype, enum shmx_scalar_kind kind);

/* The dtype of a value of a script that meets no array. */
enum shmx_dtype shmx_dtype_of_kind(enum shmx_scalar_kind kind);

/* The float dtype in which functions of that dtype are computed. */
enum shmx_dtype shmx_promote_float(enum shmx_dtype dtype);

/* Whether a result of one dtype may be written into an array of another: bools into anything; integers into floats and
 * integers of any width, but signed ones not into unsigned ones; floats into floats. */
bool shmx_dtype_may_hold(enum shmx_dtype to, enum shmx_dtype from);

#endif
