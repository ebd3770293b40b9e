/* SPDX-License-Identifier: MIT */
/*
 * What tests of progress play on: a progress, the screen that it draws on, and a clock that only they move.
 */
#ifndef SHMX_TESTS_STAGE_H
#define SHMX_TESTS_STAGE_H

#include "core/progress.h"
#include "screen.h"

enum { ROWS = 24, COLUMNS = 80 };

/* A progress and the screen that it draws on. */
struct stage {
  struct shmx_progress *progress;
  struct screen *screen;
  int64_t now_ms;
  size_t bytes; /* written so far */
};

static inline struct stage open_stage(int rows, int columns) {
  struct stage stage = {.progress = shmx_progress_create(true, true), .screen = screen_create(rows, columns)};
  CHECK(stage.progress);
  stage.now_ms = 1000;
  return stage;
}

static inline void close_stage(struct stage *stage) {
  shmx_progress_destroy(stage->progress);
  screen_destroy(stage->screen);
}

/* One batch to the screen, in pieces of at most `piece` bytes. False when nothing was due. */
static inline bool show_batch(struct stage *stage, size_t piece) {
  if (shmx_progress_due(stage->progress, stage->now_ms) != 0) return false;
  shmx_progress_make(stage->progress, (unsigned)stage->screen->rows, (unsigned)stage->screen->columns, stage->now_ms);
  size_t n;
  const char *bytes = shmx_progress_output(stage->progress, &n);
  while (n > 0) {
    size_t some = n < piece ? n : piece;
    screen_feed(stage->screen, bytes, some);
    shmx_progress_written(stage->progress, some);
    stage->bytes += some;
    bytes = shmx_progress_output(stage->progress, &n);
  }
  return true;
}

static inline void show(struct stage *stage) {
  for (int i = 0; show_batch(stage, SIZE_MAX); i++) CHECK(i < 10000);
}

static inline void later(struct stage *stage, int64_t ms) {
  stage->now_ms += ms;
  show(stage);
}

static inline void set_tasks(struct stage *stage, uint64_t done, uint64_t total) {
  shmx_progress_set(stage->progress, SHMX_PHASE_TASKS, done, total, "work(1000)", 0, stage->now_ms);
}

static inline void worker_prints(struct stage *stage, const char *text) {
  struct shmx_text partial = {0};
  CHECK(shmx_progress_lines(stage->progress, &partial, text, strlen(text)) == 0);
  CHECK(shmx_progress_flush(stage->progress, &partial) == 0);
  shmx_text_fini(&partial);
}

static inline bool is_bar(const char *text) { return strstr(text, "tasks: ") == text && strstr(text, "|"); }

static inline const char *bottom_row(const struct stage *stage) {
  return screen_row(stage->screen, stage->screen->rows - 1);
}

/* A bar in the bottom row and nowhere else. */
static inline bool bar_is_alone_at_the_bottom(const struct stage *stage) {
  return is_bar(bottom_row(stage)) && screen_count_containing(stage->screen, "tasks:") == 1;
}

#endif
