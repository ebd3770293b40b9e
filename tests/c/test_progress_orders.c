/* SPDX-License-Identifier: MIT */
/*
 * Progress in random orders of all that can happen: after each of them the screen has every line whole, and in its order.
 */
#include "stage.h"

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
      TEST(nothing_tears_in_random_orders), TEST(nothing_tears_in_random_orders_with_resizing), {0}};
  return run_tests(tests, argc, argv);
}
