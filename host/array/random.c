/* SPDX-License-Identifier: MIT */
/*
 * Random elements: see array/random.h. They are made in blocks: 64-bit numbers, then doubles or integers, then elements of
 * the dtype. Nothing but correctly rounded operations is used, so that all machines agree.
 */
#include "array/random.h"

#include <math.h>
#include <string.h>

#include "array/cast.h"
#include "array/loop.h"

enum { BLOCK = 512 };

/* Numbers first, first + 1, ... of the sequence of a seed. */
static void get_numbers(uint64_t *out, uint64_t seed, uint64_t attempt, uint64_t first, int64_t count) {
  uint64_t pairs[BLOCK + 2];
  shmx_philox()->generate(pairs, seed, attempt, first / 2, (count + 1 + (int64_t)(first % 2)) / 2);
  memcpy(out, pairs + first % 2, (size_t)count * sizeof out[0]);
}

/* What becomes of the numbers of one block: 8-byte values of `dtype`. */
struct distribution {
  void (*make)(const struct distribution *d, void *values, const uint64_t *numbers, uint64_t first, int64_t count);
  enum shmx_dtype dtype;
  uint64_t seed;
  double a, b;         /* the ends, or mean and deviation */
  double most;         /* no number is greater */
  uint64_t low, range; /* of integers */
};

static void fill_row(const struct distribution *d, char *data, int64_t stride, enum shmx_dtype dtype, uint64_t first,
                     int64_t count) {
  uint64_t numbers[BLOCK], values[BLOCK];
  for (int64_t i = 0; i < count; i += BLOCK) {
    int64_t n = count - i < BLOCK ? count - i : BLOCK;
    get_numbers(numbers, d->seed, 0, first + (uint64_t)i, n);
    d->make(d, values, numbers, first + (uint64_t)i, n);
    shmx_casts()->row[dtype][d->dtype](data + i * stride, stride, (const char *)values, sizeof values[0], n);
  }
}

static void fill(const struct distribution *d, const struct shmx_view *view, uint64_t first) {
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, view, NULL)) return;
  do {
    fill_row(d, loop.data[0], loop.stride[0], view->dtype, first, loop.count);
    first += (uint64_t)loop.count;
  } while (shmx_loop_next(&loop));
}

/* --- uniform --- */

static void make_uniform(const struct distribution *d, void *values, const uint64_t *numbers, uint64_t first,
                         int64_t count) {
  double *out = values, width = d->b - d->a;
  (void)first;
  for (int64_t i = 0; i < count; i++) {
    double x = d->a + width * ((double)(int64_t)(numbers[i] >> 11) * 0x1p-53);
    out[i] = x < d->most ? x : d->most;
  }
}

/* The greatest element of that dtype below `high`, which a number below it may be rounded to; but not less than `low`. */
static double find_most(enum shmx_dtype dtype, double low, double high) {
  if (dtype != SHMX_F32) return fmax(nextafter(high, -INFINITY), low);
  return fmaxf(nextafterf((float)high, -INFINITY), (float)low);
}

void shmx_random_uniform(const struct shmx_view *view, uint64_t seed, uint64_t first, double low, double high) {
  struct distribution d = {.make = make_uniform, .dtype = SHMX_F64, .seed = seed, .a = low, .b = high};
  d.most = find_most(view->dtype, low, high);
  fill(&d, view, first);
}

/* --- normal --- */

/* The natural logarithm of a number in (0, 1), with an error of a few units in the last place: of x = m 2^e by the series
 * of log m = 2 artanh((m - 1) / (m + 1)). */
static double log_of(double x) {
  int exponent;
  double m = frexp(x, &exponent), sum = 0;
  if (m < 0.70710678118654752440) m *= 2, exponent--;
  double s = (m - 1) / (m + 1), square = s * s;
  for (int k = 23; k > 0; k -= 2) sum = sum * square + 1.0 / k;
  return (double)exponent * 0.69314718055994530942 + 2 * s * sum;
}

static double ratio(double r, const double *above, const double *below) {
  double p = above[7], q = below[7];
  for (int i = 6; i >= 0; i--) p = p * r + above[i], q = q * r + below[i];
  return p / q;
}

/* How many standard deviations below or above the mean a share of p lies: the quotients of polynomials that M. J. Wichura
 * gives (Applied Statistics 37, 1988, algorithm 241), with an error of about 1e-16. */
static double quantile(double p) {
  static const double middle_above[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                                        1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                                        3.3430575583588128105e4, 2.5090809287301226727e3};
  static const double middle_below[] = {1.0,
                                        4.2313330701600911252e1,
                                        6.8718700749205790830e2,
                                        5.3941960214247511077e3,
                                        2.1213794301586595867e4,
                                        3.9307895800092710610e4,
                                        2.8729085735721942674e4,
                                        5.2264952788528545610e3};
  static const double side_above[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                      3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                      2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static const double side_below[] = {1.0,
                                      2.05319162663775882187e0,
                                      1.67638483018380384940e0,
                                      6.89767334985100004550e-1,
                                      1.48103976427480074590e-1,
                                      1.51986665636164571966e-2,
                                      5.47593808499534494600e-4,
                                      1.05075007164441684324e-9};
  static const double far_above[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                     2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static const double far_below[] = {1.0,
                                     5.99832206555887937690e-1,
                                     1.36929880922735805310e-1,
                                     1.48753612908506148525e-2,
                                     7.86869131145613259100e-4,
                                     1.84631831751005468180e-5,
                                     1.42151175831644588870e-7,
                                     2.04426310338993978564e-15};
  double q = p - 0.5;
  if (fabs(q) <= 0.425) return q * ratio(0.180625 - q * q, middle_above, middle_below);
  double r = sqrt(-log_of(q < 0 ? p : 1 - p));
  double x = r <= 5 ? ratio(r - 1.6, side_above, side_below) : ratio(r - 5, far_above, far_below);
  return q < 0 ? -x : x;
}

/* A share in the middle of one of 2^53 parts, so that it is neither 0 nor 1. */
static void make_normal(const struct distribution *d, void *values, const uint64_t *numbers, uint64_t first,
                        int64_t count) {
  double *out = values;
  (void)first;
  for (int64_t i = 0; i < count; i++) {
    out[i] = d->a + d->b * quantile(((double)(int64_t)(numbers[i] >> 12) + 0.5) * 0x1p-52);
  }
}

void shmx_random_normal(const struct shmx_view *view, uint64_t seed, uint64_t first, double mean, double deviation) {
  struct distribution d = {.make = make_normal, .dtype = SHMX_F64, .seed = seed, .a = mean, .b = deviation};
  fill(&d, view, first);
}

/* --- integers --- */

/* The whole part of range * number / 2^64. Some numbers would make some integers more likely than others; in their place
 * comes the same number of another sequence. */
static uint64_t scale(const struct distribution *d, uint64_t number, uint64_t which, uint64_t unfair) {
  __extension__ typedef unsigned __int128 wide;
  wide product = (wide)number * d->range;
  for (uint64_t attempt = 1; (uint64_t)product < unfair; attempt++) {
    get_numbers(&number, d->seed, attempt, which, 1);
    product = (wide)number * d->range;
  }
  return (uint64_t)(product >> 64);
}

static void make_integers(const struct distribution *d, void *values, const uint64_t *numbers, uint64_t first,
                          int64_t count) {
  uint64_t *out = values, unfair = d->range == 0 ? 0 : -d->range % d->range;
  for (int64_t i = 0; i < count; i++) {
    uint64_t n = d->range == 0 ? numbers[i] : scale(d, numbers[i], first + (uint64_t)i, unfair);
    out[i] = d->low + n;
  }
}

void shmx_random_integers(const struct shmx_view *view, uint64_t seed, uint64_t first, int64_t low, uint64_t range) {
  enum shmx_dtype wide = view->dtype == SHMX_U64 ? SHMX_U64 : SHMX_I64;
  struct distribution d = {.make = make_integers, .dtype = wide, .seed = seed, .low = (uint64_t)low, .range = range};
  fill(&d, view, first);
}
