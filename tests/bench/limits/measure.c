/* SPDX-License-Identifier: MIT */
/*
 * measure time COMMAND...: runs it and prints how many milliseconds that took, from before the fork until it is gone.
 * measure times COMMAND...: the same, the median of nine runs after a first one. What takes a few milliseconds is measured
 * so: in the first run most of it would be the reading of its files, and of what else has gone from the caches.
 * measure peak COMMAND...: prints the most memory that it and its descendants had together, in MiB: the sum of their
 * proportional shares (Pss), looked at again and again, so that what several of them map counts once. Its output goes to
 * standard error.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 9 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static long read_share(pid_t pid) {
  char path[64], line[256];
  long kilobytes = 0;
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "Pss: %ld", &kilobytes) == 1) break;
  fclose(file);
  return kilobytes;
}

/* Of the process and its descendants. */
static long read_shares(pid_t pid) {
  char path[64];
  int child;
  long sum = read_share(pid);
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *threads = opendir(path);
  if (!threads) return sum;
  for (struct dirent *entry; (entry = readdir(threads));) {
    char name[384];
    snprintf(name, sizeof name, "%s/%s/children", path, entry->d_name);
    FILE *children = entry->d_name[0] == '.' ? NULL : fopen(name, "r");
    if (!children) continue;
    while (fscanf(children, "%d", &child) == 1) sum += read_shares(child);
    fclose(children);
  }
  closedir(threads);
  return sum;
}

/* Runs it once. Returns milliseconds, or ends the program when it fails; `most` is NULL or gets the kilobytes. */
static double run(char **command, long *most) {
  double begin = now();
  pid_t pid = fork();
  if (pid == 0) {
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
  }
  int status = 0;
  while (waitpid(pid, &status, most ? WNOHANG : 0) == 0) {
    long shares = read_shares(pid);
    if (shares > *most) *most = shares;
    usleep(500);
  }
  if (status != 0) exit(1);
  return now() - begin;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double run_again(char **command) {
  double times[RUNS];
  run(command, NULL);
  for (int i = 0; i < RUNS; i++) times[i] = run(command, NULL);
  qsort(times, RUNS, sizeof *times, compare);
  return times[RUNS / 2];
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fputs("usage: measure time|times|peak COMMAND...\n", stderr);
    return 2;
  }
  long most = 0;
  if (strcmp(argv[1], "peak") == 0) {
    run(argv + 2, &most);
    printf("peak %.1f\n", (double)most / 1024);
  } else {
    printf("time %.3f\n", strcmp(argv[1], "times") == 0 ? run_again(argv + 2) : run(argv + 2, NULL));
  }
  return 0;
}
