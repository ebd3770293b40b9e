/* SPDX-License-Identifier: MIT */
/*
 * Progress bars on an emulated screen (screen.h) to which main prints at any moment: nothing tears, nothing is lost.
 */
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

static struct stage open_stage(int rows, int columns) {
  struct stage stage = {.progress = shmx_progress_create(true, true), .screen = screen_create(rows, columns)};
  CHECK(stage.progress);
  stage.now_ms = 1000;
  return stage;
}

static void close_stage(struct stage *stage) {
  shmx_progress_destroy(stage->progress);
  screen_destroy(stage->screen);
}

/* One batch to the screen, in pieces of at most `piece` bytes. False when nothing was due. */
static bool show_batch(struct stage *stage, size_t piece) {
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

static void show(struct stage *stage) {
  for (int i = 0; show_batch(stage, SIZE_MAX); i++) CHECK(i < 10000);
}

static void later(struct stage *stage, int64_t ms) {
  stage->now_ms += ms;
  show(stage);
}

static void set_tasks(struct stage *stage, uint64_t done, uint64_t total) {
  shmx_progress_set(stage->progress, SHMX_PHASE_TASKS, done, total, "work(1000)", 0, stage->now_ms);
}

static void worker_prints(struct stage *stage, const char *text) {
  struct shmx_text partial = {0};
  CHECK(shmx_progress_lines(stage->progress, &partial, text, strlen(text)) == 0);
  CHECK(shmx_progress_flush(stage->progress, &partial) == 0);
  shmx_text_fini(&partial);
}

static bool is_bar(const char *text) { return strstr(text, "tasks: ") == text && strstr(text, "|"); }

static const char *bottom_row(const struct stage *stage) { return screen_row(stage->screen, stage->screen->rows - 1); }

/* A bar in the bottom row and nowhere else. */
static bool bar_is_alone_at_the_bottom(const struct stage *stage) {
  return is_bar(bottom_row(stage)) && screen_count_containing(stage->screen, "tasks:") == 1;
}

static void draws_the_bar_in_the_bottom_row(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  screen_print(stage.screen, "$ shmx-lua script.lua\n");
  set_tasks(&stage, 5, 8);
  later(&stage, 100);
  CHECK(bar_is_alone_at_the_bottom(&stage));
  CHECK(strstr(bottom_row(&stage), " 5/8 [00:00<00:00, 50.0 task/s] work(1000)"));
  CHECK(stage.screen->cursor.row == 1 && stage.screen->cursor.column == 0);
  close_stage(&stage);
}

static void mains_prints_scroll_above_the_bar(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  for (int i = 0; i < 100; i++) {
    char text[32];
    snprintf(text, sizeof text, "main %d\n", i);
    screen_print(stage.screen, text);
    CHECK(bar_is_alone_at_the_bottom(&stage));
  }
  for (int i = 0; i < 100; i++) {
    char text[32];
    snprintf(text, sizeof text, "main %d", i);
    CHECK(!strcmp(screen_line(stage.screen, i), text));
  }
  close_stage(&stage);
}

static void a_started_line_of_mains_goes_on_after_frames(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  for (int i = 0; i < 30; i++) screen_print(stage.screen, "x\n"); /* the cursor is in the last row */
  screen_print(stage.screen, "one ");
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  screen_print(stage.screen, "two ");
  set_tasks(&stage, 2, 8);
  later(&stage, 100);
  screen_print(stage.screen, "three\n");
  CHECK(screen_count(stage.screen, "one two three") == 1);
  CHECK(screen_count(stage.screen, "x") == 30);
  CHECK(bar_is_alone_at_the_bottom(&stage));
  close_stage(&stage);
}

static void mains_colour_survives_a_frame(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  screen_print(stage.screen, "\033[31mred");
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  screen_print(stage.screen, " still\033[m\n");
  CHECK(stage.screen->colours[0][0] == 31 && stage.screen->colours[0][8] == 31);
  CHECK(stage.screen->colours[ROWS - 1][0] == 0);
  close_stage(&stage);
}

static void a_line_that_fills_the_row_survives_a_frame(void) {
  struct stage stage = open_stage(ROWS, 10);
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  screen_print(stage.screen, "0123456789");
  set_tasks(&stage, 2, 8);
  later(&stage, 100);
  screen_print(stage.screen, "abc\n");
  CHECK(screen_count(stage.screen, "0123456789") == 1 && screen_count(stage.screen, "abc") == 1);
  close_stage(&stage);
}

static void a_shorter_bar_leaves_nothing_of_a_longer_one(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  shmx_progress_set(stage.progress, SHMX_PHASE_TASKS, 1, 8, "f", 0, stage.now_ms);
  later(&stage, 100);
  CHECK(strstr(bottom_row(&stage), "task/s] f") && !strstr(bottom_row(&stage), "1000"));
  close_stage(&stage);
}

static void a_name_that_is_drawn_wider_than_expected_is_clipped(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  shmx_progress_set(stage.progress, SHMX_PHASE_TASKS, 1, 8,
                    "🙐🙐🙐🙐🙐🙐🙐🙐🙐🙐🙐🙐🙐🙐🙐🙐", 0, stage.now_ms);
  later(&stage, 100);
  CHECK(bar_is_alone_at_the_bottom(&stage) && strstr(bottom_row(&stage), "task/s] 🙐🙐🙐🙐🙐🙐"));
  screen_print(stage.screen, "main\n");
  CHECK(!strcmp(screen_row(stage.screen, 0), "main"));
  close_stage(&stage);
}

static void workers_lines_appear_above_the_bar_in_order(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  screen_print(stage.screen, "from main\n");
  worker_prints(&stage, "first\nsecond\n\nlast");
  show(&stage);
  screen_print(stage.screen, "main again\n");
  static const char *const expected[] = {"from main", "first", "second", "", "last", "main again"};
  for (int i = 0; i < 6; i++) CHECK(!strcmp(screen_line(stage.screen, i), expected[i]));
  CHECK(bar_is_alone_at_the_bottom(&stage));
  close_stage(&stage);
}

static void a_workers_line_does_not_join_a_started_line_of_mains(void) {
  for (int rows = 0; rows < 40; rows += 39) { /* in the first row and at the end of the region */
    struct stage stage = open_stage(ROWS, COLUMNS);
    set_tasks(&stage, 1, 8);
    later(&stage, 100);
    for (int i = 0; i < rows; i++) screen_print(stage.screen, "x\n");
    screen_print(stage.screen, "started ");
    worker_prints(&stage, "worker\n");
    show(&stage);
    screen_print(stage.screen, "ended\n");
    CHECK(screen_count(stage.screen, "started") == 1);
    CHECK(screen_count(stage.screen, "worker") == 1);
    CHECK(screen_count(stage.screen, "ended") == 1);
    CHECK(bar_is_alone_at_the_bottom(&stage));
    close_stage(&stage);
  }
}

static void a_finished_bar_stays_as_a_line(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  screen_print(stage.screen, "before\n");
  shmx_progress_set(stage.progress, SHMX_PHASE_STARTING, 8, 8, NULL, 0, stage.now_ms);
  later(&stage, 120);
  set_tasks(&stage, 0, 8);
  later(&stage, 100);
  screen_print(stage.screen, "between\n");
  set_tasks(&stage, 8, 8);
  worker_prints(&stage, "from a worker\n");
  shmx_progress_end(stage.progress, stage.now_ms);
  worker_prints(&stage, "late\n");
  later(&stage, 0);
  screen_print(stage.screen, "after\n");
  CHECK(!strcmp(screen_line(stage.screen, 0), "before"));
  CHECK(!strncmp(screen_line(stage.screen, 1), "workers ready: 100%|████", 19 + 4));
  CHECK(!strcmp(screen_line(stage.screen, 2), "between"));
  CHECK(!strcmp(screen_line(stage.screen, 3), "from a worker"));
  CHECK(!strncmp(screen_line(stage.screen, 4), "tasks: 100%|█████", 12));
  CHECK(strstr(screen_line(stage.screen, 4), "█| 8/8 [00:00<00:00, 80.0 task/s]"));
  CHECK(!strcmp(screen_line(stage.screen, 5), "late"));
  CHECK(!strcmp(screen_line(stage.screen, 6), "after"));
  for (int i = 7; i < ROWS; i++) CHECK(!strcmp(screen_line(stage.screen, i), ""));
  CHECK(stage.screen->bottom == ROWS - 1 && stage.screen->wrap);
  close_stage(&stage);
}

static void a_short_phase_leaves_its_line_without_a_frame(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  shmx_progress_set(stage.progress, SHMX_PHASE_STARTING, 0, 8, NULL, 0, stage.now_ms);
  show(&stage);
  stage.now_ms += 20;
  shmx_progress_set(stage.progress, SHMX_PHASE_STARTING, 8, 8, NULL, 0, stage.now_ms);
  show(&stage);
  CHECK(stage.bytes == 0);
  shmx_progress_end(stage.progress, stage.now_ms);
  show(&stage);
  CHECK(strstr(screen_line(stage.screen, 0), " 8/8 [00:00<00:00, 400 worker/s]"));
  CHECK(stage.screen->cursor.row == 1 && stage.screen->history_count == 0);
  close_stage(&stage);
}

static void the_next_bar_takes_the_place_of_the_last_at_once(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  stage.now_ms += SHMX_PROGRESS_FRAME_MS;
  shmx_progress_set(stage.progress, SHMX_PHASE_STOPPING, 0, 8, NULL, 0, stage.now_ms);
  show(&stage);
  CHECK(strstr(bottom_row(&stage), "workers stopping:   0%|"));
  CHECK(is_bar(screen_row(stage.screen, 0)) && screen_count_containing(stage.screen, "tasks:") == 1);
  close_stage(&stage);
}

static void a_withdrawn_bar_leaves_nothing(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  for (int i = 0; i < 40; i++) screen_print(stage.screen, "x\n");
  screen_print(stage.screen, "partial");
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  CHECK(bar_is_alone_at_the_bottom(&stage));
  shmx_progress_withdraw(stage.progress);
  later(&stage, 0);
  CHECK(screen_count_containing(stage.screen, "tasks") == 0 && stage.screen->bottom == ROWS - 1);
  screen_print(stage.screen, " line\n");
  CHECK(screen_count(stage.screen, "partial line") == 1 && screen_count(stage.screen, "x") == 40);
  close_stage(&stage);
}

static void main_repairs_the_screen_of_a_killed_supervisor(void) {
  for (int shown = 0; shown < 2; shown++) {
    struct stage stage = open_stage(ROWS, COLUMNS);
    for (int i = 0; i < 40; i++) screen_print(stage.screen, "x\n");
    screen_print(stage.screen, "main: ");
    if (shown) set_tasks(&stage, 1, 8);
    later(&stage, 100);
    screen_print(stage.screen, SHMX_PROGRESS_RESET);
    screen_print(stage.screen, "the supervisor died\nagain\nagain\n");
    CHECK(screen_count(stage.screen, "main: the supervisor died") == 1);
    CHECK(screen_count(stage.screen, "again") == 2 && screen_count(stage.screen, "x") == 40);
    CHECK(screen_count_containing(stage.screen, "tasks") == 0);
    CHECK(stage.screen->bottom == ROWS - 1 && stage.screen->wrap);
    close_stage(&stage);
  }
}

static void follows_the_window_when_it_shrinks_and_grows(void) {
  static const int sizes[][2] = {{24, 80}, {10, 80}, {10, 30}, {40, 100}, {41, 12}, {3, 10}, {24, 80}};
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 8);
  for (int i = 0; i < 7; i++) {
    screen_resize(stage.screen, sizes[i][0], sizes[i][1]);
    later(&stage, SHMX_PROGRESS_REFRESH_MS); /* no change of the counters is needed */
    CHECK(strstr(bottom_row(&stage), "12%"));
    CHECK(screen_count_containing(stage.screen, "12%") == 1);
    for (int k = 0; k < 30; k++) screen_print(stage.screen, "main\n");
    CHECK(strstr(bottom_row(&stage), "12%"));
    CHECK(screen_count(stage.screen, "main") == 30 * (i + 1));
  }
  shmx_progress_withdraw(stage.progress);
  later(&stage, 0);
  CHECK(screen_count_containing(stage.screen, "12%") == 0);
  close_stage(&stage);
}

static void draws_the_new_window_before_a_workers_line(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  for (int i = 0; i < 40; i++) screen_print(stage.screen, "main\n");
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  screen_resize(stage.screen, ROWS + 6, COLUMNS); /* the region is gone, the bar is above the bottom */
  worker_prints(&stage, "one\ntwo\nthree\nfour\n");
  later(&stage, 0);
  static const char *const lines[] = {"one", "two", "three", "four"};
  for (int i = 0; i < 4; i++) CHECK(screen_count(stage.screen, lines[i]) == 1);
  CHECK(bar_is_alone_at_the_bottom(&stage));
  close_stage(&stage);
}

static void repairs_a_region_that_the_script_has_reset(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 8);
  later(&stage, 100);
  screen_print(stage.screen, "\0337\033[r\0338");
  CHECK(stage.screen->bottom == ROWS - 1);
  later(&stage, SHMX_PROGRESS_REFRESH_MS);
  CHECK(stage.screen->bottom == ROWS - 2 && bar_is_alone_at_the_bottom(&stage));
  close_stage(&stage);
}

static void fits_ten_columns(void) {
  struct stage stage = open_stage(5, 10);
  set_tasks(&stage, 5, 8);
  later(&stage, 100);
  CHECK(!strcmp(bottom_row(&stage), " 62% 5/8"));
  worker_prints(&stage, "a line of more than ten columns\n");
  set_tasks(&stage, 8, 8);
  later(&stage, 100);
  CHECK(!strcmp(bottom_row(&stage), "100% 8/8"));
  CHECK(screen_count(stage.screen, "a line of") == 1 && screen_count(stage.screen, "more than") == 1);
  CHECK(screen_count(stage.screen, "ten column") == 1 && screen_count(stage.screen, "s") == 1);
  close_stage(&stage);
}

static void draws_no_bar_in_a_window_of_two_rows(void) {
  struct stage stage = open_stage(2, COLUMNS);
  set_tasks(&stage, 5, 8);
  later(&stage, 100);
  CHECK(stage.bytes == 0);
  worker_prints(&stage, "line\n");
  later(&stage, 0);
  CHECK(screen_count(stage.screen, "line") == 1);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) > 0);
  close_stage(&stage);
}

static void takes_the_bar_away_while_main_is_in_the_background(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 5, 8);
  later(&stage, 100);
  stage.now_ms += SHMX_PROGRESS_REFRESH_MS;
  shmx_progress_make(stage.progress, 0, COLUMNS, stage.now_ms);
  size_t n;
  const char *bytes = shmx_progress_output(stage.progress, &n);
  screen_feed(stage.screen, bytes, n);
  shmx_progress_written(stage.progress, n);
  CHECK(screen_count_containing(stage.screen, "tasks") == 0 && stage.screen->bottom == ROWS - 1);
  later(&stage, SHMX_PROGRESS_REFRESH_MS);
  CHECK(bar_is_alone_at_the_bottom(&stage));
  close_stage(&stage);
}

static void draws_ten_frames_a_second_at_most(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  int frames = 0;
  for (int i = 0; i < 2000; i++) {
    stage.now_ms++;
    set_tasks(&stage, (uint64_t)i, 100000);
    size_t before = stage.bytes;
    show(&stage);
    frames += stage.bytes != before;
  }
  CHECK(frames >= 19 && frames <= 20);
  close_stage(&stage);
}

static void asks_for_no_time_when_nothing_goes_on(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) == -1);
  set_tasks(&stage, 1, 8);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) == SHMX_PROGRESS_FRAME_MS);
  later(&stage, 100);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) == SHMX_PROGRESS_REFRESH_MS);
  set_tasks(&stage, 8, 8);
  later(&stage, 100);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) == -1); /* complete: nothing moves, though it may grow */
  shmx_progress_end(stage.progress, stage.now_ms);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) == 0);
  show(&stage);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) == -1);
  close_stage(&stage);
}

static void estimates_the_rest_from_what_was_done_lately(void) {
  struct stage stage = open_stage(ROWS, 120);
  for (uint64_t i = 1; i <= 50; i++) {
    set_tasks(&stage, i, 100);
    later(&stage, 1000);
  }
  CHECK(strstr(bottom_row(&stage), "50/100 [00:50<00:50, 1.0 task/s]"));
  later(&stage, 10000); /* a long task does not make the rate fade */
  CHECK(strstr(bottom_row(&stage), "50/100 [01:00<00:50, 1.0 task/s]"));
  close_stage(&stage);
}

static void a_stopped_terminal_gets_one_old_frame_and_every_line(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 1000);
  stage.now_ms += 100;
  shmx_progress_make(stage.progress, ROWS, COLUMNS, stage.now_ms); /* under way, and not a byte is taken */
  struct shmx_text partial = {0};
  int lines = 0;
  for (; !shmx_progress_full(stage.progress); lines++) {
    char text[32];
    int n = snprintf(text, sizeof text, "line %d\n", lines);
    CHECK(shmx_progress_lines(stage.progress, &partial, text, (size_t)n) == 0);
    set_tasks(&stage, (uint64_t)(lines % 900), 1000);
    stage.now_ms += 100;
  }
  CHECK(lines > 10000 && lines < SCREEN_HISTORY * 2);
  size_t n;
  const char *bytes = shmx_progress_output(stage.progress, &n);
  CHECK(n < 1000);
  screen_feed(stage.screen, bytes, n);
  shmx_progress_written(stage.progress, n);
  for (int i = 0; i < lines; stage.screen->history_count = 0) { /* each batch is checked and then forgotten */
    CHECK(shmx_progress_due(stage.progress, stage.now_ms) == 0 && show_batch(&stage, SIZE_MAX));
    for (int k = 0; k < screen_lines(stage.screen) && i < lines; k++) {
      char text[32];
      snprintf(text, sizeof text, "line %d", i);
      i += !strcmp(screen_line(stage.screen, k), text);
      free(k < stage.screen->history_count ? stage.screen->history[k] : NULL);
    }
  }
  CHECK(!shmx_progress_full(stage.progress));
  shmx_text_fini(&partial);
  close_stage(&stage);
}

static void keeps_a_partial_line_until_its_end(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  struct shmx_text a = {0}, b = {0};
  CHECK(!shmx_progress_lines(stage.progress, &a, "a1 ", 3) && !shmx_progress_lines(stage.progress, &b, "b1\nb2 ", 6));
  show(&stage);
  CHECK(!shmx_progress_lines(stage.progress, &a, "a2\n", 3) && !shmx_progress_lines(stage.progress, &b, "b3", 2));
  show(&stage);
  CHECK(!shmx_progress_flush(stage.progress, &b) && !shmx_progress_flush(stage.progress, &b));
  show(&stage);
  static const char *const expected[] = {"b1", "a1 a2", "b2 b3", ""};
  for (int i = 0; i < 4; i++) CHECK(!strcmp(screen_line(stage.screen, i), expected[i]));
  shmx_text_fini(&a);
  shmx_text_fini(&b);
  close_stage(&stage);
}

/* All the output of a plain progress, as it would be in a file. */
static char *take_plain(struct shmx_progress *progress, int64_t now_ms) {
  char *all = calloc(1, 1);
  size_t size = 0, n;
  while (shmx_progress_due(progress, now_ms) == 0) {
    shmx_progress_make(progress, 0, 0, now_ms);
    const char *bytes = shmx_progress_output(progress, &n);
    all = realloc(all, size + n + 1);
    CHECK(all);
    memcpy(all + size, bytes, n);
    size += n;
    all[size] = '\0';
    shmx_progress_written(progress, n);
  }
  return all;
}

static void breaks_a_line_that_is_too_long(void) {
  for (size_t size = SHMX_PROGRESS_LINE_MAX - 1; size <= SHMX_PROGRESS_LINE_MAX * 2 + 1; size++) {
    if (size == SHMX_PROGRESS_LINE_MAX + 2) size = SHMX_PROGRESS_LINE_MAX * 2 - 1;
    struct shmx_progress *progress = shmx_progress_create(false, true);
    struct shmx_text partial = {0};
    char *line = malloc(size + 1);
    CHECK(line);
    memset(line, 'x', size);
    line[size] = '\n';
    for (size_t i = 0; i <= size; i += 1000) {
      size_t n = size + 1 - i < 1000 ? size + 1 - i : 1000;
      CHECK(!shmx_progress_lines(progress, &partial, line + i, n));
      CHECK(partial.end - partial.start <= SHMX_PROGRESS_LINE_MAX);
    }
    char *all = take_plain(progress, 0);
    size_t breaks = (size - 1) / SHMX_PROGRESS_LINE_MAX;
    CHECK(strlen(all) == size + 1 + breaks && all[strlen(all) - 1] == '\n');
    CHECK(strspn(all, "x") == (breaks ? SHMX_PROGRESS_LINE_MAX : size));
    free(all);
    free(line);
    shmx_text_fini(&partial);
    shmx_progress_destroy(progress);
  }
}

static void writes_plain_lines_where_no_terminal_is(void) {
  struct shmx_progress *progress = shmx_progress_create(false, true);
  shmx_progress_set(progress, SHMX_PHASE_TASKS, 0, 100, NULL, 0, 0);
  int lines = 0;
  for (int64_t now_ms = 0; now_ms < 20000; now_ms += 10) {
    shmx_progress_set(progress, SHMX_PHASE_TASKS, (uint64_t)now_ms / 200, 100, "n\033ame", 0, now_ms);
    char *all = take_plain(progress, now_ms);
    CHECK(!strpbrk(all, "\033\r|"));
    if (all[0]) CHECK(strstr(all, "tasks:  ") == all && all[strlen(all) - 1] == '\n');
    lines += all[0] != 0;
    free(all);
  }
  CHECK(lines == 3);
  shmx_progress_set(progress, SHMX_PHASE_STOPPING, 0, 8, NULL, 0, 20000);
  char *all = take_plain(progress, 20000);
  CHECK(!strcmp(all, "tasks:  99% 99/100 [00:20<00:00, 5.0 task/s]\n"));
  free(all);
  shmx_progress_destroy(progress);
}

static void a_muted_progress_takes_everything_and_says_nothing(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  set_tasks(&stage, 1, 8);
  worker_prints(&stage, "lost\n");
  shmx_progress_make(stage.progress, ROWS, COLUMNS, stage.now_ms);
  shmx_progress_mute(stage.progress);
  set_tasks(&stage, 2, 8);
  worker_prints(&stage, "lost too\n");
  shmx_progress_end(stage.progress, stage.now_ms);
  CHECK(shmx_progress_due(stage.progress, stage.now_ms) == -1 && !shmx_progress_full(stage.progress));
  close_stage(&stage);
}

/* Random orders */

static uint32_t chance(uint32_t *seed, uint32_t n) {
  *seed = *seed * 1664525u + 1013904223u;
  return (uint32_t)(((uint64_t)(*seed >> 8) * n) >> 24);
}

/* The numbered lines of one writer ("m" or "w") stand in order, each whole on its row, and there are `n`. */
static void check_lines(const struct screen *screen, char writer, int n) {
  int next = 0;
  for (int i = 0; i < screen_lines(screen); i++) {
    char text[64];
    const char *row = screen_line(screen, i);
    if (row[0] != writer) continue;
    snprintf(text, sizeof text, "%c%d %.*s", writer, next, next % 17, "abcdefghijklmnopq");
    if (text[strlen(text) - 1] == ' ') text[strlen(text) - 1] = '\0';
    CHECK(!strcmp(row, text));
    next++;
  }
  CHECK(next == n);
}

static int numbered(char *text, size_t size, char writer, int number) {
  return snprintf(text, size, "%c%d %.*s\n", writer, number, number % 17, "abcdefghijklmnopq");
}

/* Main prints, a worker prints, tasks end, phases change, time passes and batches go out, in a random order. */
static void random_play(uint32_t seed, bool resize) {
  int rows = 8 + (int)chance(&seed, 20), columns = 40 + (int)chance(&seed, 60);
  struct stage stage = open_stage(rows, columns);
  struct shmx_text partial = {0};
  int mains = 0, workers = 0;
  uint64_t done = 0;
  for (int step = 0; step < 600; step++) {
    char text[64];
    switch (chance(&seed, resize ? 7 : 6)) {
    case 0:
      numbered(text, sizeof text, 'm', mains++);
      screen_print(stage.screen, text);
      break;
    case 1:
      CHECK(!shmx_progress_lines(stage.progress, &partial, text, (size_t)numbered(text, sizeof text, 'w', workers++)));
      break;
    case 2: set_tasks(&stage, ++done, 1000); break;
    case 3: stage.now_ms += chance(&seed, 200); break;
    case 4: show_batch(&stage, 1 + chance(&seed, 50)); break;
    case 5:
      if (chance(&seed, 10) == 0) shmx_progress_end(stage.progress, stage.now_ms);
      break;
    default: /* what main prints before the next frame may meet the old bar; so the frame comes at once here */
      rows = 3 + (int)chance(&seed, 30);
      columns += columns < SCREEN_COLUMNS - 2 ? (int)chance(&seed, 3) : 0; /* a narrower one would cut lines off */
      screen_resize(stage.screen, rows, columns);
      later(&stage, SHMX_PROGRESS_REFRESH_MS);
    }
  }
  shmx_progress_withdraw(stage.progress);
  show(&stage);
  CHECK(stage.screen->bottom == stage.screen->rows - 1 && stage.screen->wrap);
  check_lines(stage.screen, 'm', mains);
  check_lines(stage.screen, 'w', workers);
  for (int i = 0; i < screen_lines(stage.screen); i++) { /* bars are whole rows */
    const char *row = screen_line(stage.screen, i);
    CHECK(!strchr(row, '[') || (is_bar(row) && row[strlen(row) - 1] == ']'));
  }
  shmx_text_fini(&partial);
  close_stage(&stage);
}

static void nothing_tears_in_random_orders(void) {
  for (uint32_t seed = 1; seed <= 150; seed++) random_play(seed, false);
}

static void nothing_tears_in_random_orders_with_resizing(void) {
  for (uint32_t seed = 1; seed <= 150; seed++) random_play(seed, true);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
#define TEST(name) {#name, name}
      TEST(draws_the_bar_in_the_bottom_row),
      TEST(mains_prints_scroll_above_the_bar),
      TEST(a_started_line_of_mains_goes_on_after_frames),
      TEST(mains_colour_survives_a_frame),
      TEST(a_line_that_fills_the_row_survives_a_frame),
      TEST(a_shorter_bar_leaves_nothing_of_a_longer_one),
      TEST(a_name_that_is_drawn_wider_than_expected_is_clipped),
      TEST(workers_lines_appear_above_the_bar_in_order),
      TEST(a_workers_line_does_not_join_a_started_line_of_mains),
      TEST(a_finished_bar_stays_as_a_line),
      TEST(a_short_phase_leaves_its_line_without_a_frame),
      TEST(the_next_bar_takes_the_place_of_the_last_at_once),
      TEST(a_withdrawn_bar_leaves_nothing),
      TEST(main_repairs_the_screen_of_a_killed_supervisor),
      TEST(follows_the_window_when_it_shrinks_and_grows),
      TEST(draws_the_new_window_before_a_workers_line),
      TEST(repairs_a_region_that_the_script_has_reset),
      TEST(fits_ten_columns),
      TEST(draws_no_bar_in_a_window_of_two_rows),
      TEST(takes_the_bar_away_while_main_is_in_the_background),
      TEST(draws_ten_frames_a_second_at_most),
      TEST(asks_for_no_time_when_nothing_goes_on),
      TEST(estimates_the_rest_from_what_was_done_lately),
      TEST(a_stopped_terminal_gets_one_old_frame_and_every_line),
      TEST(keeps_a_partial_line_until_its_end),
      TEST(breaks_a_line_that_is_too_long),
      TEST(writes_plain_lines_where_no_terminal_is),
      TEST(a_muted_progress_takes_everything_and_says_nothing),
      TEST(nothing_tears_in_random_orders),
      TEST(nothing_tears_in_random_orders_with_resizing),
      {0}};
  return run_tests(tests, argc, argv);
}
