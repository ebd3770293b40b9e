/* SPDX-License-Identifier: MIT */
/*
 * a:map(f, ...) and a:generate(f): arrays from what a Lua function returns for each element.
 *
 * The function is traced (bind/trace.h): then blocks of elements are computed by kernels. Otherwise, and for blocks that
 * the kernels give back (array/program.h), it is called for each element, in index order. Both ways give the same, errors
 * included.
 *
 * Where rows are short, kernels go along a longer axis. When they give back a block there, all is done again in index
 * order: so that errors name the element that comes first, and so not when the result lies in an operand.
 *
 * The function may do anything, also close the arrays. So all that is read and written are shares, which stay on the stack;
 * and whether the result may still be written is asked before each element.
 */
#include <string.h>

#include "array/broadcast.h"
#include "array/loop.h"
#include "array/program.h"
#include "bind/array_element.h"
#include "bind/array_options.h"
#include "bind/trace.h"

/* Rows of fewer elements, such as the three colours of a pixel, are no work for kernels: another axis is taken then. */
enum { SHORT_FOR_MAP = 12, SHORT_FOR_GENERATE = 64 };

/* A call under way. */
struct mapping {
  int function; /* its stack index */
  int inputs;   /* arguments that are elements of views */
  bool indexed; /* the arguments are indices instead */
  int axis;     /* along which a row of indices lies */
  bool traced;
  bool in_order; /* of the indices, as it must be when Lua does a part; otherwise only kernels do it */
  int first;     /* stack index of the first element's result, when that is known; or 0 */
  struct shmx_view out;
  const struct shmx_array *result; /* whose view `out` is */
  struct shmx_view in[SHMX_PROGRAM_INPUTS];
  uint64_t number[SHMX_PROGRAM_INPUTS]; /* inputs that are numbers */
  struct shmx_program program;
};

/* The place of element `i` of the block, 0-based, in words. */
static const char *push_place(lua_State *L, const struct mapping *m, const struct shmx_block *block, int64_t i) {
  int64_t position[SHMX_MAX_NDIM];
  memcpy(position, block->index, sizeof position);
  if (m->indexed) {
    for (int d = 0; d < m->out.ndim; d++) position[d]--;
    position[m->axis] += i;
    return shmx_array_push_place(L, position, m->out.ndim);
  }
  int64_t rest = block->index[0] + i;
  for (int d = m->out.ndim - 1; d >= 0; d--) {
    position[d] = rest % m->out.shape[d];
    rest /= m->out.shape[d];
  }
  return shmx_array_push_place(L, position, m->out.ndim);
}

/* Pushes the function's result for element `i` of the block. */
static void call_function(lua_State *L, const struct mapping *m, const struct shmx_block *block, int64_t i) {
  lua_pushvalue(L, m->function);
  if (m->indexed) {
    for (int d = 0; d < block->ndim; d++) lua_pushinteger(L, block->index[d] + (d == m->axis ? i : 0));
    lua_call(L, block->ndim, 1);
    return;
  }
  for (int k = 0; k < m->inputs; k++) {
    shmx_element_push(L, block->in_dtype[k], block->in[k] + i * block->in_stride[k]);
  }
  lua_call(L, m->inputs, 1);
}

static void call_for_block(lua_State *L, struct mapping *m, const struct shmx_block *block) {
  for (int64_t i = 0; i < block->count; i++) {
    if (m->first > 0) {
      lua_pushvalue(L, m->first);
      m->first = 0;
    } else {
      call_function(L, m, block, i);
    }
    shmx_array_check_out(L, m->result);
    if (!shmx_element_store(L, -1, m->out.dtype, block->out + i * block->out_stride)) {
      const char *problem = shmx_element_problem(L, -1, m->out.dtype);
      luaL_error(L, "bad result of the function for element %s (%s)", push_place(L, m, block, i), problem);
    }
    lua_pop(L, 1);
  }
}

/* Goes through a row of `count` elements, which begins where the block says. False: Lua has to do it, but in order. */
static bool run_row(lua_State *L, struct mapping *m, struct shmx_block *block, int64_t count) {
  while (count > 0) {
    block->count = count < SHMX_PROGRAM_BLOCK ? count : SHMX_PROGRAM_BLOCK;
    shmx_array_check_out(L, m->result);
    if (!m->traced || !shmx_program_run(&m->program, block)) {
      if (!m->in_order) return false;
      call_for_block(L, m, block);
    }
    for (int k = 0; k < m->inputs; k++) block->in[k] += block->count * block->in_stride[k];
    block->out += block->count * block->out_stride;
    block->index[m->axis] += block->count;
    count -= block->count;
  }
  return true;
}

/* Computes the positions first .. first + count - 1 of an axis. False: a part was left to Lua. */
static bool run_map(lua_State *L, struct mapping *m, int axis, int64_t first, int64_t count) {
  struct shmx_view part[SHMX_PROGRAM_INPUTS + 1] = {m->out};
  const struct shmx_view *views[SHMX_PROGRAM_INPUTS + 1];
  struct shmx_block block = {.ndim = 1, .out_dtype = m->out.dtype};
  struct shmx_loop loop;
  for (int k = 0; k < m->inputs; k++) part[k + 1] = m->in[k], block.in_dtype[k] = m->in[k].dtype;
  for (int v = 0; v <= m->inputs; v++) {
    shmx_view_slice(&part[v], axis, first, count, 1);
    views[v] = &part[v];
  }
  if (!shmx_loop_begin(&loop, m->inputs + 1, views)) return true;
  if (!m->in_order) shmx_loop_lengthen(&loop, SHORT_FOR_MAP);
  do {
    block.out = loop.data[0], block.out_stride = loop.stride[0];
    for (int k = 0; k < m->inputs; k++) block.in[k] = loop.data[k + 1], block.in_stride[k] = loop.stride[k + 1];
    if (!run_row(L, m, &block, loop.count)) return false;
  } while (shmx_loop_next(&loop));
  return true;
}

/* The same for the indices, row by row along an axis. */
static bool run_generate(lua_State *L, struct mapping *m, int axis, int64_t first, int64_t count) {
  struct shmx_block block = {.ndim = m->out.ndim, .out_dtype = m->out.dtype, .out_stride = m->out.strides[axis]};
  struct shmx_view begins = m->out;
  int64_t position[SHMX_MAX_NDIM] = {0};
  begins.shape[axis] = 1;
  position[axis] = first;
  for (int64_t rows = count > 0 ? shmx_view_count(&begins) : 0; rows > 0; rows--) {
    for (int d = 0; d < begins.ndim; d++) block.index[d] = position[d] + 1;
    block.out = shmx_view_at(&m->out, position);
    if (!run_row(L, m, &block, count)) return false;
    for (int d = begins.ndim - 1; d >= 0; d--) {
      if (d == axis) continue;
      if (++position[d] < begins.shape[d]) break;
      position[d] = 0;
    }
  }
  return true;
}

typedef bool runner(lua_State *L, struct mapping *m, int axis, int64_t first, int64_t count);

/* Along an axis that is longer than the rows: block by block, so that what lies beside a block is still in the cache when
 * its turn comes. */
static bool run_across(lua_State *L, struct mapping *m, runner *run, int axis) {
  int64_t size = shmx_view_count(&m->out) > 0 ? m->out.shape[axis] : 0;
  for (int64_t first = 0; first < size; first += SHMX_PROGRAM_BLOCK) {
    if (!run(L, m, axis, first, size - first < SHMX_PROGRAM_BLOCK ? size - first : SHMX_PROGRAM_BLOCK)) return false;
  }
  return true;
}

/* The last axis, unless it has fewer positions than that. */
static int choose_axis(const struct shmx_view *view, int64_t enough) {
  int longest = view->ndim - 1;
  for (int d = longest - 1; d >= 0 && view->shape[view->ndim - 1] < enough; d--) {
    if (view->shape[d] > view->shape[longest]) longest = d;
  }
  return longest;
}

static void check_function(lua_State *L) {
  if (!lua_isfunction(L, 2)) shmx_array_bad_argument(L, 2, "a function is expected, got %s", shmx_array_describe(L, 2));
}

/* Reads the array or number at `arg` as the next input. */
static void read_input(lua_State *L, struct mapping *m, int arg) {
  int k = m->inputs++;
  if (shmx_array_test(L, arg)) {
    m->in[k] = shmx_array_check(L, arg)->view;
    shmx_program_input(&m->program, k, m->in[k].dtype);
    return;
  }
  enum shmx_dtype dtype = lua_isboolean(L, arg) ? SHMX_BOOL : lua_isinteger(L, arg) ? SHMX_I64 : SHMX_F64;
  shmx_element_store(L, arg, dtype, &m->number[k]);
  m->in[k] = (struct shmx_view){&m->number[k], dtype, 1, {1}, {0}};
  shmx_program_constant(&m->program, dtype, m->number[k]);
}

/* Reads the array and what follows the function; returns the index of the options. */
static int read_inputs(lua_State *L, struct mapping *m, struct shmx_view *shape) {
  int arg = 3;
  read_input(L, m, 1);
  *shape = m->in[0];
  for (; shmx_array_test(L, arg) || lua_type(L, arg) == LUA_TNUMBER || lua_isboolean(L, arg); arg++) {
    if (m->inputs == SHMX_PROGRAM_INPUTS) luaL_error(L, "'map' takes at most %d arrays", SHMX_PROGRAM_INPUTS);
    read_input(L, m, arg);
    const struct shmx_view *view = &m->in[m->inputs - 1];
    if (!shmx_broadcast_shape(shape, view)) {
      luaL_error(L, "bad shapes to 'map' (%s and %s do not go together)", shmx_array_push_shape(L, shape),
                 shmx_array_push_shape(L, view));
    }
  }
  return arg;
}

/* What the result has that is of the kind of the arrays: their dtype. */
static enum shmx_dtype choose_dtype(const struct mapping *m, enum shmx_dtype kind) {
  enum shmx_dtype dtype = m->in[0].dtype;
  for (int k = 1; k < m->inputs; k++) {
    if (m->in[k].data != &m->number[k]) dtype = shmx_promote(dtype, m->in[k].dtype);
  }
  if (kind == SHMX_I64 && shmx_dtype_is_integer(dtype)) return dtype;
  return kind == SHMX_F64 && shmx_dtype_is_float(dtype) ? dtype : kind;
}

/* The first element's result stays on the stack. */
static enum shmx_dtype find_kind(lua_State *L, struct mapping *m) {
  struct shmx_block block = {.ndim = 1, .count = 1};
  if (m->traced) return m->program.value[m->program.result].dtype;
  for (int k = 0; k < m->inputs; k++) block.in[k] = m->in[k].data, block.in_dtype[k] = m->in[k].dtype;
  call_function(L, m, &block, 0);
  m->first = lua_gettop(L);
  if (lua_isboolean(L, -1)) return SHMX_BOOL;
  return lua_isinteger(L, -1) ? SHMX_I64 : SHMX_F64;
}

/* Reads option `dtype`; false if there is none. */
static bool read_dtype(lua_State *L, int options, enum shmx_dtype *dtype) {
  if (!shmx_options_find(L, options, "dtype")) return false;
  const char *problem = shmx_array_read_dtype(L, -1, dtype);
  if (problem) shmx_options_fail(L, "dtype", "%s", problem);
  lua_pop(L, 1);
  return true;
}

/* The dtype of the result: the option, that of `out`, or what the function gives for the first element. */
static enum shmx_dtype find_dtype(lua_State *L, struct mapping *m, int options, int64_t count) {
  enum shmx_dtype dtype;
  bool given = read_dtype(L, options, &dtype);
  if (!shmx_options_find(L, options, "out")) {
    return given ? dtype : choose_dtype(m, count > 0 ? find_kind(L, m) : m->in[0].dtype);
  }
  struct shmx_array *out = shmx_array_test(L, -1);
  lua_pop(L, 1);
  if (!out) return m->in[0].dtype; /* what it is instead is said later */
  if (given && dtype != out->view.dtype) {
    shmx_options_fail(L, "dtype", "it says %s, and out has the dtype %s", shmx_dtype_name(dtype),
                      shmx_dtype_name(out->view.dtype));
  }
  return out->view.dtype;
}

/* Pushes a share of each input that is an array, and something for each number. */
static void share_inputs(lua_State *L, struct mapping *m) {
  for (int k = 0; k < m->inputs; k++) {
    if (m->in[k].data == &m->number[k]) lua_pushnil(L);
    else m->in[k] = shmx_array_share(L, k == 0 ? 1 : k + 2)->view;
  }
}

/* Gives the inputs, whose shares lie from stack index `shares` on, the shape of the result. */
static void widen_inputs(lua_State *L, struct mapping *m, int shares) {
  for (int k = 0; k < m->inputs; k++) {
    if (m->in[k].data == &m->number[k]) shmx_broadcast_to(&m->in[k], &m->out);
    else m->in[k] = shmx_array_separate(L, shares + k, &m->out);
  }
}

/* Then nothing can be done again. */
static bool in_place(const struct mapping *m) {
  for (int k = 0; k < m->inputs; k++) {
    if (shmx_view_overlaps(&m->out, &m->in[k])) return true;
  }
  return false;
}

/* a:map(f, b, ..., {dtype =, out =}): f(x, y, ...) for the elements of the arrays. */
static int array_map(lua_State *L) {
  static const char *const names[] = {"dtype", "out", NULL};
  struct mapping m;
  struct shmx_view shape, dense;
  shmx_array_check(L, 1);
  check_function(L);
  m.inputs = 0, m.indexed = false, m.axis = 0, m.first = 0, m.program.nvalues = 0;
  int options = read_inputs(L, &m, &shape);
  shmx_options_check(L, options, names);
  luaL_checkstack(L, 3 * SHMX_PROGRAM_INPUTS + LUA_MINSTACK, "too many arrays");
  int shares = options + 1;
  share_inputs(L, &m);
  lua_pushvalue(L, 2);
  m.function = lua_gettop(L);
  m.traced = shmx_trace(L, m.function, &m.program);
  int64_t count = shmx_view_count(&shape);
  enum shmx_dtype dtype = find_dtype(L, &m, options, count);
  shmx_array_dense(L, &dense, dtype, &shape);
  shmx_array_out(L, options, &dense, 0);
  int result = lua_gettop(L);
  m.result = shmx_array_share(L, result);
  m.out = m.result->view;
  widen_inputs(L, &m, shares);
  int axis = choose_axis(&m.out, SHORT_FOR_MAP);
  m.in_order = axis == m.out.ndim - 1 || !m.traced || in_place(&m);
  if (m.in_order || !run_across(L, &m, run_map, axis)) {
    m.in_order = true;
    run_map(L, &m, 0, 0, m.out.shape[0]);
  }
  lua_settop(L, result);
  return 1;
}

static bool trace_along(lua_State *L, struct mapping *m, int axis) {
  m->axis = axis;
  m->in_order = axis == m->out.ndim - 1;
  m->program.nvalues = 0;
  for (int d = 0; d < m->out.ndim; d++) shmx_program_index(&m->program, d, d != axis);
  return m->traced = shmx_trace(L, m->function, &m->program);
}

/* a:generate(f): sets each element to f(i, j, ...), and returns the array. */
static int array_generate(lua_State *L) {
  struct mapping m;
  shmx_array_check_writable(L, 1);
  check_function(L);
  shmx_array_check_end(L, 2);
  lua_settop(L, 2);
  m.inputs = 0, m.indexed = true, m.first = 0, m.function = 2;
  m.result = shmx_array_share(L, 1);
  m.out = m.result->view;
  int axis = choose_axis(&m.out, SHORT_FOR_GENERATE), last = m.out.ndim - 1;
  if (axis == last || !trace_along(L, &m, axis) || !run_across(L, &m, run_generate, axis)) {
    trace_along(L, &m, last);
    run_generate(L, &m, last, 0, m.out.shape[last]);
  }
  lua_settop(L, 1);
  return 1;
}

const luaL_Reg shmx_array_map_methods[] = {{"generate", array_generate}, {"map", array_map}, {NULL, NULL}};
