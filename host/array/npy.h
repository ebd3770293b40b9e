/* SPDX-License-Identifier: MIT */
/*
 * The header of a .npy file, which says how the elements behind it are to be read: NumPy's format, versions 1 to 3.
 *
 *   "\x93NUMPY" major minor | length, 2 or 4 bytes, the lowest first | a Python dictionary as text | elements
 *
 * The bytes come from anywhere: every number is checked before it is used, and nothing is trusted that the file says of
 * its own size.
 */
#ifndef SHMX_ARRAY_NPY_H
#define SHMX_ARRAY_NPY_H

#include "array/view.h"

enum {
  SHMX_NPY_HEADER_MAX = 64 << 10, /* bytes of a header that is accepted */
  SHMX_NPY_WRITE_MAX = 512,       /* bytes of a header that is written, at most */
  SHMX_NPY_WHY = 160
};

struct shmx_npy {
  struct shmx_view
      view;        /* data NULL; its strides are as the file has it. A file of no dimensions is one of one element */
  bool swapped;    /* the bytes of each element come in the other order than this machine's */
  uint64_t offset; /* where the elements begin in the file */
  char why[SHMX_NPY_WHY]; /* after -EINVAL: what is wrong, as the end of a sentence that begins with the file's name */
};

/* Reads a header of which the first `size` bytes are here. 0; -EAGAIN: `offset` bytes are needed; -EINVAL with `why`. */
int shmx_npy_parse(const char *bytes, uint64_t size, struct shmx_npy *npy);

/* Writes the header for the elements of a view, in its order or, with `fortran`, the first dimension densest. Returns its
 * size, a multiple of 64. */
size_t shmx_npy_format(const struct shmx_view *view, bool fortran, char out[SHMX_NPY_WRITE_MAX]);

/* Turns the bytes of `count` elements of `size` bytes around. */
void shmx_npy_swap(void *data, int64_t count, int64_t size);

#endif
