/* SPDX-License-Identifier: MIT */
/* The text of a progress bar: widths, layouts, numbers, and names that must not harm a terminal. */
#include "core/bar.h"

#include "screen.h"

static const struct shmx_bar five_of_eight = {
    .label = "tasks", .unit = "task", .name = "work(1000)", .done = 5, .total = 8, .elapsed_ms = 1020, .rate = 4.9};

static char text[SHMX_BAR_BYTES];

static const char *line(struct shmx_bar bar, unsigned columns) {
  size_t n = shmx_bar_line(&bar, columns, text, sizeof text);
  CHECK(n == strlen(text));
  return text;
}

static const char *numbers(struct shmx_bar bar) {
  size_t n = shmx_bar_numbers(&bar, text, sizeof text);
  CHECK(n == strlen(text));
  return text;
}

/* The columns that a terminal needs for it; this terminal fails on control characters and ill-formed UTF-8. */
static int shown_width(const char *bytes) {
  struct screen *s = screen_create(2, SCREEN_COLUMNS);
  screen_feed(s, bytes, strlen(bytes));
  CHECK(s->cursor.row == 0 && s->pending_size == 0);
  int column = s->cursor.column;
  screen_destroy(s);
  return column;
}

/* Of three units that run, two and a half are done. */
static void what_is_under_way_counts_for_the_percentage(void) {
  struct shmx_bar bar = five_of_eight;
  bar.part = 2.5;
  CHECK(!strcmp(line(bar, 20), "tasks:  93% 5/8"));
  bar.part = 3;
  CHECK(!strcmp(line(bar, 20), "tasks: 100% 5/8"));
  bar.done = 8;
  CHECK(!strcmp(line(bar, 20), "tasks: 100% 8/8"));
}

static void shows_all_parts_as_tqdm_does(void) {
  CHECK(!strcmp(line(five_of_eight, 71), "tasks:  62%|######    | 5/8 [00:01<00:00, 4.9 task/s] work(1000)"));
}

static void draws_blocks_with_a_fine_edge_in_utf8(void) {
  struct shmx_bar bar = five_of_eight;
  bar.utf8 = true;
  bar.name = NULL;
  CHECK(!strcmp(line(bar, 53), "tasks:  62%|██████▎   | 5/8 [00:01<00:00, 4.9 task/s]"));
  bar.done = 8;
  CHECK(!strcmp(line(bar, 53), "tasks: 100%|██████████| 8/8 [00:01<00:00, 4.9 task/s]"));
}

static void leaves_out_the_least_important_when_it_gets_narrow(void) {
  CHECK(!strcmp(line(five_of_eight, 53), "tasks:  62%|######    | 5/8 [00:01<00:00, 4.9 task/s]"));
  CHECK(!strcmp(line(five_of_eight, 52), "tasks:  62%|#############        | 5/8 [00:01<00:00]"));
  CHECK(!strcmp(line(five_of_eight, 36), "tasks:  62%|###########        | 5/8"));
  CHECK(!strcmp(line(five_of_eight, 20), "tasks:  62% 5/8"));
  CHECK(!strcmp(line(five_of_eight, 9), " 62% 5/8"));
  CHECK(!strcmp(line(five_of_eight, 5), " 62%"));
  CHECK(!strcmp(line(five_of_eight, 2), " 6"));
  CHECK(!strcmp(line(five_of_eight, 0), ""));
}

static void is_never_wider_than_the_columns(void) {
  static const char *const names[] = {
      "", "f", "a_task_with_a_name_of_a_hundred_and_some_characters_in_all_of_its_parts",
      "größe(日本語のとても長いタスクの名前です、本当に長い)", "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂"};
  for (int utf8 = 0; utf8 < 2; utf8++) {
    for (unsigned columns = 0; columns < SCREEN_COLUMNS; columns++) {
      for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct shmx_bar bar = {.label = "tasks",
                               .unit = "task",
                               .name = names[i],
                               .done = 1234567,
                               .total = 11111111,
                               .failed = 3,
                               .elapsed_ms = 7200000,
                               .rate = 171.5,
                               .utf8 = utf8};
        CHECK(shown_width(line(bar, columns)) <= (int)columns);
      }
    }
  }
}

static void fills_the_columns_when_there_is_no_name(void) {
  struct shmx_bar bar = five_of_eight;
  bar.name = NULL;
  for (unsigned columns = 21; columns < SCREEN_COLUMNS; columns++) CHECK(strlen(line(bar, columns)) == columns);
}

static void does_not_jump_with_the_name(void) {
  struct shmx_bar bar = five_of_eight;
  size_t end = strcspn(line(bar, 79), "[");
  bar.name = "another_name_which_is_much_longer(1)";
  CHECK(strcspn(line(bar, 79), "[") == end);
  CHECK(!strcmp(text + strlen(text) - 20, " another_name_whic.."));
}

static void cuts_a_long_name_at_a_whole_character(void) {
  struct shmx_bar bar = five_of_eight;
  bar.utf8 = true;
  bar.name = "日本語日本語日本語日本語日本語";
  CHECK(strstr(line(bar, 79), "] 日本語日本語日本語…")); /* 19 columns: nine of two, and the ellipsis */
  CHECK(!strstr(text, "語日本語日本語日本語"));
}

static void replaces_what_could_harm_the_terminal(void) {
  struct shmx_bar bar = five_of_eight;
  bar.utf8 = true;
  bar.name = "a\033[2J\r\n\t\a\x7f"
             "b";
  CHECK(strstr(line(bar, 79), "] a?[2J?????b"));
  bar.name = "c1 \xc2\x9b"
             "2J";
  CHECK(strstr(line(bar, 79), "] c1 ?2J"));
  bar.name = "x\u202ey\u200bz\ufeff";
  CHECK(strstr(line(bar, 79), "] x?y?z?"));
}

static void replaces_ill_formed_utf8(void) {
  struct shmx_bar bar = five_of_eight;
  bar.utf8 = true;
  static const char *const names[] = {
      "a\xff",     "a\xc3",         "a\xe2\x82",     "a\xf0\x9f\x99",     "a\x80",
      "a\xc0\xaf", "a\xe0\x80\xaf", "a\xed\xa0\x80", "a\xf4\x90\x80\x80", "a\xf8\x88\x80\x80\x80"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    bar.name = names[i];
    CHECK(strstr(line(bar, 79), "] a?"));
    CHECK(shown_width(text) <= 79);
  }
}

static void is_plain_ascii_where_the_locale_is(void) {
  struct shmx_bar bar = five_of_eight;
  bar.name = "größe(1)";
  CHECK(strstr(line(bar, 79), "] gr??e(1)"));
  for (const char *p = text; *p; p++) CHECK(*p >= ' ' && *p <= '~');
}

static void writes_numbers_that_can_be_read(void) {
  struct shmx_bar bar = {
      .label = "tasks", .unit = "task", .done = 1234567, .total = 11111111, .elapsed_ms = 3723000, .rate = 12345};
  CHECK(!strcmp(numbers(bar), "tasks:  11% 1,234,567/11,111,111 [1:02:03<13:20, 12.3k task/s]"));
  bar = (struct shmx_bar){.label = "tasks", .unit = "task", .done = 2, .total = 10, .elapsed_ms = 5000, .rate = 0.4};
  CHECK(!strcmp(numbers(bar), "tasks:  20% 2/10 [00:05<00:20, 2.5 s/task]"));
  bar = (struct shmx_bar){.label = "workers ready", .unit = "worker", .total = 8};
  CHECK(!strcmp(numbers(bar), "workers ready:   0% 0/8 [00:00<?, ? worker/s]"));
  bar.done = bar.total = 0;
  CHECK(strstr(numbers(bar), "100% 0/0 [00:00<00:00"));
}

static void says_how_many_failed(void) {
  struct shmx_bar bar = five_of_eight;
  bar.failed = 2;
  CHECK(strstr(line(bar, 79), "| 5/8 [00:01<00:00, 4.9 task/s, 2 failed] work(1000)"));
}

static void survives_absurd_numbers(void) {
  static const double rates[] = {0, 1e-300, 1e-9, 0.99999, 9999.6, 1e18, 1e300};
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    struct shmx_bar bar = {.label = "workers stopping",
                           .unit = "worker",
                           .done = UINT64_MAX - 1,
                           .total = UINT64_MAX,
                           .failed = UINT64_MAX,
                           .elapsed_ms = UINT64_MAX,
                           .rate = rates[i]};
    CHECK(strlen(line(bar, 150)) <= 150);
    bar.done = 1;
    CHECK(strlen(line(bar, 150)) <= 150);
    CHECK(strlen(numbers(bar)) < 200);
  }
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"shows_all_parts_as_tqdm_does", shows_all_parts_as_tqdm_does},
      {"draws_blocks_with_a_fine_edge_in_utf8", draws_blocks_with_a_fine_edge_in_utf8},
      {"what_is_under_way_counts_for_the_percentage", what_is_under_way_counts_for_the_percentage},
      {"leaves_out_the_least_important_when_it_gets_narrow", leaves_out_the_least_important_when_it_gets_narrow},
      {"is_never_wider_than_the_columns", is_never_wider_than_the_columns},
      {"fills_the_columns_when_there_is_no_name", fills_the_columns_when_there_is_no_name},
      {"does_not_jump_with_the_name", does_not_jump_with_the_name},
      {"cuts_a_long_name_at_a_whole_character", cuts_a_long_name_at_a_whole_character},
      {"replaces_what_could_harm_the_terminal", replaces_what_could_harm_the_terminal},
      {"replaces_ill_formed_utf8", replaces_ill_formed_utf8},
      {"is_plain_ascii_where_the_locale_is", is_plain_ascii_where_the_locale_is},
      {"writes_numbers_that_can_be_read", writes_numbers_that_can_be_read},
      {"says_how_many_failed", says_how_many_failed},
      {"survives_absurd_numbers", survives_absurd_numbers},
      {0}};
  return run_tests(tests, argc, argv);
}
