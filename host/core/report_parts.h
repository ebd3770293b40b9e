/* SPDX-License-Identifier: MIT */
/*
 * What report.c collects and report_write.c writes.
 */
#ifndef SHMX_CORE_REPORT_PARTS_H
#define SHMX_CORE_REPORT_PARTS_H

#include "core/histogram.h"
#include "core/report.h"

enum {
  REPORT_SPANS = 1 << 16,
  REPORT_HANDOVERS = 1 << 14,
  REPORT_SAMPLES = 1 << 12,
  REPORT_NAMES = 256, /* and as a number: several */
  REPORT_ROWS = 4096,
  REPORT_SLOWEST = 20,
  REPORT_FAILURES = 200,
  REPORT_COLUMNS = 4096, /* what is shorter than a part in so many of the run is not told apart by its result */
  REPORT_TEXT = 512
};

enum report_result { REPORT_DONE = 0, REPORT_FAILED, REPORT_OTHER, REPORT_RESULTS };

/* Attempts in a row of the timeline that are drawn as one. */
struct report_span {
  int64_t time;
  uint64_t duration, busy; /* from the begin of the first to the end of the last; what they took together */
  uint32_t worker, name, count, not_done, task;
  uint8_t result; /* enum report_result; the worst one */
};

struct report_task {
  int64_t time;
  uint64_t duration, waited;
  uint32_t worker, name, task, attempt;
  char result[40];
};

struct report_name {
  char text[SHMX_REPORT_NAME];
  uint64_t count, total, most, not_done;
};

struct report_failure {
  uint32_t task;
  char text[REPORT_TEXT];
};

struct report_sample {
  int64_t time;
  uint64_t live, charged, in_flight;
};

struct shmx_report {
  int64_t origin;
  pid_t main;
  uint32_t workers; /* the highest number */
  uint64_t results[REPORT_RESULTS];
  struct shmx_histogram run, wait, handover;
  uint64_t resolution; /* shorter spans are joined, nanoseconds; 0: none are */
  bool blurred;        /* whatever their results */
  uint32_t nspans, last_span[REPORT_ROWS];
  struct report_span spans[REPORT_SPANS];
  uint64_t handovers, handover_bytes, every; /* of so many one is kept */
  uint32_t nkept;
  struct shmx_report_handover kept[REPORT_HANDOVERS];
  int64_t interval; /* between samples, at least */
  uint64_t peak;
  uint32_t nsamples;
  struct report_sample samples[REPORT_SAMPLES];
  uint32_t nnames, last_name;
  struct report_name names[REPORT_NAMES];
  uint32_t nslowest;
  struct report_task slowest[REPORT_SLOWEST];
  uint32_t nill; /* attempts that were not done */
  struct report_task ill[REPORT_FAILURES];
  uint32_t nfailures; /* what main says of tasks */
  struct report_failure failures[REPORT_FAILURES];
};

#endif
