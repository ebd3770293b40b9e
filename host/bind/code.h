/* SPDX-License-Identifier: MIT */
/*
 * Function prototypes: on the sender's side the bytecode in shared memory, found again by closure; on the receiver's
 * side the bytecode, found again by hash, and closures made from it.
 *
 * Both caches are bounded: two generations of at most SHMX_CODE_ENTRIES or SHMX_CODE_BYTES each. What is used moves to
 * the young one; when that is full, the old one is dropped and the young one becomes old.
 */
#ifndef SHMX_BIND_CODE_H
#define SHMX_BIND_CODE_H

#include <lua.h>

#include "bind/codec.h"

enum { SHMX_CODE_ENTRIES = 256, SHMX_CODE_BYTES = 8 << 20 };

/* A message on its way refers to the code, or no longer does. The code lives until its cache and all users let go. */
void shmx_code_use(struct shmx_code *code);
void shmx_code_unuse(struct shmx_code *code);

/* How many upvalues the function at `index` has. */
int shmx_code_count_upvalues(lua_State *L, int index);

/* The code of the Lua function at `index` if the function itself has been dumped before and its code is still in the
 * cache, or NULL. The code stays valid until the next call here, or until shmx_code_unuse. */
struct shmx_code *shmx_code_find(lua_State *L, int index);

/* Dumps the Lua function at `index` (which is then found by shmx_code_find). `*known`: its bytecode was in the cache
 * already, from another closure. Raises an error when memory is short. */
struct shmx_code *shmx_code_dump(lua_State *L, int index, bool *known);

/* The Lua function at `index`, which has been dumped, travels by a name: its code is not to be found, nor known. */
void shmx_code_forget(lua_State *L, int index);

/* Whether the code of the Lua function at `index` leaves its upvalues as they are. Looking at it does not dump it as above. */
bool shmx_code_keeps_upvalues(lua_State *L, int index);

/* Pushes a closure of the delivered prototype, and returns its number of upvalues. All of them are the caller's to set; a
 * prototype without upvalues other than _ENV may give the same closure again and again. Raises an error for bytecode
 * that is damaged or of another Lua. */
int shmx_code_push(lua_State *L, const struct shmx_code_view *code);

/* The same for the function of a task whose message has no references. Each task is to find its function as if it were new.
 * It gets the same closure as another task where it cannot tell: its upvalues are set anew, and neither it nor a function
 * made in it can have kept or changed the variables. */
int shmx_code_push_task(lua_State *L, const struct shmx_code_view *code);

/* For tests and statistics: what the sender's cache holds, and how often a function was dumped. */
struct shmx_code_stats {
  size_t entries, bytes, dumps;
};
void shmx_code_stats(lua_State *L, struct shmx_code_stats *stats);

#endif
