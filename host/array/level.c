/* SPDX-License-Identifier: MIT */
/* Which level of vector units the machine has: see array/level.h. */
#include "array/level.h"

#include <stdlib.h>
#include <string.h>

#define LEVEL_NAME(name) #name,
static const char *const names[] = {SHMX_LEVELS(LEVEL_NAME)};

static int chosen = -1; /* not yet */

const char *shmx_level_name(enum shmx_level level) { return names[level]; }

/* What the compiler may use at a level: the names are those of the processor families that CMakeLists.txt gives it. */
static bool has(enum shmx_level level) {
#if defined(__x86_64__)
  bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
            __builtin_cpu_supports("bmi2");
  bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl");
  return level == SHMX_LEVEL_avx512 ? v4 : level == SHMX_LEVEL_avx2 ? v3 : true;
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

bool shmx_level_use(enum shmx_level level) {
  if (!has(level)) return false;
  chosen = (int)level;
  return true;
}
