/* SPDX-License-Identifier: MIT */
/* Programs of fused expressions: see array/program.h. */
#include "array/program.h"

#include <string.h>

enum { WIDEST = 8 /* bytes of an element */, UNUSED = -1 };

/* --- making --- */

static int add_value(struct shmx_program *program, const struct shmx_value *value) {
  if (program->nvalues == SHMX_PROGRAM_VALUES) return -1;
  program->value[program->nvalues] = *value;
  return program->nvalues++;
}

/* Lua knows integers, floats and booleans. */
static enum shmx_dtype widest(enum shmx_dtype dtype) {
  return shmx_dtype_is_integer(dtype) ? SHMX_I64 : shmx_dtype_is_float(dtype) ? SHMX_F64 : SHMX_BOOL;
}

int shmx_program_input(struct shmx_program *program, int number, enum shmx_dtype dtype) {
  return add_value(program, &(struct shmx_value){.origin = SHMX_VALUE_INPUT, .dtype = widest(dtype), .number = number});
}

int shmx_program_index(struct shmx_program *program, int dimension, bool uniform) {
  return add_value(
      program,
      &(struct shmx_value){.origin = SHMX_VALUE_INDEX, .dtype = SHMX_I64, .number = dimension, .uniform = uniform});
}

int shmx_program_constant(struct shmx_program *program, enum shmx_dtype dtype, uint64_t bits) {
  return add_value(
      program, &(struct shmx_value){.origin = SHMX_VALUE_CONSTANT, .dtype = dtype, .constant = bits, .uniform = true});
}

int shmx_program_convert(struct shmx_program *program, int value, enum shmx_dtype dtype) {
  const struct shmx_value *from = &program->value[value];
  if (from->dtype == dtype) return value;
  return add_value(program, &(struct shmx_value){.origin = SHMX_VALUE_CAST,
                                                 .dtype = dtype,
                                                 .uniform = from->uniform,
                                                 .cast = shmx_casts()->row[dtype][from->dtype],
                                                 .operands = 1,
                                                 .operand = {value}});
}

/* What numbers of a script promote to: see array_elementwise.c. */
static enum shmx_dtype promote(const struct shmx_program *program, enum shmx_op op, const int *operands) {
  const struct shmx_op_info *info = shmx_op_info(op);
  int first = info->rule == SHMX_RULE_CHOICE ? 1 : 0;
  enum shmx_dtype dtype = program->value[operands[first]].dtype;
  if (info->rule == SHMX_RULE_COMPARISON) return shmx_promote_compared(dtype, program->value[operands[1]].dtype);
  for (int i = first + 1; i < info->operands; i++) {
    dtype = shmx_promote(dtype, program->value[operands[i]].dtype);
  }
  return dtype;
}

int shmx_program_apply(struct shmx_program *program, enum shmx_op op, const int *operands) {
  enum shmx_dtype dtype = promote(program, op, operands);
  struct shmx_value value = {.origin = SHMX_VALUE_COMPUTED,
                             .dtype = shmx_op_result(op, dtype),
                             .uniform = true,
                             .divides = shmx_op_divides(op, dtype),
                             .kernel = shmx_op_find(op, dtype),
                             .operands = shmx_op_info(op)->operands};
  if (!value.kernel) return -1;
  for (int i = 0; i < value.operands; i++) {
    value.operand[i] = shmx_program_convert(program, operands[i], shmx_op_operand(op, i, dtype));
    if (value.operand[i] < 0) return -1;
    value.uniform &= program->value[value.operand[i]].uniform;
  }
  return add_value(program, &value);
}

static void find_last_uses(const struct shmx_program *program, int *last) {
  for (int v = 0; v < program->nvalues; v++) {
    last[v] = v;
    for (int i = 0; i < program->value[v].operands; i++) last[program->value[v].operand[i]] = v;
  }
  last[program->result] = program->nvalues;
}

/* A value keeps its buffer until after its last use; uniform ones have a place of their own. */
bool shmx_program_finish(struct shmx_program *program, int result) {
  int last[SHMX_PROGRAM_VALUES], owner[SHMX_PROGRAM_BUFFERS];
  program->result = result;
  find_last_uses(program, last);
  for (int b = 0; b < SHMX_PROGRAM_BUFFERS; b++) owner[b] = UNUSED;
  for (int v = 0; v < program->nvalues; v++) {
    if (program->value[v].uniform) continue;
    int b = 0;
    while (b < SHMX_PROGRAM_BUFFERS && owner[b] != UNUSED && last[owner[b]] >= v) b++;
    if (b == SHMX_PROGRAM_BUFFERS) return false;
    owner[b] = v;
    program->value[v].buffer = b;
  }
  return true;
}

/* --- running --- */

struct state {
  const struct shmx_program *program;
  const struct shmx_block *block;
  const void *data[SHMX_PROGRAM_VALUES]; /* where each value is */
  uint64_t uniform[SHMX_PROGRAM_VALUES];
  _Alignas(64) char buffer[SHMX_PROGRAM_BUFFERS][SHMX_PROGRAM_BLOCK * WIDEST];
};

static void *place_of(struct state *state, int v) {
  const struct shmx_value *value = &state->program->value[v];
  return value->uniform ? (void *)&state->uniform[v] : state->buffer[value->buffer];
}

/* An input is read where it lies, if it lies as the kernels want it. Bools are made 0 or 1. */
static const void *load_input(struct state *state, int v) {
  const struct shmx_value *value = &state->program->value[v];
  const struct shmx_block *block = state->block;
  enum shmx_dtype own = block->in_dtype[value->number];
  int64_t stride = block->in_stride[value->number];
  const char *from = block->in[value->number];
  if (stride == WIDEST && value->dtype != SHMX_BOOL && shmx_dtype_size(own) == WIDEST) return from;
  char *to = state->buffer[value->buffer];
  shmx_casts()->row[value->dtype][own](to, shmx_dtype_size(value->dtype), from, stride, block->count);
  return to;
}

static const void *load_index(struct state *state, int v) {
  const struct shmx_value *value = &state->program->value[v];
  int64_t *to = place_of(state, v), first = state->block->index[value->number];
  int64_t count = value->uniform ? 1 : state->block->count;
  for (int64_t i = 0; i < count; i++) to[i] = first + i;
  return to;
}

static bool has_zero(const int64_t *divisor, int64_t count) {
  int zero = 0;
  for (int64_t i = 0; i < count; i++) zero |= divisor[i] == 0;
  return zero;
}

/* Computes a value into `to`; false when a divisor is 0. */
static bool compute(struct state *state, int v, void *to) {
  const struct shmx_value *value = &state->program->value[v];
  int64_t count = value->uniform ? 1 : state->block->count;
  const void *in[SHMX_OP_MAX_OPERANDS];
  unsigned uniform = 0;
  for (int i = 0; i < value->operands; i++) {
    in[i] = state->data[value->operand[i]];
    if (state->program->value[value->operand[i]].uniform) uniform |= 1U << i;
  }
  if (value->divides && has_zero(in[1], uniform & 2 ? 1 : count)) return false;
  if (value->origin == SHMX_VALUE_COMPUTED) {
    value->kernel(to, in, count, uniform);
  } else {
    enum shmx_dtype from = state->program->value[value->operand[0]].dtype;
    value->cast(to, shmx_dtype_size(value->dtype), in[0], uniform ? 0 : shmx_dtype_size(from), count);
  }
  state->data[v] = to;
  return true;
}

/* A float fits into an integer dtype if it is whole and within 64 bits. */
static bool to_integers(const double *from, int64_t *to, int64_t count) {
  int bad = 0;
  shmx_casts()->row[SHMX_I64][SHMX_F64]((char *)to, WIDEST, (const char *)from, WIDEST, count);
  for (int64_t i = 0; i < count; i++) bad |= !(from[i] < 0x1p63) | ((double)to[i] != from[i]);
  return !bad;
}

/* Integers fit if they are the same when they come back. */
static bool narrow(const struct shmx_block *block, const int64_t *from, char *to) {
  int64_t back[SHMX_PROGRAM_BLOCK];
  int bad = 0;
  int64_t size = shmx_dtype_size(block->out_dtype);
  shmx_casts()->row[block->out_dtype][SHMX_I64](to, size, (const char *)from, WIDEST, block->count);
  shmx_casts()->row[SHMX_I64][block->out_dtype]((char *)back, WIDEST, to, size, block->count);
  for (int64_t i = 0; i < block->count; i++) bad |= back[i] != from[i];
  return !bad;
}

static void write_out(const struct shmx_block *block, enum shmx_dtype dtype, const void *from) {
  shmx_casts()->row[block->out_dtype][dtype](block->out, block->out_stride, from, shmx_dtype_size(dtype), block->count);
}

/* A uniform result as a block. */
static void spread(struct state *state, void *to) {
  const struct shmx_value *value = &state->program->value[state->program->result];
  const void *from = state->data[state->program->result];
  shmx_casts()->row[value->dtype][value->dtype](to, shmx_dtype_size(value->dtype), from, 0, state->block->count);
}

/* Stores the result as shmx_element_store would, one by one. */
static bool store(struct state *state, const void *result) {
  const struct shmx_block *block = state->block;
  enum shmx_dtype dtype = state->program->value[state->program->result].dtype, target = block->out_dtype;
  _Alignas(64) char spare[2][SHMX_PROGRAM_BLOCK * WIDEST];
  if ((dtype == SHMX_BOOL) != (target == SHMX_BOOL)) return false;
  if (dtype == SHMX_F64 && shmx_dtype_is_integer(target)) {
    if (!to_integers(result, (int64_t *)(void *)spare[0], block->count)) return false;
    result = spare[0], dtype = SHMX_I64;
  }
  if (dtype == SHMX_I64 && target == SHMX_F32) { /* by way of a double, as Lua does */
    shmx_casts()->row[SHMX_F64][SHMX_I64](spare[0], WIDEST, result, WIDEST, block->count);
    result = spare[0], dtype = SHMX_F64;
  }
  if (dtype == SHMX_I64 && shmx_dtype_is_integer(target) && shmx_dtype_size(target) < WIDEST) {
    if (!narrow(block, result, spare[1])) return false;
    result = spare[1], dtype = target;
  }
  write_out(block, dtype, result);
  return true;
}

bool shmx_program_run(const struct shmx_program *program, const struct shmx_block *block) {
  struct state state;
  const struct shmx_value *last = &program->value[program->result];
  /* The last kernel may write where the result belongs, since nothing after it can go wrong. */
  bool direct = program->result == program->nvalues - 1 && last->origin == SHMX_VALUE_COMPUTED && !last->uniform &&
                last->dtype == block->out_dtype && block->out_stride == shmx_dtype_size(last->dtype);
  state.program = program;
  state.block = block;
  for (int v = 0; v < program->nvalues; v++) {
    const struct shmx_value *value = &program->value[v];
    switch (value->origin) {
    case SHMX_VALUE_INPUT: state.data[v] = load_input(&state, v); break;
    case SHMX_VALUE_INDEX: state.data[v] = load_index(&state, v); break;
    case SHMX_VALUE_CONSTANT: state.data[v] = &value->constant; break;
    default:
      if (!compute(&state, v, direct && v == program->result ? block->out : place_of(&state, v))) return false;
    }
  }
  if (direct) return true;
  if (last->uniform) {
    _Alignas(64) char all[SHMX_PROGRAM_BLOCK * WIDEST];
    spread(&state, all);
    return store(&state, all);
  }
  return store(&state, state.data[program->result]);
}
