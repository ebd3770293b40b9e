/* SPDX-License-Identifier: MIT */
/*
 * The elementwise operations (array/op.h) for scripts: as methods `a:add(b, {out = c})`, as functions `shmx.add(a, b)`,
 * and as operators.
 *
 * All of them are one C function. Its upvalues are the name for errors, the operation, and whether it is an operator. An
 * operand is an array, or a number or boolean, which is weak (array/promote.h); functions of numbers alone give a number.
 *
 * Making an array may run finalizers, which may close any array, also an operand. So shapes and dtypes are read first,
 * then what is needed is made, and only then the operands' memory is looked at; from there on nothing calls Lua.
 */
#include <string.h>

#include "array/broadcast.h"
#include "array/elementwise.h"
#include "bind/array_element.h"
#include "bind/array_options.h"
#include "bind/array_parts.h"
#include "bind/error.h"

/* A call under way. Operand i is at stack index i + 1. */
struct call {
  enum shmx_op op;
  int operands;
  enum shmx_dtype dtype; /* what they promote to */
  enum shmx_dtype result;
  bool numbers;                                   /* there is no array among them */
  struct shmx_view shape;                         /* the common one, and its ndim; nothing else */
  struct shmx_array *array[SHMX_OP_MAX_OPERANDS]; /* NULL: a number */
  struct shmx_array *out;                         /* NULL: a new one is to be made */
  uint64_t element[SHMX_OP_MAX_OPERANDS];         /* the numbers, in the dtype of their operand */
};

static bool is_operator(lua_State *L) { return lua_toboolean(L, lua_upvalueindex(3)); }

/* An operator's error is told at the script's line also where a C function has used it: that of a string to which an array
 * is added, table.sort, math.max. */
static int bad_operand(lua_State *L, int arg, const char *problem) {
  if (!is_operator(L)) return shmx_array_bad_argument(L, arg, "%s", problem);
  return shmx_error(L, "bad operand of '%s' (%s)", lua_tostring(L, lua_upvalueindex(1)), problem);
}

static enum shmx_scalar_kind check_kind(lua_State *L, int arg) {
  switch (lua_type(L, arg)) {
  case LUA_TBOOLEAN: return SHMX_SCALAR_BOOL;
  case LUA_TNUMBER: return lua_isinteger(L, arg) ? SHMX_SCALAR_INTEGER : SHMX_SCALAR_FLOAT;
  default:
    bad_operand(L, arg, lua_pushfstring(L, "an array or a number is expected, got %s", shmx_array_describe(L, arg)));
    return SHMX_SCALAR_BOOL;
  }
}

/* The operands that are arrays, with their common shape. */
static void find_arrays(lua_State *L, struct call *call) {
  call->numbers = true;
  call->shape = (struct shmx_view){.ndim = 1, .shape = {1}};
  for (int i = 0; i < call->operands; i++) {
    call->array[i] = shmx_array_test(L, i + 1);
    if (!call->array[i]) continue;
    const struct shmx_view *view = &shmx_array_check(L, i + 1)->view;
    if (call->numbers) call->shape.ndim = view->ndim, memcpy(call->shape.shape, view->shape, sizeof view->shape);
    call->numbers = false;
    if (!shmx_broadcast_shape(&call->shape, view)) {
      luaL_error(L, "bad shapes to '%s' (%s and %s do not go together)", lua_tostring(L, lua_upvalueindex(1)),
                 shmx_array_push_shape(L, &call->shape), shmx_array_push_shape(L, view));
    }
  }
}

/* A choice goes by its first operand and promotes the others. */
static int first_promoted(const struct call *call) {
  return shmx_op_info(call->op)->rule == SHMX_RULE_CHOICE && call->operands > 1 ? 1 : 0;
}

/* Whether a number can be an operand in `dtype`; stores it. A boolean counts as 0 or 1. */
static bool store(lua_State *L, int arg, enum shmx_dtype dtype, uint64_t *element) {
  if (dtype == SHMX_BOOL) {
    *(shmx_bool *)element = lua_isboolean(L, arg) ? lua_toboolean(L, arg) : lua_tonumber(L, arg) != 0;
    return true;
  }
  if (!lua_isboolean(L, arg)) return shmx_element_store(L, arg, dtype, element);
  lua_pushinteger(L, lua_toboolean(L, arg));
  bool stored = shmx_element_store(L, -1, dtype, element);
  lua_pop(L, 1);
  return stored;
}

/* An array is compared with any number: one that its dtype does not hold keeps its own. */
static enum shmx_dtype compared_dtype(lua_State *L, const struct call *call, int i) {
  const struct shmx_array *other = call->array[1 - i];
  uint64_t element;
  if (call->array[i]) return call->array[i]->view.dtype;
  enum shmx_scalar_kind kind = check_kind(L, i + 1);
  enum shmx_dtype own = shmx_dtype_of_kind(kind);
  if (!other || shmx_promote_weak(other->view.dtype, kind) != other->view.dtype) return own;
  if (other->view.dtype == SHMX_F64 && !shmx_element_is_exact(L, i + 1)) return own;
  return store(L, i + 1, other->view.dtype, &element) ? other->view.dtype : own;
}

static void promote_operands(lua_State *L, struct call *call) {
  bool strong = false;
  int first = first_promoted(call);
  if (first == 1 && !call->array[0]) check_kind(L, 1);
  for (int i = first; i < call->operands; i++) {
    if (!call->array[i]) continue;
    enum shmx_dtype dtype = call->array[i]->view.dtype;
    call->dtype = strong ? shmx_promote(call->dtype, dtype) : dtype;
    strong = true;
  }
  for (int i = first; i < call->operands; i++) {
    if (call->array[i]) continue;
    enum shmx_scalar_kind kind = check_kind(L, i + 1);
    call->dtype = strong       ? shmx_promote_weak(call->dtype, kind)
                  : i == first ? shmx_dtype_of_kind(kind)
                               : shmx_promote(call->dtype, shmx_dtype_of_kind(kind));
  }
}

static void promote(lua_State *L, struct call *call) {
  if (shmx_op_info(call->op)->rule == SHMX_RULE_COMPARISON) {
    enum shmx_dtype first = compared_dtype(L, call, 0);
    call->dtype = shmx_promote_compared(first, compared_dtype(L, call, 1));
  } else {
    promote_operands(L, call);
  }
  call->result = shmx_op_result(call->op, call->dtype);
  if (shmx_op_find(call->op, call->dtype)) return;
  luaL_error(L, "bad operands of '%s' (it is not defined for %s)", lua_tostring(L, lua_upvalueindex(1)),
             shmx_dtype_name(call->dtype));
}

static void read_numbers(lua_State *L, struct call *call) {
  for (int i = 0; i < call->operands; i++) {
    enum shmx_dtype dtype = shmx_op_operand(call->op, i, call->dtype);
    if (call->array[i] || store(L, i + 1, dtype, &call->element[i])) continue;
    bad_operand(L, i + 1, shmx_element_problem(L, i + 1, dtype));
  }
}

/* The array that the option `out` names, which must suit the result. */
static void read_out(lua_State *L, struct call *call) {
  static const char *const names[] = {"out", NULL};
  int at = call->operands + 1;
  if (lua_gettop(L) < at) return;
  shmx_options_check(L, at, names);
  call->shape.dtype = call->result;
  call->out = shmx_array_find_out(L, at, &call->shape, 0);
}

/* Replaces operands that overlap the result by copies. */
static void separate(lua_State *L, struct call *call) {
  for (int i = 0; i < call->operands; i++) {
    if (!call->array[i]) continue;
    shmx_array_separate(L, i + 1, &call->out->view);
    call->array[i] = shmx_array_test(L, i + 1);
  }
}

/* Leaves the result on the top. */
static void make_out(lua_State *L, struct call *call) {
  if (call->out) {
    separate(L, call);
    shmx_options_find(L, call->operands + 1, "out");
    return;
  }
  struct shmx_view dense;
  shmx_array_dense(L, &dense, call->result, &call->shape);
  call->out = shmx_array_new(L, &dense, 0);
}

/* The operands as views of the result's shape. */
static void run(lua_State *L, struct call *call, const struct shmx_view *out) {
  struct shmx_elementwise work;
  if (call->out) shmx_array_check_out(L, call->out);
  work.op = call->op, work.dtype = call->dtype, work.out = *out;
  for (int i = 0; i < call->operands; i++) {
    if (call->array[i]) {
      if (!call->array[i]->view.data) luaL_error(L, "array is closed");
      work.in[i] = call->array[i]->view;
    } else {
      work.in[i] = (struct shmx_view){&call->element[i], shmx_op_operand(call->op, i, call->dtype), 1, {1}, {0}};
    }
    shmx_broadcast_to(&work.in[i], out);
  }
  if (shmx_elementwise_run(&work) == 0) return;
  luaL_error(L, "bad divisor of '%s' (integers cannot be divided by 0)", lua_tostring(L, lua_upvalueindex(1)));
}

/* Numbers alone give a number. */
static int run_numbers(lua_State *L, struct call *call) {
  uint64_t element = 0;
  struct shmx_view out = {&element, call->result, 1, {1}, {(int64_t)sizeof element}};
  if (call->out) {
    run(L, call, &call->out->view);
    return 1;
  }
  run(L, call, &out);
  shmx_element_push(L, call->result, &element);
  return 1;
}

static int elementwise(lua_State *L) {
  const enum shmx_op op = (enum shmx_op)lua_tointeger(L, lua_upvalueindex(2));
  if (shmx_array_run_quickly(L, op, is_operator(L))) return 1;
  struct call call = {.op = op};
  call.operands = shmx_op_info(call.op)->operands;
  if (is_operator(L) || lua_gettop(L) < call.operands) lua_settop(L, call.operands); /* `-a` comes with `a` twice */
  find_arrays(L, &call);
  promote(L, &call);
  read_numbers(L, &call);
  read_out(L, &call);
  if (call.numbers) return run_numbers(L, &call);
  make_out(L, &call);
  run(L, &call, &call.out->view);
  return 1;
}

int shmx_array_find_op(lua_State *L, int index) {
  if (lua_tocfunction(L, index) != elementwise) return -1;
  lua_getupvalue(L, index, 2);
  int op = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return op;
}

static void add_op(lua_State *L, const char *key, const char *name, int op, bool as_operator) {
  lua_pushstring(L, name);
  lua_pushinteger(L, op);
  lua_pushboolean(L, as_operator);
  lua_pushcclosure(L, elementwise, 3);
  lua_setfield(L, -2, key);
}

void shmx_array_add_ops(lua_State *L) {
  for (int op = 0; op < SHMX_OP_COUNT; op++) {
    const char *name = shmx_op_info((enum shmx_op)op)->name;
    add_op(L, name, name, op, false);
  }
}

/* Lua makes one boolean of whatever a comparison gives. */
static int compare(lua_State *L) {
  return shmx_error(L, "arrays are compared element by element, by a:lt(b), a:le(b), a:gt(b) or a:ge(b)");
}

void shmx_array_add_operators(lua_State *L) {
  static const struct {
    const char *event, *sign;
    enum shmx_op op;
  } operators[] = {
      {"__add", "+", SHMX_OP_ADD},  {"__sub", "-", SHMX_OP_SUB},   {"__mul", "*", SHMX_OP_MUL},
      {"__div", "/", SHMX_OP_DIV},  {"__pow", "^", SHMX_OP_POW},   {"__idiv", "//", SHMX_OP_IDIV},
      {"__mod", "%", SHMX_OP_MOD},  {"__unm", "-", SHMX_OP_UNM},   {"__band", "&", SHMX_OP_BAND},
      {"__bor", "|", SHMX_OP_BOR},  {"__bxor", "~", SHMX_OP_BXOR}, {"__bnot", "~", SHMX_OP_BNOT},
      {"__shl", "<<", SHMX_OP_SHL}, {"__shr", ">>", SHMX_OP_SHR},
  };
  for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
    add_op(L, operators[i].event, operators[i].sign, operators[i].op, true);
  }
  lua_pushcfunction(L, compare);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__lt");
  lua_setfield(L, -2, "__le");
}
