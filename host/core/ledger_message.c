/* SPDX-License-Identifier: MIT */
/*
 * What each control message means for the ledger.
 *
 * Whose word counts: only the maker of a segment says where it lies, and only the maker is blamed for what it says, for
 * what others repeat comes from a message whose writer may have lied. Main repeats in HOLD and DISCARD what a worker
 * told it, so these are accepted for whatever segment the worker named. A worker's HOLD of an argument is accepted for
 * a segment that is not known as long as the maker lives, whose own message may lie unread; once the maker is dead and
 * drained, what is not known does not exist.
 *
 * A handler checks everything, then allocates, then changes: an error leaves the ledger as it was.
 */
#include <errno.h>

#include "core/ledger_state.h"

/* A place that its maker could have meant: in a chunk of its own, without overflow. */
static bool place_plausible(const struct shmx_message *m) {
  return shmx_id_serial(m->segment) && shmx_id_serial(m->chunk) &&
         shmx_id_maker(m->segment) == shmx_id_maker(m->chunk) && m->size <= SHMX_CHUNK_SIZE_MAX - m->offset;
}

static bool place_agrees(const struct shmx_entry *entry, const struct shmx_message *m) {
  return entry->chunk->node.id == m->chunk && entry->offset == m->offset && entry->size == m->size;
}

/* Could `peer` say that the segment (`entry`, if it is known) lies there? */
static bool may_say(const struct shmx_ledger_peer *peer, const struct shmx_entry *entry, const struct shmx_message *m) {
  if (!shmx_ledger_is_maker(peer, m->segment)) return peer->node.id == SHMX_PEER_MAIN || place_plausible(m);
  return place_plausible(m) && (!entry || !entry->chunk || place_agrees(entry, m));
}

/* Makes room in a segment for a share of the peer, unless it has one: 0 or -ENOMEM. */
static int reserve(struct shmx_ledger *ledger, struct shmx_entry *entry, const struct shmx_ledger_peer *peer,
                   uint32_t others) {
  bool has = shmx_entry_share(entry, (uint32_t)peer->node.id);
  return shmx_entry_reserve(&ledger->pool, entry, !has + others);
}

/* The segment, new if it was not known (then only its id is), with room for a share of the peer and as many others. The
 * caller gives it a share at once. NULL without memory. */
static struct shmx_entry *obtain(struct shmx_ledger *ledger, struct shmx_entry *entry, uint64_t id,
                                 const struct shmx_ledger_peer *peer, uint32_t others) {
  if (entry) return reserve(ledger, entry, peer, others) < 0 ? NULL : entry;
  entry = shmx_entry_create(&ledger->pool, id);
  if (entry) shmx_table_insert(&ledger->segments, &entry->node);
  return entry;
}

static void place(struct shmx_ledger *ledger, struct shmx_ledger_chunk *chunk, struct shmx_entry *entry,
                  const struct shmx_message *m) {
  entry->offset = m->offset;
  entry->size = m->size;
  shmx_chunk_link(chunk, entry);
  ledger->bytes += m->size;
  ledger->transit_bytes += shmx_ledger_on_the_way(entry);
}

/* The maker says for the first time where its segment lies. `entry` is the segment if there was hearsay of it, `*out`
 * is the segment afterwards, with room for the maker's share. */
static int introduce(struct shmx_ledger *ledger, struct shmx_ledger_peer *maker, const struct shmx_message *m,
                     struct shmx_entry *entry, struct shmx_entry **out) {
  struct shmx_ledger_chunk *chunk = shmx_ledger_find_chunk(ledger, m->chunk);
  if (chunk && (chunk->gone || (chunk->size && m->offset + m->size > chunk->size))) return -EPROTO;
  if (entry && reserve(ledger, entry, maker, 0) < 0) return -ENOMEM;
  struct shmx_entry *fresh = entry ? NULL : shmx_entry_create(&ledger->pool, m->segment);
  if (!entry && !fresh) return -ENOMEM;
  if (!chunk) chunk = shmx_ledger_add_chunk(ledger, maker, m->chunk);
  if (!chunk) {
    if (fresh) shmx_entry_destroy(&ledger->pool, fresh);
    return -ENOMEM;
  }
  if (fresh) shmx_table_insert(&ledger->segments, &fresh->node);
  *out = entry ? entry : fresh;
  shmx_ledger_note_serial(ledger, m->segment);
  place(ledger, chunk, *out, m);
  return 0;
}

static int on_notify(struct shmx_ledger *ledger, struct shmx_ledger_peer *giver, const struct shmx_message *m) {
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, m->segment);
  if (giver == ledger->main || shmx_message_peer(m) != SHMX_PEER_MAIN || !may_say(giver, entry, m)) return -EPROTO;
  struct shmx_share share = shmx_ledger_share(entry, giver);
  bool first = shmx_ledger_is_maker(giver, m->segment) && (!entry || !entry->chunk);
  if ((!first && !share.held) || share.transit == INT32_MAX) return -EPROTO;
  int rc = first ? introduce(ledger, giver, m, entry, &entry) : 0;
  if (rc < 0) return rc;
  shmx_ledger_change(ledger, entry, giver, true, share.transit + !ledger->main->dead);
  return 0;
}

/* A worker has mapped an argument. */
static int on_argument_held(struct shmx_ledger *ledger, struct shmx_ledger_peer *holder, const struct shmx_message *m) {
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, m->segment);
  if (!may_say(holder, entry, m)) return -EPROTO;
  if (!entry &&
      (shmx_ledger_is_maker(holder, m->segment) || !shmx_ledger_find_living(ledger, shmx_id_maker(m->segment))))
    return -EPROTO;
  entry = obtain(ledger, entry, m->segment, holder, 0);
  if (!entry) return -ENOMEM;
  shmx_ledger_change(ledger, entry, holder, true, shmx_ledger_share(entry, holder).transit);
  return 0;
}

/* Main has read a message with the segment: one less in transit from the giver, and main's hold unless it is a DISCARD.
 * That a segment is not known, or is no longer, is the giver's fault and not main's. */
static int on_answer(struct shmx_ledger *ledger, struct shmx_ledger_peer *main, const struct shmx_message *m) {
  struct shmx_ledger_peer *giver = shmx_ledger_find_peer(ledger, shmx_message_peer(m));
  if (main != ledger->main || !giver || giver == main) return -EPROTO;
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, m->segment);
  struct shmx_share share = shmx_ledger_share(entry, giver);
  if (share.transit == INT32_MIN) return -EPROTO;
  bool holds = shmx_message_type(m) == SHMX_MSG_HOLD;
  entry = obtain(ledger, entry, m->segment, giver, holds && !(entry && entry->main_holds));
  if (!entry) return -ENOMEM;
  if (holds) shmx_ledger_change(ledger, entry, main, true, 0);
  shmx_ledger_change(ledger, entry, giver, share.held, share.transit - 1);
  return 0;
}

/* A giver that still holds the segment takes a NOTIFY back: its message was not committed, so nobody will answer. The
 * count may go below zero, since main's answer to a later one may have been read already. */
static int on_taken_back(struct shmx_ledger *ledger, struct shmx_ledger_peer *giver, const struct shmx_message *m) {
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, m->segment);
  struct shmx_share share = shmx_ledger_share(entry, giver);
  if (ledger->main->dead) return 0; /* nothing is in transit to it */
  if (!share.held || share.transit == INT32_MIN || !may_say(giver, entry, m)) return -EPROTO;
  shmx_ledger_change(ledger, entry, giver, share.held, share.transit - 1);
  return 0;
}

static int on_discard(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer, const struct shmx_message *m) {
  bool own = shmx_message_peer(m) == peer->node.id;
  return own ? on_taken_back(ledger, peer, m) : on_answer(ledger, peer, m);
}

static int on_hold(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer, const struct shmx_message *m) {
  return shmx_message_peer(m) == SHMX_PEER_NONE ? on_argument_held(ledger, peer, m) : on_answer(ledger, peer, m);
}

static int on_release(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer, const struct shmx_message *m) {
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, m->segment);
  struct shmx_share share = shmx_ledger_share(entry, peer);
  if (!share.held || !may_say(peer, entry, m)) return -EPROTO;
  shmx_ledger_change(ledger, entry, peer, false, share.transit);
  return 0;
}

static int on_task_hold(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer, const struct shmx_message *m) {
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, m->segment);
  if (peer != ledger->main || !may_say(peer, entry, m)) return -EPROTO;
  bool first = shmx_ledger_is_maker(peer, m->segment) && (!entry || !entry->chunk);
  if (!first && (!entry || !entry->main_holds || entry->task_holds == UINT32_MAX)) return -EPROTO;
  int rc = first ? introduce(ledger, peer, m, entry, &entry) : 0;
  if (rc < 0) return rc;
  if (first) shmx_ledger_change(ledger, entry, peer, true, 0);
  entry->task_holds++;
  return 0;
}

static int on_task_drop(struct shmx_ledger *ledger, struct shmx_ledger_peer *peer, const struct shmx_message *m) {
  struct shmx_entry *entry = shmx_ledger_find_segment(ledger, m->segment);
  if (peer != ledger->main || !entry || !entry->task_holds || !may_say(peer, entry, m)) return -EPROTO;
  entry->task_holds--;
  if (!shmx_entry_kept(entry)) shmx_ledger_condemn(ledger, entry);
  return 0;
}

static int on_chunk_gone(struct shmx_ledger *ledger, struct shmx_ledger_peer *maker, const struct shmx_message *m) {
  if (!shmx_ledger_is_maker(maker, m->chunk)) return -EPROTO;
  struct shmx_ledger_chunk *chunk = shmx_ledger_find_chunk(ledger, m->chunk);
  if (chunk && (chunk->gone || chunk->segments)) return -EPROTO;
  if (!chunk && !(chunk = shmx_ledger_add_chunk(ledger, maker, m->chunk))) return -ENOMEM;
  shmx_ledger_retire(ledger, chunk);
  return 0;
}

static int on_read_to_end(struct shmx_ledger *ledger, struct shmx_ledger_peer *main, const struct shmx_message *m) {
  struct shmx_ledger_peer *peer = shmx_ledger_find_peer(ledger, shmx_message_peer(m));
  if (main != ledger->main || !peer || peer == main || peer->read_to_end) return -EPROTO;
  shmx_ledger_read_to_end(ledger, peer);
  return 0;
}

typedef int handler(struct shmx_ledger *, struct shmx_ledger_peer *, const struct shmx_message *);

int shmx_ledger_message(struct shmx_ledger *ledger, uint32_t from, const struct shmx_message *message) {
  static handler *const handlers[SHMX_MSG_TYPES] = {
      [SHMX_MSG_NOTIFY] = on_notify,         [SHMX_MSG_HOLD] = on_hold,
      [SHMX_MSG_DISCARD] = on_discard,       [SHMX_MSG_RELEASE] = on_release,
      [SHMX_MSG_TASK_HOLD] = on_task_hold,   [SHMX_MSG_TASK_DROP] = on_task_drop,
      [SHMX_MSG_CHUNK_GONE] = on_chunk_gone, [SHMX_MSG_READ_TO_END] = on_read_to_end,
  };
  struct shmx_ledger_peer *peer = shmx_ledger_find_living(ledger, from);
  unsigned type = shmx_message_type(message);
  if (!peer || type >= SHMX_MSG_TYPES || !handlers[type]) return -EPROTO;
  return handlers[type](ledger, peer, message);
}
