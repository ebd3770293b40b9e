/* SPDX-License-Identifier: MIT */
/*
 * Plain calls: what most tasks are. A function without upvalues, but for the globals, is the same in every message, and
 * with scalars for arguments the whole message is a few bytes. A pool remembers such functions when they are submitted
 * again, with their name and their code, and writes the message without the packer.
 *
 * The functions are kept in user values of the pool, so that their addresses stay theirs; they keep nothing else alive.
 */
#ifndef SHMX_BIND_PLAIN_H
#define SHMX_BIND_PLAIN_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind/codec.h"

/* How many are remembered, and how many user values of the pool that takes. */
enum { SHMX_PLAINS = 8, SHMX_PLAIN_VALUES = 2 * SHMX_PLAINS };

struct shmx_plain {
  const void *function; /* its address */
  struct shmx_code *code;
  bool globals; /* it has the upvalue _ENV */
};

struct shmx_plains {
  struct shmx_plain plain[SHMX_PLAINS];
  int first;        /* of the pool's user values that are for this */
  const void *last; /* the function that was submitted last and is not one of these */
};

/* The function at index 2 if the pool at index 1, whose `plains` these are, knows it as plain; else NULL. */
const struct shmx_plain *shmx_plain_find(lua_State *L, const struct shmx_plains *plains);

/* Pushes the function's name. */
void shmx_plain_push_name(lua_State *L, const struct shmx_plains *plains, const struct shmx_plain *plain);

/* The function at index 2, whose name is on the top, has been submitted to the pool at index 1: remembers it, if that is
 * the second time in succession and it is plain. Runs no Lua and does not raise. */
void shmx_plain_learn(lua_State *L, struct shmx_plains *plains);

/* Writes the body of a message with the function and the `count` - 1 arguments from index 3 on. Returns its size; 0: it
 * does not fit, or an argument is no scalar. */
uint32_t shmx_plain_write(lua_State *L, const struct shmx_plain *plain, int count, char *body, uint32_t room);

/* Lets go of all of them. */
void shmx_plains_drop(struct shmx_plains *plains);

#endif
