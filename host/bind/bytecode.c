/* SPDX-License-Identifier: MIT */
/*
 * See bytecode.h. A dump is a header and then the main function: source, lines, parameters, instructions, constants,
 * descriptions of the upvalues, inner functions, debug information. Every step is checked against what is left.
 */
#include "bind/bytecode.h"

#include <lua.h>
#include <stdint.h>
#include <string.h>

enum { OPCODE_SETUPVAL = 10, OPCODE_BITS = 7, INSTRUCTION = 4, UPVALUE = 3 };
enum { NIL = 0x00, FALSE_ = 0x01, TRUE_ = 0x11, INTEGER = 0x03, FLOAT = 0x13, SHORT_STRING = 0x04, LONG_STRING = 0x14 };

struct reader {
  const unsigned char *at, *end;
  bool bad;
};

static void skip(struct reader *r, size_t size) {
  if ((size_t)(r->end - r->at) < size) r->bad = true;
  else r->at += size;
}

/* An unsigned number, seven bits in a byte, the last of which has its eighth bit set. */
static size_t number(struct reader *r) {
  size_t n = 0;
  while (r->at < r->end && n <= SIZE_MAX >> 8) {
    unsigned byte = *r->at++;
    n = n << 7 | (byte & 0x7f);
    if (byte & 0x80) return n;
  }
  r->bad = true;
  return 0;
}

/* Its size is one more than its length; 0: there is none. */
static void skip_string(struct reader *r) {
  size_t size = number(r);
  if (size > 0) skip(r, size - 1);
}

static void skip_constant(struct reader *r) {
  int type = r->at < r->end ? *r->at++ : -1;
  switch (type) {
  case NIL:
  case FALSE_:
  case TRUE_: break;
  case INTEGER: skip(r, sizeof(lua_Integer)); break;
  case FLOAT: skip(r, sizeof(lua_Number)); break;
  case SHORT_STRING:
  case LONG_STRING: skip_string(r); break;
  default: r->bad = true;
  }
}

/* Reads the instructions; false when one assigns to an upvalue. */
static bool read_code(struct reader *r) {
  size_t count = number(r);
  const unsigned char *code = r->at;
  if (r->bad || count > (size_t)(r->end - r->at) / INSTRUCTION) return false;
  skip(r, count * INSTRUCTION);
  for (size_t i = 0; i < count; i++) {
    uint32_t instruction;
    memcpy(&instruction, code + i * INSTRUCTION, sizeof instruction);
    if ((instruction & ((1u << OPCODE_BITS) - 1)) == OPCODE_SETUPVAL) return false;
  }
  return true;
}

static void skip_head(struct reader *r) {
  skip(r, strlen(LUA_SIGNATURE) + 2 + 6 + 3);            /* version and format, check bytes, sizes of */
  skip(r, sizeof(lua_Integer) + sizeof(lua_Number) + 1); /* two check numbers; how many upvalues the function has */
}

bool shmx_bytecode_keeps_upvalues(const char *bytes, size_t size) {
  struct reader r = {(const unsigned char *)bytes, (const unsigned char *)bytes + size, false};
  skip_head(&r);
  skip_string(&r); /* source */
  number(&r);      /* first and last line */
  number(&r);
  skip(&r, 3); /* parameters, variable ones, stack */
  if (r.bad || !read_code(&r)) return false;
  for (size_t i = number(&r); i > 0 && !r.bad; i--) skip_constant(&r);
  size_t upvalues = number(&r);
  if (upvalues > UINT8_MAX) return false;
  skip(&r, upvalues * UPVALUE);
  return number(&r) == 0 && !r.bad; /* inner functions */
}
