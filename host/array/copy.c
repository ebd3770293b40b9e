/* SPDX-License-Identifier: MIT */
/* Copying between views, row by row. */
#include "array/cast.h"
#include "array/kernel.h"
#include "array/loop.h"

void shmx_kernel_copy(const struct shmx_view *to, const struct shmx_view *from) {
  shmx_cast_row *row = shmx_casts()->row[to->dtype][from->dtype];
  struct shmx_loop loop;
  if (!shmx_loop_start(&loop, to, from)) return;
  do row(loop.data[0], loop.stride[0], loop.data[1], loop.stride[1], loop.count);
  while (shmx_loop_next(&loop));
}
