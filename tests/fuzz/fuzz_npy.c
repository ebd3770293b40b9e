/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the reader of .npy headers. What it accepts must be a view that lies within the bytes that it asks for, in
 * a file that is as long; written again and read again, it must be the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "array/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition) {
  if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct shmx_npy npy, again;
  char head[SHMX_NPY_WRITE_MAX];
  int r = shmx_npy_parse((const char *)data, size, &npy);
  demand(r == 0 || r == -EINVAL || r == -EAGAIN);
  demand(r != -EINVAL || (npy.why[0] && memchr(npy.why, 0, sizeof npy.why)));
  demand(r != -EAGAIN || (npy.offset > size && npy.offset <= SHMX_NPY_HEADER_MAX));
  if (r < 0) return 0;
  int64_t bytes = shmx_view_nbytes(&npy.view);
  demand(npy.offset <= size && bytes >= 0);
  npy.view.data = (void *)4096;
  demand(shmx_view_within(&npy.view, npy.view.data, (uint64_t)bytes));
  struct shmx_view dense;
  demand(shmx_view_init(&dense, npy.view.dtype, npy.view.ndim, npy.view.shape) == 0);
  size_t written = shmx_npy_format(&dense, false, head);
  demand(written % 64 == 0 && written <= sizeof head);
  demand(shmx_npy_parse(head, written, &again) == 0 && again.offset == written && !again.swapped);
  again.view.data = dense.data;
  demand(memcmp(&again.view, &dense, sizeof dense) == 0);
  return 0;
}
