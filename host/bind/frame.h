/* SPDX-License-Identifier: MIT */
/*
 * The arguments of a running C function, read where they lie.
 *
 * Each look at a value by Lua's functions takes 2 ns, and a[i] = v needs six of them: more than all that Lua does to get
 * there. How the values lie is no part of Lua's interface. But all of Lua 5.4 has them as below, and shmx_frame_is_known finds
 * out whether this Lua has. Where it has not, nothing is read here, and the callers do without.
 *
 * Only reading is done so: nothing here can harm the collector or the stack.
 */
#ifndef SHMX_BIND_FRAME_H
#define SHMX_BIND_FRAME_H

#include "bind/array.h"

/* A value on the stack, and what the tag says of it. */
struct shmx_frame_value {
  union {
    lua_Integer integer;
    lua_Number number;
    const struct shmx_frame_userdata *userdata;
  };
  unsigned char tag;
};
enum { SHMX_FRAME_INTEGER = 0x03, SHMX_FRAME_FLOAT = 0x13, SHMX_FRAME_USERDATA = 0x47 };

/* What stands before the bytes of a full userdata that has no user values. */
struct shmx_frame_userdata {
  const void *next;
  unsigned char type, marks;
  unsigned short user_values;
  size_t size;
  const void *metatable;
};

/* How a lua_State begins. */
struct shmx_frame_state {
  const void *next;
  unsigned char bytes[8];
  const struct shmx_frame_value *top; /* behind the last argument, as long as the function has pushed nothing */
};

/* Whether values lie like that. */
bool shmx_frame_is_known(lua_State *L);

/*
 * The last `count` arguments of the function that runs and has pushed nothing. If it has fewer, one of these is the function
 * itself, which is neither a userdata nor a number. So whoever looks from the last one on, and finds all of the types that it
 * wants, has found arguments; and has not looked below the function, where the stack may begin.
 */
static inline const struct shmx_frame_value *shmx_frame_arguments(lua_State *L, int count) {
  const struct shmx_frame_state *state = (const void *)L;
  return state->top - count;
}

/* As shmx_array_test. */
static inline const struct shmx_array *shmx_frame_array(const struct shmx_frame_value *value) {
  const struct shmx_frame_userdata *userdata = value->userdata;
  if (value->tag != SHMX_FRAME_USERDATA || userdata->size != sizeof(struct shmx_array)) return NULL;
  const struct shmx_array *array = (const void *)(userdata + 1);
  return userdata->user_values == 0 && array->tag == &shmx_array_tag ? array : NULL;
}

#endif
