/* SPDX-License-Identifier: MIT */
/* Programs of fused expressions: what they compute, and which blocks they give back. */
#include <math.h>

#include "array/program.h"
#include "array_kit.h"

/* (x + index) * x, of one input. */
static void make_program(struct shmx_program *p, enum shmx_dtype input) {
  p->nvalues = 0;
  int x = shmx_program_input(p, 0, input), i = shmx_program_index(p, 0, false);
  int sum = shmx_program_apply(p, SHMX_OP_ADD, (int[]){x, i});
  CHECK(shmx_program_finish(p, shmx_program_apply(p, SHMX_OP_MUL, (int[]){sum, x})));
}

static struct shmx_block block_of(const struct shmx_view *in, const struct shmx_view *out) {
  return (struct shmx_block){.count = in->shape[0],
                             .in = {in->data},
                             .in_stride = {in->strides[0]},
                             .in_dtype = {in->dtype},
                             .index = {1},
                             .ndim = 1,
                             .out = out->data,
                             .out_stride = out->strides[0],
                             .out_dtype = out->dtype};
}

static void test_expressions_of_inputs_and_indices(void) {
  for (int dtype = 0; dtype < SHMX_BOOL; dtype++) {
    struct shmx_view in = vector((enum shmx_dtype)dtype, 10), out = vector(SHMX_F64, 10), all = vector(SHMX_F64, 10);
    for (int i = 0; i < 10; i++) ((double *)all.data)[i] = i;
    shmx_casts()->row[dtype][SHMX_F64](in.data, in.strides[0], all.data, 8, 10);
    struct shmx_program program;
    make_program(&program, (enum shmx_dtype)dtype);
    CHECK(program.value[program.result].dtype == (dtype <= SHMX_U64 ? SHMX_I64 : SHMX_F64));
    shmx_view_slice(&in, 0, 9, 10, -1);
    struct shmx_block block = block_of(&in, &out);
    CHECK(shmx_program_run(&program, &block));
    for (int i = 0; i < 10; i++) CHECK(((double *)out.data)[i] == (10 - i - 1 + i + 1) * (9 - i));
  }
}

static void test_results_that_do_not_fit_are_given_back(void) {
  static const struct {
    enum shmx_dtype target;
    double value;
    bool fits;
  } cases[] = {{SHMX_I8, 127, true},         {SHMX_I8, 128, false},         {SHMX_U8, -1, false},
               {SHMX_U32, 4294967295, true}, {SHMX_I32, 2147483648, false}, {SHMX_I64, 0.5, false},
               {SHMX_I64, NAN, false},       {SHMX_I64, 0x1p63, false},     {SHMX_I64, -0x1p63, true},
               {SHMX_U64, 0x1p63, false},    {SHMX_F32, 1e300, true},       {SHMX_BOOL, 1, false},
               {SHMX_I16, -INFINITY, false}};
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    struct shmx_view in = vector(SHMX_F64, 300), out = vector(cases[c].target, 300);
    struct shmx_program program = {.nvalues = 0};
    CHECK(shmx_program_finish(&program, shmx_program_input(&program, 0, SHMX_F64)));
    ((double *)in.data)[299] = cases[c].value;
    memset(out.data, 7, (size_t)shmx_view_nbytes(&out));
    struct shmx_block block = block_of(&in, &out);
    CHECK(shmx_program_run(&program, &block) == cases[c].fits);
    for (int64_t i = 0; !cases[c].fits && i < shmx_view_nbytes(&out); i++) CHECK(((char *)out.data)[i] == 7);
  }
}

static void test_a_divisor_of_zero_gives_the_block_back(void) {
  struct shmx_view in = vector(SHMX_I64, 512);
  int64_t *data = in.data;
  for (int i = 0; i < 512; i++) data[i] = i - 511;
  struct shmx_program program = {.nvalues = 0};
  int x = shmx_program_input(&program, 0, SHMX_I64);
  int unused = shmx_program_apply(&program, SHMX_OP_IDIV, (int[]){x, x});
  CHECK(unused > 0 && shmx_program_finish(&program, shmx_program_apply(&program, SHMX_OP_ADD, (int[]){x, x})));
  struct shmx_block block = block_of(&in, &in); /* in place: nothing may have been written */
  CHECK(!shmx_program_run(&program, &block));
  for (int i = 0; i < 512; i++) CHECK(data[i] == i - 511);
  block.count = 511;
  CHECK(shmx_program_run(&program, &block));
  for (int i = 0; i < 511; i++) CHECK(data[i] == 2 * (i - 511));
}

static void test_uniform_values_and_constants(void) {
  struct shmx_view in = vector(SHMX_I64, 20), out = vector(SHMX_I32, 20);
  struct shmx_program program = {.nvalues = 0};
  int two = shmx_program_constant(&program, SHMX_I64, 2), row = shmx_program_index(&program, 0, true);
  CHECK(shmx_program_finish(&program, shmx_program_apply(&program, SHMX_OP_MUL, (int[]){two, row})));
  struct shmx_block block = block_of(&in, &out);
  block.index[0] = 21;
  CHECK(shmx_program_run(&program, &block));
  for (int i = 0; i < 20; i++) CHECK(((int32_t *)out.data)[i] == 42);
}

static void test_programs_have_limits(void) {
  struct shmx_program program = {.nvalues = 0};
  int x = shmx_program_input(&program, 0, SHMX_F64), values = 1;
  while (shmx_program_apply(&program, SHMX_OP_SQRT, &x) >= 0) values++;
  CHECK(values == SHMX_PROGRAM_VALUES);
  CHECK(shmx_program_finish(&program, 1));
  program.nvalues = 0;
  x = shmx_program_input(&program, 0, SHMX_F64);
  CHECK(shmx_program_apply(&program, SHMX_OP_BAND, (int[]){x, x}) == -1);
  int sum = x;
  for (int i = 0; i < 30; i++) CHECK(shmx_program_apply(&program, SHMX_OP_SQRT, &x) >= 0);
  for (int i = 1; i <= 30; i++) sum = shmx_program_apply(&program, SHMX_OP_ADD, (int[]){sum, i});
  CHECK(!shmx_program_finish(&program, sum)); /* all the roots are needed at once */
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"expressions_of_inputs_and_indices", test_expressions_of_inputs_and_indices},
      {"results_that_do_not_fit_are_given_back", test_results_that_do_not_fit_are_given_back},
      {"a_divisor_of_zero_gives_the_block_back", test_a_divisor_of_zero_gives_the_block_back},
      {"uniform_values_and_constants", test_uniform_values_and_constants},
      {"programs_have_limits", test_programs_have_limits},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
