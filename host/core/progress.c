/* SPDX-License-Identifier: MIT */
/*
 * The state of the progress bar and of the screen, and the bytes between the two. The head of progress.h says how a bar
 * survives main's prints.
 *
 * Two queues: `lines` holds whole lines as workers wrote them, and `output` the bytes under way. shmx_progress_make
 * fills an empty output with one batch (some lines, or a finished bar, or a frame) for the window as it is at that
 * moment; so nothing queued grows stale when the window changes. A finished bar remembers after which line it comes.
 *
 * `rows` and `columns` are those of the bar on the screen, 0 without one. When they differ from the window's, terminals
 * have forgotten the region and moved the bar, each in its own way: then everything below the cursor's line is erased
 * and the region made anew. Making it works with the cursor in any row: one row down (this scrolls in the last row, and
 * keeps the column), set the region, one row up.
 */
#include "core/progress.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bar.h"

#define ROWS_MIN     3u /* a region has at least two rows, and the bar has one */
#define COLUMNS_MIN  5u /* "100%" and the column that stays free */
#define BATCH_BYTES  4096u
#define NAME_BYTES   256u
#define FINISHED_MAX 8u
#define BLANKS_MAX   1024u
/* A batch of lines is at least one line, and each newline becomes two bytes. */
#define OUTPUT_BYTES (SHMX_PROGRESS_LINE_MAX + 2 * BATCH_BYTES + BLANKS_MAX + SHMX_BAR_BYTES)

struct bar_state {
  enum shmx_phase phase;
  uint64_t done, total, failed;
  double part;
  int64_t started_ms, changed_ms;
  char name[NAME_BYTES];
};

/* A smoothed rate: sums of progress and time in which older samples count less and less. */
struct rate {
  double units, seconds;
  uint64_t sampled_done;
  int64_t sampled_ms;
};

/* A bar that is to stay as a line, once `after` bytes of lines have been passed. */
struct finished {
  uint64_t after;
  struct bar_state bar;
};

struct shmx_progress {
  bool terminal, utf8, muted;
  struct bar_state bar;
  struct rate rate;
  bool changed;           /* since the last frame */
  int64_t next_frame_ms;  /* not before */
  int64_t refresh_ms;     /* not later, while the work goes on */
  unsigned rows, columns; /* of the window that the bar on the screen was drawn for; 0: there is none */
  struct shmx_text lines;
  uint64_t lines_queued, lines_passed; /* bytes, ever */
  struct finished finished[FINISHED_MAX];
  unsigned finished_count;
  size_t output_start, output_end;
  char output[OUTPUT_BYTES];
};

static const struct {
  const char *label, *unit;
} phases[] = {
    [SHMX_PHASE_NONE] = {"", ""},
    [SHMX_PHASE_STARTING] = {"workers ready", "worker"},
    [SHMX_PHASE_TASKS] = {"tasks", "task"},
    [SHMX_PHASE_STOPPING] = {"workers stopping", "worker"},
};

/* Queues of bytes */

static size_t text_size(const struct shmx_text *text) { return text->end - text->start; }

/* Makes room for n more bytes at the end. */
static int text_reserve(struct shmx_text *text, size_t n) {
  if (n <= text->capacity - text->end) return 0;
  size_t size = text_size(text);
  if (text->start > 0) memmove(text->bytes, text->bytes + text->start, size);
  text->start = 0;
  text->end = size;
  if (n <= text->capacity - size) return 0;
  size_t capacity = (size + n) * 2;
  char *bytes = realloc(text->bytes, capacity);
  if (!bytes) return -ENOMEM;
  text->bytes = bytes;
  text->capacity = capacity;
  return 0;
}

static void text_append(struct shmx_text *text, const char *bytes, size_t n) {
  assert(n <= text->capacity - text->end);
  if (n > 0) memcpy(text->bytes + text->end, bytes, n);
  text->end += n;
}

static void text_take(struct shmx_text *text, size_t n) {
  text->start += n;
  if (text->start == text->end) text->start = text->end = 0;
}

void shmx_text_fini(struct shmx_text *text) {
  free(text->bytes);
  *text = (struct shmx_text){0};
}

struct shmx_progress *shmx_progress_create(bool terminal, bool utf8) {
  struct shmx_progress *progress = calloc(1, sizeof *progress);
  if (!progress) return NULL;
  progress->terminal = terminal;
  progress->utf8 = utf8;
  return progress;
}

void shmx_progress_destroy(struct shmx_progress *progress) {
  if (!progress) return;
  shmx_text_fini(&progress->lines);
  free(progress);
}

/* The state of the bar */

static void copy_name(char *to, const char *name) {
  size_t n = strnlen(name, NAME_BYTES - 1);
  memcpy(to, name, n);
  to[n] = '\0';
}

static bool running(const struct bar_state *bar) { return bar->phase && bar->done < bar->total; }

static int64_t frame_interval(const struct shmx_progress *progress) {
  return progress->terminal ? SHMX_PROGRESS_FRAME_MS : SHMX_PROGRESS_PLAIN_MS;
}

static void begin(struct shmx_progress *progress, enum shmx_phase phase, int64_t now_ms) {
  double part = progress->bar.part; /* it was told before */
  progress->bar = (struct bar_state){.phase = phase, .part = part, .started_ms = now_ms, .changed_ms = now_ms};
  progress->rate = (struct rate){.sampled_ms = now_ms};
  /* The first frame waits, so that a phase of a few milliseconds leaves its line and does not flicker. */
  int64_t first_ms = now_ms + frame_interval(progress);
  if (progress->rows > 0) first_ms = now_ms; /* but the bar before it is still there */
  if (progress->next_frame_ms < first_ms) progress->next_frame_ms = first_ms;
  progress->refresh_ms = progress->next_frame_ms;
}

void shmx_progress_set(struct shmx_progress *progress, enum shmx_phase phase, uint64_t done, uint64_t total,
                       const char *name, uint64_t failed, int64_t now_ms) {
  if (progress->muted) return;
  if (phase != progress->bar.phase) {
    shmx_progress_end(progress, now_ms);
    if (phase == SHMX_PHASE_NONE) return;
    begin(progress, phase, now_ms);
  }
  struct bar_state *bar = &progress->bar;
  bar->done = done < total ? done : total;
  bar->total = total;
  bar->failed = failed;
  bar->changed_ms = now_ms;
  if (name) copy_name(bar->name, name);
  progress->changed = true;
}

void shmx_progress_part(struct shmx_progress *progress, double part) { progress->bar.part = part; }

void shmx_progress_end(struct shmx_progress *progress, int64_t now_ms) {
  if (!progress->bar.phase) return;
  if (running(&progress->bar)) progress->bar.changed_ms = now_ms;
  if (progress->finished_count < FINISHED_MAX) { /* more phases than that while the terminal is stopped: not shown */
    struct finished *finished = &progress->finished[progress->finished_count++];
    *finished = (struct finished){progress->lines_queued, progress->bar};
  }
  shmx_progress_withdraw(progress);
}

void shmx_progress_withdraw(struct shmx_progress *progress) {
  progress->bar.phase = SHMX_PHASE_NONE;
  progress->changed = false;
}

/* Workers' lines */

/* Moves a piece of a line that is too long to be kept into the queue, as a line. */
static void pass_piece(struct shmx_progress *progress, struct shmx_text *partial, size_t n) {
  text_append(&progress->lines, partial->bytes + partial->start, n);
  text_append(&progress->lines, "\n", 1);
  text_take(partial, n);
  progress->lines_queued += n + 1;
}

static void pass_long_pieces(struct shmx_progress *progress, struct shmx_text *partial) {
  while (text_size(partial) > SHMX_PROGRESS_LINE_MAX) pass_piece(progress, partial, SHMX_PROGRESS_LINE_MAX);
}

/* Appends the first n bytes, which end with a newline or are all there are, piece by piece if the line is too long. */
static void append_segment(struct shmx_progress *progress, struct shmx_text *partial, const char *bytes, size_t n) {
  text_append(partial, bytes, n);
  if (n == 0 || bytes[n - 1] != '\n') {
    pass_long_pieces(progress, partial);
    return;
  }
  partial->end--; /* the newline comes back with the last piece */
  pass_long_pieces(progress, partial);
  pass_piece(progress, partial, text_size(partial));
}

int shmx_progress_lines(struct shmx_progress *progress, struct shmx_text *partial, const char *bytes, size_t n) {
  if (progress->muted) return 0;
  size_t all = text_size(partial) + n;
  if (text_reserve(partial, n)) return -ENOMEM;
  if (text_reserve(&progress->lines, all + all / SHMX_PROGRESS_LINE_MAX + 1)) return -ENOMEM;
  while (n > 0) {
    const char *newline = memchr(bytes, '\n', n);
    size_t length = newline ? (size_t)(newline - bytes) + 1 : n;
    append_segment(progress, partial, bytes, length);
    bytes += length;
    n -= length;
  }
  return 0;
}

int shmx_progress_flush(struct shmx_progress *progress, struct shmx_text *partial) {
  size_t n = text_size(partial);
  if (progress->muted || n == 0) return 0;
  if (text_reserve(&progress->lines, n + 1)) return -ENOMEM;
  pass_piece(progress, partial, n);
  return 0;
}

bool shmx_progress_full(const struct shmx_progress *progress) {
  return text_size(&progress->lines) >= SHMX_PROGRESS_FULL_BYTES;
}

void shmx_progress_mute(struct shmx_progress *progress) {
  progress->muted = true;
  progress->finished_count = 0;
  progress->output_start = progress->output_end = 0;
  progress->rows = progress->columns = 0;
  shmx_text_fini(&progress->lines);
  shmx_progress_withdraw(progress);
}

/* When */

static bool line_waits(const struct shmx_progress *progress) {
  return text_size(&progress->lines) > 0 || progress->finished_count > 0;
}

static bool stale_bar(const struct shmx_progress *progress) { return progress->rows > 0 && !progress->bar.phase; }

static int64_t frame_due(const struct shmx_progress *progress) {
  if (!progress->bar.phase) return INT64_MAX;
  if (progress->changed) return progress->next_frame_ms;
  return progress->terminal && running(&progress->bar) ? progress->refresh_ms : INT64_MAX;
}

int64_t shmx_progress_due(const struct shmx_progress *progress, int64_t now_ms) {
  if (progress->output_end > 0 || line_waits(progress) || stale_bar(progress)) return 0;
  int64_t at_ms = frame_due(progress);
  if (at_ms == INT64_MAX) return -1;
  return at_ms > now_ms ? at_ms - now_ms : 0;
}

/* Bytes */

static void emit(struct shmx_progress *progress, const char *bytes, size_t n) {
  assert(n <= OUTPUT_BYTES - progress->output_end);
  memcpy(progress->output + progress->output_end, bytes, n);
  progress->output_end += n;
}

__attribute__((format(printf, 2, 3))) static void emitf(struct shmx_progress *progress, const char *format, ...) {
  char text[128];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  assert(n >= 0 && (size_t)n < sizeof text);
  emit(progress, text, (size_t)n);
}

/* To the start of an empty row of the region, wherever the cursor is. */
static void emit_fresh_row(struct shmx_progress *progress, unsigned columns) {
  char blanks[BLANKS_MAX];
  if (columns == 0 || columns > sizeof blanks) return;
  memset(blanks, ' ', columns);
  emit(progress, blanks, columns);
  emitf(progress, "\r\033[K");
}

/* The whole lines of the queue that go into one batch: as many as fit, but at least one, and none that comes after a
 * finished bar. */
static size_t batch_size(const struct shmx_progress *progress) {
  size_t n = text_size(&progress->lines);
  if (progress->finished_count > 0) n = (size_t)(progress->finished[0].after - progress->lines_passed);
  if (n <= BATCH_BYTES) return n;
  const char *bytes = progress->lines.bytes + progress->lines.start;
  const char *last = memrchr(bytes, '\n', BATCH_BYTES);
  if (!last) last = memchr(bytes, '\n', n);
  return (size_t)(last - bytes) + 1;
}

/* "\r\n", since main may have switched off what makes it of "\n". */
static void emit_lines(struct shmx_progress *progress, size_t n) {
  const char *bytes = progress->lines.bytes + progress->lines.start;
  const char *end = bytes + n;
  while (bytes < end) {
    size_t length = (size_t)((const char *)memchr(bytes, '\n', (size_t)(end - bytes)) - bytes);
    emit(progress, bytes, length);
    emitf(progress, progress->terminal ? "\r\n" : "\n");
    bytes += length + 1;
  }
  text_take(&progress->lines, n);
  progress->lines_passed += n;
}

static double average_rate(const struct bar_state *bar, int64_t elapsed_ms) {
  return elapsed_ms > 0 ? (double)bar->done * 1000 / (double)elapsed_ms : 0;
}

static struct shmx_bar describe(const struct shmx_progress *progress, const struct bar_state *bar, int64_t end_ms) {
  int64_t elapsed_ms = end_ms > bar->started_ms ? end_ms - bar->started_ms : 0;
  return (struct shmx_bar){.label = phases[bar->phase].label,
                           .unit = phases[bar->phase].unit,
                           .done = bar->done,
                           .total = bar->total,
                           .part = bar->part,
                           .failed = bar->failed,
                           .elapsed_ms = (uint64_t)elapsed_ms,
                           .rate = average_rate(bar, elapsed_ms),
                           .utf8 = progress->utf8};
}

/* A finished bar has no name: it speaks for all its tasks. */
static void emit_finished(struct shmx_progress *progress, unsigned columns) {
  char text[SHMX_BAR_BYTES];
  const struct bar_state *bar = &progress->finished[0].bar;
  struct shmx_bar description = describe(progress, bar, bar->changed_ms);
  size_t n = progress->terminal ? shmx_bar_line(&description, columns > 0 ? columns - 1 : 79, text, sizeof text)
                                : shmx_bar_numbers(&description, text, sizeof text);
  emit(progress, text, n);
  emitf(progress, progress->terminal ? "\r\n" : "\n");
  progress->finished_count--;
  memmove(&progress->finished[0], &progress->finished[1], progress->finished_count * sizeof progress->finished[0]);
}

static void emit_waiting(struct shmx_progress *progress, unsigned columns) {
  if (progress->terminal) emit_fresh_row(progress, columns);
  size_t n = batch_size(progress);
  if (n > 0) {
    emit_lines(progress, n);
  } else {
    emit_finished(progress, columns);
  }
}

/* Frames */

/* Takes a sample when something was done, so that long tasks do not make the rate fade between their ends. */
static void sample_rate(struct shmx_progress *progress, int64_t now_ms) {
  struct rate *rate = &progress->rate;
  const struct bar_state *bar = &progress->bar;
  if (bar->done <= rate->sampled_done || now_ms <= rate->sampled_ms) return;
  rate->units = 0.7 * rate->units + 0.3 * (double)(bar->done - rate->sampled_done);
  rate->seconds = 0.7 * rate->seconds + 0.3 * (double)(now_ms - rate->sampled_ms) / 1000;
  rate->sampled_done = bar->done;
  rate->sampled_ms = now_ms;
}

static struct shmx_bar describe_running(struct shmx_progress *progress, int64_t now_ms) {
  const struct bar_state *bar = &progress->bar;
  sample_rate(progress, now_ms);
  struct shmx_bar description = describe(progress, bar, running(bar) ? now_ms : bar->changed_ms);
  if (running(bar) && progress->rate.seconds > 0) description.rate = progress->rate.units / progress->rate.seconds;
  description.name = bar->name;
  return description;
}

/* Erases the bar, as far as there is one, and leaves a free row below the cursor's. */
static void emit_reset(struct shmx_progress *progress, unsigned rows, unsigned columns) {
  emitf(progress, SHMX_PROGRESS_RESET);
  progress->rows = rows;
  progress->columns = columns;
}

static void emit_frame(struct shmx_progress *progress, unsigned rows, unsigned columns, int64_t now_ms) {
  char text[SHMX_BAR_BYTES];
  struct shmx_bar description = describe_running(progress, now_ms);
  size_t n = shmx_bar_line(&description, columns - 1, text, sizeof text);
  emitf(progress, "\0337\033[1;%ur\033[%u;1H\033[m\033[?7l", rows - 1, rows);
  emit(progress, text, n);
  emitf(progress, "\033[K\033[?7h\0338");
}

static void emit_numbers(struct shmx_progress *progress, int64_t now_ms) {
  char text[SHMX_BAR_BYTES];
  struct shmx_bar description = describe_running(progress, now_ms);
  emit(progress, text, shmx_bar_numbers(&description, text, sizeof text));
  emitf(progress, "\n");
}

static void frame_made(struct shmx_progress *progress, int64_t now_ms) {
  progress->changed = false;
  progress->next_frame_ms = now_ms + frame_interval(progress);
  progress->refresh_ms = now_ms + SHMX_PROGRESS_REFRESH_MS;
}

static bool can_draw(const struct shmx_progress *progress, unsigned rows, unsigned columns) {
  return progress->terminal && progress->bar.phase && rows >= ROWS_MIN && columns >= COLUMNS_MIN;
}

void shmx_progress_make(struct shmx_progress *progress, unsigned rows, unsigned columns, int64_t now_ms) {
  assert(progress->output_end == 0);
  bool draw = can_draw(progress, rows, columns);
  bool fits = progress->rows == rows && progress->columns == columns;
  bool due = frame_due(progress) <= now_ms || (draw && progress->rows > 0 && !fits);
  if (progress->rows > 0 && !draw) emit_reset(progress, 0, 0);
  if (due && draw) {
    if (!fits) emit_reset(progress, rows, columns);
    emit_frame(progress, rows, columns, now_ms);
  } else if (due && !progress->terminal) {
    emit_numbers(progress, now_ms);
  } else if (line_waits(progress)) {
    emit_waiting(progress, columns);
  }
  if (due) frame_made(progress, now_ms);
}

const char *shmx_progress_output(const struct shmx_progress *progress, size_t *n) {
  *n = progress->output_end - progress->output_start;
  return progress->output + progress->output_start;
}

void shmx_progress_written(struct shmx_progress *progress, size_t n) {
  progress->output_start += n;
  assert(progress->output_start <= progress->output_end);
  if (progress->output_start == progress->output_end) progress->output_start = progress->output_end = 0;
}
