/* SPDX-License-Identifier: MIT */
/* Dtypes, views and kernels, with no Lua and no shared memory. */
#include <errno.h>
#include <math.h>

#include "array/kernel.h"
#include "array/loop.h"
#include "array_kit.h"

static void test_dtype_names(void) {
  for (int i = 0; i < SHMX_DTYPE_COUNT; i++) {
    const char *name = shmx_dtype_name((enum shmx_dtype)i);
    enum shmx_dtype found = SHMX_DTYPE_COUNT;
    CHECK(shmx_dtype_parse(name, strlen(name), &found) && (int)found == i);
  }
  enum shmx_dtype none;
  CHECK(!shmx_dtype_parse("i65", 3, &none));
  CHECK(!shmx_dtype_parse("i64\0", 4, &none));
  CHECK(!shmx_dtype_parse("", 0, &none));
  CHECK(shmx_dtype_size(SHMX_BOOL) == 1 && shmx_dtype_size(SHMX_F64) == 8);
  CHECK(!strcmp(shmx_dtype_name(SHMX_BOOL), "bool") && !strcmp(shmx_dtype_name(SHMX_F32), "f32"));
}

static void test_view_sizes_that_overflow_are_refused(void) {
  struct shmx_view v;
  CHECK(shmx_view_init(&v, SHMX_I64, 1, (int64_t[]){INT64_MAX}) == -EOVERFLOW);
  CHECK(shmx_view_init(&v, SHMX_I64, 2, (int64_t[]){1LL << 31, 1LL << 31}) == -EOVERFLOW);
  CHECK(shmx_view_init(&v, SHMX_I8, 3, (int64_t[]){1LL << 40, 0, 1LL << 40}) == -EOVERFLOW);
  CHECK(shmx_view_init(&v, SHMX_I8, 1, (int64_t[]){-1}) == -EINVAL);
  CHECK(shmx_view_init(&v, SHMX_I8, 0, NULL) == -EINVAL);
  CHECK(shmx_view_init(&v, SHMX_I8, 9, (int64_t[9]){0}) == -EINVAL);
  CHECK(shmx_view_init(&v, SHMX_I8, 1, (int64_t[]){INT64_MAX}) == 0 && shmx_view_nbytes(&v) == INT64_MAX);
  CHECK(shmx_view_init(&v, SHMX_F64, 2, (int64_t[]){3, 0}) == 0 && shmx_view_count(&v) == 0);
}

static void test_view_parts(void) {
  struct shmx_view v = make(SHMX_I32, 3, (int64_t[]){2, 3, 4});
  CHECK(v.strides[0] == 48 && v.strides[1] == 16 && v.strides[2] == 4);
  CHECK(shmx_view_is_contiguous(&v) && shmx_view_count(&v) == 24 && shmx_view_nbytes(&v) == 96);
  CHECK(shmx_view_at(&v, (int64_t[SHMX_MAX_NDIM]){1, 2, 3}) == (char *)v.data + 92);
  struct shmx_view row = v;
  shmx_view_drop(&row, 0, 1);
  CHECK(row.ndim == 2 && row.shape[0] == 3 && row.shape[1] == 4 && (char *)row.data == (char *)v.data + 48);
  CHECK(shmx_view_is_contiguous(&row));
  struct shmx_view column = v;
  shmx_view_drop(&column, 2, 1);
  CHECK(column.ndim == 2 && column.strides[1] == 16 && !shmx_view_is_contiguous(&column));
  struct shmx_view back = v;
  shmx_view_slice(&back, 2, 3, 4, -1);
  CHECK(back.strides[2] == -4 && (char *)back.data == (char *)v.data + 12 && !shmx_view_is_contiguous(&back));
  shmx_view_slice(&back, 0, 7, 0, 1);
  CHECK(shmx_view_count(&back) == 0 && shmx_view_is_contiguous(&back));
}

static void test_view_reshape(void) {
  struct shmx_view v = make(SHMX_I16, 2, (int64_t[]){4, 6}), r = v;
  CHECK(shmx_view_reshape(&r, 3, (int64_t[]){2, 3, 4}) == 0 && r.strides[0] == 24 && r.data == v.data);
  CHECK(shmx_view_reshape(&r, 1, (int64_t[]){25}) == -EINVAL && r.ndim == 3);
  CHECK(shmx_view_reshape(&r, 2, (int64_t[]){INT64_MAX, INT64_MAX}) == -EINVAL);
  r = v;
  shmx_view_slice(&r, 1, 0, 3, 2); /* every second column: one distance throughout */
  CHECK(shmx_view_reshape(&r, 1, (int64_t[]){12}) == 0 && r.strides[0] == 4);
  r = v;
  shmx_view_slice(&r, 1, 0, 3, 1);
  CHECK(shmx_view_reshape(&r, 1, (int64_t[]){12}) == -ENOTSUP && r.ndim == 2);
  CHECK(shmx_view_reshape(&r, 3, (int64_t[]){2, 2, 3}) == 0 && r.strides[0] == 24 && r.strides[1] == 12);
  CHECK(shmx_view_reshape(&r, 2, (int64_t[]){2, 6}) == -ENOTSUP);
}

static void test_view_permute(void) {
  struct shmx_view v = make(SHMX_U8, 3, (int64_t[]){2, 3, 4}), r = v;
  shmx_view_permute(&r, (int[]){2, 0, 1});
  CHECK(r.shape[0] == 4 && r.shape[1] == 2 && r.shape[2] == 3 && r.data == v.data);
  CHECK(r.strides[0] == 1 && r.strides[1] == 12 && r.strides[2] == 4 && !shmx_view_is_contiguous(&r));
  CHECK(shmx_view_reshape(&r, 2, (int64_t[]){4, 6}) == 0 && r.strides[0] == 1 && r.strides[1] == 4);
  CHECK(shmx_view_reshape(&r, 1, (int64_t[]){24}) == -ENOTSUP);
}

/* A 4 x 4 view of i32 at the start of `bytes`, for the next two tests to spoil. */
static struct shmx_view view_of(void *bytes) {
  struct shmx_view view;
  CHECK(shmx_view_init(&view, SHMX_I32, 2, (int64_t[]){4, 4}) == 0);
  view.data = bytes;
  return view;
}

static void test_view_from_elsewhere_must_stay_inside(void) {
  _Alignas(64) char bytes[256];
  struct shmx_view v = view_of(bytes);
  CHECK(shmx_view_within(&v, bytes, 64) && !shmx_view_within(&v, bytes, 63));
  CHECK(!shmx_view_within(&v, bytes + 64, 256));
  v.data = bytes + 4;
  CHECK(shmx_view_within(&v, bytes, 68) && !shmx_view_within(&v, bytes, 67));
  v = view_of(bytes), v.strides[0] = -16;
  CHECK(!shmx_view_within(&v, bytes, 256));
  v.data = bytes + 48;
  CHECK(shmx_view_within(&v, bytes, 64));
  v = view_of(bytes), v.strides[0] = INT64_MAX & ~3LL;
  CHECK(!shmx_view_within(&v, bytes, 256));
  v = view_of(bytes + 256), v.shape[0] = 0;
  CHECK(shmx_view_within(&v, bytes, 256));
}

static void test_view_from_elsewhere_must_make_sense(void) {
  _Alignas(64) char bytes[256];
  struct shmx_view v = view_of(bytes + 2);
  CHECK(!shmx_view_within(&v, bytes, 256));
  v = view_of(bytes), v.strides[0] = 18;
  CHECK(!shmx_view_within(&v, bytes, 256));
  v = view_of(bytes), v.shape[0] = INT64_MAX;
  CHECK(!shmx_view_within(&v, bytes, 256));
  v = view_of(bytes), v.shape[1] = -4;
  CHECK(!shmx_view_within(&v, bytes, 256));
  v = view_of(bytes), v.ndim = 9;
  CHECK(!shmx_view_within(&v, bytes, 256));
  v = view_of(bytes), v.dtype = SHMX_DTYPE_COUNT;
  CHECK(!shmx_view_within(&v, bytes, 256));
}

static void test_loop_merges_and_visits_each_element_once(void) {
  struct shmx_view v = make(SHMX_U8, 4, (int64_t[]){3, 4, 5, 6});
  struct shmx_loop loop;
  CHECK(shmx_loop_start(&loop, &v, NULL) && loop.count == 360 && !shmx_loop_next(&loop));
  struct shmx_view part = v;
  shmx_view_slice(&part, 0, 2, 2, -2);
  shmx_view_slice(&part, 2, 1, 3, 1);
  int rows = 0;
  CHECK(shmx_loop_start(&loop, &part, NULL));
  do {
    for (int64_t i = 0; i < loop.count; i++) (*(uint8_t *)(loop.data[0] + i * loop.stride[0]))++;
    rows++;
  } while (shmx_loop_next(&loop));
  CHECK(rows == 8 && loop.count == 18);
  for (int i = 0; i < 360; i++) {
    int inside = i / 120 != 1 && i / 6 % 5 >= 1 && i / 6 % 5 <= 3;
    CHECK(((uint8_t *)v.data)[i] == inside);
  }
  shmx_view_slice(&part, 1, 0, 0, 1);
  CHECK(!shmx_loop_start(&loop, &part, NULL));
}

static void test_loop_makes_long_rows_of_short_ones(void) {
  struct shmx_view v = make(SHMX_U8, 3, (int64_t[]){7, 90, 4});
  struct shmx_loop loop;
  shmx_view_slice(&v, 2, 0, 3, 1);
  shmx_view_slice(&v, 1, 0, 89, 1);
  CHECK(shmx_loop_start(&loop, &v, NULL) && loop.count == 3);
  CHECK(!shmx_loop_lengthen(&loop, 3) && shmx_loop_lengthen(&loop, 64) && loop.count == 89 && loop.stride[0] == 4);
  int rows = 0;
  do {
    for (int64_t i = 0; i < loop.count; i++) (*(uint8_t *)(loop.data[0] + i * loop.stride[0]))++;
    rows++;
  } while (shmx_loop_next(&loop));
  CHECK(rows == 7 * 3);
  for (int64_t i = 0; i < 7 * 90 * 4; i++) CHECK(((uint8_t *)v.data)[i] == (i % 4 < 3 && i / 4 % 90 < 89));
  struct shmx_view one = vector(SHMX_U8, 5);
  CHECK(shmx_loop_start(&loop, &one, NULL) && !shmx_loop_lengthen(&loop, 64) && loop.count == 5);
}

static void test_fill(void) {
  struct shmx_view v = vector(SHMX_F64, 10);
  double x = 2.5, *p = v.data;
  struct shmx_view odd = v;
  shmx_view_slice(&odd, 0, 0, 5, 2);
  shmx_kernel_fill(&odd, &x);
  for (int i = 0; i < 10; i++) CHECK(p[i] == (i % 2 ? 0 : 2.5));
  shmx_kernel_fill(&v, &x);
  for (int i = 0; i < 10; i++) CHECK(p[i] == 2.5);
}

/* What is written past the cache begins and ends where it should, wherever in a line that is. */
static void test_fill_of_many(void) {
  enum { COUNT = 7 << 20 };
  for (int from = 1; from < 4; from++) {
    struct shmx_view v = vector(SHMX_I64, COUNT), part = v;
    const int64_t *p = v.data, x = -3;
    int64_t wrong = 0;
    shmx_view_slice(&part, 0, from, COUNT - 5, 1);
    shmx_kernel_fill(&part, &x);
    for (int64_t i = 0; i < COUNT; i++) wrong += p[i] != (i >= from && i < COUNT - 5 + from ? x : 0);
    CHECK(wrong == 0);
  }
  struct shmx_view v = vector(SHMX_U16, COUNT * 4), part = v;
  const uint16_t *p = v.data, x = 0x0102;
  int64_t wrong = 0;
  shmx_view_slice(&part, 0, 5, COUNT * 4 - 9, 1);
  shmx_kernel_fill(&part, &x);
  for (int64_t i = 0; i < COUNT * 4; i++) wrong += p[i] != (i >= 5 && i < COUNT * 4 - 4 ? x : 0);
  CHECK(wrong == 0);
}

static void test_range(void) {
  int8_t small[4];
  shmx_kernel_range_integer(SHMX_I8, small, 0, 4, 126, 1);
  CHECK(small[1] == 127 && small[2] == -128);
  int64_t big[3];
  shmx_kernel_range_integer(SHMX_I64, big, 0, 3, INT64_MAX, -INT64_MAX);
  CHECK(big[0] == INT64_MAX && big[1] == 0 && big[2] == -INT64_MAX);
  double f[5000];
  shmx_kernel_range_float(SHMX_F64, f, 0, 5000, 1, 0.1);
  for (int i = 0; i < 5000; i++) CHECK(f[i] == 1 + i * 0.1);
  float g[3000];
  shmx_kernel_range_float(SHMX_F32, g, 0, 3000, -1, 1e-3);
  for (int i = 0; i < 3000; i++) CHECK(g[i] == (float)(-1 + i * 1e-3));
}

static void test_copy_converts_between_all_dtypes(void) {
  for (int to = 0; to < SHMX_DTYPE_COUNT; to++) {
    for (int from = 0; from < SHMX_DTYPE_COUNT; from++) {
      struct shmx_view a = vector((enum shmx_dtype)from, 20), b = vector((enum shmx_dtype)to, 20);
      for (int i = 0; i < 20; i++) {
        double d = i;
        struct shmx_view source = {.data = &d, .dtype = SHMX_F64, .ndim = 1, .shape = {1}, .strides = {8}};
        struct shmx_view one = a;
        shmx_view_slice(&one, 0, i, 1, 1);
        shmx_kernel_copy(&one, &source);
      }
      bool truth = from == SHMX_BOOL || to == SHMX_BOOL;
      shmx_kernel_copy(&b, &a);
      for (int i = 0; i < 20; i++) CHECK(at(&b, i) == (truth ? i != 0 : i));
      struct shmx_view back = a, half = b;
      shmx_view_slice(&back, 0, 19, 10, -2);
      shmx_view_slice(&half, 0, 0, 10, 1);
      shmx_kernel_copy(&half, &back);
      for (int i = 0; i < 10; i++) CHECK(at(&b, i) == (truth ? 1 : 19 - 2 * i));
    }
  }
}

static void test_copy_of_floats_out_of_range_is_clamped(void) {
  double in[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 9223372036854775808.0, 18446744073709551616.0, -0.9, 300.7};
  struct shmx_view from = {.data = in, .dtype = SHMX_F64, .ndim = 1, .shape = {9}, .strides = {8}};
  struct shmx_view i64 = vector(SHMX_I64, 9), u64 = vector(SHMX_U64, 9), u8 = vector(SHMX_U8, 9),
                   b = vector(SHMX_BOOL, 9);
  shmx_kernel_copy(&i64, &from), shmx_kernel_copy(&u64, &from), shmx_kernel_copy(&u8, &from),
      shmx_kernel_copy(&b, &from);
  const int64_t *i = i64.data;
  const uint64_t *u = u64.data;
  const uint8_t *c = u8.data;
  CHECK(i[0] == 0 && i[1] == INT64_MAX && i[2] == INT64_MIN && i[3] == INT64_MAX && i[5] == INT64_MAX && i[7] == 0);
  CHECK(u[0] == 0 && u[1] == UINT64_MAX && u[2] == 0 && u[5] == 1ULL << 63 && u[6] == UINT64_MAX && u[7] == 0);
  CHECK(c[0] == 0 && c[1] == 255 && c[2] == 0 && c[7] == 0 && c[8] == 255);
  CHECK(at(&b, 0) == 1 && at(&b, 7) == 1);
}

static void test_copy_permutes_nothing_in_many_dimensions(void) {
  struct shmx_view a = make(SHMX_I64, 3, (int64_t[]){3, 4, 5}), part = a;
  shmx_kernel_range_integer(SHMX_I64, a.data, 0, 60, 0, 1);
  shmx_view_slice(&part, 1, 3, 2, -2);
  struct shmx_view b = make(SHMX_I64, 3, part.shape);
  shmx_kernel_copy(&b, &part);
  for (int i = 0; i < 30; i++) CHECK(((int64_t *)b.data)[i] == i / 10 * 20 + (i / 5 % 2 ? 1 : 3) * 5 + i % 5);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"dtype_names", test_dtype_names},
      {"view_sizes_that_overflow_are_refused", test_view_sizes_that_overflow_are_refused},
      {"view_parts", test_view_parts},
      {"view_reshape", test_view_reshape},
      {"view_permute", test_view_permute},
      {"view_from_elsewhere_must_stay_inside", test_view_from_elsewhere_must_stay_inside},
      {"view_from_elsewhere_must_make_sense", test_view_from_elsewhere_must_make_sense},
      {"loop_merges_and_visits_each_element_once", test_loop_merges_and_visits_each_element_once},
      {"loop_makes_long_rows_of_short_ones", test_loop_makes_long_rows_of_short_ones},
      {"fill", test_fill},
      {"fill_of_many", test_fill_of_many},
      {"range", test_range},
      {"copy_converts_between_all_dtypes", test_copy_converts_between_all_dtypes},
      {"copy_of_floats_out_of_range_is_clamped", test_copy_of_floats_out_of_range_is_clamped},
      {"copy_permutes_nothing_in_many_dimensions", test_copy_permutes_nothing_in_many_dimensions},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
