/* SPDX-License-Identifier: MIT */
/*
 * The report's data: its memory stays bounded while nothing is lost from the sums, the slowest tasks are the slowest, and
 * texts cannot break out of the page.
 */
#include "check.h"
#include "core/report_parts.h"

static struct shmx_report *report;

static void attempt(uint32_t worker, int64_t time, uint64_t duration, uint32_t task, const char *name,
                    const char *result) {
  struct shmx_report_attempt a = {
      .worker = worker, .time = time, .duration = duration, .task = task, .attempt = 1, .result = result};
  strncpy(a.name, name, sizeof a.name);
  shmx_report_attempt(report, &a);
}

static void many_attempts_are_drawn_as_few(void) {
  report = shmx_report_create(0, 1);
  for (uint32_t i = 0; i < 3000000; i++) attempt(1 + i % 3, (int64_t)(i / 3) * 1000, 900, i, "work", "done");
  CHECK(report->nspans <= REPORT_SPANS && report->nspans > REPORT_SPANS / 8);
  uint64_t count = 0, busy = 0;
  for (uint32_t i = 0; i < report->nspans; i++) {
    const struct report_span *s = &report->spans[i];
    CHECK(s->busy <= s->duration && s->worker >= 1 && s->worker <= 3);
    count += s->count;
    busy += s->busy;
  }
  CHECK(count == 3000000 && busy == UINT64_C(3000000) * 900);
  CHECK(report->names[0].count == 3000000 && report->results[REPORT_DONE] == 3000000);
  shmx_report_destroy(report);
}

static void long_and_failed_ones_stay_themselves(void) {
  report = shmx_report_create(0, 1);
  for (uint32_t i = 0; i < 300000; i++) attempt(1, (int64_t)i * 1000, 900, i, "work", i == 1000 ? "failed" : "done");
  attempt(1, INT64_C(1000000000), 5000000, 300000, "long", "killed by SIGKILL");
  uint32_t failed = 0;
  for (uint32_t i = 0; i < report->nspans; i++) failed += report->spans[i].result == REPORT_FAILED;
  CHECK(failed == 1 && report->nill == 2);
  CHECK(report->spans[report->nspans - 1].count == 1 && report->slowest[0].task == 300000);
  shmx_report_destroy(report);
}

/* Neighbours with other results are drawn together only where they could not be told from each other. */
static void results_that_alternate_are_drawn_as_few_too(void) {
  report = shmx_report_create(0, 1);
  for (uint32_t i = 0; i < 300000; i++) attempt(1, (int64_t)i * 1000, 900, i, "work", i % 2 ? "failed" : "done");
  uint64_t count = 0, not_done = 0;
  CHECK(report->nspans <= REPORT_SPANS);
  for (uint32_t i = 0; i < report->nspans; i++) {
    const struct report_span *s = &report->spans[i];
    CHECK(s->not_done <= s->count && (s->result == REPORT_FAILED) == (s->not_done > 0));
    CHECK(s->duration <= 300000000 / 256);
    count += s->count;
    not_done += s->not_done;
  }
  CHECK(count == 300000 && not_done == 150000);
  shmx_report_destroy(report);
}

/* What a process has scribbled over its records costs their place in the picture, and nothing else. */
static void times_that_make_no_sense_take_no_room(void) {
  report = shmx_report_create(0, 1);
  for (uint32_t i = 0; i < 300000; i++) attempt(1, INT64_MIN + i, UINT64_MAX - i, i, "work", "done");
  for (uint32_t i = 0; i < 300000; i++) attempt(1, INT64_MAX - i, UINT64_MAX / 2 + i, i, "work", "failed");
  attempt(1, 1000, 900, 600000, "work", "done");
  CHECK(report->nspans == 1 && report->spans[0].task == 600000);
  for (uint32_t i = 0; i < 300000; i++) attempt(1, INT64_MAX / 16 - i, INT64_MAX / 16, i, "work", "done");
  CHECK(report->nspans <= REPORT_SPANS);
  shmx_report_destroy(report);
}

static void keeps_the_slowest_in_order(void) {
  report = shmx_report_create(0, 1);
  for (uint32_t i = 0; i < 1000; i++) attempt(1, (int64_t)i * 100000, 1 + i * 7919 % 1000, i, "work", "done");
  CHECK(report->nslowest == REPORT_SLOWEST);
  for (uint32_t i = 0; i < REPORT_SLOWEST; i++) CHECK(report->slowest[i].duration == 1000 - i);
  shmx_report_destroy(report);
}

static void samples_names_and_handovers_are_bounded(void) {
  report = shmx_report_create(0, 1);
  for (uint32_t i = 0; i < 100000; i++) {
    char name[SHMX_REPORT_NAME];
    snprintf(name, sizeof name, "f%u", i % 1000);
    attempt(1, (int64_t)i * 1000, 10, i, name, "done");
    shmx_report_handover(report, &(struct shmx_report_handover){1, i + 1, i + 2, i + 3, i + 4, 10});
    shmx_report_sample(report, (int64_t)i * 2000000, i, i, 1);
  }
  CHECK(report->nnames == REPORT_NAMES && strcmp(report->names[REPORT_NAMES - 1].text, "(others)") == 0);
  CHECK(report->handovers == 100000 && report->handover_bytes == 1000000 && report->nkept <= REPORT_HANDOVERS);
  CHECK(report->handover.count == 100000);
  CHECK(report->nsamples <= REPORT_SAMPLES && report->nsamples >= REPORT_SAMPLES / 4 && report->peak == 99999);
  shmx_report_destroy(report);
}

static void texts_stay_texts(void) {
  static char text[1 << 20];
  char path[] = "/tmp/test_report.XXXXXX";
  int fd = mkstemp(path);
  report = shmx_report_create(0, getpid());
  attempt(1, 1000, 10, 1, "</script>\"\\", "failed");
  shmx_report_failure(report, 1, "</script><b>\n");
  CHECK(shmx_report_write(report, path, 1000000) == 0);
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  CHECK(n > 0 && n < (ssize_t)sizeof text - 1);
  CHECK(strstr(text, "\\u003c/script>\\u0022\\u005c") && strstr(text, "[1,\"\\u003c/script>\\u003cb>\\u000a\"]"));
  CHECK(strstr(strstr(text, "</script>") + 1, "</script>") == NULL);
  unlink(path);
  CHECK(shmx_report_write(report, "/dev/full", 1000000) < 0);
  CHECK(shmx_report_write(report, "/nowhere/report", 1000000) < 0);
  shmx_report_destroy(report);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"many_attempts_are_drawn_as_few", many_attempts_are_drawn_as_few},
      {"long_and_failed_ones_stay_themselves", long_and_failed_ones_stay_themselves},
      {"results_that_alternate_are_drawn_as_few_too", results_that_alternate_are_drawn_as_few_too},
      {"times_that_make_no_sense_take_no_room", times_that_make_no_sense_take_no_room},
      {"keeps_the_slowest_in_order", keeps_the_slowest_in_order},
      {"samples_names_and_handovers_are_bounded", samples_names_and_handovers_are_bounded},
      {"texts_stay_texts", texts_stay_texts},
      {NULL, NULL}};
  return run_tests(tests, argc, argv);
}
