/* SPDX-License-Identifier: MIT */
/*
 * Sorts items by an unsigned key. This text is included once for each kind of item, with
 *
 *   ITEM     the type of an item
 *   KEY      that of its key, unsigned
 *   KEY_OF   its key
 *   AS(name) the name of a function for this kind
 *
 * Items are distributed into buckets by where their key lies between the smallest and the largest, into about as many as
 * there are items; buckets of more than a few are sorted in the same way. Each round takes several bits off the range of
 * keys, so there are at most as many rounds as a key has bits by that, whatever the keys are; random ones take two. Equal
 * keys keep their order. Items go back and forth between two buffers.
 */

/* Sorts a few items from one place to another (or the same), each by insertion. */
static void AS(insert)(ITEM *to, const ITEM *from, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    ITEM item = from[i];
    int64_t j = i;
    for (; j > 0 && KEY_OF(to[j - 1]) > KEY_OF(item); j--) to[j] = to[j - 1];
    to[j] = item;
  }
}

static void AS(find_range)(const ITEM *items, int64_t count, KEY *low, KEY *high) {
  KEY least = KEY_OF(items[0]), most = least;
  for (int64_t i = 1; i < count; i++) {
    KEY key = KEY_OF(items[i]);
    least = key < least ? key : least;
    most = key > most ? key : most;
  }
  *low = least;
  *high = most;
}

/* Counts the items of each bucket, and returns the largest count. */
static uint32_t AS(count)(const ITEM *items, int64_t count, KEY low, int shift, uint32_t *counts, int64_t buckets) {
  uint32_t most = 0;
  memset(counts, 0, (size_t)buckets * sizeof counts[0]);
  for (int64_t i = 0; i < count; i++) counts[(KEY_OF(items[i]) - low) >> shift]++;
  for (int64_t i = 0; i < buckets; i++) most = counts[i] > most ? counts[i] : most;
  return most;
}

/* Sorts a run of at most UINT32_MAX items; the result is in `items`, or in `spare` if `away`. */
static void AS(sort_run)(ITEM *items, ITEM *spare, int64_t count, bool away) {
  KEY low, high;
  uint32_t ends[MAX_BUCKETS]; /* first the counts, then where each bucket begins, in the end where it ends */
  if (count <= FEW) {
    AS(insert)(away ? spare : items, items, count);
    return;
  }
  AS(find_range)(items, count, &low, &high);
  int width = bits_of((uint64_t)(high - low)), bits = bits_of((uint64_t)count);
  bits = bits > MAX_BITS ? MAX_BITS : bits;
  int shift = width > bits ? width - bits : 0;
  int64_t buckets = (int64_t)((high - low) >> shift) + 1;
  uint32_t most = AS(count)(items, count, low, shift, ends, buckets), sum = 0;
  for (int64_t i = 0; i < buckets; i++) {
    uint32_t n = ends[i];
    ends[i] = sum;
    sum += n;
  }
  for (int64_t i = 0; i < count; i++) spare[ends[(KEY_OF(items[i]) - low) >> shift]++] = items[i];
  if (shift == 0) {
    if (!away) memcpy(items, spare, (size_t)count * sizeof(ITEM));
  } else if (most <= FEW) {
    AS(insert)(away ? spare : items, spare, count);
  } else {
    for (int64_t i = 0, start = 0; i < buckets; start = ends[i++]) {
      AS(sort_run)(spare + start, items + start, (int64_t)ends[i] - start, !away);
    }
  }
}
