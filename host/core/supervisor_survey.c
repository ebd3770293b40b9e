/* SPDX-License-Identifier: MIT */
/*
 * Answers surveys (survey.h): goes through the ledger and writes what lives into a memory object for whoever asked. The
 * rings are read first, so that the answer is as new as it can be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ledger_entry.h"
#include "core/supervisor_private.h"
#include "core/survey.h"

struct answer {
  struct sup *s;
  char *bytes;
  size_t size, capacity;
  int error;
};

static void append(struct answer *a, const void *bytes, size_t size) {
  if (a->size + size > a->capacity) {
    size_t capacity = a->capacity ? 2 * a->capacity : 4096;
    char *grown = a->error ? NULL : realloc(a->bytes, capacity);
    if (!grown) {
      a->error = -ENOMEM;
      return;
    }
    a->bytes = grown;
    a->capacity = capacity;
  }
  memcpy(a->bytes + a->size, bytes, size);
  a->size += size;
}

static uint32_t worker_number(struct sup *s, uint32_t id) {
  const struct sup_peer *peer = sup_find_peer(s, id);
  return peer ? peer->number : 0;
}

static void write_item(void *context, const struct shmx_ledger_view *view, const struct shmx_share *shares,
                       uint32_t nshares) {
  struct answer *a = context;
  struct shmx_survey_item item = {.segment = view->segment,
                                  .chunk = view->chunk,
                                  .size = view->size,
                                  .maker = worker_number(a->s, shmx_id_maker(view->segment)),
                                  .task_holds = view->task_holds,
                                  .in_transit = view->in_transit};
  for (uint32_t i = 0; i < nshares; i++) item.nholders += shares[i].held;
  append(a, &item, sizeof item);
  for (uint32_t i = 0; i < nshares; i++) {
    struct shmx_survey_holder holder = {shares[i].peer, worker_number(a->s, shares[i].peer)};
    if (shares[i].held) append(a, &holder, sizeof holder);
  }
}

/* The bytes as a memory object: its descriptor or -errno. */
static int make_object(const struct answer *a, uint64_t *size) {
  void *base;
  *size = (a->size + 4095) / 4096 * 4096;
  int fd = shmx_os_memfd("shmx", *size);
  if (fd < 0) return fd;
  int r = shmx_os_map(fd, *size, &base);
  if (r < 0) {
    close(fd);
    return r;
  }
  memcpy(base, a->bytes, a->size);
  shmx_os_unmap(base, *size);
  return fd;
}

int sup_survey(struct sup *s, struct sup_peer *peer, struct shmx_request *request, int *fds) {
  (void)fds;
  struct shmx_request reply = {.type = SHMX_REP_SURVEY, .id = request->id};
  struct answer a = {.s = s};
  int fd = -1;
  sup_read_rings(s);
  shmx_ledger_survey(s->ledger, request->id, write_item, &a);
  if (a.error == 0 && a.size > 0) fd = make_object(&a, &reply.size);
  reply.error = a.error ? a.error : a.size > 0 && fd < 0 ? fd : 0;
  sup_answer(peer, &reply, fd);
  if (fd >= 0) close(fd);
  free(a.bytes);
  return 0;
}
