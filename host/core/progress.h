/* SPDX-License-Identifier: MIT */
/*
 * Progress bars at the bottom of a terminal that main writes to at any moment, as a state machine without I/O: counters,
 * workers' lines and the time go in, bytes for the terminal come out. core/terminal.h writes them.
 *
 * How a bar survives main's prints. Whatever draws over and over "below the last line" is torn by the first process
 * that prints without asking. So the terminal itself is told to keep the line: while a bar is shown, the scroll region
 * (DECSTBM) ends one row above the bottom. All that main prints stays inside the region and scrolls there, into the
 * scroll-back as always, and the bottom row belongs to the bar. A frame saves main's cursor and colours (DECSC), goes
 * to the bottom row, draws with automatic wrapping off, and restores them (DECRC). Each frame sets the region again, so
 * that a `reset` or `clear` that the script runs is repaired by the next one. Nothing is asked of the terminal: answers
 * would arrive in main's standard input.
 *
 * Lines of workers and finished bars go into the region at the cursor, as if main had printed them. They shall begin a
 * line of their own, and where main left the cursor is not known: a row of blanks wraps to the next row unless the cursor
 * stood in the first column, and a carriage return then leads to the start of an empty row in both cases.
 *
 * Invariants: what was begun is written to its end (half an escape sequence would swallow main's text); a frame is made
 * only when all before it is written, so that a slow terminal gets fewer frames, never old ones; workers' lines are
 * never dropped; a frame is one write, which the kernel does not mix with main's unless the terminal takes only a
 * part of it: then what main writes meanwhile may land in the bar and be wiped with the next frame.
 */
#ifndef SHMX_CORE_PROGRESS_H
#define SHMX_CORE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHMX_PROGRESS_FRAME_MS   100  /* a bar is drawn at most this often */
#define SHMX_PROGRESS_REFRESH_MS 250  /* and at least this often while its work goes on: time and window change */
#define SHMX_PROGRESS_PLAIN_MS   5000 /* lines of percentages without a terminal */
#define SHMX_PROGRESS_LINE_MAX   (64u << 10)
#define SHMX_PROGRESS_FULL_BYTES (256u << 10)

/* What main writes to the terminal when the supervisor died while a bar may have been shown: the whole screen scrolls
 * again, and what lay below the cursor's line (the bar, also one that a changed window wrapped) is erased. The cursor
 * stays where it is in the text. In words: save, whole region, restore; one row down without changing the column; save,
 * erase from there to the end, restore; one row up; wrap again. Harmless when there was no bar. */
#define SHMX_PROGRESS_RESET "\0337\033[r\0338\033D\0337\r\033[m\033[J\0338\033M\033[?7h"

enum shmx_phase { SHMX_PHASE_NONE, SHMX_PHASE_STARTING, SHMX_PHASE_TASKS, SHMX_PHASE_STOPPING };

/* Bytes of one worker's stream of which no whole line has come yet. Starts as zeros; the caller owns it. */
struct shmx_text {
  char *bytes;
  size_t start, end, capacity;
};

struct shmx_progress;

/* `terminal`: draw with escape sequences; else plain lines of numbers. `utf8`: block characters and names as they are.
 * NULL without memory. */
struct shmx_progress *shmx_progress_create(bool terminal, bool utf8);
void shmx_progress_destroy(struct shmx_progress *progress);

/* The state of the bar. Another phase than before ends the bar before it: that stays as a line in the scroll-back and a
 * new one begins. A bar does not end by being complete, since more tasks may be submitted. `name` (any bytes, copied,
 * may be NULL): the task that ended last; NULL keeps the name before it. Cheap enough to be called for each task. */
void shmx_progress_set(struct shmx_progress *progress, enum shmx_phase phase, uint64_t done, uint64_t total,
                       const char *name, uint64_t failed, int64_t now_ms);

/* So much of the units that are not done is done, from 0 on. Before shmx_progress_set, which shows it. */
void shmx_progress_part(struct shmx_progress *progress, double part);

/* The bar is finished and stays as a line; or it is withdrawn and leaves nothing. */
void shmx_progress_end(struct shmx_progress *progress, int64_t now_ms);
void shmx_progress_withdraw(struct shmx_progress *progress);

/* `n` bytes that a worker wrote, if that stream's destination is this terminal. Whole lines are queued, the rest stays in
 * `partial`; a line of more than SHMX_PROGRESS_LINE_MAX is broken. 0, or -ENOMEM: nothing was taken. */
int shmx_progress_lines(struct shmx_progress *progress, struct shmx_text *partial, const char *bytes, size_t n);

/* The task or the worker has ended: what is in `partial` becomes a line. 0 or -ENOMEM. */
int shmx_progress_flush(struct shmx_progress *progress, struct shmx_text *partial);
void shmx_text_fini(struct shmx_text *text);

/* True: stop reading workers' pipes until it is false again. What is queued is then bounded by SHMX_PROGRESS_FULL_BYTES,
 * one read, and SHMX_PROGRESS_LINE_MAX for each stream. */
bool shmx_progress_full(const struct shmx_progress *progress);

/* Nobody can read it any more: everything queued and to come is dropped. */
void shmx_progress_mute(struct shmx_progress *progress);

/* The milliseconds until there is something to write, 0: now, -1: not until something changes. */
int64_t shmx_progress_due(const struct shmx_progress *progress, int64_t now_ms);

/* Makes the next bytes, when all before are written, for a window of this size. rows == 0: do not draw (main is not in
 * the foreground): lines are passed, the bar is taken away. */
void shmx_progress_make(struct shmx_progress *progress, unsigned rows, unsigned columns, int64_t now_ms);

/* What is to be written, in one write if possible; and how many bytes of it were. */
const char *shmx_progress_output(const struct shmx_progress *progress, size_t *n);
void shmx_progress_written(struct shmx_progress *progress, size_t n);

#endif
