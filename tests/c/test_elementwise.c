/* SPDX-License-Identifier: MIT */
/*
 * Promotion, broadcasting, overlap, and the elementwise kernels: every kernel at every level of vector units gives the
 * bits that the poorest level gives, however its operands lie.
 */
#include <errno.h>
#include <math.h>

#include "array/broadcast.h"
#include "array/elementwise.h"
#include "array/level.h"
#include "array_kit.h"

static uint64_t seed = 88172645463325252ULL;

static uint64_t random_bits(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

/* Small numbers, large ones, and what is special about the dtype. */
static double random_float(void) {
  static const double special[] = {0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 0x1p53, 1e300, -0.5, 2.5};
  uint64_t bits = random_bits();
  if (bits % 4 == 0) return special[bits / 4 % (sizeof special / sizeof special[0])];
  return ((double)(int64_t)random_bits()) / (double)(1ULL << (bits >> 58));
}

static void fill_randomly(const struct shmx_view *v) {
  char *p = v->data;
  int64_t size = shmx_dtype_size(v->dtype), count = shmx_view_count(v);
  for (int64_t i = 0; i < count; i++) {
    uint64_t bits = random_bits() >> (random_bits() % 64);
    float single = (float)random_float();
    double number = random_float();
    if (v->dtype == SHMX_BOOL) bits %= 3;
    const void *from = v->dtype == SHMX_F32 ? (void *)&single : v->dtype == SHMX_F64 ? (void *)&number : (void *)&bits;
    memcpy(p + i * size, from, (size_t)size);
  }
}

/* No integer is divided by 0. */
static void remove_zeros(const struct shmx_view *v) {
  char *p = v->data;
  int64_t size = shmx_dtype_size(v->dtype), count = shmx_view_count(v);
  for (int64_t i = 0; i < count; i++) {
    bool zero = true;
    for (int64_t k = 0; k < size; k++) zero &= p[i * size + k] == 0;
    if (zero) p[i * size] = 3;
  }
}

static void test_promotion_follows_numpy(void) {
  static const struct {
    enum shmx_dtype a, b, result;
  } cases[] = {
      {SHMX_I8, SHMX_I8, SHMX_I8},    {SHMX_I8, SHMX_U8, SHMX_I16},    {SHMX_I8, SHMX_U16, SHMX_I32},
      {SHMX_I8, SHMX_U32, SHMX_I64},  {SHMX_I8, SHMX_U64, SHMX_F64},   {SHMX_I16, SHMX_U8, SHMX_I16},
      {SHMX_I64, SHMX_U32, SHMX_I64}, {SHMX_I64, SHMX_U64, SHMX_F64},  {SHMX_U8, SHMX_U64, SHMX_U64},
      {SHMX_F32, SHMX_I8, SHMX_F32},  {SHMX_F32, SHMX_U16, SHMX_F32},  {SHMX_F32, SHMX_I32, SHMX_F64},
      {SHMX_F32, SHMX_U64, SHMX_F64}, {SHMX_F32, SHMX_F64, SHMX_F64},  {SHMX_F64, SHMX_I8, SHMX_F64},
      {SHMX_BOOL, SHMX_U8, SHMX_U8},  {SHMX_BOOL, SHMX_F32, SHMX_F32}, {SHMX_BOOL, SHMX_BOOL, SHMX_BOOL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CHECK(shmx_promote(cases[i].a, cases[i].b) == cases[i].result);
    CHECK(shmx_promote(cases[i].b, cases[i].a) == cases[i].result);
  }
  for (int a = 0; a < SHMX_DTYPE_COUNT; a++) {
    for (int b = 0; b < SHMX_DTYPE_COUNT; b++) {
      enum shmx_dtype compared = shmx_promote_compared((enum shmx_dtype)a, (enum shmx_dtype)b);
      bool rounds = (int)compared < SHMX_DTYPE_COUNT && shmx_dtype_is_float(compared);
      CHECK(!rounds || (a != SHMX_I64 && a != SHMX_U64 && b != SHMX_I64 && b != SHMX_U64));
      CHECK(shmx_promote_compared((enum shmx_dtype)b, (enum shmx_dtype)a) == compared || compared >= SHMX_DTYPE_COUNT);
    }
  }
  CHECK(shmx_promote_compared(SHMX_I8, SHMX_U64) == (enum shmx_dtype)SHMX_I64_U64);
  CHECK(shmx_promote_compared(SHMX_U64, SHMX_F32) == (enum shmx_dtype)SHMX_U64_F64);
  CHECK(shmx_promote_compared(SHMX_F32, SHMX_I16) == SHMX_F32);
  CHECK(shmx_promote_weak(SHMX_U8, SHMX_SCALAR_INTEGER) == SHMX_U8);
  CHECK(shmx_promote_weak(SHMX_U8, SHMX_SCALAR_FLOAT) == SHMX_F64);
  CHECK(shmx_promote_weak(SHMX_F32, SHMX_SCALAR_FLOAT) == SHMX_F32);
  CHECK(shmx_promote_weak(SHMX_BOOL, SHMX_SCALAR_INTEGER) == SHMX_I64);
  CHECK(shmx_promote_weak(SHMX_I16, SHMX_SCALAR_BOOL) == SHMX_I16);
  CHECK(shmx_dtype_may_hold(SHMX_I8, SHMX_I64) && shmx_dtype_may_hold(SHMX_F32, SHMX_F64));
  CHECK(!shmx_dtype_may_hold(SHMX_I64, SHMX_F32) && !shmx_dtype_may_hold(SHMX_U64, SHMX_I8));
  CHECK(!shmx_dtype_may_hold(SHMX_BOOL, SHMX_I8) && shmx_dtype_may_hold(SHMX_I8, SHMX_BOOL));
}

static void test_shapes_broadcast(void) {
  struct shmx_view a = make(SHMX_I8, 3, (int64_t[]){4, 1, 5}), b = make(SHMX_I8, 2, (int64_t[]){3, 1}), shape = a;
  CHECK(shmx_broadcast_shape(&shape, &b) && shape.ndim == 3);
  CHECK(shape.shape[0] == 4 && shape.shape[1] == 3 && shape.shape[2] == 5);
  struct shmx_view wide = b;
  shmx_broadcast_to(&wide, &shape);
  CHECK(wide.ndim == 3 && wide.strides[0] == 0 && wide.strides[1] == 1 && wide.strides[2] == 0);
  struct shmx_view none = make(SHMX_I8, 1, (int64_t[]){0}), two = make(SHMX_I8, 1, (int64_t[]){2});
  CHECK(shmx_broadcast_shape(&shape, &(struct shmx_view){.ndim = 1, .shape = {1}}));
  CHECK(!shmx_broadcast_shape(&shape, &two) && shape.shape[2] == 5);
  shape = make(SHMX_I8, 1, (int64_t[]){1});
  CHECK(shmx_broadcast_shape(&shape, &none) && shape.shape[0] == 0);
}

static void test_overlap_is_seen(void) {
  struct shmx_view v = vector(SHMX_I32, 10), head = v, tail = v, back = v, same = v, other = v;
  shmx_view_slice(&head, 0, 0, 9, 1), shmx_view_slice(&tail, 0, 1, 9, 1), shmx_view_slice(&back, 0, 9, 10, -1);
  CHECK(shmx_view_conflicts(&head, &tail) && shmx_view_conflicts(&tail, &head) && shmx_view_conflicts(&v, &back));
  CHECK(!shmx_view_conflicts(&v, &same));
  same.dtype = SHMX_F32; /* the same bytes, read before they are written */
  CHECK(!shmx_view_conflicts(&v, &same));
  shmx_view_slice(&head, 0, 0, 5, 1), shmx_view_slice(&other, 0, 5, 5, 1);
  CHECK(!shmx_view_conflicts(&head, &other));
  struct shmx_view square = make(SHMX_I32, 2, (int64_t[]){3, 3}), turned = square;
  turned.strides[0] = 4, turned.strides[1] = 12;
  CHECK(shmx_view_conflicts(&square, &turned));
}

/* Computes with the operands contiguous, at a level. */
static void compute(const struct shmx_elementwise *call, enum shmx_level level) {
  CHECK(shmx_level_use(level));
  CHECK(shmx_elementwise_run(call) == 0);
}

/* Two NaNs are the same whatever their bits. */
static bool same_element(enum shmx_dtype dtype, const char *a, const char *b) {
  if (dtype == SHMX_F64 && isnan(*(const double *)(const void *)a)) return isnan(*(const double *)(const void *)b);
  if (dtype == SHMX_F32 && isnan(*(const float *)(const void *)a)) return isnan(*(const float *)(const void *)b);
  return memcmp(a, b, (size_t)shmx_dtype_size(dtype)) == 0;
}

static bool same_elements(const struct shmx_view *a, const struct shmx_view *b) {
  int64_t size = shmx_dtype_size(a->dtype);
  for (int64_t i = 0; i < shmx_view_count(a); i++) {
    if (!same_element(a->dtype, (char *)a->data + i * size, (char *)b->data + i * size)) return false;
  }
  return true;
}

static struct shmx_elementwise random_call(enum shmx_op op, enum shmx_dtype dtype, int64_t n) {
  struct shmx_elementwise call = {.op = op, .dtype = dtype, .out = vector(shmx_op_result(op, dtype), n)};
  for (int i = 0; i < shmx_op_info(op)->operands; i++) {
    call.in[i] = vector(shmx_op_operand(op, i, dtype), n);
    fill_randomly(&call.in[i]);
    if (shmx_op_divides(op, dtype)) remove_zeros(&call.in[i]);
  }
  return call;
}

static void each_kernel(void (*f)(enum shmx_op op, enum shmx_dtype dtype)) {
  for (int op = 0; op < SHMX_OP_COUNT; op++) {
    bool compares = shmx_op_info((enum shmx_op)op)->rule == SHMX_RULE_COMPARISON;
    for (int dtype = 0; dtype < (compares ? (int)SHMX_COMPARED_COUNT : (int)SHMX_DTYPE_COUNT); dtype++) {
      if (shmx_op_find((enum shmx_op)op, (enum shmx_dtype)dtype)) f((enum shmx_op)op, (enum shmx_dtype)dtype);
    }
  }
}

static void compare_levels(enum shmx_op op, enum shmx_dtype dtype) {
  static const int64_t lengths[] = {1, 2, 7, 16, 33, 257};
  if ((int)op >= SHMX_MATHS_FIRST) return; /* these may differ in their last bits: see test_maths.c */
  for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
    struct shmx_elementwise call = random_call(op, dtype, lengths[l]), other = call;
    other.out = vector(call.out.dtype, lengths[l]);
    compute(&call, SHMX_LEVEL_baseline);
    for (int level = 1; level < SHMX_LEVEL_COUNT && shmx_level_use((enum shmx_level)level); level++) {
      compute(&other, (enum shmx_level)level);
      if (!same_elements(&call.out, &other.out)) {
        fprintf(stderr, "%s of %s at level %s\n", shmx_op_info(op)->name,
                shmx_dtype_name(shmx_op_operand(op, 1, dtype)), shmx_level_name((enum shmx_level)level));
        CHECK(!"the levels differ");
      }
    }
  }
}

static void test_levels_agree(void) { each_kernel(compare_levels); }

/* Element by element, so with uniform operands and rows of one, the result is the same as in one go. */
static void compare_single_elements(enum shmx_op op, enum shmx_dtype dtype) {
  enum { N = 1000 };
  struct shmx_elementwise call = random_call(op, dtype, N);
  struct shmx_view one_by_one = vector(call.out.dtype, N);
  CHECK(shmx_elementwise_run(&call) == 0);
  for (int64_t i = 0; i < N; i++) {
    struct shmx_elementwise single = call;
    single.out = one_by_one;
    shmx_view_slice(&single.out, 0, i, 1, 1);
    for (int k = 0; k < shmx_op_info(op)->operands; k++) shmx_view_slice(&single.in[k], 0, i, 1, 1);
    CHECK(shmx_elementwise_run(&single) == 0);
  }
  CHECK(same_elements(&call.out, &one_by_one));
}

static void test_single_elements_are_computed_alike(void) { each_kernel(compare_single_elements); }

/* Every way in which operands can be uniform along a row. */
static void compare_uniform(enum shmx_op op, enum shmx_dtype dtype) {
  int operands = shmx_op_info(op)->operands;
  for (unsigned uniform = 1; uniform < 1U << operands; uniform++) {
    struct shmx_elementwise call = random_call(op, dtype, 19), full = call;
    full.out = vector(call.out.dtype, 19);
    for (int k = 0; k < operands; k++) {
      if (!(uniform >> k & 1)) continue;
      call.in[k].strides[0] = 0;
      int64_t size = shmx_dtype_size(call.in[k].dtype);
      full.in[k] = vector(call.in[k].dtype, 19);
      for (int64_t i = 0; i < 19; i++) memcpy((char *)full.in[k].data + i * size, call.in[k].data, (size_t)size);
    }
    CHECK(shmx_elementwise_run(&call) == 0 && shmx_elementwise_run(&full) == 0);
    CHECK(same_elements(&call.out, &full.out));
  }
}

static void test_uniform_operands_are_computed_alike(void) { each_kernel(compare_uniform); }

static void test_operands_with_gaps_and_of_other_dtypes(void) {
  int64_t n = 3000;
  struct shmx_view a = vector(SHMX_I16, 2 * n), b = vector(SHMX_F32, n), out = vector(SHMX_F64, 3 * n);
  for (int64_t i = 0; i < 2 * n; i++) ((int16_t *)a.data)[i] = (int16_t)i;
  for (int64_t i = 0; i < n; i++) ((float *)b.data)[i] = (float)i / 2;
  struct shmx_elementwise call = {.op = SHMX_OP_SUB, .dtype = SHMX_F32, .out = out, .in = {a, b}};
  shmx_view_slice(&call.in[0], 0, 2 * n - 1, n, -2);
  shmx_view_slice(&call.out, 0, 1, n, 3);
  CHECK(shmx_elementwise_run(&call) == 0);
  const double *result = out.data;
  for (int64_t i = 0; i < 3 * n; i++) {
    int64_t k = i / 3;
    CHECK(result[i] == (i % 3 == 1 ? (double)((float)(2 * n - 1 - 2 * k) - (float)k / 2) : 0));
  }
}

static void test_results_in_place(void) {
  struct shmx_view a = vector(SHMX_I32, 1000), odd = a;
  for (int i = 0; i < 1000; i++) ((int32_t *)a.data)[i] = i;
  shmx_view_slice(&odd, 0, 1, 500, 2);
  struct shmx_elementwise call = {.op = SHMX_OP_MUL, .dtype = SHMX_I32, .out = odd, .in = {odd, odd}};
  CHECK(shmx_elementwise_run(&call) == 0);
  for (int i = 0; i < 1000; i++) CHECK(((int32_t *)a.data)[i] == (i % 2 ? i * i : i));
}

static void test_rows_in_many_dimensions(void) {
  struct shmx_view a = make(SHMX_I64, 3, (int64_t[]){3, 4, 5}), b = make(SHMX_I64, 2, (int64_t[]){4, 1}),
                   out = make(SHMX_I64, 3, a.shape);
  for (int i = 0; i < 60; i++) ((int64_t *)a.data)[i] = i;
  for (int i = 0; i < 4; i++) ((int64_t *)b.data)[i] = 100 * i;
  struct shmx_elementwise call = {.op = SHMX_OP_ADD, .dtype = SHMX_I64, .out = out, .in = {a, b}};
  shmx_broadcast_to(&call.in[1], &out);
  CHECK(shmx_elementwise_run(&call) == 0);
  for (int i = 0; i < 60; i++) CHECK(((int64_t *)out.data)[i] == i + 100 * (i / 5 % 4));
}

static void test_division_by_zero_writes_nothing(void) {
  for (int dtype = 0; dtype <= SHMX_U64; dtype++) {
    struct shmx_elementwise call = random_call(SHMX_OP_IDIV, (enum shmx_dtype)dtype, 2000);
    int64_t size = shmx_dtype_size((enum shmx_dtype)dtype);
    memset((char *)call.in[1].data + 1990 * size, 0, (size_t)size);
    CHECK(shmx_elementwise_run(&call) == -EDOM);
    for (int64_t i = 0; i < 2000 * size; i++) CHECK(((char *)call.out.data)[i] == 0);
    shmx_view_slice(&call.in[1], 0, 1990, 1, 1);
    shmx_broadcast_to(&call.in[1], &call.out);
    call.op = SHMX_OP_MOD;
    CHECK(shmx_elementwise_run(&call) == -EDOM);
  }
}

/* By one number, as by as many equal ones. */
static void test_division_by_one_number(void) {
  static const int64_t divisors[] = {1,         -1,        2,         -2,           3, 7, -7, 10, 1000003,
                                     1LL << 40, INT64_MAX, INT64_MIN, INT64_MIN + 1};
  for (size_t d = 0; d < sizeof divisors / sizeof divisors[0]; d++) {
    for (int op = SHMX_OP_IDIV; op <= SHMX_OP_MOD; op++) {
      struct shmx_elementwise one = random_call((enum shmx_op)op, SHMX_I64, 203), each = one;
      for (int i = 0; i < 203; i++) ((int64_t *)each.in[1].data)[i] = divisors[d];
      memcpy(one.in[0].data, divisors, sizeof divisors);
      one.in[1].strides[0] = 0;
      one.out = vector(SHMX_I64, 203);
      for (int level = 0; level < SHMX_LEVEL_COUNT && shmx_level_use((enum shmx_level)level); level++) {
        CHECK(shmx_elementwise_run(&one) == 0 && shmx_elementwise_run(&each) == 0);
        CHECK(same_elements(&one.out, &each.out));
      }
    }
  }
}

/* All pairs of bytes, and pairs near the ends of wider types, against the definition. */
static void test_quotients_are_rounded_down(void) {
  static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, INT32_MIN, INT16_MIN, -128,     -7, -2, -1, 1, 2,
                                   7,         127,           INT16_MAX, INT32_MAX, INT64_MAX};
  enum { N = sizeof values / sizeof values[0] };
  for (int i = 0; i < N * N; i++) {
    int64_t x = values[i / N], y = values[i % N], q, r;
    struct shmx_view out = {&q, SHMX_I64, 1, {1}, {8}};
    struct shmx_elementwise call = {.op = SHMX_OP_IDIV, .dtype = SHMX_I64, .out = out};
    call.in[0] = out, call.in[0].data = &x;
    call.in[1] = out, call.in[1].data = &y;
    CHECK(shmx_elementwise_run(&call) == 0);
    call.op = SHMX_OP_MOD, call.out.data = &r;
    CHECK(shmx_elementwise_run(&call) == 0);
    CHECK((uint64_t)q * (uint64_t)y + (uint64_t)r == (uint64_t)x);
    CHECK(y > 0 ? r >= 0 && r < y : r <= 0 && r > y);
  }
  struct shmx_view x = vector(SHMX_I8, 65536), y = vector(SHMX_I8, 65536), q = vector(SHMX_I8, 65536);
  for (int i = 0; i < 65536; i++)
    ((int8_t *)x.data)[i] = (int8_t)(i >> 8), ((int8_t *)y.data)[i] = (int8_t)(i | !(i & 255));
  struct shmx_elementwise call = {.op = SHMX_OP_IDIV, .dtype = SHMX_I8, .out = q, .in = {x, y}};
  CHECK(shmx_elementwise_run(&call) == 0);
  for (int i = 0; i < 65536; i++) {
    int a = ((int8_t *)x.data)[i], b = ((int8_t *)y.data)[i];
    CHECK(((int8_t *)q.data)[i] == (int8_t)floor((double)a / b));
  }
}

/* What is written past the cache is the same, wherever it begins and ends. */
static void large_results_are_those_of_their_pieces(void) {
  enum { COUNT = 3 << 20 };
  const enum shmx_dtype dtypes[] = {SHMX_F64, SHMX_F32};
  for (int i = 0; i < 2; i++) {
    struct shmx_view a = vector(dtypes[i], COUNT), out = vector(dtypes[i], COUNT);
    fill_randomly(&a);
    shmx_view_slice(&a, 0, 1, COUNT - 1, 1);
    shmx_view_slice(&out, 0, 1, COUNT - 4, 1);
    struct shmx_view b = a, c = a;
    shmx_view_slice(&a, 0, 0, COUNT - 4, 1);
    shmx_view_slice(&b, 0, 1, COUNT - 4, 1);
    shmx_view_slice(&c, 0, 2, COUNT - 4, 1);
    struct shmx_elementwise call = {.op = SHMX_OP_MULADD, .dtype = dtypes[i], .out = out, .in = {a, b, c}};
    CHECK(shmx_elementwise_run(&call) == 0);
    int64_t size = shmx_dtype_size(dtypes[i]);
    for (int64_t at = 0; at < COUNT - 4; at += 1000) {
      char piece[1000 * sizeof(double)];
      int64_t n = COUNT - 4 - at < 1000 ? COUNT - 4 - at : 1000, offset = at * size;
      const void *in[] = {(char *)a.data + offset, (char *)b.data + offset, (char *)c.data + offset};
      shmx_op_find(SHMX_OP_MULADD, dtypes[i])(piece, in, n, 0);
      CHECK(memcmp(piece, (char *)out.data + offset, (size_t)(n * size)) == 0);
    }
    CHECK(((char *)out.data)[-1] == 0 && ((char *)out.data)[(COUNT - 4) * size] == 0); /* and nothing around it */
  }
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"promotion_follows_numpy", test_promotion_follows_numpy},
      {"shapes_broadcast", test_shapes_broadcast},
      {"overlap_is_seen", test_overlap_is_seen},
      {"levels_agree", test_levels_agree},
      {"single_elements_are_computed_alike", test_single_elements_are_computed_alike},
      {"uniform_operands_are_computed_alike", test_uniform_operands_are_computed_alike},
      {"operands_with_gaps_and_of_other_dtypes", test_operands_with_gaps_and_of_other_dtypes},
      {"results_in_place", test_results_in_place},
      {"rows_in_many_dimensions", test_rows_in_many_dimensions},
      {"division_by_zero_writes_nothing", test_division_by_zero_writes_nothing},
      {"division_by_one_number", test_division_by_one_number},
      {"large_results_are_those_of_their_pieces", large_results_are_those_of_their_pieces},
      {"quotients_are_rounded_down", test_quotients_are_rounded_down},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
