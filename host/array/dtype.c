/* SPDX-License-Identifier: MIT */
/* The tables behind array/dtype.h. */
#include "array/dtype.h"

#include <string.h>

#define SIZE(constant, tag, type) [SHMX_##constant] = sizeof(type),
static const uint8_t sizes[] = {SHMX_DTYPES(SIZE)};

static const char names[][5] = {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "bool"};
_Static_assert(sizeof names / sizeof names[0] == SHMX_DTYPE_COUNT, "a name for each dtype");

int64_t shmx_dtype_size(enum shmx_dtype dtype) { return sizes[dtype]; }

const char *shmx_dtype_name(enum shmx_dtype dtype) { return names[dtype]; }

bool shmx_dtype_parse(const char *name, size_t length, enum shmx_dtype *out) {
  for (int i = 0; i < SHMX_DTYPE_COUNT; i++) {
    if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
      *out = (enum shmx_dtype)i;
      return true;
    }
  }
  return false;
}
