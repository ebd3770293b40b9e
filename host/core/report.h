/* SPDX-License-Identifier: MIT */
/*
 * The report: what happened in a run, collected while it happens and written as one page of HTML at the end.
 *
 * It takes what the trace takes (supervisor_trace.c). Its memory is bounded however long the run is: attempts that follow
 * each other closely are drawn as one when there are too many, of handovers and samples only every second, fourth, ... one
 * is kept. Counts, times and the slowest tasks are of everything.
 *
 * The page (report.html) comes compiled in; its data stands in it as JSON, so it needs nothing from anywhere.
 */
#ifndef SHMX_CORE_REPORT_H
#define SHMX_CORE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct shmx_report;

enum { SHMX_REPORT_NAME = 32 }; /* bytes of a task's name */

/* A report whose times count from `origin`, of the run of process `main`. NULL without memory. */
struct shmx_report *shmx_report_create(int64_t origin, pid_t main);
void shmx_report_destroy(struct shmx_report *report);

/* One run of a task. `result` is "done", "failed", "refused", or how its worker went. */
struct shmx_report_attempt {
  uint32_t worker; /* its number */
  int64_t time;
  uint64_t duration, waited; /* nanoseconds; waited 0: it was not measured */
  uint32_t task, attempt;
  char name[SHMX_REPORT_NAME]; /* not terminated when it fills its place */
  const char *result;
};
void shmx_report_attempt(struct shmx_report *report, const struct shmx_report_attempt *attempt);

/* A handover, as far as it came: times are 0 for what was not seen. */
struct shmx_report_handover {
  uint32_t worker; /* the giver's number */
  int64_t notify, acknowledge, hold, complete;
  uint64_t bytes;
};
void shmx_report_handover(struct shmx_report *report, const struct shmx_report_handover *handover);

void shmx_report_failure(struct shmx_report *report, uint32_t task, const char *text);

/* Bytes live and in chunks, and tasks in flight, now. */
void shmx_report_sample(struct shmx_report *report, int64_t now, uint64_t live, uint64_t charged, uint64_t in_flight);

/* Writes the page to the file at `path`, which exists. 0 or -errno. */
int shmx_report_write(struct shmx_report *report, const char *path, int64_t now);

#endif
