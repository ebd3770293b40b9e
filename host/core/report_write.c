/* SPDX-License-Identifier: MIT */
/*
 * Writes the page: the template up to its mark, the data as JSON, the rest of the template. Times are in microseconds
 * since the run began. In texts < is escaped too, since they stand inside of a script element.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/report_parts.h"
#include "os/os.h"

static const char page[] = {
#include "core/report_page.inc" /* made of report.html, which is ASCII */
    0};

#define MARK "/*DATA*/"

static double micros(const struct shmx_report *r, int64_t time) {
  return time > r->origin ? (double)(time - r->origin) * 1e-3 : 0;
}

/* A JSON string of at most `size` bytes; the page replaces what is not UTF-8. */
static void put_text(FILE *out, const char *text, size_t size) {
  fputc('"', out);
  for (size_t i = 0; i < size && text[i]; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x20 || c == '<' || c == '"' || c == '\\' || c == 0x7F) fprintf(out, "\\u%04x", c);
    else fputc(c, out);
  }
  fputc('"', out);
}

static void put_names(FILE *out, const struct shmx_report *r) {
  fputs(",\n\"functions\":[", out);
  for (uint32_t i = 0; i < r->nnames; i++) {
    const struct report_name *f = &r->names[i];
    fputs(i ? ",\n[" : "\n[", out);
    put_text(out, f->text[0] ? f->text : "task", SHMX_REPORT_NAME);
    fprintf(out, ",%" PRIu64 ",%.1f,%.1f,%" PRIu64 "]", f->count, (double)f->total * 1e-3, (double)f->most * 1e-3,
            f->not_done);
  }
  fputc(']', out);
}

static void put_spans(FILE *out, const struct shmx_report *r) {
  fputs(",\n\"spans\":[", out);
  for (uint32_t i = 0; i < r->nspans; i++) {
    const struct report_span *s = &r->spans[i];
    fprintf(out, "%s[%u,%.1f,%.1f,%d,%u,%u,%u,%.1f,%u]", i ? "," : "", s->worker, micros(r, s->time),
            (double)s->duration * 1e-3, s->name == REPORT_NAMES ? -1 : (int)s->name, s->task, s->result, s->count,
            (double)s->busy * 1e-3, s->not_done);
  }
  fputc(']', out);
}

static void put_handovers(FILE *out, const struct shmx_report *r) {
  fputs(",\n\"handovers\":[", out);
  for (uint32_t i = 0; i < r->nkept; i++) {
    const struct shmx_report_handover *h = &r->kept[i];
    fprintf(out, "%s[%u,%.1f,%.1f,%.1f,%.1f,%" PRIu64 "]", i ? "," : "", h->worker, micros(r, h->notify),
            micros(r, h->acknowledge), micros(r, h->hold), micros(r, h->complete), h->bytes);
  }
  fputc(']', out);
}

static void put_samples(FILE *out, const struct shmx_report *r) {
  fputs(",\n\"samples\":[", out);
  for (uint32_t i = 0; i < r->nsamples; i++) {
    const struct report_sample *s = &r->samples[i];
    fprintf(out, "%s[%.1f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", i ? "," : "", micros(r, s->time), s->live, s->charged,
            s->in_flight);
  }
  fputc(']', out);
}

static void put_tasks(FILE *out, const struct shmx_report *r, const char *key, const struct report_task *tasks,
                      uint32_t count) {
  fprintf(out, ",\n\"%s\":[", key);
  for (uint32_t i = 0; i < count; i++) {
    const struct report_task *t = &tasks[i];
    fprintf(out, "%s[%u,%u,%u,%u,%.1f,%.1f,%.1f,", i ? "," : "", t->task, t->name, t->worker, t->attempt,
            micros(r, t->time), (double)t->duration * 1e-3, (double)t->waited * 1e-3);
    put_text(out, t->result, sizeof t->result);
    fputc(']', out);
  }
  fputc(']', out);
}

static void put_failures(FILE *out, const struct shmx_report *r) {
  fputs(",\n\"failures\":[", out);
  for (uint32_t i = 0; i < r->nfailures; i++) {
    fprintf(out, "%s[%u,", i ? "," : "", r->failures[i].task);
    put_text(out, r->failures[i].text, sizeof r->failures[i].text);
    fputc(']', out);
  }
  fputc(']', out);
}

static void put_times(FILE *out, const char *key, const struct shmx_histogram *h) {
  double count = (double)h->count;
  fprintf(out, ",\n\"%s\":[%.0f,%.1f", key, count, count > 0 ? (double)h->sum / count * 1e-3 : 0);
  static const double shares[] = {0.5, 0.9, 0.99};
  for (int i = 0; i < 3; i++) fprintf(out, ",%.1f", (double)shmx_histogram_quantile(h, shares[i]) * 1e-3);
  fprintf(out, ",%.1f]", (double)h->most * 1e-3);
}

/* The command line, with spaces between the words, or nothing when main is gone. */
static void put_command(FILE *out, pid_t main) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/cmdline", (int)main);
  FILE *file = fopen(path, "re");
  size_t size = file ? fread(text, 1, sizeof text, file) : 0;
  if (file) fclose(file);
  while (size > 0 && text[size - 1] == 0) size--;
  for (size_t i = 0; i < size; i++)
    if (text[i] == 0) text[i] = ' ';
  fputs(",\n\"command\":", out);
  put_text(out, text, size);
}

static void put_totals(FILE *out, const struct shmx_report *r, int64_t now) {
  fprintf(out, "{\"version\":\"%s\",\"ended\":%" PRId64 ",\"duration\":%.1f,\"workers\":%u", SHMX_VERSION,
          (int64_t)time(NULL), micros(r, now), r->workers);
  fprintf(out, ",\"results\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", r->results[REPORT_DONE], r->results[REPORT_FAILED],
          r->results[REPORT_OTHER]);
  fprintf(out, ",\"handed\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "],\"peak\":%" PRIu64 ",\"resolution\":%.1f",
          r->handovers, r->handover_bytes, r->every, r->peak, (double)r->resolution * 1e-3);
}

int shmx_report_write(struct shmx_report *r, const char *path, int64_t now) {
  const char *mark = strstr(page, MARK);
  int fd = shmx_os_open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW, 0); /* main has made it */
  FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
  if (!out) return fd < 0 ? fd : -ENOMEM;
  fwrite(page, 1, (size_t)(mark - page), out);
  put_totals(out, r, now);
  put_command(out, r->main);
  put_times(out, "run", &r->run);
  put_times(out, "wait", &r->wait);
  put_times(out, "handover", &r->handover);
  put_names(out, r);
  put_tasks(out, r, "slowest", r->slowest, r->nslowest);
  put_tasks(out, r, "ill", r->ill, r->nill);
  put_failures(out, r);
  put_samples(out, r);
  put_handovers(out, r);
  put_spans(out, r);
  fputc('}', out);
  fputs(mark + strlen(MARK), out);
  int error = ferror(out) || fflush(out) != 0 ? errno : 0;
  if (fclose(out) != 0 && error == 0) error = errno;
  return error ? -error : 0;
}
