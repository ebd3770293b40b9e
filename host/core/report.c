/* SPDX-License-Identifier: MIT */
/*
 * See report.h: collecting. What is written of it is in report_write.c.
 */
#include "core/report_parts.h"

#include <stdlib.h>
#include <string.h>

#define LAST_TIME (INT64_MAX / 16) /* eighteen years after the machine was started */

struct shmx_report *shmx_report_create(int64_t origin, pid_t main) {
  struct shmx_report *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->origin = origin;
  r->main = main;
  r->interval = 1000000;
  r->every = 1;
  return r;
}

void shmx_report_destroy(struct shmx_report *report) { free(report); }

/* The number of a name; the last one stands for all that there was no room for. */
static uint32_t intern(struct shmx_report *r, const char name[SHMX_REPORT_NAME]) {
  if (r->nnames > 0 && strncmp(r->names[r->last_name].text, name, SHMX_REPORT_NAME) == 0) return r->last_name;
  uint32_t i = 0;
  while (i < r->nnames && strncmp(r->names[i].text, name, SHMX_REPORT_NAME) != 0) i++;
  if (i == REPORT_NAMES) return REPORT_NAMES - 1;
  if (i == r->nnames) {
    r->nnames++;
    if (i == REPORT_NAMES - 1) strcpy(r->names[i].text, "(others)");
    else memcpy(r->names[i].text, name, SHMX_REPORT_NAME);
  }
  return r->last_name = i;
}

static enum report_result result_of(const char *text) {
  return strcmp(text, "done") == 0 ? REPORT_DONE : strcmp(text, "failed") == 0 ? REPORT_FAILED : REPORT_OTHER;
}

/* --- the timeline --- */

static int64_t end_of(const struct report_span *span) { return span->time + (int64_t)span->duration; }

/* Draws the span as a part of the one before it in its row, when both are short and close, up to a few times the
 * resolution together, and alike. */
static bool join(struct shmx_report *r, struct report_span *last, const struct report_span *span) {
  int64_t end = end_of(last) > end_of(span) ? end_of(last) : end_of(span), gap = span->time - end_of(last);
  bool is_short = span->busy / span->count < r->resolution && last->busy / last->count < r->resolution;
  bool fits = last->duration + span->duration <= 4 * r->resolution && gap <= (int64_t)r->resolution;
  if (!is_short || !fits || (last->result != span->result && !r->blurred)) return false;
  if (last->name != span->name) last->name = REPORT_NAMES;
  last->duration = (uint64_t)(end - last->time);
  last->busy = last->busy + span->busy < last->duration ? last->busy + span->busy : last->duration;
  last->count += span->count;
  last->not_done += span->not_done;
  if (span->result > last->result) last->result = span->result;
  return true;
}

static void add_span(struct shmx_report *r, const struct report_span *span) {
  uint32_t *last = &r->last_span[span->worker % REPORT_ROWS];
  if (*last > 0 && r->spans[*last - 1].worker == span->worker && join(r, &r->spans[*last - 1], span)) return;
  r->spans[r->nspans++] = *span;
  *last = r->nspans;
}

/* Makes room, by a coarser view of all. In the end each row is one span, however the results follow each other. */
static void thin_spans(struct shmx_report *r, int64_t now) {
  while (r->nspans > REPORT_SPANS / 2) {
    uint32_t count = r->nspans;
    r->resolution = r->resolution ? 2 * r->resolution : 1000;
    r->blurred = r->resolution > (uint64_t)(now - r->origin) / REPORT_COLUMNS;
    memset(r->last_span, 0, sizeof r->last_span);
    r->nspans = 0;
    for (uint32_t i = 0; i < count; i++) {
      struct report_span span = r->spans[i];
      add_span(r, &span);
    }
  }
}

/* Times come from processes that may have scribbled over them. Those that are drawn can be added up. */
static bool is_drawable(const struct shmx_report *r, const struct report_span *span) {
  return span->time >= r->origin && span->time <= LAST_TIME && span->duration <= (uint64_t)LAST_TIME;
}

static void draw(struct shmx_report *r, const struct report_span *span) {
  if (!is_drawable(r, span)) return;
  if (r->nspans == REPORT_SPANS) thin_spans(r, span->time);
  add_span(r, span);
}

/* --- tables --- */

static void note_slow(struct shmx_report *r, const struct report_task *task) {
  uint32_t at = r->nslowest < REPORT_SLOWEST ? r->nslowest++ : REPORT_SLOWEST;
  if (at == REPORT_SLOWEST && r->slowest[--at].duration >= task->duration) return;
  for (; at > 0 && r->slowest[at - 1].duration < task->duration; at--) r->slowest[at] = r->slowest[at - 1];
  r->slowest[at] = *task;
}

static void note_ill(struct shmx_report *r, const struct report_task *task) {
  if (r->nill < REPORT_FAILURES) r->ill[r->nill++] = *task;
}

static void count_attempt(struct shmx_report *r, const struct shmx_report_attempt *a, uint32_t name,
                          enum report_result result) {
  struct report_name *function = &r->names[name];
  function->count++;
  function->total += a->duration;
  function->not_done += result != REPORT_DONE;
  if (a->duration > function->most) function->most = a->duration;
  r->results[result]++;
  shmx_histogram_add(&r->run, a->duration);
  if (a->waited) shmx_histogram_add(&r->wait, a->waited);
  if (a->worker > r->workers) r->workers = a->worker;
}

void shmx_report_attempt(struct shmx_report *r, const struct shmx_report_attempt *a) {
  uint32_t name = intern(r, a->name);
  enum report_result result = result_of(a->result);
  struct report_span span = {.time = a->time,
                             .duration = a->duration,
                             .busy = a->duration,
                             .worker = a->worker,
                             .name = name,
                             .count = 1,
                             .not_done = result != REPORT_DONE,
                             .task = a->task,
                             .result = (uint8_t)result};
  struct report_task task = {a->time, a->duration, a->waited, a->worker, name, a->task, a->attempt, {0}};
  strncpy(task.result, a->result, sizeof task.result - 1);
  draw(r, &span);
  count_attempt(r, a, name, result);
  note_slow(r, &task);
  if (result != REPORT_DONE) note_ill(r, &task);
}

void shmx_report_handover(struct shmx_report *r, const struct shmx_report_handover *handover) {
  r->handovers++;
  r->handover_bytes += handover->bytes;
  if (handover->complete > handover->notify && handover->notify > 0)
    shmx_histogram_add(&r->handover, (uint64_t)(handover->complete - handover->notify));
  if (r->handovers % r->every != 0) return;
  if (r->nkept == REPORT_HANDOVERS) {
    r->every *= 2;
    r->nkept /= 2;
    for (size_t i = 0; i < r->nkept; i++) r->kept[i] = r->kept[2 * i];
  }
  r->kept[r->nkept++] = *handover;
}

void shmx_report_failure(struct shmx_report *r, uint32_t task, const char *text) {
  if (r->nfailures == REPORT_FAILURES) return;
  struct report_failure *failure = &r->failures[r->nfailures++];
  failure->task = task;
  strncpy(failure->text, text, sizeof failure->text - 1);
}

void shmx_report_sample(struct shmx_report *r, int64_t now, uint64_t live, uint64_t charged, uint64_t in_flight) {
  struct report_sample sample = {now, live, charged, in_flight};
  const struct report_sample *last = r->nsamples > 0 ? &r->samples[r->nsamples - 1] : NULL;
  if (charged > r->peak) r->peak = charged;
  if (last && last->live == live && last->charged == charged && last->in_flight == in_flight) return;
  if (last && now - last->time < r->interval) return;
  if (r->nsamples == REPORT_SAMPLES) {
    r->interval *= 2;
    r->nsamples /= 2;
    for (size_t i = 0; i < r->nsamples; i++) r->samples[i] = r->samples[2 * i];
  }
  r->samples[r->nsamples++] = sample;
}
