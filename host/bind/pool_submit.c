/* SPDX-License-Identifier: MIT */
/*
 * Submitting: a function and its arguments become a message on the board. Plain calls (plain.h) take a short way.
 *
 * Encoding can run Lua code (__shmx_pack, finalizers), and so can the wait for room on a full board. `packing` keeps such
 * code from submitting, which would spoil the packet.
 */
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/batch.h"
#include "bind/chain.h"
#include "bind/code.h"
#include "bind/error.h"
#include "bind/pool.h"
#include "bind/pool_parts.h"
#include "bind/task.h"

enum { KEEP_UP_EVERY = 64, KEEP_UP_FROM = 512 }; /* submits; tasks on the board */

static const struct shmx_pack_names argument_names = {"argument", 1};

/* Encodes a function and its arguments into the packet, and moves what it refers to into the cargo; in a protected call:
 * pool, function, arguments... */
static int pack(lua_State *L) {
  struct lua_pool *pool = lua_touserdata(L, 1);
  shmx_cargo_drop(&pool->outgoing); /* of an attempt that failed */
  shmx_packet_reset(&pool->packet);
  shmx_codec_pack(L, &pool->packet, 2, lua_gettop(L) - 1, SHMX_PACK_FUNCTIONS, &argument_names);
  if (shmx_packet_take(&pool->packet, &pool->outgoing) < 0) return luaL_error(L, "not enough memory");
  return 0;
}

/* The supervisor that knew the chunk of the code is gone, and who looked at it too: its successor gets a copy. */
static int renew(struct shmx_memory *memory, struct shmx_code *code) {
  struct shmx_segment *copy;
  int r = shmx_memory_alloc(memory, code->segment->size, SHMX_ALLOC_URGENT, &copy);
  if (r < 0) return r;
  memcpy(copy->data, code->segment->data, copy->size);
  shmx_segment_release(code->segment);
  code->segment = copy;
  return 0;
}

struct shmx_code_ref shmx_luapool_code_ref(struct shmx_memory *memory, struct shmx_code *code, int *error) {
  struct shmx_segment_ref ref = {0};
  int r = shmx_memory_describe(memory, code->segment, &ref);
  if (r == -ESTALE && renew(memory, code) == 0) r = shmx_memory_describe(memory, code->segment, &ref);
  if (r < 0) *error = r;
  return (struct shmx_code_ref){{code->hash[0], code->hash[1]}, ref.chunk, ref.offset, (uint32_t)ref.size};
}

enum { FEW_CODES = 8 };

/* Publishes the packet with what is in the cargo; runs no Lua. 0 or as shmx_pool_submit. */
static int publish(struct lua_pool *pool, struct shmx_task *task, const char *label) {
  struct shmx_cargo *cargo = &pool->outgoing;
  struct shmx_code_ref few[FEW_CODES], *codes = few;
  int error = 0;
  if (cargo->ncodes > FEW_CODES) codes = malloc(cargo->ncodes * sizeof *codes);
  if (!codes) return -ENOMEM;
  struct shmx_memory *memory = shmx_memory_here();
  for (uint32_t i = 0; i < cargo->ncodes; i++)
    codes[i] = shmx_luapool_code_ref(memory, shmx_cargo_code(cargo, i), &error);
  struct shmx_outgoing message = {.body = pool->packet.body,
                                  .size = pool->packet.size,
                                  .segments = (struct shmx_segment *const *)shmx_cargo_items(cargo),
                                  .nsegments = cargo->nsegments,
                                  .codes = codes,
                                  .ncodes = cargo->ncodes,
                                  .urgent = true};
  if (error == 0) error = shmx_pool_submit(pool->core, &message, (uint32_t)task->id, label, &task->ticket);
  if (codes != few) free(codes);
  if (error == 0) shmx_cargo_move(cargo, &pool->cargoes[task->ticket]);
  return error;
}

/* Waits until the board may have room; in a protected call: pool. */
static int make_room(lua_State *L) {
  struct lua_pool *pool = lua_touserdata(L, 1);
  if (shmx_luapool_take_in(L, 1, pool) == 0) shmx_luapool_sleep(L, pool, 0, -1);
  return 0;
}

/* Publishes, taking in results while the board is full. Finalizers and hooks run meanwhile, and must not submit; if one
 * closes the pool, that is the end of it. */
static int publish_and_wait(lua_State *L, struct lua_pool *pool, struct shmx_task *task, const char *label) {
  int r = 0;
  while (pool->core && (r = publish(pool, task, label)) == -EAGAIN) {
    lua_pushcfunction(L, make_room);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      pool->packing = false;
      lua_error(L);
    }
  }
  pool->packing = false;
  return r;
}

/* Raises the error for what publish_and_wait returns. */
static void check_published(lua_State *L, struct lua_pool *pool, int r) {
  const char *why;
  if (pool->core && r >= 0) return;
  shmx_cargo_drop(&pool->outgoing);
  if (!pool->core) shmx_error(L, "the pool is closed");
  if (r == -ESHUTDOWN && shmx_pool_ready(pool->core, &why) < 0) shmx_error(L, "the pool is broken: %s", why);
  shmx_error(L, "a task cannot be submitted: %s", shmx_luapool_explain(r));
}

void shmx_luapool_refuse(lua_State *L, const char *name) {
  if (lua_type(L, -1) != LUA_TSTRING) lua_error(L);
  if (name) shmx_error(L, "task %s, %s", name, lua_tostring(L, -1));
  shmx_error(L, "%s", lua_tostring(L, -1));
}

enum { FUNCTION = 2 }; /* On the stack stand from here on: pool, function, arguments, task. `count` - 1 arguments. */

/* A task to be submitted, which is on the top. */
struct submission {
  struct shmx_task *task;
  const struct shmx_plain *plain; /* NULL, or its function */
  int count, shown;               /* how many values it has, the function among them, and of how many people read */
  struct shmx_limits limits;
  const char *name; /* what errors call it, or NULL */
};

/* Encodes the call and publishes it. */
static void publish_call(lua_State *L, struct lua_pool *pool, const struct submission *what) {
  int count = what->count;
  luaL_checkstack(L, count + 8, "too many arguments");
  char label[SHMX_SLOT_NAME] = "";
  enum shmx_pool_names names = shmx_pool_wants_names(pool->core);
  int shown = names == SHMX_NAMES_PLAIN ? 0 : what->shown;
  if (names != SHMX_NAMES_NONE) shmx_task_label(L, FUNCTION + count, FUNCTION, shown, label, sizeof label);
  pool->packing = true;
  lua_pushcfunction(L, pack);
  lua_pushlightuserdata(L, pool);
  for (int i = 0; i < count; i++) lua_pushvalue(L, FUNCTION + i);
  if (lua_pcall(L, count + 1, 0, 0) != LUA_OK) {
    pool->packing = false;
    shmx_luapool_refuse(L, what->name);
  }
  check_published(L, pool, publish_and_wait(L, pool, what->task, label));
}

/* Publishes a call of a plain function that takes no more than a slot. False: it has to go the long way. */
static bool publish_plain(lua_State *L, struct lua_pool *pool, const struct shmx_plain *plain, struct shmx_task *task,
                          int count) {
  char body[SHMX_SLOT_ARGS];
  int error = 0;
  enum shmx_pool_names names = shmx_pool_wants_names(pool->core);
  if (names == SHMX_NAMES_WITH_ARGUMENTS) return false;
  struct shmx_code_ref code = shmx_luapool_code_ref(shmx_memory_here(), plain->code, &error);
  struct shmx_outgoing message = {.body = body, .codes = &code, .ncodes = 1};
  uint32_t head, size = shmx_plain_write(L, plain, count, body, sizeof body, &head);
  message.size = size;
  if (error < 0 || size == 0 || shmx_envelope_size(&message) > SHMX_SLOT_ARGS) return false;
  if (!shmx_task_describe_scalars(task, count, body + head, size - head)) return false;
  const char *name = names == SHMX_NAMES_PLAIN ? shmx_task_peek_name(L, FUNCTION + count) : NULL;
  if (shmx_pool_submit(pool->core, &message, (uint32_t)task->id, name, &task->ticket) < 0) return false;
  shmx_code_use(plain->code);
  pool->cargoes[task->ticket] = (struct shmx_cargo){.ncodes = 1, .few = {plain->code}};
  return true;
}

/* The next task that is submitted has these limits. A finalizer may have closed the pool since it was looked at. */
static void choose_limits(lua_State *L, struct lua_pool *pool, struct shmx_limits limits) {
  if (!pool->core) shmx_error(L, "the pool is closed");
  bool same = pool->chosen.attempts == limits.attempts && pool->chosen.nanoseconds == limits.nanoseconds;
  if (same) return;
  pool->chosen = limits;
  if (limits.attempts == 0) limits.attempts = 1;
  shmx_pool_limit(pool->core, limits.attempts > 1 || limits.nanoseconds > 0 ? &limits : NULL);
}

/* With `shown` 0 the task's name has to say it all. */
static void submit(lua_State *L, struct lua_pool *pool, const struct submission *what) {
  struct shmx_task *task = what->task;
  int index = FUNCTION + what->count;
  choose_limits(L, pool, what->limits);
  bool quick = what->plain && publish_plain(L, pool, what->plain, task, what->count);
  if (!quick) publish_call(L, pool, what);
  if (task->ticket >= pool->tickets) pool->tickets = task->ticket + 1;
  task->status = SHMX_TASK_QUEUED;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, index, SHMX_TASK_POOL);
  lua_getiuservalue(L, 1, POOL_TASKS);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, task->ticket + 1);
  lua_pop(L, 1);
  if (!quick) shmx_task_describe_arguments(L, index, FUNCTION, what->shown);
  if (what->plain || what->shown == 0 || task->named) return;
  lua_getiuservalue(L, index, SHMX_TASK_NAME);
  shmx_plain_learn(L, &pool->plains);
  lua_pop(L, 1);
}

static void check_can_submit(lua_State *L, const struct lua_pool *pool) {
  if (pool->closing) shmx_error(L, "the pool is being closed");
  if (pool->packing)
    shmx_error(L, "a task cannot be submitted while another is: in __shmx_pack, a finalizer or a hook");
}

/* Now and then the ends are taken in that have come meanwhile: their slots are used again while caches have them. */
static void keep_up(lua_State *L, struct lua_pool *pool) {
  if (++pool->submits % KEEP_UP_EVERY == 0 && shmx_pool_in_flight(pool->core) >= KEEP_UP_FROM)
    shmx_luapool_take_in(L, 1, pool);
}

/* The limits at two stack indexes, seconds and a number of retries; nil: those of `otherwise`. */
static struct shmx_limits read_limits(lua_State *L, int timeout, int retries, struct shmx_limits otherwise) {
  struct shmx_limits limits = otherwise;
  if (!lua_isnoneornil(L, timeout)) limits.nanoseconds = (int64_t)shmx_task_timeout(luaL_checknumber(L, timeout));
  if (!lua_isnoneornil(L, retries)) limits.attempts = (uint32_t)luaL_checkinteger(L, retries) + 1;
  return limits;
}

void shmx_luapool_set_limits(lua_State *L, struct lua_pool *pool, int timeout, int retries) {
  pool->limits = read_limits(L, timeout, retries, (struct shmx_limits){0});
}

/* The task, which is on the top, has tasks among its arguments. */
static void defer(lua_State *L, struct shmx_task *task, struct shmx_limits limits, int count) {
  int index = lua_gettop(L);
  shmx_task_keep(L, index, FUNCTION, count);
  task->nanoseconds = (uint64_t)limits.nanoseconds;
  task->attempt = (uint8_t)limits.attempts;
  shmx_chain_defer(L, index);
}

/* Submits the function with its arguments; its name is on the top if it has one of its own. */
static int submit_function(lua_State *L, struct lua_pool *pool, int count, struct shmx_limits limits, bool named) {
  int index = FUNCTION + count;
  struct shmx_task *task = shmx_task_push(L);
  task->named = named;
  const struct shmx_plain *plain = shmx_plain_find(L, &pool->plains); /* as long as no other Lua code runs */
  if (named) lua_insert(L, index);
  else if (plain) shmx_plain_push_name(L, &pool->plains, plain);
  else shmx_task_push_name(L, FUNCTION);
  lua_setiuservalue(L, index, SHMX_TASK_NAME);
  if (shmx_chain_has_input(L, FUNCTION + 1, count - 1)) {
    defer(L, task, limits, count);
    return 1;
  }
  submit(L, pool, &(struct submission){.task = task, .plain = plain, .count = count, .shown = count, .limits = limits});
  return 1;
}

/* The function is at its place, with `count` - 1 arguments behind it: raises an error unless all is well. */
static void check_submission(lua_State *L, struct lua_pool *pool) {
  if (lua_type(L, FUNCTION) != LUA_TFUNCTION)
    shmx_error(L, "bad argument #1 to 'submit' (function expected, got %s)", shmx_push_type(L, FUNCTION));
  check_can_submit(L, pool);
  keep_up(L, pool);
  check_can_submit(L, pool);
}

int shmx_luapool_submit(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check_self(L, "submit");
  int count = lua_gettop(L) - 1;
  check_submission(L, pool);
  return submit_function(L, pool, count, pool->limits, false);
}

int shmx_luapool_submit_with(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check_self(L, "submit");
  enum { NAME = 2, TIMEOUT = 3, RETRIES = 4 };
  if (lua_gettop(L) < RETRIES) lua_settop(L, RETRIES);
  bool named = lua_type(L, NAME) == LUA_TSTRING;
  struct shmx_limits limits = read_limits(L, TIMEOUT, RETRIES, pool->limits);
  lua_remove(L, RETRIES);
  lua_remove(L, TIMEOUT);
  lua_rotate(L, NAME, -1); /* it goes to the top */
  if (!named) lua_pop(L, 1);
  int count = lua_gettop(L) - 1 - named;
  check_submission(L, pool);
  return submit_function(L, pool, count, limits, named);
}

int shmx_luapool_publish(lua_State *L) {
  struct lua_pool *pool = shmx_luapool_check(L, 1);
  struct shmx_task *task = shmx_task_check(L, 2);
  struct shmx_limits limits = read_limits(L, 3, 4, pool->limits);
  lua_settop(L, 2);
  lua_getiuservalue(L, 2, SHMX_TASK_NAME);
  const char *name = lua_tostring(L, -1); /* the task keeps it */
  lua_pop(L, 1);
  if (task->status != SHMX_TASK_NEW) return shmx_error(L, "task %s has been submitted before; a task runs once", name);
  check_can_submit(L, pool);
  if (task->nanoseconds > 0) limits.nanoseconds = (int64_t)task->nanoseconds;
  if (task->attempt > 0) limits.attempts = task->attempt;
  int count = shmx_task_push_kept(L, 2);
  if (shmx_chain_has_input(L, 4, count - 1)) {
    task->nanoseconds = (uint64_t)limits.nanoseconds;
    task->attempt = (uint8_t)limits.attempts;
    if (!shmx_chain_fill_in(L, 4, count - 1)) {
      shmx_chain_defer(L, 2);
      return 0;
    }
  }
  lua_pushvalue(L, 2);
  lua_remove(L, 2);
  submit(L, pool,
         &(struct submission){.task = task,
                              .plain = shmx_plain_find(L, &pool->plains),
                              .count = count,
                              .shown = count,
                              .limits = limits,
                              .name = name});
  return 0;
}

/* Pushes elements of the list at index `list` from `first` on, at most `most`, as long as they are for a batch and not too
 * many bytes together. Returns how many. */
static int push_elements(lua_State *L, int list, lua_Integer first, int most) {
  size_t bytes = 0;
  int count = 0;
  for (; count < most && bytes < SHMX_BATCH_BYTES; count++) {
    bytes += lua_geti(L, list, first + count) == LUA_TSTRING ? lua_rawlen(L, -1) : 0;
    if (shmx_batch_takes(L)) continue;
    lua_pop(L, 1);
    break;
  }
  return count;
}

/* Pushes the name of a batch of `count` elements of `f`, which are from `first` on. */
static void push_batch_name(lua_State *L, int f, lua_Integer first, int count) {
  shmx_task_push_name(L, f);
  lua_pushfstring(L, "%s of elements %I to %I", lua_tostring(L, -1), (LUAI_UACINT)first,
                  (LUAI_UACINT)(first + count - 1));
  lua_remove(L, -2);
}

int shmx_luapool_submit_batch(lua_State *L) {
  enum { F = 2, LIST = 3, FIRST = 4, MOST = 5 };
  lua_Integer first = luaL_checkinteger(L, FIRST), most = luaL_checkinteger(L, MOST);
  if (most > SHMX_BATCH_ELEMENTS) most = SHMX_BATCH_ELEMENTS;
  lua_settop(L, MOST);
  luaL_checkstack(L, SHMX_BATCH_ELEMENTS + 16, NULL);
  lua_getfield(L, LUA_REGISTRYINDEX, SHMX_BATCH_RUN);
  lua_pushvalue(L, F);
  int count = push_elements(L, LIST, first, (int)most);
  struct lua_pool *pool = shmx_luapool_check(L, 1); /* not before: a list can have code in its metatable */
  check_can_submit(L, pool);
  if (count == 0) {
    lua_pushnil(L);
    lua_pushinteger(L, 0);
    return 2;
  }
  struct shmx_task *task = shmx_task_push(L);
  shmx_task_push_name(L, F); /* so bars, traces and reports call it, as if its elements ran alone */
  lua_setiuservalue(L, -2, SHMX_TASK_NAME);
  lua_rotate(L, FUNCTION, -4); /* without f, list, first, most: pool, run_batch, f, elements, task */
  lua_pop(L, 4);
  submit(L, pool, &(struct submission){.task = task, .count = 2 + count}); /* limits of a task are not for a batch */
  push_batch_name(L, FUNCTION + 1, first, count);
  lua_setiuservalue(L, -2, SHMX_TASK_NAME);
  lua_pushinteger(L, count);
  return 2;
}
