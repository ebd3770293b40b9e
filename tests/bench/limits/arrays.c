/* SPDX-License-Identifier: MIT */
/*
 * arrays DTYPE N: loops that a compiler makes the best of for this machine, on arrays of N elements in private memory
 * with large pages where they can be had; in nanoseconds for an element. The loops have no call around them, no choice of
 * dtype, and may add floats in any order.
 */
#include <math.h>

#include "limit.h"

#define LEAST   0.01 /* seconds that a sample takes */
#define SAMPLES 3

static volatile double sink;

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void *get(size_t size) {
  void *at = mmap(NULL, size + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(at != MAP_FAILED);
  madvise(at, size, MADV_HUGEPAGE);
  memset(at, 1, size);
  return at;
}

/* Runs the statements until the clock has moved enough, some times, and prints the median for an element. */
#define MEASURE(name, memory, ...)                                                                                     \
  do {                                                                                                                 \
    double samples[SAMPLES + 1] = {0};                                                                                 \
    long rounds = 1;                                                                                                   \
    for (int s = -1; s < SAMPLES;) {                                                                                   \
      double begin = now();                                                                                            \
      for (long r = 0; r < rounds; r++) {                                                                              \
        __VA_ARGS__;                                                                                                   \
        __asm__ volatile("" : : "r"(memory) : "memory");                                                               \
      }                                                                                                                \
      double took = now() - begin;                                                                                     \
      if (s < 0 && took < LEAST) rounds *= 4;                                                                          \
      else samples[++s] = took / (double)rounds;                                                                       \
    }                                                                                                                  \
    qsort(samples + 1, SAMPLES, sizeof samples[0], compare);                                                           \
    printf("%s\t%.5g\n", name, samples[(SAMPLES + 1) / 2] / (double)n * 1e9);                                          \
  } while (0)

#define EACH for (long i = 0; i < n; i++)
#define RUN(type, wide, other)                                                                                         \
  static void run_##type##_(long n) {                                                                                  \
    long side = (long)sqrt((double)n);                                                                                 \
    type *restrict a = get(sizeof(type) * n), *restrict b = get(sizeof(type) * n),                                     \
                   *restrict c = get(sizeof(type) * n), *restrict out = get(sizeof(type) * n);                         \
    other *restrict cast = get(sizeof(other) * n);                                                                     \
    unsigned char *restrict mask = get(n), *restrict half = get(n);                                                    \
    int64_t *restrict places = get(sizeof(int64_t) * n);                                                               \
    EACH a[i] = (type)((double)((i + 1) % 1000) * 0.1 + 1), c[i] = 1;                                                  \
    EACH b[i] = a[n - 1 - i], half[i] = a[i] < 50;                                                                     \
    EACH places[i] = (int64_t)(((uint64_t)(i + 1) * 0x9E3779B97F4A7C15u >> 1) % (uint64_t)n);                          \
    MEASURE("fill", out, EACH out[i] = 7);                                                                             \
    MEASURE("range", out, EACH out[i] = (type)i);                                                                      \
    MEASURE("copy", out, memcpy(out, a, sizeof(type) * n));                                                            \
    MEASURE("a+b", out, EACH out[i] = a[i] + b[i]);                                                                    \
    MEASURE("a*b+c", out, EACH out[i] = a[i] * b[i] + c[i]);                                                           \
    MEASURE("sum", a, wide s = 0; EACH s += a[i]; sink = (double)s);                                                   \
    MEASURE("dot", a, wide s = 0; EACH s += a[i] * b[i]; sink = (double)s);                                            \
    MEASURE("min_max", a, type low = a[0], high = a[0];                                                                \
            EACH low = a[i] < low ? a[i] : low, high = a[i] > high ? a[i] : high; sink = (double)(low + high));        \
    MEASURE("cumsum", out, type s = 0; EACH out[i] = s += a[i]);                                                       \
    MEASURE("a<b", mask, EACH mask[i] = a[i] < b[i]);                                                                  \
    MEASURE("mask", out, long k = 0; EACH out[k] = a[i], k += half[i]; sink = (double)k);                              \
    MEASURE("take", out, EACH out[i] = a[places[i]]);                                                                  \
    MEASURE("astype", cast, EACH cast[i] = (other)a[i]);                                                               \
    MEASURE("transpose", out,                                                                                          \
            for (long y0 = 0; y0 < side; y0 += 16) for (long x0 = 0; x0 < side;                                        \
                                                        x0 += 16) for (long y = y0; y < y0 + 16 && y < side;           \
                                                                       y++) for (long x = x0; x < x0 + 16 && x < side; \
                                                                                 x++) out[y * side + x] =              \
                a[x * side + y]);                                                                                      \
    if ((type)0.5 != 0) MEASURE("sqrt", out, EACH out[i] = (type)sqrt((double)a[i]));                                  \
  }
RUN(double, double, float)
RUN(float, float, double)
RUN(int64_t, int64_t, double)
RUN(int32_t, int64_t, int64_t)

int main(int argc, char **argv) {
  long n = argc > 2 ? atol(argv[2]) : 0;
  MUST(n > 0);
  if (!strcmp(argv[1], "f64")) run_double_(n);
  if (!strcmp(argv[1], "f32")) run_float_(n);
  if (!strcmp(argv[1], "i64")) run_int64_t_(n);
  if (!strcmp(argv[1], "i32")) run_int32_t_(n);
  return 0;
}
