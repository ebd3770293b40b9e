/* SPDX-License-Identifier: MIT */
/*
 * The last argument of functions on arrays: a table of options such as {axis = 1, out = b}; and the array that a function
 * writes its result to, which is that in `out` or a new one.
 *
 * Making an array runs finalizers, and these may close or freeze any other array. So a function reads shapes and dtypes
 * first, then calls shmx_array_out, and only then looks at the memory of its arrays, which it checks anew; from there on
 * nothing calls Lua.
 */
#ifndef SHMX_BIND_ARRAY_OPTIONS_H
#define SHMX_BIND_ARRAY_OPTIONS_H

#include "array/sort.h"
#include "bind/array_parts.h"

/* Checks that there is nothing at `arg`, or a table with no other keys than `names` (which ends with NULL). Nothing is
 * replaced by nil, and what follows is refused. */
void shmx_options_check(lua_State *L, int arg, const char *const *names);

/* The same for a function that takes an axis as argument `arg` or as an option: brings it, or nil, to `arg`, and the options
 * or nil behind it. */
void shmx_options_check_axis(lua_State *L, int arg, const char *const *names);

/* Brings an option, which may be given as argument `arg` instead, to that place. Both is an error. */
void shmx_options_bring(lua_State *L, int options, const char *name, int arg);

/* Raises if the list at `arg`, or what is there, has a field with one of these names of options (the last one is NULL): it
 * would be ignored, and is surely meant to be one. */
void shmx_options_check_list(lua_State *L, int arg, const char *const *names);

/* The axis that stands there, 0-based, of an array of `ndim` dimensions; -1 if it is nil. */
int shmx_options_axis(lua_State *L, int arg, int ndim);

/* Both. */
int shmx_options_read_axis(lua_State *L, int arg, const char *const *names, int ndim);

/* Raises "bad option 'name' to 'function' (...)". People see options by their names: at which argument the table stands,
 * and whether there was an axis before it, says nothing. */
int shmx_options_fail(lua_State *L, const char *name, const char *format, ...);

/* Whether an option is given, which is then pushed; otherwise nothing is. `arg` has been checked. */
bool shmx_options_find(lua_State *L, int arg, const char *name);

/* For short paths: pushes the array in option `out` and returns it, if the options at `arg` have nothing else; with `clip`
 * also, possibly, mode = "clip", which sets it. NULL otherwise, with anything on the stack. */
struct shmx_array *shmx_options_quick_out(lua_State *L, int arg, bool *clip);

/* An option that is an integer, a number or a boolean. */
lua_Integer shmx_options_integer(lua_State *L, int arg, const char *name, lua_Integer otherwise);
lua_Number shmx_options_number(lua_State *L, int arg, const char *name, lua_Number otherwise);
bool shmx_options_boolean(lua_State *L, int arg, const char *name);

enum {
  SHMX_OUT_EXACT = 1,   /* `out` must be of the result's dtype, not of one that can hold it */
  SHMX_OUT_IN_PLACE = 2 /* it may be the very same elements as an input */
};

/* Describes a contiguous array with that shape; raises when that is more than there can be. */
void shmx_array_dense(lua_State *L, struct shmx_view *dense, enum shmx_dtype dtype, const struct shmx_view *shape);

/* Puts a contiguous copy, of that dtype, in place of the array at stack index `index`. */
void shmx_array_replace_by_copy(lua_State *L, int index, enum shmx_dtype dtype);

/* The array at stack index `index`, repeated to the shape of `out`. It is first replaced by a copy if it could not be read
 * while `out` is written. */
struct shmx_view shmx_array_separate(lua_State *L, int index, const struct shmx_view *out);

/* Raises an error unless `out` is open and may be written, as it was when it was found. */
void shmx_array_check_out(lua_State *L, const struct shmx_array *out);

/* Pushes the array in option `out` of the options at `arg`, which must be open and writable and suit a result of that
 * dtype and shape, and returns it; NULL, and nothing is pushed, if there is none. */
struct shmx_array *shmx_array_find_out(lua_State *L, int arg, const struct shmx_view *result, unsigned flags);

/* Pushes the array for a result of that dtype and shape: the one in option `out` of the options at `arg`, which must
 * suit, or a new one. Of the arrays at the stack indices 1 to `inputs` those that share bytes with it are replaced by
 * copies. */
struct shmx_array *shmx_array_out(lua_State *L, int arg, const struct shmx_view *shape, int inputs);

/* The same with SHMX_OUT_ flags. */
struct shmx_array *shmx_array_out_as(lua_State *L, int arg, const struct shmx_view *shape, int inputs, unsigned flags);

/* The same for what has to be written contiguously and in the result's dtype: if `out` is not like that, or overlaps an
 * input, its place is taken by an array on top of it. `top` is lua_gettop() before the call; shmx_array_deliver then leaves
 * `out` on the top, with the result. */
struct shmx_array *shmx_array_out_dense(lua_State *L, int arg, const struct shmx_view *shape, int inputs);
void shmx_array_deliver(lua_State *L, int top);

/* Puts a vector of all the elements, in index order, at stack index 1 in place of the array there (array_order.c). */
void shmx_array_flatten(lua_State *L);

/* Sorts; raises an error if that cannot be done (array_order.c). */
void shmx_array_sort(lua_State *L, const struct shmx_sort *sort);

/* Pushes a shape as people write it: {2, 3}. */
const char *shmx_array_push_shape(lua_State *L, const struct shmx_view *view);

#endif
