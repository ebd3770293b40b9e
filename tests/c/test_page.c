/* SPDX-License-Identifier: MIT */
/* How arrays are written as text (array/page.h, array/notation.h). */
#include "array/page.h"

#include <float.h>
#include <math.h>

#include "array_kit.h"

struct text {
  char bytes[1 << 16];
  size_t length;
};

static void append(void *context, const char *piece, size_t length) {
  struct text *text = context;
  CHECK(text->length + length < sizeof text->bytes);
  memcpy(text->bytes + text->length, piece, length + 1);
  text->length += length;
}

static const char *print(const struct shmx_view *view) {
  static struct text text;
  struct shmx_page page;
  text.length = 0;
  shmx_page_take(&page, view);
  shmx_page_write(&page, append, &text);
  return text.bytes;
}

static const char *print_doubles(int count, const double *values) {
  struct shmx_view v = vector(SHMX_F64, count);
  memcpy(v.data, values, (size_t)count * sizeof *values);
  return print(&v);
}

static const char *print_floats(int count, const float *values) {
  struct shmx_view v = vector(SHMX_F32, count);
  memcpy(v.data, values, (size_t)count * sizeof *values);
  return print(&v);
}

#define SAYS(text, expected) CHECK(strcmp(text, expected) == 0)

static void floats_have_as_many_digits_as_they_need(void) {
  SAYS(print_doubles(2, (double[]){1, -0.0}), "f64[2] {1.0, -0.0}");
  SAYS(print_doubles(3, (double[]){0.1, 2.25, 100}), "f64[3] {0.10, 2.25, 100.00}");
  SAYS(print_doubles(1, (double[]){1.0 / 3}), "f64[1] {0.33333333}");
  SAYS(print_doubles(1, (double[]){0.1 + 0.2}), "f64[1] {0.3}");
  SAYS(print_floats(2, (float[]){0.1F, 3}), "f32[2] {0.1, 3.0}");
  SAYS(print_floats(2, (float[]){16777.215F, 0.00390625F}), "f32[2] {16777.21500000, 0.00390625}");
}

static void floats_far_from_one_have_exponents(void) {
  SAYS(print_doubles(2, (double[]){1e8, 5}), "f64[2] {1e+08, 5e+00}");
  SAYS(print_doubles(2, (double[]){99999999, 0.0001}), "f64[2] {99999999.0000, 0.0001}");
  SAYS(print_doubles(2, (double[]){0.000025, 1}), "f64[2] {2.5e-05, 1.0e+00}");
  SAYS(print_doubles(1, (double[]){-DBL_MAX}), "f64[1] {-1.79769313e+308}");
  SAYS(print_doubles(1, (double[]){1e16 / 3}), "f64[1] {3.33333333e+15}");
  SAYS(print_doubles(1, (double[]){(0.1 + 0.2) * 1e20}), "f64[1] {3e+19}");
}

static void floats_that_are_no_numbers_count_for_nothing(void) {
  SAYS(print_doubles(4, (double[]){NAN, -INFINITY, INFINITY, 0.5}), "f64[4] {nan, -inf, inf, 0.5}");
  SAYS(print_doubles(1, (double[]){copysign(NAN, -1)}), "f64[1] {nan}");
  SAYS(print_floats(2, (float[]){INFINITY, 0}), "f32[2] {inf, 0.0}");
}

static void the_widest_element_of_each_dtype_fits(void) {
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    for (int byte = 0; byte < 256; byte++) {
      struct shmx_view v = make((enum shmx_dtype)dtype, 2, (int64_t[]){50, 50});
      memset(v.data, byte, (size_t)shmx_view_nbytes(&v));
      print(&v);
    }
  }
}

static void every_shape_is_shortened_to_so_many_rows(void) {
  for (int ndim = 1; ndim <= SHMX_MAX_NDIM; ndim++) {
    for (int64_t size = 0; size <= (ndim < 7 ? 9 : 5); size++) {
      int64_t shape[SHMX_MAX_NDIM];
      for (int d = 0; d < ndim; d++) shape[d] = size;
      struct shmx_view v = make(SHMX_I8, ndim, shape);
      const char *text = print(&v);
      int braces = 0, rows = 0;
      for (; *text; text++) {
        braces += *text == '{' ? 1 : *text == '}' ? -1 : 0;
        rows += *text != '}' && text[1] == '}';
        CHECK(braces >= 0 && braces <= ndim);
      }
      CHECK(braces == 0 && rows <= SHMX_PAGE_ROWS);
    }
  }
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"floats_have_as_many_digits_as_they_need", floats_have_as_many_digits_as_they_need},
      {"floats_far_from_one_have_exponents", floats_far_from_one_have_exponents},
      {"floats_that_are_no_numbers_count_for_nothing", floats_that_are_no_numbers_count_for_nothing},
      {"the_widest_element_of_each_dtype_fits", the_widest_element_of_each_dtype_fits},
      {"every_shape_is_shortened_to_so_many_rows", every_shape_is_shortened_to_so_many_rows},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
