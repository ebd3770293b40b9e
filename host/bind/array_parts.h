/* SPDX-License-Identifier: MIT */
/*
 * What the files of the array type share (array.c, array_*.c), and nobody else.
 *
 * Every function that these files register has its own name as its first upvalue, so that an error names it however it
 * was called: through pcall, by another name, or in a tail call.
 */
#ifndef SHMX_BIND_ARRAY_PARTS_H
#define SHMX_BIND_ARRAY_PARTS_H

#include <lauxlib.h>

#include "array/kernel.h"
#include "array/op.h"
#include "bind/array.h"

/* Raises "bad argument #arg to 'name' (message)". Returns nothing; int for the sake of `return`. */
int shmx_array_bad_argument(lua_State *L, int arg, const char *format, ...);

/* Pushes what a value looks like in an error: a number, a quoted string, or the type's name. */
const char *shmx_array_describe(lua_State *L, int index);

/* The value at `index` as an integer, if it is a number with an exact integer value; no conversion from strings. */
static inline bool shmx_array_to_integer(lua_State *L, int index, lua_Integer *out) {
  int exact = 0;
  if (lua_type(L, index) != LUA_TNUMBER) return false;
  *out = lua_tointegerx(L, index, &exact);
  return exact;
}

/* Read a dtype's name, and a shape, which is an integer or a table of 1 to SHMX_MAX_NDIM of them (array_make.c). */
enum shmx_dtype shmx_array_check_dtype(lua_State *L, int arg);

/* Reads the dtype at `index`. NULL, or what is wrong with it, which is pushed. */
const char *shmx_array_read_dtype(lua_State *L, int index, enum shmx_dtype *dtype);
void shmx_array_check_shape(lua_State *L, int arg, enum shmx_dtype dtype, struct shmx_view *view);

/* Refuses an argument after number `last` (array_make.c). */
void shmx_array_check_end(lua_State *L, int last);

/* Pushes a new array with a segment of its own, whose elements are zero or, with flags 0, undefined. */
struct shmx_array *shmx_array_new(lua_State *L, const struct shmx_view *shape, unsigned flags);

/* Pushes a new array whose elements `make` writes, in contiguous pieces of whole elements. */
struct shmx_array *shmx_array_produce(lua_State *L, const struct shmx_view *shape, shmx_producer *make, void *context);

/* Pushes a new array of zeros with a name by which other programs find it (array_named.c). */
void shmx_array_new_named(lua_State *L, const struct shmx_view *shape, const char *name);

/* Pushes another array of the same segment, with the same view, which the caller may narrow. The array at `index` must
 * be open, also afterwards: allocating runs finalizers, and these may close it. For that reason a function that
 * allocates while it reads an array shares it first, reads the share, and closes that in the end. */
struct shmx_array *shmx_array_share(lua_State *L, int index);

/* The array at `index`, which must be open and may be written. Whoever writes into an array that a script gave asks. */
struct shmx_array *shmx_array_check_writable(lua_State *L, int index);
#define SHMX_ARRAY_FROZEN "frozen; a:copy() makes one that is not"

/* Lets go of the segment; does nothing to a closed array. */
void shmx_array_close(struct shmx_array *array);

/* Turns the value at `index`, given for dimension `axis` of `view`, into a 0-based position; raises if there is none.
 * Negative ones count from the end. */
int64_t shmx_array_check_position(lua_State *L, int index, const struct shmx_view *view, int axis);

/* Turns the value at `index`, which came with argument `arg`, into a 0-based axis of an array of `ndim` dimensions;
 * raises if there is none. Negative ones count from the end. */
int shmx_array_check_axis(lua_State *L, int index, int arg, int ndim);

/* Pushes a place as people write it: "3", or "(2, 3)"; `position` is 0-based. */
const char *shmx_array_push_place(lua_State *L, const int64_t *position, int ndim);

/* Adds the fields to the table of methods on the top: their names with integers (array_index.c). */
void shmx_array_add_fields(lua_State *L);

/* Takes the table of methods from the top, and adds __index and __newindex to the metatable below it. */
void shmx_array_add_indexing(lua_State *L);

/* Add the elementwise operations to the table on the top: by their names, as methods and functions alike, and as
 * metamethods (array_elementwise.c). */
void shmx_array_add_ops(lua_State *L);
void shmx_array_add_operators(lua_State *L);

/* Does the call if it is a usual one, and leaves its result on the top (array_quick.c). */
bool shmx_array_run_quickly(lua_State *L, enum shmx_op op, bool is_operator);

/* The same for a:take (array_quick_take.c). */
bool shmx_array_take_quickly(lua_State *L);

/* The operation (array/op.h) that the function at `index` is, by whatever name it came; or -1 for any other value. */
int shmx_array_find_op(lua_State *L, int index);

/* Adds the reductions to the table of methods on the top (array_reduce.c). */
void shmx_array_add_reductions(lua_State *L);

/* Registers the type `shmx.segment`, and pushes one that describes a segment (array_segment.c). */
void shmx_array_open_segment(lua_State *L);
void shmx_array_push_segment(lua_State *L, const struct shmx_segment *segment);

extern const luaL_Reg shmx_array_constructors[];         /* array_make.c */
extern const luaL_Reg shmx_array_from_constructors[];    /* array_from.c */
extern const luaL_Reg shmx_array_index_methods[];        /* array_index.c: get, set */
extern const luaL_Reg shmx_array_bulk_methods[];         /* array_bulk.c: fill, copy, astype */
extern const luaL_Reg shmx_array_equal_methods[];        /* array_equal.c: equal, allclose */
extern const luaL_Reg shmx_array_map_methods[];          /* array_map.c: generate, map */
extern const luaL_Reg shmx_array_order_methods[];        /* array_order.c: sort, argsort, cumsum, cumprod, diff */
extern const luaL_Reg shmx_array_select_methods[];       /* array_select.c: take, put, nonzero */
extern const luaL_Reg shmx_array_view_methods[];         /* array_view.c: view, reshape, transpose */
extern const luaL_Reg shmx_array_text_methods[];         /* array_text.c: totable, tobytes */
extern const luaL_Reg shmx_array_combine_constructors[]; /* array_combine.c: concat, stack */
extern const luaL_Reg shmx_array_combine_methods[];      /* and split, tile */
extern const luaL_Reg shmx_array_product_methods[];      /* array_product.c: dot, matmul */
extern const luaL_Reg shmx_array_random_methods[];       /* array_random.c: uniform, normal, integers */
extern const luaL_Reg shmx_array_file_constructors[];    /* array_file.c: load */
extern const luaL_Reg shmx_array_file_methods[];         /* array_file.c: save */
extern const luaL_Reg shmx_array_named_constructors[];   /* array_named.c: attach */
extern const luaL_Reg shmx_array_named_methods[];        /* array_named.c: path */
extern const luaL_Reg shmx_array_freeze_methods[];       /* array_freeze.c: freeze */
extern const luaL_Reg shmx_array_bins_methods[];         /* array_bins.c: bincount, histogram */
extern const luaL_Reg shmx_array_unique_methods[];       /* array_unique.c: searchsorted, unique */

/* A metamethod. */
int shmx_array_tostring(lua_State *L);

#endif
