/* SPDX-License-Identifier: MIT */
/*
 * How many digits a float takes is found by writing it: with as few of them as are read as the same float again.
 */
#include "array/notation.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 8 };

/* Numbers from here on, and numbers below, make all of them be written with exponents. */
static const double large = 1e8, small = 1e-4;

static double number_at(enum shmx_dtype dtype, const void *element) {
  return dtype == SHMX_F32 ? (double)*(const float *)element : *(const double *)element;
}

/* Writes x as 1.25e+02 with as few digits as say which float it is. */
static void write_shortest(enum shmx_dtype dtype, double x, char text[SHMX_NOTATION_MAX]) {
  bool narrow = dtype == SHMX_F32, same = false;
  for (int digits = narrow ? 6 : 15; !same && digits <= (narrow ? 9 : 17); digits++) {
    snprintf(text, SHMX_NOTATION_MAX, "%.*e", digits - 1, x);
    same = narrow ? (double)strtof(text, NULL) == x : strtod(text, NULL) == x;
  }
}

/* The digits behind the point, without zeros at their end. */
static int digits_behind(const char *text) {
  static const char digits[] = "0123456789";
  const char *point = text + (text[0] == '-');
  point += strspn(point, digits);
  int count = *point ? (int)strspn(point + 1, digits) : 0;
  while (count > 0 && point[count] == '0') count--;
  return count;
}

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

/* What x needs, at most, in both notations. */
struct needs {
  int fixed, exponent;
};

static struct needs needs_of(enum shmx_dtype dtype, double x) {
  char text[SHMX_NOTATION_MAX];
  write_shortest(dtype, x, text);
  int digits = digits_behind(text), power = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
  struct needs needs = {smaller(digits - power, MOST_DIGITS), smaller(digits, MOST_DIGITS)};
  if (digits > MOST_DIGITS) { /* once rounded, it may need fewer */
    snprintf(text, sizeof text, "%.*e", MOST_DIGITS, x);
    needs.exponent = digits_behind(text);
  }
  if (digits - power > MOST_DIGITS && fabs(x) < large) {
    snprintf(text, sizeof text, "%.*f", MOST_DIGITS, x);
    needs.fixed = digits_behind(text);
  }
  return needs;
}

static struct shmx_notation find_for_floats(enum shmx_dtype dtype, const char *elements, int count) {
  struct shmx_notation found = {dtype, false, 0};
  struct needs all = {1, 0};
  for (int i = 0; i < count; i++) {
    double x = number_at(dtype, elements + i * shmx_dtype_size(dtype));
    if (x == 0 || !isfinite(x)) continue;
    struct needs needs = needs_of(dtype, x);
    all.fixed = larger(all.fixed, needs.fixed);
    all.exponent = larger(all.exponent, needs.exponent);
    if (fabs(x) >= large || fabs(x) < small) found.exponent = true;
  }
  found.digits = found.exponent ? all.exponent : all.fixed;
  return found;
}

struct shmx_notation shmx_notation_find(enum shmx_dtype dtype, const void *elements, int count) {
  if (shmx_dtype_is_float(dtype)) return find_for_floats(dtype, elements, count);
  return (struct shmx_notation){dtype, false, 0};
}

/* An f32 goes by its shortest text, lest digits appear that are none of its own. */
static int write_float(const struct shmx_notation *notation, double x, char text[SHMX_NOTATION_MAX]) {
  if (isnan(x)) return snprintf(text, SHMX_NOTATION_MAX, "nan");
  if (notation->dtype == SHMX_F32 && isfinite(x)) {
    write_shortest(SHMX_F32, x, text);
    x = strtod(text, NULL);
  }
  return snprintf(text, SHMX_NOTATION_MAX, notation->exponent ? "%.*e" : "%.*f", notation->digits, x);
}

int shmx_notation_write(const struct shmx_notation *notation, const void *element, char text[SHMX_NOTATION_MAX]) {
#define WRITE(format, type) return snprintf(text, SHMX_NOTATION_MAX, "%" format, *(const type *)element)
  switch (notation->dtype) {
  case SHMX_I8: WRITE(PRId8, int8_t);
  case SHMX_U8: WRITE(PRIu8, uint8_t);
  case SHMX_I16: WRITE(PRId16, int16_t);
  case SHMX_U16: WRITE(PRIu16, uint16_t);
  case SHMX_I32: WRITE(PRId32, int32_t);
  case SHMX_U32: WRITE(PRIu32, uint32_t);
  case SHMX_I64: WRITE(PRId64, int64_t);
  case SHMX_U64: WRITE(PRIu64, uint64_t);
  case SHMX_F32:
  case SHMX_F64: return write_float(notation, number_at(notation->dtype, element), text);
  default: return snprintf(text, SHMX_NOTATION_MAX, "%s", *(const shmx_bool *)element ? "true" : "false");
  }
#undef WRITE
}
