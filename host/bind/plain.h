/* SPDX-License-Identifier: MIT */
/*
 * Plain calls: what most tasks are. A function whose upvalues are modules, the globals or scalars, called with scalars,
 * is a message of a few bytes that can be written at once. A pool remembers such functions when they are submitted
 * again, with their name and their code, and writes the message without the packer. A worker reads it without the
 * unpacker if the function has no upvalues. What a message says of the upvalues is looked at anew each time.
 *
 * A pool keeps the functions that it remembers, which are a few and have little: another one takes a place of theirs.
 */
#ifndef SHMX_BIND_PLAIN_H
#define SHMX_BIND_PLAIN_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind/codec.h"

enum { SHMX_PLAINS = 8, SHMX_PLAIN_UPVALUES = 4, SHMX_PLAIN_NAME = 15 };

/* What an upvalue was when the function was remembered. */
struct shmx_plain_upvalue {
  char module[SHMX_PLAIN_NAME + 1]; /* its name; "": a scalar */
};

struct shmx_plain {
  const void *function; /* its address: the pool keeps it, so no other has the same */
  struct shmx_code *code;
  int upvalues;
  struct shmx_plain_upvalue upvalue[SHMX_PLAIN_UPVALUES];
};

struct shmx_plains {
  struct shmx_plain plain[SHMX_PLAINS];
  int value;        /* the pool's user value that is for this */
  const void *last; /* the function that was submitted last and is not one of these */
};

/* Makes the table for the pool on the top. */
void shmx_plains_init(lua_State *L, struct shmx_plains *plains, int value);

/* The function at index 2 if the pool, whose `plains` these are, knows it; else NULL. */
const struct shmx_plain *shmx_plain_find(lua_State *L, const struct shmx_plains *plains);

/* Pushes the name of a function that the pool at index 1 knows. */
void shmx_plain_push_name(lua_State *L, const struct shmx_plains *plains, const struct shmx_plain *plain);

/* The function at index 2, whose name is on the top, has been submitted to the pool at index 1: remembers it, if that is
 * the second time in succession and it is plain. */
void shmx_plain_learn(lua_State *L, struct shmx_plains *plains);

/* Writes the body of a message with the function and the `count` - 1 arguments from index 3 on. Returns its size, *head of
 * which are before the arguments; 0: it does not fit, or has values that are not plain. Runs no Lua. */
uint32_t shmx_plain_write(lua_State *L, const struct shmx_plain *plain, int count, char *body, uint32_t room,
                          uint32_t *head);

/* Pushes the values of a message that shmx_plain_write may have made of a function without upvalues. Returns how many; 0,
 * with nothing pushed: it is another one, which the codec has to unpack. */
int shmx_plain_read(lua_State *L, const struct shmx_delivery *delivery);

/* Lets go of all of them. */
void shmx_plains_drop(struct shmx_plains *plains);

#endif
