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

static void skip_head(struct reader *r) {
  skip(r, strlen(LUA_SIGNATURE) + 2 + 6 + 3);            /* version and format, check bytes, sizes of */
  skip(r, sizeof(lua_Integer) + sizeof(lua_Number) + 1); /* two check numbers; how many upvalues the function has */
}

/* Reads up to the constants. */
static void read_outlines(struct reader *r, struct shmx_prototype *prototype, bool *variable) {
  skip_head(r);
  skip_string(r); /* source */
  number(r);      /* first and last line */
  number(r);
  const unsigned char *numbers = r->at;
  skip(r, 3); /* parameters, variable ones, stack */
  if (r->bad) return;
  prototype->parameters = numbers[0];
  *variable = numbers[1];
  prototype->instructions = number(r);
  prototype->code = r->at;
  if (prototype->instructions > (size_t)(r->end - r->at) / INSTRUCTION) r->bad = true;
  if (!r->bad) skip(r, prototype->instructions * INSTRUCTION);
  prototype->nconstants = number(r);
  prototype->constants = r->at;
  prototype->end = r->end;
}

uint32_t shmx_bytecode_instruction(const struct shmx_prototype *prototype, size_t i) {
  uint32_t instruction;
  memcpy(&instruction, prototype->code + i * INSTRUCTION, sizeof instruction);
  return instruction;
}

/* Whether an instruction assigns to an upvalue. */
static bool sets_upvalue(const struct shmx_prototype *prototype) {
  for (size_t i = 0; i < prototype->instructions; i++) {
    if ((shmx_bytecode_instruction(prototype, i) & ((1u << OPCODE_BITS) - 1)) == OPCODE_SETUPVAL) return true;
  }
  return false;
}

bool shmx_bytecode_keeps_upvalues(const char *bytes, size_t size) {
  struct reader r = {(const unsigned char *)bytes, (const unsigned char *)bytes + size, false};
  struct shmx_prototype prototype;
  bool variable;
  read_outlines(&r, &prototype, &variable);
  if (r.bad || sets_upvalue(&prototype)) return false;
  for (size_t i = prototype.nconstants; i > 0 && !r.bad; i--) skip_constant(&r);
  size_t upvalues = number(&r);
  if (upvalues > UINT8_MAX) return false;
  skip(&r, upvalues * UPVALUE);
  return number(&r) == 0 && !r.bad; /* inner functions */
}

bool shmx_bytecode_open(const char *bytes, size_t size, struct shmx_prototype *prototype) {
  struct reader r = {(const unsigned char *)bytes, (const unsigned char *)bytes + size, false};
  bool variable = true;
  read_outlines(&r, prototype, &variable);
  return !r.bad && !variable;
}

bool shmx_bytecode_constant(const struct shmx_prototype *prototype, size_t i, struct shmx_constant *constant) {
  struct reader r = {prototype->constants, prototype->end, i >= prototype->nconstants};
  for (; i > 0 && !r.bad; i--) skip_constant(&r);
  if (r.bad || r.at == r.end) return false;
  const unsigned char *at = r.at;
  skip_constant(&r);
  if (r.bad) return false;
  *constant = (struct shmx_constant){.type = SHMX_CONSTANT_OTHER};
  switch (*at) {
  case INTEGER:
    constant->type = SHMX_CONSTANT_INTEGER;
    memcpy(&constant->integer, at + 1, sizeof constant->integer);
    break;
  case FLOAT:
    constant->type = SHMX_CONSTANT_FLOAT;
    memcpy(&constant->number, at + 1, sizeof constant->number);
    break;
  case SHORT_STRING:
  case LONG_STRING: {
    struct reader text = {at + 1, r.at, false};
    size_t length = number(&text);
    if (length == 0) break;
    constant->type = SHMX_CONSTANT_TEXT;
    constant->text = (const char *)text.at;
    constant->length = length - 1;
    break;
  }
  default: break;
  }
  return true;
}
