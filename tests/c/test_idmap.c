/* SPDX-License-Identifier: MIT */
/*
 * The id map against a plain array, with ids that collide.
 */
#include <stdbool.h>

#include "check.h"
#include "core/idmap.h"

enum { IDS = 3000, STEPS = 300000 };

static uint64_t id_of(unsigned i) { return (uint64_t)(1 + i % 3) << 40 | (i / 3 + 1); }

static void it_agrees_with_a_plain_array(void) {
  static char value[IDS];
  static int present[IDS];
  struct shmx_idmap map;
  shmx_idmap_init(&map);
  size_t count = 0;
  srand(7);
  for (int step = 0; step < STEPS; step++) {
    unsigned i = (unsigned)rand() % IDS;
    CHECK(shmx_idmap_get(&map, id_of(i)) == (present[i] ? &value[i] : NULL));
    bool fill = step / (STEPS / 6) % 2 == 0; /* it grows and shrinks by turns */
    if (present[i] && (!fill || rand() % 4 == 0)) {
      shmx_idmap_remove(&map, id_of(i));
      present[i] = 0;
      count--;
    } else if (!present[i] && (fill || rand() % 4 == 0)) {
      CHECK(shmx_idmap_put(&map, id_of(i), &value[i]) == 0);
      present[i] = 1;
      count++;
    } else if (!present[i]) {
      shmx_idmap_remove(&map, id_of(i)); /* of what is not there: nothing */
    }
    CHECK(map.count == count);
  }
  for (unsigned i = 0; i < IDS; i++) CHECK(shmx_idmap_get(&map, id_of(i)) == (present[i] ? &value[i] : NULL));
  shmx_idmap_fini(&map);
}

static void an_empty_map_answers(void) {
  struct shmx_idmap map;
  shmx_idmap_init(&map);
  CHECK(!shmx_idmap_get(&map, 1));
  shmx_idmap_remove(&map, 1);
  CHECK(shmx_idmap_put(&map, 1, &map) == 0 && shmx_idmap_get(&map, 1) == &map);
  shmx_idmap_remove(&map, 1);
  CHECK(!shmx_idmap_get(&map, 1) && !shmx_idmap_get(&map, 2));
  shmx_idmap_fini(&map);
}

static const struct test tests[] = {
    {"it_agrees_with_a_plain_array", it_agrees_with_a_plain_array},
    {"an_empty_map_answers", an_empty_map_answers},
    {NULL, NULL},
};

int main(int argc, char **argv) { return run_tests(tests, argc, argv); }
