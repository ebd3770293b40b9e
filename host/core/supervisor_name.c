/* SPDX-License-Identifier: MIT */
/*
 * Named arrays: the supervisor gives the name and takes it away, so that it goes with the last hold of the array, whoever
 * has died meanwhile. Dying here leaves a register (os_shm.c), by which the next supervisor removes the names. As long as
 * there is one, the entry of a name that is gone is kept for the next, which takes its place in the register.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/supervisor_private.h"

struct sup_name {
  struct sup_name *next;
  uint64_t chunk, segment;
  uint32_t place; /* in the register */
  int fd;         /* the chunk's, which stays open as long as the name is listed */
  char name[SHMX_OS_NAME_ROOM];
};

/* An entry with a place in the register. NULL without memory. */
static struct sup_name *take_place(struct sup *s) {
  struct sup_name *entry = s->spare_names;
  if (entry) s->spare_names = entry->next;
  else if ((entry = calloc(1, sizeof *entry))) entry->place = s->name_places++;
  return entry;
}

static void give_place_back(struct sup *s, struct sup_name *entry) {
  entry->next = s->spare_names;
  s->spare_names = entry;
}

/* There is no name any more. */
static void close_register(struct sup *s) {
  if (s->name_register.fd >= 0) shmx_os_register_close(&s->name_register);
  for (struct sup_name *entry; (entry = s->spare_names);) {
    s->spare_names = entry->next;
    free(entry);
  }
  s->name_places = 0;
}

static int add(struct sup *s, const struct shmx_request *request, int fd) {
  struct sup_name *entry = take_place(s);
  if (!entry) return -ENOMEM;
  int r = s->names ? 0 : shmx_os_register_open(&s->name_register);
  if (r == 0) r = shmx_os_register_name(&s->name_register, entry->place, fd, request->name);
  if (r < 0) {
    give_place_back(s, entry);
    if (!s->names) close_register(s);
    return r;
  }
  entry->chunk = request->id;
  entry->segment = request->segment;
  entry->fd = fd;
  memcpy(entry->name, request->name, sizeof entry->name);
  entry->next = s->names;
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
  give_place_back(s, entry);
  if (!s->names) close_register(s);
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
