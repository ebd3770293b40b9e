/* SPDX-License-Identifier: MIT */
/*
 * The trace file: well-formed after every write, whatever the texts are, and an error of the disk is kept and not repeated.
 */
#include "core/trace_file.h"

#include <errno.h>
#include <fcntl.h>

#include "check.h"

static char text[1 << 20];

static int scratch(void) {
  char path[] = "/tmp/test_trace_file.XXXXXX";
  int fd = mkstemp(path);
  CHECK(fd >= 0 && unlink(path) == 0);
  return fd;
}

static void put(struct shmx_trace_file *file, const char *name) {
  struct shmx_trace_event event = {.name = name, .category = "task", .phase = 'X', .time = 2500, .duration = 1001};
  shmx_trace_file_begin(file, &event);
  shmx_trace_file_number(file, "n", UINT64_MAX);
  shmx_trace_file_micros(file, "us", 1234567);
  shmx_trace_file_text(file, "text", name);
  shmx_trace_file_end(file);
}

static void read_back(int fd) {
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  CHECK(n >= 0);
  text[n] = 0;
}

static void is_closed_after_every_write(void) {
  struct shmx_trace_file file;
  int fd = scratch(), copy = dup(fd);
  CHECK(shmx_trace_file_open(&file, fd, 500) == 0);
  for (int i = 1; i <= 3; i++) {
    put(&file, "work");
    shmx_trace_file_flush(&file);
    read_back(copy);
    int events = 0;
    for (const char *at = text; (at = strstr(at, "{\"name\"")); at++) events++;
    CHECK(events == i);
    CHECK(strcmp(text + strlen(text) - 6, "}}\n]}\n") == 0);
  }
  CHECK(strstr(text, "\"ts\":2.000,\"dur\":1.001,"));
  CHECK(strstr(text, "\"args\":{\"n\":18446744073709551615,\"us\":1234.567,\"text\":\"work\"}},\n{"));
  shmx_trace_file_close(&file);
  CHECK(file.error == 0);
}

static void check_text(const char *name, const char *want) {
  struct shmx_trace_file file;
  int fd = scratch(), copy = dup(fd);
  CHECK(shmx_trace_file_open(&file, fd, 0) == 0);
  put(&file, name);
  shmx_trace_file_close(&file);
  read_back(copy);
  CHECK(strstr(text, want));
  close(copy);
}

static void escapes_what_json_cannot_have(void) {
  check_text("a\"b\\c\nd\x7f", "{\"name\":\"a\\\"b\\\\c\\u000ad\\u007f\",");
  check_text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x88",
             "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x88\"");
  check_text("cut \xe2\x82", "\"cut ?"
                             "?\"");
  check_text("bad \xff \xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80", "\"bad ? ?? ??? ???"
                                                                "?\"");
}

static void long_texts_are_cut_and_many_events_fit(void) {
  static char long_name[100000];
  struct shmx_trace_file file;
  memset(long_name, 1, sizeof long_name - 1);
  CHECK(shmx_trace_file_open(&file, scratch(), 0) == 0);
  for (int i = 0; i < 10000; i++) put(&file, long_name);
  shmx_trace_file_close(&file);
  CHECK(file.error == 0);
}

static void a_full_disk_ends_it(void) {
  struct shmx_trace_file file;
  CHECK(shmx_trace_file_open(&file, open("/dev/full", O_WRONLY), 0) == 0);
  put(&file, "work");
  shmx_trace_file_flush(&file);
  CHECK(file.error == -ENOSPC);
  for (int i = 0; i < 100000; i++) put(&file, "work");
  shmx_trace_file_close(&file);
  CHECK(file.error == -ENOSPC);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"is_closed_after_every_write", is_closed_after_every_write},
      {"escapes_what_json_cannot_have", escapes_what_json_cannot_have},
      {"long_texts_are_cut_and_many_events_fit", long_texts_are_cut_and_many_events_fit},
      {"a_full_disk_ends_it", a_full_disk_ends_it},
      {NULL, NULL}};
  return run_tests(tests, argc, argv);
}
