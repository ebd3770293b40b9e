/* SPDX-License-Identifier: MIT */
/*
 * What can be told of a function from its bytecode, as lua_dump writes it (Lua 5.4: ldump.c, lopcodes.h).
 */
#ifndef SHMX_BIND_BYTECODE_H
#define SHMX_BIND_BYTECODE_H

#include <stdbool.h>
#include <stddef.h>

/* True when nothing in the function can change the variables that are its upvalues, or hand them on: it assigns to none of
 * them and contains no other function. False when in doubt. The bytes need not be bytecode. */
bool shmx_bytecode_keeps_upvalues(const char *bytes, size_t size);

#endif
