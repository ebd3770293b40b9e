/* SPDX-License-Identifier: MIT */
/*
 * Which level of vector units the machine has: see array/level.h. The C library has asked the processor already when the
 * program was loaded. Asking again takes 50 microseconds where a hypervisor answers, in each process that starts.
 */
#include "array/level.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <sys/platform/x86.h>
#endif

#define LEVEL_NAME(name) #name,
static const char *const names[] = {SHMX_LEVELS(LEVEL_NAME)};

static int chosen = -1; /* not yet */

const char *shmx_level_name(enum shmx_level level) { return names[level]; }

#if defined(__x86_64__)
/* As x86_cpu_active, which shifts a bit into the sign of an int; features are numbered through, 32 to a word of a leaf. */
static bool is_active(unsigned feature) {
  enum { BITS = 32, WORDS = 4 };
  const struct cpuid_feature *leaf = __x86_get_cpuid_feature_leaf(feature / (BITS * WORDS));
  return leaf->active_array[feature / BITS % WORDS] & 1u << feature % BITS;
}
#define ACTIVE(name) is_active(x86_cpu_##name)
#endif

/* What the compiler may use at a level: the names are those of the processor families that CMakeLists.txt gives it. */
static bool has(enum shmx_level level) {
#if defined(__x86_64__)
  bool v3 = ACTIVE(AVX2) && ACTIVE(FMA) && ACTIVE(BMI1) && ACTIVE(BMI2);
  bool v4 = v3 && ACTIVE(AVX512F) && ACTIVE(AVX512BW) && ACTIVE(AVX512CD) && ACTIVE(AVX512DQ) && ACTIVE(AVX512VL);
  return level >= SHMX_LEVEL_avx512half ? v4 : level == SHMX_LEVEL_avx2 ? v3 : true;
#else
  return level == SHMX_LEVEL_baseline;
#endif
}

static int find_best(void) {
  const char *limit = getenv("SHMX_VECTORS");
  int best = SHMX_LEVEL_baseline;
  for (int level = 0; level < SHMX_LEVEL_COUNT && has((enum shmx_level)level); level++) {
    best = level;
    if (limit && strcmp(names[level], limit) == 0) break;
  }
  return best;
}

enum shmx_level shmx_level(void) {
  if (chosen < 0) chosen = find_best();
  return (enum shmx_level)chosen;
}

enum shmx_level shmx_level_far(void) {
  enum shmx_level level = shmx_level();
#if defined(__x86_64__)
  if (level == SHMX_LEVEL_avx512) return SHMX_LEVEL_avx512half;
#endif
  return level;
}

bool shmx_level_use(enum shmx_level level) {
  if (!has(level)) return false;
  chosen = (int)level;
  return true;
}
