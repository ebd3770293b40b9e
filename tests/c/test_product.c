/* SPDX-License-Identifier: MIT */
/* Products of vectors and matrices and random elements, at every level of vector units, with no Lua. */
#include <math.h>

#include "array/matmul.h"
#include "array/random.h"
#include "array_kit.h"

static const enum shmx_dtype computed[] = {SHMX_I32, SHMX_U32, SHMX_I64, SHMX_U64, SHMX_F32, SHMX_F64};

/* Small whole numbers, with which all dtypes compute exactly. */
static struct shmx_view numbers(enum shmx_dtype dtype, int64_t rows, int64_t columns) {
  struct shmx_view view = make(dtype, 2, (int64_t[]){rows, columns});
  shmx_random_integers(&view, 1, 0, 0, 9);
  return view;
}

static void matrices_of_every_dtype_and_size(void) {
  static const int64_t sizes[][3] = {{1, 1, 1}, {6, 16, 3}, {7, 17, 5}, {13, 40, 300}, {100, 33, 2}, {1, 50, 600}};
  for (size_t t = 0; t < sizeof computed / sizeof computed[0]; t++) {
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
      int64_t m = sizes[s][0], n = sizes[s][1], depth = sizes[s][2];
      struct shmx_view a = numbers(computed[t], m, depth), b = numbers(computed[t], n, depth);
      struct shmx_view out = make(computed[t], 2, (int64_t[]){m, n}), x = a, y = b, z = out;
      shmx_view_permute(&b, (int[]){1, 0});
      CHECK(shmx_matmul_run(&out, &a, &b) == 0);
      x.ndim = y.ndim = z.ndim = 1;
      x.shape[0] = m * depth, y.shape[0] = n * depth, z.shape[0] = m * n;
      x.strides[0] = y.strides[0] = z.strides[0] = shmx_dtype_size(computed[t]);
      for (int64_t i = 0; i < m * n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < depth; k++) sum += at(&x, i / n * depth + k) * at(&y, i % n * depth + k);
        CHECK(at(&z, i) == sum);
      }
    }
  }
}

static void vectors_of_every_dtype_and_length(void) {
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    for (int64_t n = 0; n < 1200; n += 1 + n / 3) {
      struct shmx_view a = vector((enum shmx_dtype)dtype, n), b = vector((enum shmx_dtype)dtype, n), out;
      if (dtype != SHMX_BOOL) shmx_random_integers(&a, 1, 0, 0, 9), shmx_random_integers(&b, 2, 0, 0, 9);
      double sum = 0;
      for (int64_t i = 0; i < n; i++) sum += at(&a, i) * at(&b, i);
      out = vector(shmx_dot_dtype((enum shmx_dtype)dtype), 1);
      shmx_dot_run(out.data, out.dtype, &a, &b);
      CHECK(at(&out, 0) == sum);
      if (n > 0) shmx_view_slice(&a, 0, n - 1, n, -1), shmx_view_slice(&b, 0, n - 1, n, -1);
      shmx_dot_run(out.data, out.dtype, &a, &b);
      CHECK(at(&out, 0) == sum);
    }
  }
}

/* The sums wrap, as those of uint64_t do. */
static void products_of_32_bits_have_64(void) {
  struct shmx_view a = vector(SHMX_I32, 19), b = vector(SHMX_I32, 19);
  uint64_t of_signed = 0, of_unsigned = 0, result = 0;
  for (int i = 0; i < 19; i++) {
    int32_t x = INT32_MIN + i, y = i % 3 == 0 ? INT32_MIN : INT32_MAX - i;
    ((int32_t *)a.data)[i] = x, ((int32_t *)b.data)[i] = y;
    of_signed += (uint64_t)((int64_t)x * y), of_unsigned += (uint64_t)(uint32_t)x * (uint32_t)y;
  }
  shmx_dot_run(&result, SHMX_I64, &a, &b);
  CHECK(result == of_signed);
  a.dtype = b.dtype = SHMX_U32;
  shmx_dot_run(&result, SHMX_U64, &a, &b);
  CHECK(result == of_unsigned);
}

/* The products of f32 do not depend on the level. */
static void test_levels_agree(void) {
  struct shmx_view a = vector(SHMX_F32, 2345), b = vector(SHMX_F32, 2345);
  double first = 0, result = 0;
  for (int64_t i = 0; i < 2345; i++) ((float *)a.data)[i] = sinf((float)i), ((float *)b.data)[i] = cosf((float)i);
  for (int level = 0; level < SHMX_LEVEL_COUNT; level++) {
    if (!shmx_level_use((enum shmx_level)level)) continue;
    shmx_dot_run(&result, SHMX_F64, &a, &b);
    if (level == 0) first = result;
    CHECK(result == first);
  }
}

/* Known answers of the generator, published with it. */
static void philox_is_philox(void) {
  uint64_t out[2];
  shmx_philox()->generate(out, 0, 0, 0, 1);
  CHECK(out[0] == 0xE169C58D6627E8D5 && out[1] == 0x9B00DBD8BC57AC4C);
  shmx_philox()->generate(out, UINT64_MAX, UINT64_MAX, UINT64_MAX, 1);
  CHECK(out[0] == 0x41C83B0E408F276D && out[1] == 0x6D5451FDA20BC7C6);
}

static void normal_elements_are_the_same_everywhere(void) {
  struct shmx_view v = vector(SHMX_F64, 2000);
  const double *x = v.data;
  uint64_t hash = 0, bits;
  shmx_random_normal(&v, 42, 0, 0, 1);
  for (int i = 0; i < 2000; i++) {
    memcpy(&bits, &x[i], sizeof bits);
    hash = (hash ^ bits) * 0x9E3779B97F4A7C15;
  }
  CHECK(hash == 0x24B9E8C7BE9860D0);
}

static void test_matrices_of_every_dtype_and_size(void) { at_each_level(matrices_of_every_dtype_and_size); }
static void test_vectors_of_every_dtype_and_length(void) { at_each_level(vectors_of_every_dtype_and_length); }
static void test_products_of_32_bits_have_64(void) { at_each_level(products_of_32_bits_have_64); }
static void test_philox_is_philox(void) { at_each_level(philox_is_philox); }
static void test_normal_elements_are_the_same_everywhere(void) {
  at_each_level(normal_elements_are_the_same_everywhere);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"matrices_of_every_dtype_and_size", test_matrices_of_every_dtype_and_size},
      {"vectors_of_every_dtype_and_length", test_vectors_of_every_dtype_and_length},
      {"products_of_32_bits_have_64", test_products_of_32_bits_have_64},
      {"levels_agree", test_levels_agree},
      {"philox_is_philox", test_philox_is_philox},
      {"normal_elements_are_the_same_everywhere", test_normal_elements_are_the_same_everywhere},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
