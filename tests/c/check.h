/* SPDX-License-Identifier: MIT */
/*
 * What a C test program needs: CHECK, which counts and says where, and a runner that forks for each test, with a time
 * limit, so that a crash or a hang is one failed test.
 */
#ifndef SHMX_TESTS_CHECK_H
#define SHMX_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                          \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

struct test {
  const char *name;
  void (*run)(void);
};
#define TEST(name)                                                                                                     \
  { #name, name }

/* Runs the tests of a null-terminated table, or those whose name is given as an argument. */
static inline int run_tests(const struct test *tests, int argc, char **argv) {
  int failed = 0, passed = 0;
  for (const struct test *t = tests; t->name; t++) {
    int wanted = argc < 2;
    for (int i = 1; i < argc; i++) wanted |= !strcmp(argv[i], t->name);
    if (!wanted) continue;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
      alarm(120);
      t->run();
      exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (status == 0) {
      passed++;
    } else {
      failed++;
      if (WIFSIGNALED(status)) fprintf(stderr, "%s: signal %d\n", t->name, WTERMSIG(status));
      fprintf(stderr, "FAILED %s\n", t->name);
    }
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}

#endif
