/* SPDX-License-Identifier: MIT */
/*
 * Progress bars on an emulated screen (screen.h) to which main prints at any moment, and whose window changes: nothing
 * tears, nothing is lost.
 */
#include "stage.h"

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

static void a_part_that_is_told_before_the_bar_begins_is_shown(void) {
  struct stage stage = open_stage(ROWS, COLUMNS);
  shmx_progress_part(stage.progress, 3);
  set_tasks(&stage, 0, 4);
  later(&stage, 100);
  CHECK(strstr(bottom_row(&stage), "tasks:  75%"));
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

int main(int argc, char **argv) {
  static const struct test tests[] = {TEST(draws_the_bar_in_the_bottom_row),
                                      TEST(a_part_that_is_told_before_the_bar_begins_is_shown),
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
                                      {0}};
  return run_tests(tests, argc, argv);
}
