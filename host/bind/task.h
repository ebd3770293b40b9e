/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.task`: a function and its arguments, and afterwards its results or its error.
 */
#ifndef SHMX_BIND_TASK_H
#define SHMX_BIND_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#define SHMX_TASK_TYPE "shmx.task"

enum shmx_task_status {
  SHMX_TASK_NEW,    /* not submitted: reads as "waiting" */
  SHMX_TASK_QUEUED, /* on the board; reads as "running" once a worker has claimed it */
  SHMX_TASK_DONE,
  SHMX_TASK_FAILED,
  SHMX_TASK_CRASHED,
  SHMX_TASK_CANCELLED,
  SHMX_TASK_REFUSED,
  SHMX_TASK_TIMEOUT
};

/* Values that belong to it: what its status calls for (the function while it is new, the pool while it is on the board,
 * afterwards the results or the failure), its name, the arguments, and the guard of a failure. One argument or result is
 * kept as itself, more in a table. Scripts make millions of these: they have no finalizer, and few values. */
enum {
  SHMX_TASK_FUNCTION = 1,
  SHMX_TASK_POOL = 1,
  SHMX_TASK_RESULTS = 1,
  SHMX_TASK_NAME = 2,
  SHMX_TASK_ARGUMENTS = 3,
  SHMX_TASK_GUARD = 4,
  SHMX_TASK_VALUES = 4
};

enum { SHMX_TASK_SCALARS = 25, SHMX_TASK_RETRIES_MAX = 100 };

struct shmx_task {
  const void *tag; /* tells a task from any other userdata of its size */
  lua_Integer id;
  uint64_t nanoseconds;   /* that it took; while NEW: that an attempt may take, 0: not said */
  int arguments, results; /* how many */
  uint32_t ticket;        /* while QUEUED: in its pool */
  uint16_t worker;
  uint8_t attempt; /* while NEW: how many there may be, 0: not said */
  uint8_t status;  /* enum shmx_task_status */
  bool looked_at;  /* somebody has asked for its results or its error */
  bool pending;    /* while NEW: it is submitted when its inputs are there (chain.h) */
  bool awaited;    /* it is an input of such a task */
  bool named;      /* its name was given, and is not its function's */
  bool skipped;    /* it was done in the run that is resumed */
  uint8_t shown;   /* bytes in `scalars`, which has the arguments then, as a message has them; 0: they are values */
  char scalars[SHMX_TASK_SCALARS];
};

struct shmx_task *shmx_task_check(lua_State *L, int index);
/* The task at index 1, for the method of this name, which may have been called with a dot. */
struct shmx_task *shmx_task_check_self(lua_State *L, const char *name);
struct shmx_task *shmx_task_test(lua_State *L, int index);

/* The task at `index` has failed: if it is collected before anybody has looked at that, a warning says so. */
void shmx_task_guard(lua_State *L, int index);

/* Whether what is at `index` can be a name; an error unless it can, of a `place` such as "field 'name' to 'task'". */
bool shmx_task_is_name(lua_State *L, int index);
void shmx_task_check_name(lua_State *L, int index, const char *place);

/* Pushes a name for the function at stack index `f`, and remembers it: Lua functions have none of their own. */
void shmx_task_push_name(lua_State *L, int f);

/* The name of the task at `index`, which keeps it. */
const char *shmx_task_peek_name(lua_State *L, int index);

/* Pushes a new task, which is to get a name next. */
struct shmx_task *shmx_task_push(lua_State *L);

/* Keeps the function and the arguments behind it in the task at `index`. */
void shmx_task_keep(lua_State *L, int index, int first, int count);

/* Keeps of the arguments only what tostring shows: their number is `count` - 1. Nothing of none. */
void shmx_task_describe_arguments(lua_State *L, int index, int first, int count);

/* The same for arguments that are scalars, as they are in the message. False: they are too long. */
bool shmx_task_describe_scalars(struct shmx_task *task, int count, const char *bytes, size_t size);

/* Writes "work(1000)", cut to `size` bytes with the terminator: the name and arguments of a task that is being submitted. */
void shmx_task_label(lua_State *L, int index, int first, int count, char *out, size_t size);

/* The number of the task that was made last; 0: there has been none. */
lua_Integer shmx_task_last(void);

/* Pushes the kept function and arguments and returns how many values that is. */
int shmx_task_push_kept(lua_State *L, int index);

/* A positive number of seconds as nanoseconds; what never comes is the most there can be. */
static inline uint64_t shmx_task_timeout(lua_Number seconds) {
  return seconds >= 1e9 ? (uint64_t)INT64_MAX : seconds > 1e-9 ? (uint64_t)(seconds * 1e9) : 1;
}

static inline bool shmx_task_has_ended(const struct shmx_task *task) { return task->status >= SHMX_TASK_DONE; }

/* What `status` says of a task that has ended; NULL: there is no such status. */
const char *shmx_task_status_name(int status);

/* The task, which is at `index`, is done, with the `count` results on the top, which are taken. */
void shmx_task_keep_results(lua_State *L, struct shmx_task *task, int index, int count);

/* Pushes the results of the task at `index`, which must be there, and returns how many. */
int shmx_task_push_results(lua_State *L, const struct shmx_task *task, int index);

/* Registers the type, and adds `task` and `task_name` to the module on the top. */
void shmx_task_open(lua_State *L);

#endif
