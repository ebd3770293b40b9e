/* SPDX-License-Identifier: MIT */
/* The header of .npy files (array/npy.h): what NumPy writes is read, and what nobody should write is refused. */
#include "array/npy.h"

#include <errno.h>

#include "check.h"

static char file[SHMX_NPY_HEADER_MAX + 64];

/* Puts a file together whose header is `text`; returns its size. */
static uint64_t make(int version, const char *text) {
  size_t length = strlen(text), head = version == 1 ? 10 : 12;
  memset(file, 0, sizeof file);
  memcpy(file, "\x93NUMPY", 6);
  file[6] = (char)version;
  file[8] = (char)(length & 0xFF);
  file[9] = (char)(length >> 8);
  memcpy(file + head, text, length);
  return head + length;
}

static int parse(const char *text, struct shmx_npy *npy) { return shmx_npy_parse(file, make(1, text), npy); }

static void a_header_of_each_version_is_read(void) {
  struct shmx_npy npy;
  for (int version = 1; version <= 3; version++) {
    uint64_t size = make(version, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }   \n");
    CHECK(shmx_npy_parse(file, size, &npy) == 0);
    CHECK(npy.view.dtype == SHMX_F64 && npy.view.ndim == 2 && npy.view.shape[0] == 3 && npy.view.shape[1] == 4);
    CHECK(npy.view.strides[0] == 32 && npy.view.strides[1] == 8 && !npy.swapped && npy.offset == size);
  }
}

static void every_way_to_write_it_is_read(void) {
  struct shmx_npy npy;
  CHECK(parse("{\"shape\":(5L,),\"fortran_order\":False,\"descr\":\"|u1\"}", &npy) == 0);
  CHECK(npy.view.dtype == SHMX_U8 && npy.view.ndim == 1 && npy.view.shape[0] == 5);
  CHECK(parse("{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3)}", &npy) == 0);
  CHECK(npy.swapped && npy.view.strides[0] == 4 && npy.view.strides[1] == 8);
  CHECK(parse("{'descr': '=f4', 'fortran_order': False, 'shape': ()}", &npy) == 0);
  CHECK(!npy.swapped && npy.view.ndim == 1 && npy.view.shape[0] == 1);
  CHECK(parse("{'descr': '>b1', 'fortran_order': True, 'shape': (0, 7, 2)}", &npy) == 0);
  CHECK(!npy.swapped && npy.view.dtype == SHMX_BOOL && shmx_view_count(&npy.view) == 0);
}

static void a_part_of_a_header_asks_for_more(void) {
  struct shmx_npy npy;
  uint64_t size = make(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }");
  for (uint64_t have = 0; have < size; have++) {
    CHECK(shmx_npy_parse(file, have, &npy) == -EAGAIN);
    CHECK(npy.offset > have && npy.offset <= size);
  }
}

static void what_makes_no_sense_is_refused(void) {
  static const char *const texts[] = {"",
                                      "{",
                                      "{}",
                                      "()",
                                      "{'descr': '<f8'}",
                                      "{'descr': '<f8', 'fortran_order': False}",
                                      "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (3,)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (3)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (3 4)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (,)}",
                                      "{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} x",
                                      "{'descr': '<f8', 'fortran_order': False, 'shap': (3,)}",
                                      "{'descr': '', 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': 'f8', 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': '<f2', 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': '|f8', 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': '<U4', 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3,)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775808,)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807,)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}",
                                      "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1)}",
                                      NULL};
  struct shmx_npy npy;
  for (int i = 0; texts[i]; i++) {
    if (parse(texts[i], &npy) == -EINVAL && npy.why[0]) continue;
    fprintf(stderr, "accepted: %s\n", texts[i]);
    CHECK(0);
  }
}

static void a_length_without_end_is_refused(void) {
  struct shmx_npy npy;
  uint64_t size = make(2, "{");
  memset(file + 8, 0xFF, 4);
  CHECK(shmx_npy_parse(file, size, &npy) == -EINVAL && strstr(npy.why, "longer"));
  memcpy(file, "\x93NUMPX", 6);
  CHECK(shmx_npy_parse(file, 6, &npy) == -EINVAL && strstr(npy.why, "no .npy"));
  make(4, "{");
  CHECK(shmx_npy_parse(file, 20, &npy) == -EINVAL && strstr(npy.why, "version"));
}

static void what_is_written_is_what_numpy_writes(void) {
  static const char expected[] = "\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }";
  struct shmx_view view;
  char head[SHMX_NPY_WRITE_MAX];
  int64_t shape[SHMX_MAX_NDIM] = {3, INT64_MAX / 64, 1, 1, 1, 1, 1, 1};
  CHECK(shmx_view_init(&view, SHMX_F64, 1, shape) == 0 && shmx_npy_format(&view, false, head) == 128);
  CHECK(memcmp(head, expected, sizeof expected - 1) == 0 && head[127] == '\n' && head[126] == ' ');
  shape[0] = 1;
  for (int dtype = 0; dtype < SHMX_DTYPE_COUNT; dtype++) {
    struct shmx_npy npy;
    CHECK(shmx_view_init(&view, (enum shmx_dtype)dtype, 8, shape) == 0);
    size_t size = shmx_npy_format(&view, true, head);
    CHECK(shmx_npy_parse(head, size, &npy) == 0 && npy.offset == size && npy.view.dtype == view.dtype);
    CHECK(memcmp(npy.view.shape, view.shape, sizeof view.shape) == 0);
  }
}

static void bytes_are_turned_around(void) {
  uint16_t two[] = {0x0102, 0x0304};
  uint32_t four[] = {0x01020304};
  uint64_t eight[] = {0x0102030405060708};
  shmx_npy_swap(two, 2, 2);
  shmx_npy_swap(four, 1, 4);
  shmx_npy_swap(eight, 1, 8);
  CHECK(two[0] == 0x0201 && two[1] == 0x0403 && four[0] == 0x04030201 && eight[0] == 0x0807060504030201);
}

static const struct test tests[] = {
    {"a_header_of_each_version_is_read", a_header_of_each_version_is_read},
    {"every_way_to_write_it_is_read", every_way_to_write_it_is_read},
    {"a_part_of_a_header_asks_for_more", a_part_of_a_header_asks_for_more},
    {"what_makes_no_sense_is_refused", what_makes_no_sense_is_refused},
    {"a_length_without_end_is_refused", a_length_without_end_is_refused},
    {"what_is_written_is_what_numpy_writes", what_is_written_is_what_numpy_writes},
    {"bytes_are_turned_around", bytes_are_turned_around},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
