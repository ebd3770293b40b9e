/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.array`: a view (array/view.h) of a segment (core/memory.h) for Lua.
 */
#ifndef SHMX_BIND_ARRAY_H
#define SHMX_BIND_ARRAY_H

#include <lua.h>

#include "array/view.h"
#include "core/memory.h"

#define SHMX_ARRAY_TYPE "shmx.array"

struct shmx_array {
  const void *tag; /* tells an array from any other userdata of its size (see shmx_array_test) */
  struct shmx_view view;
  struct shmx_segment *segment; /* NULL once closed */
};

/* The array at `index`; raises unless it is one that is open. */
struct shmx_array *shmx_array_check(lua_State *L, int index);

/* The array at `index`, open or closed, or NULL for any other value. Inline, for a[i]. */
extern const char shmx_array_tag;
static inline struct shmx_array *shmx_array_test(lua_State *L, int index) {
  struct shmx_array *array = (struct shmx_array *)lua_touserdata(L, index);
  if (!array || lua_rawlen(L, index) != sizeof *array || array->tag != &shmx_array_tag) return NULL;
  return array;
}

/* Pushes a closed array; the caller then sets the view and the segment, whose reference passes to the array. It counts
 * as open from when the segment and the view's data are set. */
struct shmx_array *shmx_array_push(lua_State *L);

/* Tells the collector that a new userdata keeps so many bytes alive, which it cannot see: it works in proportion. Call it
 * when the segment is in its userdata, since finalizers may run. shmx_array_alloc has done it already. */
void shmx_array_charge(lua_State *L, uint64_t size);
/* All garbage has just been collected. */
void shmx_array_charge_nothing(void);

/* Allocates a segment for Lua: collects garbage when memory is short, waits for the budget in a worker, raises in the
 * end; drives the collector in proportion to the bytes. The reference passes to the caller's userdata `*slot`. */
void shmx_array_alloc(lua_State *L, uint64_t size, unsigned flags, struct shmx_segment **slot);

/* True when the error on the top is the one with which the memory budget last refused an array. */
bool shmx_array_is_refusal(lua_State *L);

/* Registers the type and adds the array functions (array, empty, full, range, from, ...) to the table on the top; those
 * that work element by element in a table of their own, `elementwise`. */
void shmx_array_open(lua_State *L);

#endif
