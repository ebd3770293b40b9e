/* SPDX-License-Identifier: MIT */
/*
 * A small terminal for tests: it interprets what core/progress.c sends and what a plain program prints, keeps the rows
 * that scroll off the top, and fails the test on any sequence that it does not know. It behaves as xterm does: writing
 * in the last column leaves the wrap pending, DECSC saves position, pending wrap and colour, DECSTBM homes the cursor,
 * and a new window size forgets the region.
 */
#ifndef SHMX_TESTS_SCREEN_H
#define SHMX_TESTS_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"

enum { SCREEN_ROWS = 64, SCREEN_COLUMNS = 200, SCREEN_HISTORY = 20000, SCREEN_TEXT = SCREEN_COLUMNS * 4 + 1 };

struct cursor {
  int row, column; /* from 0 */
  bool pending;    /* the next character wraps first */
  int colour;
};

struct screen {
  int rows, columns, top, bottom; /* the region, inclusive */
  bool wrap;
  struct cursor cursor, saved;
  uint32_t cells[SCREEN_ROWS][SCREEN_COLUMNS];
  int colours[SCREEN_ROWS][SCREEN_COLUMNS];
  char *history[SCREEN_HISTORY];
  int history_count;
  char pending[64]; /* an incomplete escape sequence or character */
  int pending_size;
};

static inline void screen_clear_row(struct screen *s, int row, int from) {
  for (int i = from; i < SCREEN_COLUMNS; i++) {
    s->cells[row][i] = ' ';
    s->colours[row][i] = 0;
  }
}

static inline struct screen *screen_create(int rows, int columns) {
  struct screen *s = calloc(1, sizeof *s);
  CHECK(s && rows <= SCREEN_ROWS && columns <= SCREEN_COLUMNS);
  s->rows = rows;
  s->columns = columns;
  s->bottom = rows - 1;
  s->wrap = true;
  for (int i = 0; i < SCREEN_ROWS; i++) screen_clear_row(s, i, 0);
  return s;
}

static inline void screen_destroy(struct screen *s) {
  for (int i = 0; i < s->history_count; i++) free(s->history[i]);
  free(s);
}

static inline int screen_encode(uint32_t code, char *out) {
  if (code < 0x80) return (out[0] = (char)code, 1);
  if (code < 0x800) return (out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 63)), 2);
  int n = code < 0x10000 ? 3 : 4;
  for (int i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 63));
  out[0] = (char)((n == 3 ? 0xe0 : 0xf0) | code);
  return n;
}

/* A row as text without its trailing blanks; valid until the next call. */
static inline const char *screen_row(const struct screen *s, int row) {
  static char text[SCREEN_TEXT];
  int n = 0, last = 0;
  for (int i = 0; i < s->columns; i++) {
    if (s->cells[row][i] == 0) continue; /* the second half of a wide character */
    n += screen_encode(s->cells[row][i], text + n);
    if (s->cells[row][i] != ' ') last = n;
  }
  text[last] = '\0';
  return text;
}

static inline void screen_keep(struct screen *s, int row) {
  CHECK(s->history_count < SCREEN_HISTORY);
  s->history[s->history_count++] = strdup(screen_row(s, row));
}

static inline void screen_scroll(struct screen *s, int top, int bottom) {
  if (top == 0) screen_keep(s, 0);
  for (int i = top; i < bottom; i++) {
    memcpy(s->cells[i], s->cells[i + 1], sizeof s->cells[i]);
    memcpy(s->colours[i], s->colours[i + 1], sizeof s->colours[i]);
  }
  screen_clear_row(s, bottom, 0);
}

/* One row down; scrolls at the region's last row, and stays in the screen's last row. */
static inline void screen_index(struct screen *s) {
  if (s->cursor.row == s->bottom) {
    screen_scroll(s, s->top, s->bottom);
  } else if (s->cursor.row < s->rows - 1) {
    s->cursor.row++;
  }
  s->cursor.pending = false;
}

static inline void screen_reverse_index(struct screen *s) {
  CHECK(s->cursor.row != s->top); /* would scroll down, which the module never wants */
  if (s->cursor.row > 0) s->cursor.row--;
  s->cursor.pending = false;
}

static inline int screen_width(uint32_t code) {
  if (code >= 0x300 && code <= 0x36f) return 0;
  return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xffe6 && code != 0xfffd) || code >= 0x1f300
             ? 2
             : 1;
}

static inline void screen_put(struct screen *s, uint32_t code) {
  int width = screen_width(code);
  if (width == 0) return;
  if (s->wrap && (s->cursor.pending || s->cursor.column + width > s->columns)) {
    screen_index(s);
    s->cursor.column = 0;
  }
  if (s->cursor.column + width > s->columns) s->cursor.column = s->columns - width;
  for (int i = 0; i < width; i++) {
    s->cells[s->cursor.row][s->cursor.column + i] = i == 0 ? code : 0;
    s->colours[s->cursor.row][s->cursor.column + i] = s->cursor.colour;
  }
  s->cursor.column += width;
  s->cursor.pending = s->cursor.column == s->columns;
  if (s->cursor.pending) s->cursor.column--;
}

static inline void screen_region(struct screen *s, int top, int bottom) {
  if (bottom == 0 || bottom > s->rows) bottom = s->rows;
  CHECK(top < bottom);
  s->top = top > 0 ? top - 1 : 0;
  s->bottom = bottom - 1;
  s->cursor = (struct cursor){.colour = s->cursor.colour};
}

static inline void screen_move(struct screen *s, int row, int column) {
  s->cursor.row = row > s->rows ? s->rows - 1 : row > 0 ? row - 1 : 0;
  s->cursor.column = column > s->columns ? s->columns - 1 : column > 0 ? column - 1 : 0;
  s->cursor.pending = false;
}

static inline void screen_csi(struct screen *s, const char *sequence, char final) {
  int a = 0, b = 0;
  (void)sscanf(sequence + 2, "%d;%d", &a, &b);
  switch (final) {
  case 'r': screen_region(s, a, b); break;
  case 'H': screen_move(s, a, b); break;
  case 'm': s->cursor.colour = a; break;
  case 'K':
    CHECK(a == 0);
    screen_clear_row(s, s->cursor.row, s->cursor.column);
    break;
  case 'J':
    CHECK(a == 0);
    screen_clear_row(s, s->cursor.row, s->cursor.column);
    for (int i = s->cursor.row + 1; i < s->rows; i++) screen_clear_row(s, i, 0);
    break;
  case 'h':
  case 'l':
    CHECK(!strncmp(sequence + 2, "?7", 2) && sequence[4] == final);
    s->wrap = final == 'h';
    break;
  default: CHECK(!"unknown control sequence");
  }
}

static inline void screen_escape(struct screen *s, char final) {
  switch (final) {
  case '7': s->saved = s->cursor; break;
  case '8': s->cursor = s->saved; break;
  case 'D': screen_index(s); break;
  case 'M': screen_reverse_index(s); break;
  default: CHECK(!"unknown escape sequence");
  }
  if (s->cursor.row >= s->rows) s->cursor.row = s->rows - 1;
  if (s->cursor.column >= s->columns) s->cursor.column = s->columns - 1;
}

static inline void screen_control(struct screen *s, unsigned char byte) {
  switch (byte) {
  case '\r':
    s->cursor.column = 0;
    s->cursor.pending = false;
    break;
  case '\n': screen_index(s); break;
  case '\t':
    s->cursor.column = s->cursor.column < (s->columns - 1) / 8 * 8 ? s->cursor.column / 8 * 8 + 8 : s->columns - 1;
    break;
  default: CHECK(!"unknown control character");
  }
}

/* The length of the character that starts with this byte; ill-formed UTF-8 fails the test. */
static inline int screen_utf8_length(unsigned char lead) {
  CHECK(lead < 0x80 || (lead >= 0xc2 && lead < 0xf5));
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static inline uint32_t screen_decode(const char *bytes, int n) {
  uint32_t code = n == 1 ? (unsigned char)bytes[0] : (unsigned char)bytes[0] & (0x7fu >> n);
  for (int i = 1; i < n; i++) {
    CHECK(((unsigned char)bytes[i] & 0xc0) == 0x80);
    code = code << 6 | ((unsigned char)bytes[i] & 0x3f);
  }
  CHECK(code < 0x80 || code >= 0xa0); /* C1 controls */
  return code;
}

/* True when the bytes held back are a whole sequence or character, which is then done. */
static inline bool screen_step(struct screen *s) {
  const char *p = s->pending;
  int n = s->pending_size;
  char last = p[n - 1];
  if (p[0] == '\033') {
    if (n == 1) return false;
    if (p[1] != '[') return (screen_escape(s, last), true);
    if (n == 2 || last < 0x40) return false;
    s->pending[n] = '\0';
    return (screen_csi(s, p, last), true);
  }
  if ((unsigned char)p[0] < 0x20 || p[0] == 0x7f) return (screen_control(s, (unsigned char)p[0]), true);
  if (n < screen_utf8_length((unsigned char)p[0])) return false;
  return (screen_put(s, screen_decode(p, n)), true);
}

static inline void screen_feed(struct screen *s, const char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    CHECK(s->pending_size < (int)sizeof s->pending - 1);
    s->pending[s->pending_size++] = bytes[i];
    if (screen_step(s)) s->pending_size = 0;
  }
}

/* What a program prints to a terminal: the kernel puts a carriage return before each newline. */
static inline void screen_print(struct screen *s, const char *text) {
  for (; *text; text++) {
    if (*text == '\n') screen_feed(s, "\r", 1);
    screen_feed(s, text, 1);
  }
}

/* As xterm: rows below the cursor go first, then those at the top go into the history; no reflow. */
static inline void screen_resize(struct screen *s, int rows, int columns) {
  CHECK(rows <= SCREEN_ROWS && columns <= SCREEN_COLUMNS);
  for (; s->cursor.row >= rows; s->cursor.row--) screen_scroll(s, 0, s->rows - 1);
  for (int i = rows; i < SCREEN_ROWS; i++) screen_clear_row(s, i, 0);
  for (int i = 0; i < SCREEN_ROWS; i++) screen_clear_row(s, i, columns);
  s->rows = rows;
  s->columns = columns;
  s->top = 0;
  s->bottom = rows - 1;
  if (s->cursor.column >= columns) s->cursor.column = columns - 1;
  s->cursor.pending = false;
}

/* How many rows, of the history and of the screen, are exactly `text`. */
static inline int screen_count(const struct screen *s, const char *text) {
  int n = 0;
  for (int i = 0; i < s->history_count; i++) n += !strcmp(s->history[i], text);
  for (int i = 0; i < s->rows; i++) n += !strcmp(screen_row(s, i), text);
  return n;
}

/* How many rows contain `text`. */
static inline int screen_count_containing(const struct screen *s, const char *text) {
  int n = 0;
  for (int i = 0; i < s->history_count; i++) n += strstr(s->history[i], text) != NULL;
  for (int i = 0; i < s->rows; i++) n += strstr(screen_row(s, i), text) != NULL;
  return n;
}

/* Row `i` of history and screen together, and how many there are. */
static inline const char *screen_line(const struct screen *s, int i) {
  return i < s->history_count ? s->history[i] : screen_row(s, i - s->history_count);
}
static inline int screen_lines(const struct screen *s) { return s->history_count + s->rows; }

#endif
