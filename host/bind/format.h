/* SPDX-License-Identifier: MIT */
/*
 * The format of a message's body, shared by the codec (pack.c, unpack.c) and its short cuts (plain.c, scalar.h) alone.
 *
 *   body      = flags count value*            flags: a positive fixint; count: of values, an unsigned integer
 *   value     = nil | boolean | integer | float | str          as in MessagePack; a str is any bytes
 *             | array of values                                a table with the keys 1..n and no others
 *             | map of pairs                                   any other table
 *             | REFERENCE number                               an object that came before in this message
 *             | ARRAY segment dtype ndim offset (size stride)* a view of a segment in the message's table
 *             | MODULE name                                    package.loaded[name]; "_G": the receiver's globals
 *             | FIELD name \0 field                            a function or metatable: package.loaded[name][field]
 *             | [ FUNCTION code, upvalue* ]                    a closure of a prototype in the message's table
 *             | [ WITH_META, MODULE | FIELD, table ]           a table with a metatable that a module has
 *             | [ REMAKE, function, argument* ]                what function(argument*) returns
 *   upvalue   = value | CELL number                            CELL: the same variable as an upvalue that came before
 *
 * Words in capitals are extension types, numbers in their payload are little-endian. The forms in brackets are ordinary
 * MessagePack arrays, told from tables by their first element, which is no value.
 *
 * Objects (tables, closures, array userdata, and what REMAKE returns) are numbered from 1 in order of appearance, an
 * object before its contents. So are the upvalues that are values (not CELL). Both numbers matter only in a message
 * with SHMX_FORMAT_REFERENCES, so that the receiver of any other remembers nothing.
 */
#ifndef SHMX_BIND_FORMAT_H
#define SHMX_BIND_FORMAT_H

#include <stdbool.h> /* before mpack.h, which would define bool */
#include <stdint.h>

#include <mpack.h>

enum { SHMX_FORMAT_REFERENCES = 1, SHMX_FORMAT_FLAGS = 1 };

enum shmx_format_ext {
  SHMX_EXT_REFERENCE = 1, /* u32 */
  SHMX_EXT_CELL = 2,      /* u32 */
  SHMX_EXT_ARRAY = 3,     /* u32 segment, u16 dtype, u16 ndim, u64 offset; ndim times i64 size, i64 stride */
  SHMX_EXT_MODULE = 4,
  SHMX_EXT_FIELD = 5,
  SHMX_EXT_FUNCTION = 16, /* u32 */
  SHMX_EXT_WITH_META = 17,
  SHMX_EXT_REMAKE = 18
};

enum {
  SHMX_FORMAT_DEPTH = 4000,  /* how deep values nest: each level takes C stack and Lua stack on both sides */
  SHMX_FORMAT_REMAKE = 200,  /* arguments of REMAKE */
  SHMX_FORMAT_ARRAY = 16,    /* bytes of an ARRAY before its sizes and strides */
  SHMX_FORMAT_DIMENSION = 16 /* bytes of a size and a stride */
};

static inline void shmx_format_put(char *p, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) p[i] = (char)(unsigned char)(value >> (8 * i));
}

static inline uint64_t shmx_format_get(const char *p, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)(unsigned char)p[i] << (8 * i);
  return value;
}

#endif
