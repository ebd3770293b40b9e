/* SPDX-License-Identifier: MIT */
/* fill: 10^7 int64 i * i % 7 in shared memory, in milliseconds: into fresh pages, and into warm ones. */
#include "limit.h"

enum { N = 10000000 };

static double run(int64_t *out) {
  double begin = now();
  for (int64_t i = 1; i <= N; i++) out[i - 1] = i * i % 7;
  __asm__ volatile("" : : "r"(out) : "memory");
  return (now() - begin) * 1000;
}

int main(void) {
  int64_t *out = share(N * sizeof *out);
  printf("fresh\t%.5g\n", run(out));
  double best = run(out);
  for (int i = 0; i < 4; i++) {
    double took = run(out);
    best = took < best ? took : best;
  }
  printf("warm\t%.5g\n", best);
  return 0;
}
