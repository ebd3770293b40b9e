/* SPDX-License-Identifier: MIT */
/*
 * See trace_file.h. Formatting is done by hand: there may be half a million events in a second.
 */
#include "core/trace_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

enum { BUFFER = 1 << 18, EVENT_MAX = 8192 }; /* bytes; of an event with all its texts, which are cut */
enum { TEXT_MAX = 512 };

static const char head[] = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", tail[] = "\n]}\n";

/* Inline, so that the lengths of literals are known to the compiler. */
static inline void put(struct shmx_trace_file *f, const char *text) {
  size_t size = strlen(text);
  memcpy(f->buffer + f->used, text, size);
  f->used += size;
}

static inline void put_char(struct shmx_trace_file *f, char c) { f->buffer[f->used++] = c; }

static void put_number(struct shmx_trace_file *f, uint64_t number) {
  char digits[20];
  int count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while (number /= 10);
  while (count > 0) put_char(f, digits[--count]);
}

static void put_micros(struct shmx_trace_file *f, uint64_t nanoseconds) {
  unsigned rest = (unsigned)(nanoseconds % 1000);
  put_number(f, nanoseconds / 1000);
  put_char(f, '.');
  put_char(f, (char)('0' + rest / 100));
  put_char(f, (char)('0' + rest / 10 % 10));
  put_char(f, (char)('0' + rest % 10));
}

/* Length of the well-formed UTF-8 sequence at `at`; 0: there is none. */
static int sequence(const unsigned char *at) {
  int length = at[0] < 0x80 ? 1 : at[0] >= 0xC2 && at[0] < 0xE0 ? 2 : at[0] >= 0xE0 && at[0] < 0xF0 ? 3 : 0;
  if (at[0] >= 0xF0 && at[0] < 0xF5) length = 4;
  for (int i = 1; i < length; i++)
    if ((at[i] & 0xC0) != 0x80) return 0;
  bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
  bool beyond = (at[0] == 0xED && at[1] >= 0xA0) || (at[0] == 0xF4 && at[1] >= 0x90);
  return overlong || beyond ? 0 : length;
}

static void put_escaped(struct shmx_trace_file *f, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  put(f, "\\u00");
  put_char(f, hex[c >> 4]);
  put_char(f, hex[c & 15]);
}

/* A JSON string. What is not UTF-8, such as a name that was cut, is written as question marks. */
static void put_text(struct shmx_trace_file *f, const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  put_char(f, '"');
  for (int left = TEXT_MAX; *at && left > 0; left--) {
    if (*at >= 0x20 && *at < 0x7F && *at != '"' && *at != '\\') { /* nearly always */
      put_char(f, (char)*at++);
      continue;
    }
    int length = sequence(at);
    if (length == 0) put_char(f, '?'), length = 1;
    else if (*at < 0x20 || *at == 0x7F) put_escaped(f, *at);
    else {
      if (*at == '"' || *at == '\\') put_char(f, '\\');
      for (int i = 0; i < length; i++) put_char(f, (char)at[i]);
    }
    at += length;
  }
  put_char(f, '"');
}

static void put_key(struct shmx_trace_file *f, const char *key) {
  if (f->buffer[f->used - 1] != '{') put_char(f, ',');
  put_char(f, '"');
  put(f, key);
  put(f, "\":");
}

void shmx_trace_file_begin(struct shmx_trace_file *f, const struct shmx_trace_event *event) {
  if (f->used > BUFFER - EVENT_MAX) shmx_trace_file_flush(f);
  bool first = f->position + f->used == sizeof head - 1;
  put(f, first ? "{\"name\":" : ",\n{\"name\":");
  put_text(f, event->name);
  put(f, ",\"cat\":\"");
  put(f, event->category);
  put(f, "\",\"ph\":\"");
  put_char(f, event->phase);
  put(f, "\",\"ts\":");
  put_micros(f, event->time > f->origin ? (uint64_t)(event->time - f->origin) : 0);
  if (event->phase == 'X') {
    put(f, ",\"dur\":");
    put_micros(f, event->duration);
  }
  put(f, ",\"pid\":");
  put_number(f, event->process);
  put(f, ",\"tid\":");
  put_number(f, event->process);
  if (event->flow) {
    put(f, ",\"id\":");
    put_number(f, event->flow);
  }
  if (event->phase == 'f') put(f, ",\"bp\":\"e\"");
  if (event->phase == 'i') put(f, ",\"s\":\"t\"");
  put(f, ",\"args\":{");
}

void shmx_trace_file_number(struct shmx_trace_file *f, const char *key, uint64_t value) {
  put_key(f, key);
  put_number(f, value);
}

void shmx_trace_file_micros(struct shmx_trace_file *f, const char *key, uint64_t nanoseconds) {
  put_key(f, key);
  put_micros(f, nanoseconds);
}

void shmx_trace_file_text(struct shmx_trace_file *f, const char *key, const char *text) {
  put_key(f, key);
  put_text(f, text);
}

void shmx_trace_file_end(struct shmx_trace_file *f) { put(f, "}}"); }

int shmx_trace_file_open(struct shmx_trace_file *f, int fd, int64_t origin) {
  *f = (struct shmx_trace_file){.fd = fd, .origin = origin, .buffer = malloc(BUFFER)};
  if (!f->buffer) return -ENOMEM;
  put(f, head);
  return 0;
}

void shmx_trace_file_flush(struct shmx_trace_file *f) {
  size_t used = f->used;
  if (used == 0) return;
  put(f, tail);
  if (f->error == 0) f->error = shmx_os_write(f->fd, f->position, f->buffer, f->used);
  f->position += used;
  f->used = 0;
}

void shmx_trace_file_close(struct shmx_trace_file *f) {
  shmx_trace_file_flush(f);
  if (close(f->fd) < 0 && f->error == 0) f->error = -errno;
  free(f->buffer);
  f->buffer = NULL;
}
