/* SPDX-License-Identifier: MIT */
/*
 * See envelope.h. The header and the tables are copied to private memory before they are looked at: whoever wrote them
 * may still be writing.
 */
#include "core/envelope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/message.h"

struct header {
  uint64_t body_size;
  uint32_t nsegments;
  uint32_t ncodes;
};

enum { CARRIED = UINT32_MAX }; /* ncodes of a header that only points to the carrier */

static uint64_t envelope_size(uint64_t body, uint64_t nsegments, uint64_t ncodes) {
  return sizeof(struct header) + ncodes * sizeof(struct shmx_code_ref) + nsegments * sizeof(struct shmx_segment_ref) +
         body;
}

/* --- sending --- */

uint64_t shmx_envelope_size(const struct shmx_outgoing *message) {
  return envelope_size(message->size, message->nsegments, message->ncodes);
}

static void put(char **at, const void *bytes, uint64_t size) {
  if (size) memcpy(*at, bytes, size);
  *at += size;
}

static void compose(char *place, const struct shmx_outgoing *message, const struct shmx_segment_ref *refs) {
  struct header header = {message->size, message->nsegments, message->ncodes};
  put(&place, &header, sizeof header);
  put(&place, message->codes, message->ncodes * sizeof *message->codes);
  put(&place, refs, message->nsegments * sizeof *refs);
  put(&place, message->body, message->size);
}

/* Hands the segments over and writes the envelope into the carrier. */
static int fill_carrier(struct shmx_memory *memory, const struct shmx_outgoing *message, shmx_hand_over *hand_over,
                        struct shmx_segment *carrier, char *place, struct shmx_sent *sent) {
  compose(carrier->data, message, sent->refs);
  int r = hand_over(memory, carrier, &sent->refs[sent->nrefs]);
  if (r < 0) return r;
  struct header header = {0, 1, CARRIED};
  put(&place, &header, sizeof header);
  put(&place, &sent->refs[sent->nrefs++], sizeof *sent->refs);
  return 0;
}

static int hand_over_all(struct shmx_memory *memory, const struct shmx_outgoing *message, shmx_hand_over *hand_over,
                         struct shmx_sent *sent) {
  for (uint32_t i = 0; i < message->nsegments; i++) {
    int r = hand_over(memory, message->segments[i], &sent->refs[i]);
    if (r < 0) return r;
    sent->nrefs++;
  }
  return 0;
}

int shmx_envelope_write(struct shmx_memory *memory, const struct shmx_outgoing *message, shmx_hand_over *hand_over,
                        char *place, uint32_t room, uint32_t *size, struct shmx_sent *sent) {
  uint64_t all = shmx_envelope_size(message);
  struct shmx_segment *carrier = NULL;
  sent->nrefs = 0;
  sent->refs = sent->few;
  if (message->nsegments >= SHMX_ENVELOPE_FEW) { /* and one for the carrier */
    sent->refs = malloc((message->nsegments + UINT64_C(1)) * sizeof *sent->refs);
    if (!sent->refs) return -ENOMEM;
  }
  /* What can be refused comes before anything is handed over. */
  unsigned flags = message->urgent ? SHMX_ALLOC_URGENT : 0;
  int r = all > room ? shmx_memory_alloc_wait(memory, all, flags, &carrier) : 0;
  if (r == 0) r = hand_over_all(memory, message, hand_over, sent);
  if (r == 0 && carrier) {
    *size = sizeof(struct header) + sizeof(struct shmx_segment_ref);
    r = fill_carrier(memory, message, hand_over, carrier, place, sent);
  } else if (r == 0) {
    *size = (uint32_t)all;
    compose(place, message, sent->refs);
  }
  shmx_segment_release(carrier);
  return r;
}

void shmx_sent_fini(struct shmx_sent *sent) {
  if (sent->refs != sent->few) free(sent->refs);
  sent->refs = NULL;
  sent->nrefs = 0;
}

/* --- receiving --- */

void shmx_incoming_init(struct shmx_incoming *message) {
  message->body = NULL;
  message->segments = NULL;
  message->codes = NULL;
  message->carrier = NULL;
  message->size = 0;
  message->nsegments = message->ncodes = 0;
}

int shmx_code_view_look(const struct shmx_code_view *view, const char **bytes) {
  *bytes = view->bytes;
  if (*bytes) return 0;
  return shmx_memory_look(shmx_memory_here(), view->chunk, view->offset, view->size, bytes);
}

static int read_codes(const char *table, uint32_t count, struct shmx_incoming *message) {
  if (count == 0) return 0;
  message->codes = count <= SHMX_ENVELOPE_FEW ? message->few_codes : calloc(count, sizeof *message->codes);
  if (!message->codes) return -ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    struct shmx_code_ref ref;
    memcpy(&ref, table + i * sizeof ref, sizeof ref);
    message->codes[i] = (struct shmx_code_view){
        .hash = {ref.hash[0], ref.hash[1]}, .size = ref.size, .chunk = ref.chunk, .offset = ref.offset};
  }
  message->ncodes = count;
  return 0;
}

static int read_segments(struct shmx_memory *memory, const char *table, uint32_t count, uint32_t giver, bool wanted,
                         struct shmx_incoming *message) {
  if (count == 0) return 0;
  int result = 0;
  if (wanted && count <= SHMX_ENVELOPE_FEW)
    message->segments = memset(message->few_segments, 0, sizeof message->few_segments);
  else if (wanted) message->segments = calloc(count, sizeof(struct shmx_segment *));
  if (wanted && !message->segments) result = -ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    struct shmx_segment_ref ref;
    memcpy(&ref, table + i * sizeof ref, sizeof ref);
    ref.giver = giver;
    if (!message->segments) {
      shmx_memory_discard(memory, &ref);
      continue;
    }
    int r = shmx_memory_adopt(memory, &ref, &message->segments[i]);
    if (r < 0 && result == 0) result = r;
  }
  message->nsegments = message->segments ? count : 0;
  return result;
}

/* The tables and the body of an envelope whose `size` bytes do not move; the header was read and is plausible. */
static int read_parts(struct shmx_memory *memory, const char *place, const struct header *header, uint32_t giver,
                      bool wanted, struct shmx_incoming *message) {
  const char *codes = place + sizeof *header;
  const char *segments = codes + header->ncodes * sizeof(struct shmx_code_ref);
  message->body = segments + header->nsegments * sizeof(struct shmx_segment_ref);
  message->size = header->body_size;
  int first = read_segments(memory, segments, header->nsegments, giver, wanted, message);
  int second = wanted ? read_codes(codes, header->ncodes, message) : 0;
  return first < 0 ? first : second;
}

static int read_header(const char *place, uint64_t size, struct header *header) {
  if (size < sizeof *header) return -EPROTO;
  memcpy(header, place, sizeof *header);
  if (header->body_size > size) return -EPROTO;
  uint64_t ncodes = header->ncodes == CARRIED ? 0 : header->ncodes;
  return envelope_size(header->body_size, header->nsegments, ncodes) <= size ? 0 : -EPROTO;
}

static int read_carrier(struct shmx_memory *memory, const char *place, uint32_t giver, bool wanted,
                        struct shmx_incoming *message) {
  struct shmx_segment_ref ref;
  memcpy(&ref, place + sizeof(struct header), sizeof ref);
  ref.giver = giver;
  int r = shmx_memory_adopt(memory, &ref, &message->carrier);
  if (r < 0) return r;
  struct header header;
  r = read_header(message->carrier->data, message->carrier->size, &header);
  if (r == 0 && header.ncodes == CARRIED) r = -EPROTO;
  return r < 0 ? r : read_parts(memory, message->carrier->data, &header, giver, wanted, message);
}

int shmx_envelope_read(struct shmx_memory *memory, const char *place, uint32_t size, uint32_t giver, bool wanted,
                       struct shmx_incoming *message) {
  struct header header;
  shmx_incoming_init(message);
  int r = read_header(place, size, &header);
  if (r < 0) return r;
  if (header.ncodes != CARRIED) return read_parts(memory, place, &header, giver, wanted, message);
  return header.nsegments == 1 ? read_carrier(memory, place, giver, wanted, message) : -EPROTO;
}

void shmx_incoming_close(struct shmx_incoming *message) {
  for (uint32_t i = 0; i < message->nsegments; i++) shmx_segment_release(message->segments[i]);
  if (message->segments && message->segments != message->few_segments) free(message->segments);
  if (message->codes && message->codes != message->few_codes) free(message->codes);
  if (message->carrier) shmx_segment_release(message->carrier);
  shmx_incoming_init(message);
}
