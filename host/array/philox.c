/* SPDX-License-Identifier: MIT */
/* The generator of array/random.h: many counters side by side, for the vector units. Compiled once for each level. */
#include "array/random.h"

#ifndef SHMX_LEVEL
#error "this file is compiled once for each level"
#endif

enum { LANES = 32, ROUNDS = 10 };

/* One block of LANES counters, whose words lie in four rows. */
struct block {
  uint32_t word[4][LANES];
};

static inline void do_round(struct block *b, uint32_t key0, uint32_t key1) {
  for (int i = 0; i < LANES; i++) {
    uint64_t p = (uint64_t)b->word[0][i] * 0xD2511F53, q = (uint64_t)b->word[2][i] * 0xCD9E8D57;
    b->word[0][i] = (uint32_t)(q >> 32) ^ b->word[1][i] ^ key0;
    b->word[2][i] = (uint32_t)(p >> 32) ^ b->word[3][i] ^ key1;
    b->word[1][i] = (uint32_t)q;
    b->word[3][i] = (uint32_t)p;
  }
}

static void generate(uint64_t *out, uint64_t seed, uint64_t attempt, uint64_t counter, int64_t count) {
  for (int64_t first = 0; first < count; first += LANES) {
    struct block b;
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < LANES; i++) {
      uint64_t c = counter + (uint64_t)(first + i);
      b.word[0][i] = (uint32_t)c, b.word[1][i] = (uint32_t)(c >> 32);
      b.word[2][i] = (uint32_t)attempt, b.word[3][i] = (uint32_t)(attempt >> 32);
    }
    for (int r = 0; r < ROUNDS; r++, key0 += 0x9E3779B9, key1 += 0xBB67AE85) do_round(&b, key0, key1);
    int n = (int)(count - first < LANES ? count - first : LANES);
    for (int i = 0; i < n; i++) {
      out[2 * (first + i)] = b.word[0][i] | (uint64_t)b.word[1][i] << 32;
      out[2 * (first + i) + 1] = b.word[2][i] | (uint64_t)b.word[3][i] << 32;
    }
  }
}

const struct shmx_philox SHMX_AT_LEVEL(shmx_philox) = {generate};
