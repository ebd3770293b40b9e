/* SPDX-License-Identifier: MIT */
/*
 * The text of a progress bar. The parts (label and percentage, count, times and rate, name) are made first; then the
 * first layout of a table is taken, from rich to poor, in which they leave enough room for the bar, and the bar gets
 * all the room that is left. The width of the name's field depends on the columns only, so that the bar does not jump
 * with each name.
 */
#include "core/bar.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMNS_MAX 32u
#define NAME_COLUMNS_MIN 8u
#define PART_BYTES       160u

/* A line under construction. Bytes that do not fit are left out, whole characters at a time. */
struct line {
  char *bytes;
  size_t size, capacity;
};

enum detail { DETAIL_NONE, DETAIL_TIMES, DETAIL_ALL };

struct layout {
  unsigned name; /* its part of the columns: 4 is a quarter; 0: without a name */
  bool label;
  enum detail detail;
  unsigned bar_min; /* 0: without a bar */
};

static const struct layout layouts[] = {
    {4, true, DETAIL_ALL, 6},  {7, true, DETAIL_ALL, 4},  {0, true, DETAIL_ALL, 10},  {0, true, DETAIL_TIMES, 6},
    {0, true, DETAIL_NONE, 4}, {0, true, DETAIL_NONE, 0}, {0, false, DETAIL_NONE, 0},
};

struct range {
  uint32_t first, last;
};

/* Marks that combine with the character before them. */
static const struct range narrowest[] = {{0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                         {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};

/* Characters that terminals draw two columns wide. The supervisor sets no locale, so wcwidth would not know them; and
 * should a terminal disagree, the bar is drawn with automatic wrapping off and is merely clipped. */
static const struct range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f},
                                    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
                                    {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};

/* What moves the cursor, reorders text or cannot be seen. */
static const struct range unsafe[] = {{0x0000, 0x001f}, {0x007f, 0x009f},  {0x061c, 0x061c}, {0x200b, 0x200f},
                                      {0x2028, 0x202e}, {0x2060, 0x206f},  {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
                                      {0xd800, 0xdfff}, {0xe0000, 0xe0fff}};

#define IN(code, table) in_ranges((code), (table), sizeof(table) / sizeof((table)[0]))

static bool in_ranges(uint32_t code, const struct range *ranges, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (code >= ranges[i].first && code <= ranges[i].last) return true;
  }
  return false;
}

static void append(struct line *line, const char *bytes, size_t n) {
  if (n >= line->capacity - line->size) return;
  memcpy(line->bytes + line->size, bytes, n);
  line->size += n;
  line->bytes[line->size] = '\0';
}

static void append_text(struct line *line, const char *text) { append(line, text, strlen(text)); }

/* Names */

static size_t utf8_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

/* Reads one character and returns its length; an ill-formed one has the length 1 and a code that is unsafe. */
static size_t decode(const char *text, uint32_t *code) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned char lead = (unsigned char)text[0];
  size_t length = utf8_length(lead);
  *code = 0;
  if (length == 0) return 1;
  uint32_t value = length == 1 ? lead : lead & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    unsigned char next = (unsigned char)text[i]; /* the terminating zero ends a truncated character */
    if ((next & 0xc0) != 0x80) return 1;
    value = value << 6 | (next & 0x3fu);
  }
  if (value < least[length] || value > 0x10ffff) return 1;
  *code = value;
  return length;
}

/* One character of a name as it may be shown. */
struct glyph {
  const char *bytes;
  size_t length;  /* of `bytes` */
  size_t taken;   /* bytes of the name that it stands for */
  unsigned width; /* columns */
};

static struct glyph next_glyph(const char *text, bool utf8) {
  uint32_t code;
  size_t taken = decode(text, &code);
  if (IN(code, unsafe) || (code > 0x7e && !utf8)) return (struct glyph){"?", 1, taken, 1};
  unsigned width = IN(code, narrowest) ? 0 : IN(code, wide) ? 2 : 1;
  return (struct glyph){text, taken, taken, width};
}

static unsigned name_width(const char *name, bool utf8) {
  unsigned width = 0;
  while (*name && width < SHMX_BAR_COLUMNS_MAX) {
    struct glyph glyph = next_glyph(name, utf8);
    width += glyph.width;
    name += glyph.taken;
  }
  return width;
}

static void append_name(struct line *line, const char *name, unsigned columns, bool utf8) {
  const char *ellipsis = utf8 ? "…" : "..";
  bool fits = name_width(name, utf8) <= columns;
  unsigned room = fits ? columns : columns - (utf8 ? 1 : 2);
  while (*name) {
    struct glyph glyph = next_glyph(name, utf8);
    if (glyph.width > room) break;
    append(line, glyph.bytes, glyph.length);
    room -= glyph.width;
    name += glyph.taken;
  }
  if (!fits) append_text(line, ellipsis);
}

/* The columns that the name gets: their number does not depend on the name. */
static unsigned name_field(const struct shmx_bar *bar, unsigned part, unsigned columns) {
  if (part == 0 || !bar->name || !bar->name[0] || columns / part < NAME_COLUMNS_MIN) return 0;
  return columns / part > NAME_COLUMNS_MAX ? NAME_COLUMNS_MAX : columns / part;
}

/* Numbers */

/* 1234567 -> 1,234,567 */
static void append_count(struct line *line, uint64_t value) {
  char digits[24];
  int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
  for (int i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0) append_text(line, ",");
    append(line, digits + i, 1);
  }
}

static void append_time(struct line *line, double seconds) {
  char text[40];
  uint64_t s = seconds < 3599999 ? (uint64_t)seconds : 3599999; /* 999:59:59 */
  if (s < 3600) {
    snprintf(text, sizeof text, "%02" PRIu64 ":%02" PRIu64, s / 60, s % 60);
  } else {
    snprintf(text, sizeof text, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
  }
  append_text(line, text);
}

static void append_short(struct line *line, double value) {
  static const char suffixes[] = " kMGT";
  size_t i = 0;
  while (value >= 9999.5 && i < sizeof suffixes - 2) {
    value /= 1000;
    i++;
  }
  char text[40];
  snprintf(text, sizeof text, "%.*f%.*s", value < 99.95 ? 1 : 0, value < 1e6 ? value : 1e6, i > 0, &suffixes[i]);
  append_text(line, text);
}

/* 4.9 task/s, or, when it is slower than one in a second, 12.0 s/task */
static void append_rate(struct line *line, double rate, const char *unit) {
  if (rate <= 0) {
    append_text(line, "? ");
  } else {
    append_short(line, rate < 1 ? 1 / rate : rate);
    append_text(line, " ");
  }
  if (rate > 0 && rate < 1) append_text(line, "s/");
  append_text(line, unit);
  if (rate <= 0 || rate >= 1) append_text(line, "/s");
}

static double fraction(const struct shmx_bar *bar) {
  if (bar->done >= bar->total) return 1.0;
  double done = (double)bar->done + bar->part, total = (double)bar->total;
  return done < total ? done / total : 1.0;
}

static void append_rest(struct line *line, const struct shmx_bar *bar) {
  if (bar->done >= bar->total) {
    append_time(line, 0);
  } else if (bar->rate > 0) {
    append_time(line, (double)(bar->total - bar->done) / bar->rate);
  } else {
    append_text(line, "?");
  }
}

/* Parts */

static void append_left(struct line *line, const struct shmx_bar *bar, bool label) {
  char text[8];
  snprintf(text, sizeof text, "%3d%%", (int)(fraction(bar) * 100));
  if (label) {
    append_text(line, bar->label);
    append_text(line, ": ");
  }
  append_text(line, text);
}

static void append_detail(struct line *line, const struct shmx_bar *bar, enum detail detail) {
  if (detail == DETAIL_NONE) return;
  append_text(line, " [");
  append_time(line, (double)bar->elapsed_ms / 1000);
  append_text(line, "<");
  append_rest(line, bar);
  if (detail == DETAIL_ALL) {
    append_text(line, ", ");
    append_rate(line, bar->rate, bar->unit);
    if (bar->failed > 0) {
      append_text(line, ", ");
      append_count(line, bar->failed);
      append_text(line, " failed");
    }
  }
  append_text(line, "]");
}

static void append_right(struct line *line, const struct shmx_bar *bar, enum detail detail) {
  append_text(line, " ");
  append_count(line, bar->done);
  append_text(line, "/");
  append_count(line, bar->total);
  append_detail(line, bar, detail);
}

/* Whole blocks, one block of eighths where the edge is, blanks. */
static void append_blocks(struct line *line, double part, unsigned columns) {
  static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  unsigned cells = (unsigned)(part * columns * 8);
  for (unsigned i = 0; i < columns; i++) {
    bool edge = i == cells / 8;
    append_text(line, i < cells / 8 ? "█" : edge ? eighths[cells % 8] : " ");
  }
}

static void append_hashes(struct line *line, double part, unsigned columns) {
  unsigned cells = (unsigned)(part * columns);
  for (unsigned i = 0; i < columns; i++) append_text(line, i < cells ? "#" : " ");
}

static void append_bar(struct line *line, const struct shmx_bar *bar, unsigned columns) {
  append_text(line, "|");
  if (bar->utf8) {
    append_blocks(line, fraction(bar), columns);
  } else {
    append_hashes(line, fraction(bar), columns);
  }
  append_text(line, "|");
}

/* Writes the bar in this layout if there is room for it. */
static bool try_layout(struct line *line, const struct shmx_bar *bar, const struct layout *layout, unsigned columns) {
  char left_bytes[PART_BYTES] = "", right_bytes[PART_BYTES] = "";
  struct line left = {left_bytes, 0, sizeof left_bytes}, right = {right_bytes, 0, sizeof right_bytes};
  unsigned field = name_field(bar, layout->name, columns);
  if (layout->name && field == 0) return false;
  append_left(&left, bar, layout->label);
  append_right(&right, bar, layout->detail);
  size_t used = left.size + right.size + (field ? field + 1 : 0);
  size_t least = layout->bar_min ? layout->bar_min + 2 : 0;
  if (used + least > columns) return false;
  append(line, left.bytes, left.size);
  if (least) append_bar(line, bar, (unsigned)(columns - used - 2));
  append(line, right.bytes, right.size);
  if (field) append_text(line, " ");
  if (field) append_name(line, bar->name, field, bar->utf8);
  return true;
}

size_t shmx_bar_line(const struct shmx_bar *bar, unsigned columns, char *out, size_t size) {
  assert(size > 0);
  struct line line = {out, 0, size};
  out[0] = '\0';
  if (columns > SHMX_BAR_COLUMNS_MAX) columns = SHMX_BAR_COLUMNS_MAX;
  for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
    if (try_layout(&line, bar, &layouts[i], columns)) return line.size;
  }
  append_left(&line, bar, false);
  if (line.size > columns) line.size = columns;
  out[line.size] = '\0';
  return line.size;
}

size_t shmx_bar_numbers(const struct shmx_bar *bar, char *out, size_t size) {
  assert(size > 0);
  struct line line = {out, 0, size};
  out[0] = '\0';
  append_left(&line, bar, true);
  append_right(&line, bar, DETAIL_ALL);
  return line.size;
}
