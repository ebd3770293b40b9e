/* SPDX-License-Identifier: MIT */
/*
 * One progress bar as text: numbers in, at most one line of a terminal out.
 *
 *   tasks:  62%|██████▎   | 5/8 [00:01<00:00, 4.9 task/s] work(1000)
 *
 * Pure: no clock, no terminal, no allocation. A narrow line loses the name first, then the rate, the times, the bar and
 * the label; the percentage stays to the end. Names come from scripts, so what could move the cursor or change the
 * terminal's state is replaced before it gets there.
 */
#ifndef SHMX_CORE_BAR_H
#define SHMX_CORE_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHMX_BAR_COLUMNS_MAX 400u  /* a bar is never wider, however wide the terminal is */
#define SHMX_BAR_BYTES       4096u /* enough for any line that shmx_bar_line makes */

struct shmx_bar {
  const char *label; /* "tasks"; plain ASCII */
  const char *unit;  /* "task"; plain ASCII */
  const char *name;  /* of what ended last: any bytes; NULL or "": none */
  uint64_t done;
  uint64_t total;
  double part; /* of units that are under way, beside those that are done */
  uint64_t failed;
  uint64_t elapsed_ms;
  double rate; /* units per second; 0: not known yet */
  bool utf8;   /* the terminal shows UTF-8: block characters, and names as they are */
};

/* Writes the bar, at most `columns` wide, into `out` (`size` bytes, terminated); returns its length in bytes. */
size_t shmx_bar_line(const struct shmx_bar *bar, unsigned columns, char *out, size_t size);

/* Writes the numbers without the bar and the name, for a file or a pipe; returns the length in bytes. */
size_t shmx_bar_numbers(const struct shmx_bar *bar, char *out, size_t size);

#endif
