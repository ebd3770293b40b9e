/* SPDX-License-Identifier: MIT */
/*
 * Makes a program (array/program.h) of a Lua function, if that cannot change what the function does.
 *
 * The function is not run. Its bytecode is followed from the first instruction to the first return, with a value of the
 * program in place of each number. Only instructions are followed of which it is known what they do to numbers: moves,
 * constants, reading upvalues and fields of tables, arithmetic and bits, and calls of this library's elementwise functions
 * and of a few of `math`, which are recognised by their C functions. Whatever else there is (a test, a jump, a loop, an
 * assignment to anything but a local, a call of anything else, a metamethod) makes an end of it, and the function is called
 * for each element. What is followed has no effects, so an element's result depends on its operands alone.
 */
#ifndef SHMX_BIND_TRACE_H
#define SHMX_BIND_TRACE_H

#include <lua.h>

#include "array/program.h"

/* Follows the function at `index`, whose arguments are the values that the program has already, in that order. True when
 * the program is finished. Nothing is called, and nothing is left on the stack. */
bool shmx_trace(lua_State *L, int index, struct shmx_program *program);

#endif
