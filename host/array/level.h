/* SPDX-License-Identifier: MIT */
/*
 * Levels of vector units: which copy of the kernels runs.
 *
 * The kernels are plain C. CMake compiles their files once for each level, with the compiler's options for it and with
 * SHMX_LEVEL defined as its name. A file gives its kernels away as one constant table, whose name carries the level:
 *
 *   const struct shmx_casts SHMX_AT_LEVEL(shmx_casts) = {...};        // in the file that is compiled several times
 *   SHMX_EACH_LEVEL(struct shmx_casts, shmx_casts)                    // in a header
 *   shmx_casts()->row[to][from](...)                                  // for everybody else
 *
 *   shmx_casts_for(bytes)->row[to][from](...)                         // when so many bytes are gone through
 *
 * The best level that the machine has is found out once. Results do not depend on it, but for the last bits of the
 * mathematical functions.
 */
#ifndef SHMX_ARRAY_LEVEL_H
#define SHMX_ARRAY_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

/* X(name), the poorest first; only x86-64 has more than one: elsewhere the compiler's own choice is good. */
#if defined(__x86_64__)
#define SHMX_LEVELS(X) X(baseline) X(avx2) X(avx512half) X(avx512)
#else
#define SHMX_LEVELS(X) X(baseline)
#endif

#define SHMX_LEVEL_CONSTANT(name) SHMX_LEVEL_##name,
enum shmx_level { SHMX_LEVELS(SHMX_LEVEL_CONSTANT) SHMX_LEVEL_COUNT };
#undef SHMX_LEVEL_CONSTANT

/* The level in use: the best one of this machine, unless the environment variable SHMX_VECTORS names a poorer one. */
enum shmx_level shmx_level(void);

/* The level for a call that goes through so many bytes. What comes from memory or the outer caches comes quicker when the
 * processor asks for it in smaller parts: then AVX-512 is used on vectors of half the width, which is `avx512half`. On a
 * Zen 4 a sum of 80 MB takes 0.20 instead of 0.28 ns for an element, and a comparison of 16 MB 0.23 instead of 0.26. */
enum { SHMX_LEVEL_FAR = 4 << 20 /* bytes that no processor has in its nearest caches */ };
enum shmx_level shmx_level_far(void);
static inline enum shmx_level shmx_level_for(int64_t bytes) {
  return bytes < SHMX_LEVEL_FAR ? shmx_level() : shmx_level_far();
}

/* Uses another one from now on; false when the machine does not have it. For tests and measurements. */
bool shmx_level_use(enum shmx_level level);

const char *shmx_level_name(enum shmx_level level);

#define SHMX_LEVEL_JOIN_(name, level) name##_##level
#define SHMX_LEVEL_JOIN(name, level)  SHMX_LEVEL_JOIN_(name, level)
#define SHMX_AT_LEVEL(name)           SHMX_LEVEL_JOIN(name, SHMX_LEVEL)

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */

#define SHMX_BY_LEVEL(type, name)                                                                                      \
  static inline const type *name(void) { return name##_at(shmx_level()); }                                             \
  static inline const type *name##_for(int64_t bytes) { return name##_at(shmx_level_for(bytes)); }

#if defined(__x86_64__)
#define SHMX_EACH_LEVEL(type, name)                                                                                    \
  extern const type name##_baseline, name##_avx2, name##_avx512half, name##_avx512;                                    \
  static inline const type *name##_at(enum shmx_level level) {                                                         \
    static const type *const all[] = {&name##_baseline, &name##_avx2, &name##_avx512half, &name##_avx512};             \
    return all[level];                                                                                                 \
  }                                                                                                                    \
  SHMX_BY_LEVEL(type, name)
#else
#define SHMX_EACH_LEVEL(type, name)                                                                                    \
  extern const type name##_baseline;                                                                                   \
  static inline const type *name##_at(enum shmx_level level) {                                                         \
    (void)level;                                                                                                       \
    return &name##_baseline;                                                                                           \
  }                                                                                                                    \
  SHMX_BY_LEVEL(type, name)
#endif
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
