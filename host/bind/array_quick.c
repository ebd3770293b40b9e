/* SPDX-License-Identifier: MIT */
/*
 * The usual elementwise call in few steps: the operands are contiguous arrays of one shape and one dtype, or numbers that
 * this dtype holds, and `out` is such an array too, or is not given. For small arrays all that array_elementwise.c does for
 * any call takes several times as long as the kernel.
 *
 * What is not like that, mistakes included, is left to array_elementwise.c, with the stack as it was.
 */
#include "array/elementwise.h"
#include "bind/array_element.h"
#include "bind/array_options.h"
#include "bind/process.h"

struct quick {
  enum shmx_op op;
  int operands;
  enum shmx_dtype dtype;
  struct shmx_array *array[SHMX_OP_MAX_OPERANDS]; /* NULL: a number */
  uint64_t element[SHMX_OP_MAX_OPERANDS];
  const struct shmx_array *model; /* the first array */
};

/* Whether an array is open, dense, and has the shape of the model. */
static bool is_alike(const struct shmx_array *array, const struct shmx_array *model) {
  const struct shmx_view *view = &array->view;
  if (!view->data || view->ndim != model->view.ndim) return false;
  for (int d = 0; d < view->ndim; d++) {
    if (view->shape[d] != model->view.shape[d]) return false;
  }
  return shmx_view_is_contiguous(view);
}

static bool find_arrays(lua_State *L, struct quick *q) {
  q->model = NULL;
  for (int i = 0; i < q->operands; i++) {
    struct shmx_array *array = q->array[i] = shmx_array_test(L, i + 1);
    if (!array) continue;
    if (!q->model) q->model = array, q->dtype = array->view.dtype;
    if (array->view.dtype != q->dtype || !is_alike(array, q->model)) return false;
  }
  return q->model != NULL;
}

static bool find_numbers(lua_State *L, struct quick *q) {
  for (int i = 0; i < q->operands; i++) {
    if (q->array[i]) continue;
    if (lua_type(L, i + 1) != LUA_TNUMBER) return false;
    enum shmx_scalar_kind kind = lua_isinteger(L, i + 1) ? SHMX_SCALAR_INTEGER : SHMX_SCALAR_FLOAT;
    if (shmx_promote_weak(q->dtype, kind) != q->dtype) return false;
    if (q->dtype == SHMX_F64 && !shmx_element_is_exact(L, i + 1)) return false; /* as it is compared */
    if (!shmx_element_store(L, i + 1, q->dtype, &q->element[i])) return false;
  }
  return true;
}

/* Whether the operation computes in the dtype of its operands, and cannot fail. */
static bool suits(const struct quick *q) {
  for (int i = 0; i < q->operands; i++) {
    if (shmx_op_operand(q->op, i, q->dtype) != q->dtype) return false;
  }
  return shmx_op_find(q->op, q->dtype) && !shmx_op_divides(q->op, q->dtype);
}

/* Whether the result may be written there: no operand shares bytes with it, unless it is the very same elements. */
static bool may_write(const struct quick *q, const struct shmx_array *out) {
  if (out->view.dtype != shmx_op_result(q->op, q->dtype) || !is_alike(out, q->model)) return false;
  if (out->segment->read_only) return false;
  for (int i = 0; i < q->operands; i++) {
    const struct shmx_array *in = q->array[i];
    bool same = in && in->view.data == out->view.data && in->view.dtype == out->view.dtype;
    if (in && !same && shmx_view_overlaps(&in->view, &out->view)) return false;
  }
  return true;
}

/* Making it may run finalizers, which may close an operand. */
static struct shmx_array *make_out(lua_State *L, const struct quick *q) {
  struct shmx_view dense;
  const struct shmx_view *view = &q->model->view;
  if (shmx_view_init(&dense, shmx_op_result(q->op, q->dtype), view->ndim, view->shape) != 0) return NULL;
  return shmx_array_new(L, &dense, 0);
}

static void run(lua_State *L, const struct quick *q, struct shmx_array *out) {
  const void *in[SHMX_OP_MAX_OPERANDS];
  unsigned uniform = 0;
  for (int i = 0; i < q->operands; i++) {
    in[i] = q->array[i] ? q->array[i]->view.data : &q->element[i];
    if (!in[i]) luaL_error(L, "array is closed");
    if (!q->array[i]) uniform |= 1U << i;
  }
  shmx_elementwise_whole(q->op, q->dtype, out->view.data, in, uniform, shmx_view_count(&out->view));
}

bool shmx_array_run_quickly(lua_State *L, enum shmx_op op, bool is_operator) {
  struct quick q = {.op = op, .operands = shmx_op_info(op)->operands};
  int top = lua_gettop(L), options = q.operands + 1;
  bool with_options = !is_operator && top >= options;
  if (top < q.operands || (with_options && top > options)) return false;
  if (!find_arrays(L, &q) || !find_numbers(L, &q) || !suits(&q)) return false;
  shmx_check_process(L);
  struct shmx_array *out = with_options ? shmx_options_quick_out(L, options, NULL) : make_out(L, &q);
  if (!out || (with_options && !may_write(&q, out))) {
    lua_settop(L, top);
    return false;
  }
  run(L, &q, out);
  return true;
}
