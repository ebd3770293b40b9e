/* SPDX-License-Identifier: MIT */
/*
 * Kernels of the mathematical functions: SLEEF's, with an error of at most 1 unit in the last place, or where that library
 * is missing the C library's. Compiled once for each level.
 *
 * A function takes a whole vector. What is left at the end of a row goes through one that is filled up, and the functions
 * are those that SLEEF calls deterministic (finz, or cinz without fused multiplication), so an element's result does not
 * depend on where it stands and what stands beside it.
 *
 * The exponential of doubles is our own where there is AVX-512: half again as fast as SLEEF's.
 *
 * Some of SLEEF's functions become infinite a little early. Elements beyond a limit go through the C library's instead.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#if defined(__AVX512F__)
#include "array/exponential.h"
#endif
#include "array/kernel_file.h"
#include "array/op_kernels.h"
#include "array/sleef.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): types and names are meant to be expanded as they are. */

#if defined(__AVX512F__)
enum { VECTOR = 64 };
#define PREFIX "Sleef_finz_"
#define SUFFIX "avx512f"
#elif defined(__AVX2__)
enum { VECTOR = 32 };
#define PREFIX "Sleef_finz_"
#define SUFFIX "avx2"
#elif defined(__aarch64__)
enum { VECTOR = 16 };
#define PREFIX "Sleef_finz_"
#define SUFFIX "advsimd"
#else
enum { VECTOR = 16 };
#define PREFIX "Sleef_cinz_"
#define SUFFIX "sse2"
#endif

typedef double f64_vector __attribute__((vector_size(VECTOR)));
typedef float f32_vector __attribute__((vector_size(VECTOR)));

/* A function that has been looked for once. */
struct found {
  bool looked;
  void *address;
};

static void *find(struct found *found, const char *name, char letter, int lanes, const char *accuracy) {
  if (!found->looked) {
    char full[64]; /* such as Sleef_finz_expd8_u10avx512f */
    snprintf(full, sizeof full, PREFIX "%s%c%d_%s" SUFFIX, name, letter, lanes, accuracy);
    found->address = shmx_sleef_find(full);
    found->looked = true;
  }
  return found->address;
}

/* Runs a function over rows: `f1` and `f2` are plain, `v1` and `v2` for vectors or NULL. */
#define RUNNERS(tag, type)                                                                                             \
  typedef type tag##_plain1(type);                                                                                     \
  typedef type tag##_plain2(type, type);                                                                               \
  typedef tag##_vector tag##_vector1(tag##_vector);                                                                    \
  typedef tag##_vector tag##_vector2(tag##_vector, tag##_vector);                                                      \
                                                                                                                       \
  /* `count` elements, the rest ones; or all of them the first element. */                                             \
  static inline tag##_vector load_##tag(const type *from, int64_t count, bool uniform) {                               \
    tag##_vector v = {0};                                                                                              \
    if (!uniform && count * (int64_t)sizeof(type) >= VECTOR) {                                                         \
      memcpy(&v, from, VECTOR);                                                                                        \
      return v;                                                                                                        \
    }                                                                                                                  \
    for (int k = 0; k < VECTOR / (int)sizeof(type); k++) v[k] = uniform ? from[0] : k < count ? from[k] : 1;           \
    return v;                                                                                                          \
  }                                                                                                                    \
  static inline void save_##tag(type *to, const tag##_vector *v, int64_t count) {                                      \
    const int64_t size = count * (int64_t)sizeof(type);                                                                \
    if (size >= VECTOR) {                                                                                              \
      memcpy(to, v, VECTOR);                                                                                           \
    } else {                                                                                                           \
      memcpy(to, v, (size_t)size);                                                                                     \
    }                                                                                                                  \
  }                                                                                                                    \
  /* Replaces the results of elements beyond the limit. */                                                             \
  static void mend_##tag(tag##_plain1 *f1, tag##_vector *y, const tag##_vector *x, type limit) {                       \
    for (int k = 0; k < VECTOR / (int)sizeof(type); k++) {                                                             \
      if ((*x)[k] > limit || (*x)[k] < -limit) (*y)[k] = f1((*x)[k]);                                                  \
    }                                                                                                                  \
  }                                                                                                                    \
  static void run1_##tag(tag##_vector1 *v1, tag##_plain1 *f1, type limit, type *out, const void *const *in,            \
                         int64_t count, unsigned uniform) {                                                            \
    const type *a = in[0];                                                                                             \
    const int64_t lanes = VECTOR / (int64_t)sizeof(type), step = uniform & 1 ? 0 : 1;                                  \
    for (int64_t i = 0; v1 && i < count; i += lanes) {                                                                 \
      const tag##_vector x = load_##tag(a + i * step, count - i, uniform & 1);                                         \
      tag##_vector y = v1(x);                                                                                          \
      if (limit > 0) mend_##tag(f1, &y, &x, limit);                                                                    \
      save_##tag(out + i, &y, count - i);                                                                              \
    }                                                                                                                  \
    for (int64_t i = 0; !v1 && i < count; i++) out[i] = f1(a[i * step]);                                               \
  }                                                                                                                    \
  static void run2_##tag(tag##_vector2 *v2, tag##_plain2 *f2, type *out, const void *const *in, int64_t count,         \
                         unsigned uniform) {                                                                           \
    const type *a = in[0], *b = in[1];                                                                                 \
    const int64_t lanes = VECTOR / (int64_t)sizeof(type), step_a = uniform & 1 ? 0 : 1, step_b = uniform & 2 ? 0 : 1;  \
    for (int64_t i = 0; v2 && i < count; i += lanes) {                                                                 \
      const tag##_vector y =                                                                                           \
          v2(load_##tag(a + i * step_a, count - i, uniform & 1), load_##tag(b + i * step_b, count - i, uniform & 2));  \
      save_##tag(out + i, &y, count - i);                                                                              \
    }                                                                                                                  \
    for (int64_t i = 0; !v2 && i < count; i++) out[i] = f2(a[i * step_a], b[i * step_b]);                              \
  }
RUNNERS(f32, float)
RUNNERS(f64, double)

#define KERNEL1(name, tag, letter, type, plain, limit)                                                                 \
  static void name##_##tag(void *out, const void *const *in, int64_t count, unsigned uniform) {                        \
    static struct found found;                                                                                         \
    void *address = find(&found, #name, letter, VECTOR / (int)sizeof(type), "u10");                                    \
    run1_##tag((tag##_vector1 *)address, plain, limit, out, in, count, uniform);                                       \
  }
#define KERNEL2(name, tag, letter, type, plain, accuracy)                                                              \
  static void name##_##tag(void *out, const void *const *in, int64_t count, unsigned uniform) {                        \
    static struct found found;                                                                                         \
    void *address = find(&found, #name, letter, VECTOR / (int)sizeof(type), accuracy);                                 \
    run2_##tag((tag##_vector2 *)address, plain, out, in, count, uniform);                                              \
  }
/* The limits up to which SLEEF's function is good, or 0. */
#define ONE(name, limit, limit_f)                                                                                      \
  KERNEL1(name, f64, 'd', double, name, limit)                                                                         \
  KERNEL1(name, f32, 'f', float, name##f, limit_f)
#define TWO(name, accuracy)                                                                                            \
  KERNEL2(name, f64, 'd', double, name, accuracy)                                                                      \
  KERNEL2(name, f32, 'f', float, name##f, accuracy)

#if defined(__AVX512F__)
static void exp_f64(void *out, const void *const *in, int64_t count, unsigned uniform) {
  const double *a = in[0];
  for (int64_t i = 0; i < count; i += VECTOR / (int)sizeof(double)) {
    const f64_vector y =
        (f64_vector)shmx_exponential((__m512d)load_f64(uniform & 1 ? a : a + i, count - i, uniform & 1));
    save_f64((double *)out + i, &y, count - i);
  }
}
#else
KERNEL1(exp, f64, 'd', double, exp, 0)
#endif
KERNEL1(exp, f32, 'f', float, expf, 0)
ONE(exp2, 0, 0)
ONE(expm1, 0, 0)
ONE(log, 0, 0)
ONE(log2, 0, 0)
ONE(log10, 0, 0)
ONE(log1p, 1e306, 1e37F)
ONE(sin, 0, 0)
ONE(cos, 0, 0)
ONE(tan, 0, 0)
ONE(asin, 0, 0)
ONE(acos, 0, 0)
ONE(atan, 0, 0)
ONE(sinh, 709, 88)
ONE(cosh, 709, 88)
ONE(tanh, 0, 0)
ONE(asinh, 1e150, 1e18F)
ONE(acosh, 1e150, 1e18F)
ONE(atanh, 0, 0)
TWO(pow, "u10")
TWO(atan2, "u10")
TWO(hypot, "u05")

/* The C library's own is off by up to 4 units. */
static double good_cbrt(double x) { return (double)cbrtl(x); }
KERNEL1(cbrt, f64, 'd', double, good_cbrt, 0)
KERNEL1(cbrt, f32, 'f', float, cbrtf, 0)

#define ENTRIES(constant, name, operands, rule)                                                                        \
  SHMX_KERNEL_ENTRY(constant, SHMX_MATHS_FIRST, name, F32, f32),                                                       \
      SHMX_KERNEL_ENTRY(constant, SHMX_MATHS_FIRST, name, F64, f64),
const struct shmx_maths SHMX_AT_LEVEL(shmx_maths) = {{SHMX_MATHS_OPS(ENTRIES)}};

/* NOLINTEND(bugprone-macro-parentheses) */
