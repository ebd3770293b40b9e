/* SPDX-License-Identifier: MIT */
/*
 * What the files of the runner share: the Lua state in which tasks run, with what belongs to it. For host/bind/runner*.c
 * and room.c alone.
 */
#ifndef SHMX_BIND_RUNNER_PARTS_H
#define SHMX_BIND_RUNNER_PARTS_H

#include <lua.h>
#include <stdbool.h>
#include <stdio.h>

#include "bind/codec.h"
#include "bind/hook.h"
#include "bind/quota.h"
#include "bind/runner.h"
#include "bind/seed.h"
#include "core/output.h"

/* What a guest has of its own, and the process while something runs in it; main's is here then. */
struct shmx_room_output {
  FILE *out, *err;
  enum shmx_output_mode mode;
};

struct shmx_room {
  lua_State *L;
  bool guest;         /* it lives in main, for a pool without workers */
  bool prints_itself; /* guest: what tasks print goes where main's does, and is no matter of ours */
  struct shmx_room_output output;
  uint32_t task; /* guest: that runs */
  struct shmx_packet packet;
  bool traceback; /* one is kept */
  bool printed;   /* the packet begins with what the task has printed */
  bool failed;    /* the packet is of several elements, one of which has failed */
  struct shmx_quota *quota;
  struct shmx_seed seed;
  struct shmx_hook hook;
  bool spent;                          /* the heap is full: another worker is to take the place */
  const struct shmx_incoming *message; /* of the task that runs; before the first one the pool's configuration */
  int error;                           /* why its message is incomplete */
};

extern struct shmx_room shmx_here; /* a worker's; in main, while a task runs there, the guest's */

/* --- runner_start.c --- */

/* Functions of struct shmx_runner. A state that has started has nothing on its stack. */
void shmx_runner_prepare(void *context);
int shmx_runner_start(void *context, int error, const struct shmx_incoming *config, char *text, size_t room);

/* Pushes the values of the message, and returns how many. */
int shmx_runner_push_message(lua_State *L);

/* --- runner_failure.c --- */

/* The message handler of a task: the error value stays as it is, the traceback is kept for its failure. It does not run
 * when memory is short. */
int shmx_runner_keep_traceback(lua_State *L);
void shmx_runner_forget_traceback(lua_State *L);

/* Makes the packet say what went wrong; the error value is on the top. */
void shmx_runner_pack_failure(lua_State *L);

/* What the task has printed, if that is captured, becomes the first value on the stack of the function that runs. Returns
 * how errors call the values. */
const struct shmx_pack_names *shmx_runner_add_output(lua_State *L, const struct shmx_pack_names names[2]);

#endif
