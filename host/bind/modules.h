/* SPDX-License-Identifier: MIT */
/*
 * What loaded modules have: which table is package.loaded[name], which function is a field of such a table, and the way
 * back from the names.
 *
 * Looking through all modules for each table and function of a message would be slow, so indexes are kept in the
 * registry. The one of modules is compared with package.loaded once per message; an answer of the one of fields is
 * checked when it is used, and whoever gets none refreshes it and asks again, once per message.
 */
#ifndef SHMX_BIND_MODULES_H
#define SHMX_BIND_MODULES_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct shmx_modules;

/* Takes note of what package.loaded has now. The result is valid as long as the state. */
const struct shmx_modules *shmx_modules_refresh(lua_State *L);
void shmx_modules_refresh_fields(lua_State *L);

/* Whether the table or function at `index` was a module at the last refresh: true pushes its name, "_G" for the
 * globals. */
bool shmx_modules_name(lua_State *L, const struct shmx_modules *modules, int index);

/* Whether the value at `index` is the module of that name now, or the globals for "_G". Cannot raise for a name that the
 * state has as a string. */
bool shmx_modules_is(lua_State *L, int index, const char *name);

/* Whether the value at `index` is a field of a loaded module: true pushes "module\0field". A C function can be a field
 * of any module, a table (a metatable) of any but _G, which is the script's own, and a Lua function of any but _G and those
 * of Lua itself, to which only a script can have added it. */
bool shmx_modules_field(lua_State *L, int index);

/* Pushes the module of that name (package.loaded[name], otherwise require(name)), or the globals for "_G". Raises what
 * require raises. */
void shmx_modules_push(lua_State *L, const char *name, size_t size);

/* Pushes the field that the bytes "module\0field" name, which may be nil. Raises an error if they do not name one. */
void shmx_modules_push_field(lua_State *L, const char *name, size_t size);

/* Whether "module\0field" names something in those parts of Lua's library that act on the process or on code. What comes
 * from a worker must not make main call them: a damaged message could end it. */
bool shmx_modules_is_powerful(const char *name, size_t size);

#endif
