/* SPDX-License-Identifier: MIT */
/*
 * Where in a message a value stands, for errors: `argument 2, field "conn.socket"`.
 *
 * The packer recurses, and each level leaves a step on the C stack that points to the one above it, so that a path
 * costs nothing until somebody asks for it.
 */
#ifndef SHMX_BIND_PATH_H
#define SHMX_BIND_PATH_H

#include <lua.h>

enum shmx_step {
  SHMX_STEP_VALUE,
  SHMX_STEP_FUNCTION,
  SHMX_STEP_ITEM,
  SHMX_STEP_FIELD,
  SHMX_STEP_KEY,
  SHMX_STEP_UPVALUE,
  SHMX_STEP_PACKED
};

struct shmx_path {
  const struct shmx_path *up;
  const char *name;   /* VALUE: the noun; UPVALUE: its name */
  lua_Integer number; /* VALUE, ITEM, PACKED: which one */
  int key;            /* FIELD, KEY: the stack index of the key */
  enum shmx_step step;
};

/* Pushes the path as a string of some 200 characters at most: the middle of a long one is left out. */
void shmx_path_push(lua_State *L, const struct shmx_path *path);

#endif
