/* SPDX-License-Identifier: MIT */
/* Loads SLEEF: see array/sleef.h. It is three megabytes that most scripts do not need, so nothing is linked to it. */
#include "array/sleef.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

void *shmx_sleef_find(const char *name) {
  static void *library;
  static bool tried;
  if (!tried) {
    tried = true;
    if (!getenv("SHMX_NO_SLEEF")) library = dlopen("libsleef.so.3", RTLD_NOW | RTLD_LOCAL);
  }
  return library ? dlsym(library, name) : NULL;
}
