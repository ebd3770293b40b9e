/* SPDX-License-Identifier: MIT */
/*
 * Named arrays: the supervisor gives the name and takes it away, so that it goes with the last hold of the array, whoever
 * has died meanwhile. Dying here leaves a register (os_shm.c), by which the next supervisor removes the names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/supervisor_private.h"

struct sup_name {
  struct sup_name *next;
  uint64_t chunk, segment;
  int fd; /* the chunk's, which stays open as long as the name is listed */
  char name[SHMX_OS_NAME_ROOM];
};

static int add(struct sup *s, const struct shmx_request *request, int fd) {
  struct sup_name *entry = calloc(1, sizeof *entry);
  if (!entry) return -ENOMEM;
  int r = s->names ? 0 : shmx_os_register_open(&s->name_register);
  if (r == 0) r = shmx_os_register_name(&s->name_register, fd, request->name);
  if (r < 0) {
    if (!s->names && s->name_register.fd >= 0) shmx_os_register_close(&s->name_register);
    free(entry);
    return r;
  }
  *entry = (struct sup_name){.next = s->names, .chunk = request->id, .segment = request->segment, .fd = fd};
  memcpy(entry->name, request->name, sizeof entry->name);
  s->names = entry;
  return 0;
}

int sup_name_give(struct sup *s, const struct shmx_request *request, int fd) {
  if (!memchr(request->name, 0, sizeof request->name) || !shmx_os_shm_is_name(request->name)) return -EINVAL;
  return add(s, request, fd);
}

/* The name at *at is taken away; it may be another's by now, which stays. */
static void take_away(struct sup *s, struct sup_name **at) {
  struct sup_name *entry = *at;
  *at = entry->next;
  shmx_os_register_remove(entry->fd, entry->name);
  free(entry);
  if (!s->names) shmx_os_register_close(&s->name_register);
}

void sup_name_chunk_gone(struct sup *s, uint64_t chunk) {
  for (struct sup_name **at = &s->names; *at; at = &(*at)->next)
    if ((*at)->chunk == chunk) {
      take_away(s, at);
      return;
    }
}

void sup_name_segment_free(struct sup *s, uint64_t segment) {
  for (struct sup_name **at = &s->names; *at; at = &(*at)->next)
    if ((*at)->segment == segment) {
      take_away(s, at);
      return;
    }
}

void sup_name_fini(struct sup *s) {
  while (s->names) take_away(s, &s->names);
}
