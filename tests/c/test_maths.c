/* SPDX-License-Identifier: MIT */
/*
 * The mathematical kernels at every level, against the C library's functions of long double: within 2 units in the last
 * place for numbers of all sizes, and the same infinities and NaNs.
 */
#include <math.h>

#include "array/elementwise.h"
#include "array/level.h"
#include "array_kit.h"

typedef long double plain1(long double);
typedef long double plain2(long double, long double);

static const struct reference {
  enum shmx_op op;
  plain1 *one;
  plain2 *two;
} references[] = {
    {SHMX_OP_EXP, expl, NULL},     {SHMX_OP_EXP2, exp2l, NULL},   {SHMX_OP_EXPM1, expm1l, NULL},
    {SHMX_OP_LOG, logl, NULL},     {SHMX_OP_LOG2, log2l, NULL},   {SHMX_OP_LOG10, log10l, NULL},
    {SHMX_OP_LOG1P, log1pl, NULL}, {SHMX_OP_SIN, sinl, NULL},     {SHMX_OP_COS, cosl, NULL},
    {SHMX_OP_TAN, tanl, NULL},     {SHMX_OP_ASIN, asinl, NULL},   {SHMX_OP_ACOS, acosl, NULL},
    {SHMX_OP_ATAN, atanl, NULL},   {SHMX_OP_SINH, sinhl, NULL},   {SHMX_OP_COSH, coshl, NULL},
    {SHMX_OP_TANH, tanhl, NULL},   {SHMX_OP_ASINH, asinhl, NULL}, {SHMX_OP_ACOSH, acoshl, NULL},
    {SHMX_OP_ATANH, atanhl, NULL}, {SHMX_OP_CBRT, cbrtl, NULL},   {SHMX_OP_POW, NULL, powl},
    {SHMX_OP_ATAN2, NULL, atan2l}, {SHMX_OP_HYPOT, NULL, hypotl}, {SHMX_OP_SQRT, sqrtl, NULL},
};
enum { REFERENCES = sizeof references / sizeof references[0], N = 20000 };
_Static_assert(REFERENCES == SHMX_MATHS_COUNT + 1, "every function");

static uint64_t seed = 88172645463325252ULL;

static uint64_t random_bits(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

/* Any bits, numbers around 1, and those at which functions change their ways. */
static double random_number(void) {
  static const double special[] = {0,      -0.0,       1,          -1,    0.5,    INFINITY, -INFINITY, NAN,
                                   0x1p53, 0x1p-1074,  0x1p-1022,  1e307, 2e307,  1.7e308,  3e38,      709.78,
                                   710.5,  -745.1,     -708.4,     88.7,  -103.9, 1e15,     1e22,      -3,
                                   2,      3.14159265, 1.57079632, 20,    -20,    1e-300,   1e-40,     1e38};
  double number;
  uint64_t bits = random_bits();
  switch (bits % 4) {
  case 0: memcpy(&number, (uint64_t[]){random_bits()}, sizeof number); return number;
  case 1: return special[bits / 4 % (sizeof special / sizeof special[0])];
  case 2: return (double)(int64_t)random_bits() / 0x1p61;
  default: return (double)(int64_t)random_bits() / (double)(1ULL << (bits >> 58));
  }
}

/* The distance in units in the last place of the dtype; 0 for two NaNs or equal infinities. */
static double distance(enum shmx_dtype dtype, long double got, long double exact) {
  long double most = dtype == SHMX_F32 ? 0x1.fffffep127L : 0x1.fffffffffffffp1023L;
  int digits = dtype == SHMX_F32 ? 24 : 53, least = dtype == SHMX_F32 ? -149 : -1074;
  if (isnan(got) || isnan(exact)) return isnan(got) && isnan(exact) ? 0 : INFINITY;
  long double next = most * (1 + ldexpl(1, -digits)); /* what there would be instead of infinity */
  if (isinf(got)) got = copysignl(next, got);
  if (fabsl(exact) > next) exact = copysignl(next, exact);
  if (got == exact) return 0;
  int exponent = exact == 0 ? least : ilogbl(exact) - digits + 1;
  return (double)fabsl(ldexpl(got - exact, exponent < least ? -least : -exponent));
}

static void fill(struct shmx_view *v) {
  for (int i = 0; i < N; i++) {
    double x = random_number();
    if (v->dtype == SHMX_F32) ((float *)v->data)[i] = (float)x;
    else ((double *)v->data)[i] = x;
  }
}

static long double value_at(const struct shmx_view *v, int i) {
  return v->dtype == SHMX_F32 ? (long double)((float *)v->data)[i] : (long double)((double *)v->data)[i];
}

static void measure(const struct reference *reference, enum shmx_dtype dtype, const char *level) {
  struct shmx_view a = vector(dtype, N), b = vector(dtype, N), out = vector(dtype, N);
  fill(&a), fill(&b);
  struct shmx_elementwise call = {.op = reference->op, .dtype = dtype, .out = out, .in = {a, b}};
  CHECK(shmx_elementwise_run(&call) == 0);
  double worst = 0;
  int where = 0;
  for (int i = 0; i < N; i++) {
    long double x = value_at(&a, i), y = value_at(&b, i);
    double d = distance(dtype, value_at(&out, i), reference->one ? reference->one(x) : reference->two(x, y));
    if (d > worst) worst = d, where = i;
  }
  if (worst <= 2) return;
  fprintf(stderr, "%s of %s at %s: %g units at %La, %La: %La\n", shmx_op_info(reference->op)->name,
          shmx_dtype_name(dtype), level, worst, value_at(&a, where), value_at(&b, where), value_at(&out, where));
  if (!getenv("ALL")) CHECK(!"within 2 units in the last place");
}

static void test_functions_are_accurate(void) {
  for (int level = 0; level < SHMX_LEVEL_COUNT && shmx_level_use((enum shmx_level)level); level++) {
    for (int i = 0; i < REFERENCES; i++) {
      measure(&references[i], SHMX_F64, shmx_level_name((enum shmx_level)level));
      measure(&references[i], SHMX_F32, shmx_level_name((enum shmx_level)level));
    }
  }
}

static void test_functions_are_accurate_without_sleef(void) {
  setenv("SHMX_NO_SLEEF", "1", 1);
  test_functions_are_accurate();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"functions_are_accurate", test_functions_are_accurate},
      {"functions_are_accurate_without_sleef", test_functions_are_accurate_without_sleef},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
