/* SPDX-License-Identifier: MIT */
/*
 * arrays DTYPE N: loops that a compiler makes the best of for this machine, on arrays of N elements in private memory
 * with large pages where they can be had; in nanoseconds for an element. The loops have no call around them, no choice of
 * dtype, and may add floats in any order. They take turns, a sample at a time, so that whatever else the machine does for
 * a moment disturbs one sample of each.
 */
#include <math.h>

#include "limit.h"

#define LEAST 0.01 /* seconds that a sample takes, or one round if that takes longer */
enum { MANY = 7, FEW = 3 /* samples, and samples of such rounds */ };

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

struct timing {
  long rounds; /* of a sample */
  double begin, samples[MANY];
  int count;
};

/* Turn 0 finds out how many rounds a sample has, each other one takes a sample. False at the end of a turn. */
static bool goes_on(struct timing *t, int turn) {
  double took = now() - t->begin;
  bool more = false;
  if (t->begin == 0) {
    more = turn <= FEW || t->rounds > 1;
  } else if (turn > 0) {
    t->samples[t->count++] = took / (double)t->rounds;
  } else if (took < LEAST) {
    t->rounds *= 4;
    more = true;
  } else {
    t->rounds = (long)ceil((double)t->rounds * LEAST / took);
  }
  t->begin = more ? now() : 0;
  return more;
}

static void print_median(const char *name, struct timing *t, long n) {
  qsort(t->samples, (size_t)t->count, sizeof t->samples[0], compare);
  printf("%s\t%.5g\n", name, t->samples[t->count / 2] / (double)n * 1e9);
}

/* Does a turn of the statements. The last one prints the median for an element. */
#define MEASURE(name, memory, ...)                                                                                     \
  do {                                                                                                                 \
    static struct timing timing = {.rounds = 1};                                                                       \
    while (goes_on(&timing, turn)) {                                                                                   \
      for (long r = 0; r < timing.rounds; r++) {                                                                       \
        __VA_ARGS__;                                                                                                   \
        __asm__ volatile("" : : "r"(memory) : "memory");                                                               \
      }                                                                                                                \
    }                                                                                                                  \
    if (turn == MANY) print_median(name, &timing, n);                                                                  \
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
    for (int turn = 0; turn <= MANY; turn++) {                                                                         \
      MEASURE("fill", out, EACH out[i] = 7);                                                                           \
      MEASURE("range", out, EACH out[i] = (type)i);                                                                    \
      MEASURE("copy", out, memcpy(out, a, sizeof(type) * n));                                                          \
      MEASURE("a+b", out, EACH out[i] = a[i] + b[i]);                                                                  \
      MEASURE("a*b+c", out, EACH out[i] = a[i] * b[i] + c[i]);                                                         \
      MEASURE("sum", a, wide s = 0; EACH s += a[i]; sink = (double)s);                                                 \
      MEASURE("dot", a, wide s = 0; EACH s += a[i] * b[i]; sink = (double)s);                                          \
      MEASURE("min_max", a, type low = a[0], high = a[0];                                                              \
              EACH low = a[i] < low ? a[i] : low, high = a[i] > high ? a[i] : high; sink = (double)(low + high));      \
      MEASURE("cumsum", out, type s = 0; EACH out[i] = s += a[i]);                                                     \
      MEASURE("a<b", mask, EACH mask[i] = a[i] < b[i]);                                                                \
      MEASURE("mask", out, long k = 0; EACH out[k] = a[i], k += half[i]; sink = (double)k);                            \
      MEASURE("take", out, EACH out[i] = a[places[i]]);                                                                \
      MEASURE("astype", cast, EACH cast[i] = (other)a[i]);                                                             \
      MEASURE("transpose", out,                                                                                        \
              for (long y0 = 0; y0 < side; y0 += 16) for (long x0 = 0; x0 < side;                                      \
                                                          x0 += 16) for (long y = y0; y < y0 + 16 && y < side;         \
                                                                         y++) for (long x = x0;                        \
                                                                                   x < x0 + 16 && x < side; x++)       \
                  out[y * side + x] = a[x * side + y]);                                                                \
      if ((type)0.5 != 0) MEASURE("sqrt", out, EACH out[i] = (type)sqrt((double)a[i]));                                \
    }                                                                                                                  \
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
