/* SPDX-License-Identifier: MIT */
/* Programs from bytecode of Lua 5.4 (lopcodes.h, lvm.c): see trace.h. */
#include "bind/trace.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "bind/array_parts.h"
#include "bind/bytecode.h"

enum opcode {
  OP_MOVE = 0,
  OP_LOADI = 1,
  OP_LOADF = 2,
  OP_LOADK = 3,
  OP_LOADFALSE = 5,
  OP_LOADTRUE = 7,
  OP_GETUPVAL = 9,
  OP_GETTABUP = 11,
  OP_GETFIELD = 14,
  OP_ADDI = 21,
  OP_ADDK = 22,
  OP_BXORK = 31,
  OP_SHRI = 32,
  OP_SHLI = 33,
  OP_ADD = 34,
  OP_SHR = 45,
  OP_MMBIN = 46,
  OP_MMBINK = 48,
  OP_UNM = 49,
  OP_BNOT = 50,
  OP_CALL = 68,
  OP_TAILCALL = 69,
  OP_RETURN = 70,
  OP_RETURN1 = 72,
};

/* The operations of ADDK to BXORK, and of ADD to SHR, in that order; SHMX_OP_COUNT: see power. */
static const enum shmx_op with_constant[] = {SHMX_OP_ADD, SHMX_OP_SUB,  SHMX_OP_MUL,  SHMX_OP_MOD, SHMX_OP_COUNT,
                                             SHMX_OP_DIV, SHMX_OP_IDIV, SHMX_OP_BAND, SHMX_OP_BOR, SHMX_OP_BXOR};
static const enum shmx_op with_register[] = {SHMX_OP_ADD,   SHMX_OP_SUB,  SHMX_OP_MUL,  SHMX_OP_MOD,
                                             SHMX_OP_COUNT, SHMX_OP_DIV,  SHMX_OP_IDIV, SHMX_OP_BAND,
                                             SHMX_OP_BOR,   SHMX_OP_BXOR, SHMX_OP_SHL,  SHMX_OP_SHR};

enum { MAX_REGISTERS = 256, OFFSET_C = 127, OFFSET_BX = 65535, NOTHING = -1 };

/* What a register holds: a number, by its value of the program; or a table or a function, by its place on the stack. */
struct held {
  int value; /* NOTHING: it is none */
  int place; /* 0: it is none */
};

struct tracer {
  lua_State *L;
  int function; /* its place on the stack */
  struct shmx_program *program;
  struct shmx_prototype prototype;
  struct held held[MAX_REGISTERS];
};

static unsigned field_a(uint32_t i) { return i >> 7 & 0xff; }
static unsigned field_k(uint32_t i) { return i >> 15 & 1; }
static unsigned field_b(uint32_t i) { return i >> 16 & 0xff; }
static unsigned field_c(uint32_t i) { return i >> 24; }
static int field_bx(uint32_t i) { return (int)(i >> 15); }

static bool hold(struct tracer *t, unsigned a, int value) {
  t->held[a] = (struct held){value, 0};
  return value >= 0;
}

static int add_integer(struct tracer *t, lua_Integer n) {
  uint64_t bits;
  memcpy(&bits, &n, sizeof bits);
  return shmx_program_constant(t->program, SHMX_I64, bits);
}

static int add_float(struct tracer *t, lua_Number x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return shmx_program_constant(t->program, SHMX_F64, bits);
}

/* Holds the Lua value on the top of the stack: numbers by value, tables and functions where they are. */
static bool hold_top(struct tracer *t, unsigned a) {
  lua_State *L = t->L;
  switch (lua_type(L, -1)) {
  case LUA_TNUMBER:
    return hold(t, a, lua_isinteger(L, -1) ? add_integer(t, lua_tointeger(L, -1)) : add_float(t, lua_tonumber(L, -1)));
  case LUA_TBOOLEAN: return hold(t, a, shmx_program_constant(t->program, SHMX_BOOL, lua_toboolean(L, -1)));
  case LUA_TTABLE:
  case LUA_TFUNCTION: t->held[a] = (struct held){NOTHING, lua_gettop(L)}; return true;
  default: return false;
  }
}

static int constant_value(struct tracer *t, unsigned k) {
  struct shmx_constant constant;
  if (!shmx_bytecode_constant(&t->prototype, k, &constant)) return -1;
  if (constant.type == SHMX_CONSTANT_INTEGER) return add_integer(t, constant.integer);
  return constant.type == SHMX_CONSTANT_FLOAT ? add_float(t, constant.number) : -1;
}

/* Holds the field named by constant `k` of the table at `place`. One that is absent might come from a metatable. */
static bool hold_field(struct tracer *t, unsigned a, int place, unsigned k) {
  struct shmx_constant constant;
  if (!lua_istable(t->L, place) || !shmx_bytecode_constant(&t->prototype, k, &constant)) return false;
  if (constant.type != SHMX_CONSTANT_TEXT) return false;
  lua_pushlstring(t->L, constant.text, constant.length);
  lua_rawget(t->L, place);
  return hold_top(t, a);
}

static bool hold_upvalue(struct tracer *t, unsigned a, unsigned b) {
  return lua_getupvalue(t->L, t->function, (int)b + 1) && hold_top(t, a);
}

static bool is_number(const struct tracer *t, int value) {
  return value >= 0 && t->program->value[value].dtype != SHMX_BOOL;
}

/* x ^ 2 is x * x in Lua too; other powers are the C library's there. */
static bool power(struct tracer *t, unsigned a, int x, int y) {
  if (!is_number(t, x) || !is_number(t, y)) return false;
  const struct shmx_value *by = &t->program->value[y];
  double exponent;
  memcpy(&exponent, &by->constant, sizeof exponent);
  if (by->origin != SHMX_VALUE_CONSTANT) return false;
  if (by->dtype == SHMX_I64 ? by->constant != 2 : exponent != 2) return false;
  int real = shmx_program_convert(t->program, x, SHMX_F64);
  return real >= 0 && hold(t, a, shmx_program_apply(t->program, SHMX_OP_SQUARE, &real));
}

/* An arithmetic instruction, which is followed by one for metamethods that it skips. */
static bool arithmetic(struct tracer *t, unsigned a, enum shmx_op op, int x, int y) {
  if (op == SHMX_OP_COUNT) return power(t, a, x, y);
  if (!is_number(t, x) || !is_number(t, y)) return false;
  return hold(t, a, shmx_program_apply(t->program, op, (const int[]){x, y}));
}

static bool unary(struct tracer *t, unsigned a, enum shmx_op op, int x) {
  return is_number(t, x) && hold(t, a, shmx_program_apply(t->program, op, &x));
}

/* Of the functions of `math` those that give the same bits here, and whose results are of one kind. */
static int apply_math(struct tracer *t, int place, int x) {
  static const struct {
    const char *name;
    enum shmx_op op;
  } known[] = {{"abs", SHMX_OP_ABS}, {"sqrt", SHMX_OP_SQRT}};
  lua_CFunction wanted = lua_tocfunction(t->L, place);
  lua_pushcfunction(t->L, luaopen_math);
  lua_call(t->L, 0, 1);
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    lua_getfield(t->L, -1, known[i].name);
    if (lua_tocfunction(t->L, -1) == wanted) return shmx_program_apply(t->program, known[i].op, &x);
    lua_pop(t->L, 1);
  }
  return -1;
}

/* A call of a known function with `count` arguments, the results of which are held from `a` on; only the first counts. */
static bool call(struct tracer *t, unsigned a, unsigned count) {
  int place = t->held[a].place, operands[SHMX_OP_MAX_OPERANDS];
  if (place == 0 || !lua_iscfunction(t->L, place) || count == 0 || count > SHMX_OP_MAX_OPERANDS) return false;
  if (a + count >= MAX_REGISTERS) return false;
  for (unsigned i = 0; i < count; i++) {
    operands[i] = t->held[a + 1 + i].value;
    if (operands[i] < 0) return false;
  }
  int op = shmx_array_find_op(t->L, place);
  if (op >= 0 && shmx_op_info((enum shmx_op)op)->operands == (int)count) {
    return hold(t, a, shmx_program_apply(t->program, (enum shmx_op)op, operands));
  }
  return op < 0 && count == 1 && is_number(t, operands[0]) && hold(t, a, apply_math(t, place, operands[0]));
}

/* Ends the program with what the function returns first. */
static bool finish(struct tracer *t, unsigned a) {
  return t->held[a].value >= 0 && shmx_program_finish(t->program, t->held[a].value);
}

static bool load(struct tracer *t, uint32_t i) {
  unsigned a = field_a(i);
  switch (i & 0x7f) {
  case OP_MOVE: t->held[a] = t->held[field_b(i)]; return t->held[a].value >= 0 || t->held[a].place > 0;
  case OP_LOADI: return hold(t, a, add_integer(t, field_bx(i) - OFFSET_BX));
  case OP_LOADF: return hold(t, a, add_float(t, field_bx(i) - OFFSET_BX));
  case OP_LOADK: return hold(t, a, constant_value(t, (unsigned)field_bx(i)));
  case OP_LOADFALSE: return hold(t, a, shmx_program_constant(t->program, SHMX_BOOL, 0));
  case OP_LOADTRUE: return hold(t, a, shmx_program_constant(t->program, SHMX_BOOL, 1));
  case OP_GETUPVAL: return hold_upvalue(t, a, field_b(i));
  case OP_GETTABUP:
    return lua_getupvalue(t->L, t->function, (int)field_b(i) + 1) && hold_field(t, a, lua_gettop(t->L), field_c(i));
  case OP_GETFIELD: return t->held[field_b(i)].place > 0 && hold_field(t, a, t->held[field_b(i)].place, field_c(i));
  default: return false;
  }
}

static bool operate(struct tracer *t, uint32_t i) {
  unsigned a = field_a(i), op = i & 0x7f;
  int x = t->held[field_b(i)].value, y = t->held[field_c(i)].value, small = (int)field_c(i) - OFFSET_C;
  if (op == OP_UNM || op == OP_BNOT) return unary(t, a, op == OP_UNM ? SHMX_OP_UNM : SHMX_OP_BNOT, x);
  if (op == OP_ADDI) return arithmetic(t, a, SHMX_OP_ADD, x, add_integer(t, small));
  if (op == OP_SHRI) return arithmetic(t, a, SHMX_OP_SHR, x, add_integer(t, small));
  if (op == OP_SHLI) return arithmetic(t, a, SHMX_OP_SHL, add_integer(t, small), x);
  if (op >= OP_ADDK && op <= OP_BXORK) {
    return arithmetic(t, a, with_constant[op - OP_ADDK], x, constant_value(t, field_c(i)));
  }
  if (op >= OP_ADD && op <= OP_SHR) return arithmetic(t, a, with_register[op - OP_ADD], x, y);
  return false;
}

static bool follow(struct tracer *t) {
  for (size_t at = 0; at < t->prototype.instructions; at++) {
    uint32_t i = shmx_bytecode_instruction(&t->prototype, at);
    unsigned a = field_a(i), op = i & 0x7f;
    luaL_checkstack(t->L, 8, NULL);
    switch (op) {
    case OP_CALL:
      if (field_b(i) == 0 || field_c(i) != 2 || !call(t, a, field_b(i) - 1)) return false;
      break;
    case OP_TAILCALL: return field_b(i) > 0 && !field_k(i) && call(t, a, field_b(i) - 1) && finish(t, a);
    case OP_RETURN: return field_b(i) >= 2 && !field_k(i) && finish(t, a);
    case OP_RETURN1: return finish(t, a);
    default:
      if (op >= OP_MMBIN && op <= OP_MMBINK) break; /* skipped: the operands are numbers */
      if (!load(t, i) && !operate(t, i)) return false;
    }
  }
  return false;
}

static int append(lua_State *L, const void *bytes, size_t size, void *to) {
  (void)L;
  luaL_addlstring(to, bytes, size);
  return 0;
}

bool shmx_trace(lua_State *L, int index, struct shmx_program *program) {
  struct tracer tracer = {.L = L, .function = lua_absindex(L, index), .program = program};
  int top = lua_gettop(L), arguments = program->nvalues;
  luaL_Buffer b;
  size_t size;
  if (lua_iscfunction(L, index)) return false;
  for (int r = 0; r < MAX_REGISTERS; r++) tracer.held[r] = (struct held){r < arguments ? r : NOTHING, 0};
  luaL_buffinit(L, &b);
  lua_pushvalue(L, tracer.function);
  int status = lua_dump(L, append, &b, 1);
  lua_pop(L, 1);
  luaL_pushresult(&b);
  const char *bytes = lua_tolstring(L, -1, &size);
  bool traced = status == 0 && shmx_bytecode_open(bytes, size, &tracer.prototype) &&
                tracer.prototype.parameters <= arguments && follow(&tracer);
  lua_settop(L, top);
  return traced;
}
