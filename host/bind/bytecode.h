/* SPDX-License-Identifier: MIT */
/*
 * What can be told of a function from its bytecode, as lua_dump writes it (Lua 5.4: ldump.c, lopcodes.h).
 */
#ifndef SHMX_BIND_BYTECODE_H
#define SHMX_BIND_BYTECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when nothing in the function can change the variables that are its upvalues, or hand them on: it assigns to none of
 * them and contains no other function. False when in doubt. The bytes need not be bytecode. */
bool shmx_bytecode_keeps_upvalues(const char *bytes, size_t size);

/* A function without inner functions and variable arguments, in the bytes of its dump. */
struct shmx_prototype {
  const unsigned char *code, *constants, *end;
  size_t instructions, nconstants;
  int parameters;
};

struct shmx_constant {
  enum { SHMX_CONSTANT_OTHER, SHMX_CONSTANT_INTEGER, SHMX_CONSTANT_FLOAT, SHMX_CONSTANT_TEXT } type;
  int64_t integer;
  double number;
  const char *text; /* in the dump */
  size_t length;
};

/* Reads the outlines of a function; false when it takes variable arguments or the bytes are not bytecode. */
bool shmx_bytecode_open(const char *bytes, size_t size, struct shmx_prototype *prototype);

/* Instruction `i`, which must be there. */
uint32_t shmx_bytecode_instruction(const struct shmx_prototype *prototype, size_t i);

/* Constant `i`; false when there is none. */
bool shmx_bytecode_constant(const struct shmx_prototype *prototype, size_t i, struct shmx_constant *constant);

#endif
