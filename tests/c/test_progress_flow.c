/* SPDX-License-Identifier: MIT */
/*
 * How much progress writes, and when: few frames, none for nothing, and every line of a worker, whether the terminal takes
 * it at once, much later, or is none.
 */
#include "stage.h"

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

int main(int argc, char **argv) {
  static const struct test tests[] = {TEST(draws_ten_frames_a_second_at_most),
                                      TEST(asks_for_no_time_when_nothing_goes_on),
                                      TEST(estimates_the_rest_from_what_was_done_lately),
                                      TEST(a_stopped_terminal_gets_one_old_frame_and_every_line),
                                      TEST(keeps_a_partial_line_until_its_end),
                                      TEST(breaks_a_line_that_is_too_long),
                                      TEST(writes_plain_lines_where_no_terminal_is),
                                      TEST(a_muted_progress_takes_everything_and_says_nothing),
                                      {0}};
  return run_tests(tests, argc, argv);
}
