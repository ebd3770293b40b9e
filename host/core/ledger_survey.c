/* SPDX-License-Identifier: MIT */
/*
 * What there is in the ledger, for people who ask: every segment with those who keep it.
 */
#include "core/ledger_state.h"

static void show(struct shmx_entry *entry, shmx_ledger_visit *visit, void *context) {
  struct shmx_ledger_view view = {.segment = entry->node.id,
                                  .chunk = entry->chunk ? entry->chunk->node.id : 0,
                                  .size = entry->size,
                                  .offset = entry->offset,
                                  .task_holds = entry->task_holds,
                                  .in_transit = entry->given > 0};
  visit(context, &view, shmx_entry_shares(entry), entry->nshares);
}

void shmx_ledger_survey(const struct shmx_ledger *ledger, uint64_t segment, shmx_ledger_visit *visit, void *context) {
  if (segment) {
    struct shmx_entry *entry = shmx_ledger_find_segment(ledger, segment);
    if (entry && shmx_entry_kept(entry)) show(entry, visit, context);
    return;
  }
  struct shmx_table_node *node = NULL;
  while ((node = shmx_table_next(&ledger->segments, node))) {
    struct shmx_entry *entry = (struct shmx_entry *)node;
    if (shmx_entry_kept(entry)) show(entry, visit, context);
  }
}
