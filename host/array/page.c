/* SPDX-License-Identifier: MIT */
/*
 * A page is taken in two steps: which positions of each dimension are shown, then the elements there, their notation and
 * the widths of the columns. Whether a row fits into its line is only known after the second one, so a row that could
 * fit is tried first.
 */
#include "array/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
  MANY_ROWS = 40, /* as many are shown whole */
  HEAD = 256      /* bytes that dtype and shape take at most */
};

/* What is shown of a dimension that is longer than that. */
struct ends {
  int first, last;
};

/* For dimensions before the last one: the first of these that leaves few enough rows, or the last of these. */
static const struct ends row_ends[] = {{MANY_ROWS + 1, 0}, {3, 2}, {2, 1}, {1, 1}};
enum { ROW_ENDS = sizeof row_ends / sizeof row_ends[0] };

static const struct ends column_ends = {3, 2};

static struct shmx_page_span span_of(int64_t size, struct ends keep) {
  if (size <= keep.first + keep.last) return (struct shmx_page_span){size, (int)size, (int)size};
  return (struct shmx_page_span){size, keep.first + keep.last, keep.first};
}

static bool is_shortened(const struct shmx_page_span *span) { return span->count < span->size; }

/* Sets the spans of all dimensions but the last, and returns how many rows they leave. */
static int64_t span_rows(struct shmx_page *page, const struct shmx_view *view, struct ends keep) {
  int64_t rows = 1;
  for (int d = 0; d < view->ndim - 1; d++) {
    page->spans[d] = span_of(view->shape[d], keep);
    rows *= page->spans[d].count;
  }
  return rows;
}

static void choose_rows(struct shmx_page *page, const struct shmx_view *view) {
  int i = 0;
  while (span_rows(page, view, row_ends[i]) > MANY_ROWS && i < ROW_ENDS - 1) i++;
}

/* Copies the elements shown from `from` on, along `axis` and those after it; returns where the next ones go. */
static char *read_axis(const struct shmx_page *page, const struct shmx_view *view, int axis, const char *from,
                       char *to) {
  const struct shmx_page_span *span = &page->spans[axis];
  size_t size = (size_t)shmx_dtype_size(view->dtype);
  for (int k = 0; k < span->count; k++) {
    int64_t position = k < span->first ? k : span->size - span->count + k;
    const char *at = from + position * view->strides[axis];
    if (axis < view->ndim - 1) {
      to = read_axis(page, view, axis + 1, at, to);
    } else {
      memcpy(to, at, size);
      to += size;
    }
  }
  return to;
}

static int columns_of(const struct shmx_page *page) { return page->spans[page->ndim - 1].count; }

static void measure(struct shmx_page *page, int count) {
  const char *element = (const char *)page->elements;
  memset(page->widths, 0, sizeof page->widths);
  for (int i = 0; i < count; i++, element += shmx_dtype_size(page->dtype)) {
    char text[SHMX_NOTATION_MAX];
    int *width = &page->widths[i % columns_of(page)], length = shmx_notation_write(&page->notation, element, text);
    if (length > *width) *width = length;
  }
}

/* Reads what the spans show. */
static void read_elements(struct shmx_page *page, const struct shmx_view *view) {
  char *end = read_axis(page, view, 0, view->data, (char *)page->elements);
  int count = (int)((end - (char *)page->elements) / shmx_dtype_size(page->dtype));
  page->notation = shmx_notation_find(page->dtype, page->elements, count);
  measure(page, count);
}

/* Writes "f64[2, 3]", and returns the length. */
static int write_head(const struct shmx_page *page, char text[HEAD]) {
  int length = snprintf(text, HEAD, "%s", shmx_dtype_name(page->dtype));
  for (int d = 0; d < page->ndim; d++) {
    length += snprintf(text + length, HEAD - (size_t)length, "%s%" PRId64, d == 0 ? "[" : ", ", page->spans[d].size);
  }
  return length + snprintf(text + length, HEAD - (size_t)length, "]");
}

static bool fits(const struct shmx_page *page) {
  char head[HEAD];
  int columns = columns_of(page), length = 2 * (columns - 1) + 2 * page->ndim;
  if (page->ndim == 1) length += write_head(page, head) + 1;
  for (int i = 0; i < columns; i++) length += page->widths[i];
  return length <= SHMX_PAGE_LINE;
}

void shmx_page_take(struct shmx_page *page, const struct shmx_view *view) {
  struct shmx_page_span *row = &page->spans[view->ndim - 1];
  page->dtype = view->dtype;
  page->ndim = view->ndim;
  choose_rows(page, view);
  *row = span_of(view->shape[view->ndim - 1], (struct ends){SHMX_PAGE_COLUMNS, 0});
  bool whole = !is_shortened(row);
  if (whole) read_elements(page, view);
  if (whole && fits(page)) return;
  *row = span_of(view->shape[view->ndim - 1], column_ends);
  read_elements(page, view);
}

/* A page on its way. */
struct writing {
  const struct shmx_page *page;
  const char *element; /* the next one */
  shmx_page_writer *write;
  void *context;
};

static void put(const struct writing *w, const char *piece) { w->write(w->context, piece, strlen(piece)); }

static void put_element(struct writing *w, int column) {
  char text[SHMX_NOTATION_MAX], padded[SHMX_NOTATION_MAX];
  shmx_notation_write(&w->page->notation, w->element, text);
  snprintf(padded, sizeof padded, "%*s", w->page->widths[column], text);
  put(w, padded);
  w->element += shmx_dtype_size(w->page->dtype);
}

/* Between two elements of a row, two rows, or two of what has rows of its own: these are a line apart. */
static void put_separator(const struct writing *w, int axis) {
  char text[SHMX_MAX_NDIM + 4];
  int below = w->page->ndim - 1 - axis;
  snprintf(text, sizeof text, "%s%*s", below == 1 ? ",\n" : ",\n\n", axis + 1, "");
  put(w, below == 0 ? ", " : text);
}

static void put_axis(struct writing *w, int axis) {
  const struct shmx_page_span *span = &w->page->spans[axis];
  put(w, "{");
  for (int k = 0; k < span->count; k++) {
    if (k > 0) put_separator(w, axis);
    if (k == span->first) {
      put(w, "...");
      put_separator(w, axis);
    }
    if (axis < w->page->ndim - 1) put_axis(w, axis + 1);
    else put_element(w, k);
  }
  put(w, "}");
}

static bool is_empty(const struct shmx_page *page) {
  for (int d = 0; d < page->ndim; d++) {
    if (page->spans[d].size == 0) return true;
  }
  return false;
}

void shmx_page_write(const struct shmx_page *page, shmx_page_writer *write, void *context) {
  struct writing w = {page, (const char *)page->elements, write, context};
  char head[HEAD];
  write_head(page, head);
  put(&w, head);
  put(&w, page->ndim == 1 || is_empty(page) ? " " : "\n");
  if (is_empty(page)) put(&w, "{}");
  else put_axis(&w, 0);
}
