/* SPDX-License-Identifier: MIT */
/*
 * See runner.h. One Lua state for the worker's life, born in the supervisor, where nothing runs in it; globals persist
 * from task to task. Everything runs in protected calls; memory that Lua cannot get is that task's error.
 *
 * The result of a task is its values or, when it raised, the error value and the worker's traceback. An error value that
 * cannot travel is replaced by its text.
 */
#include "bind/runner.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/array.h"
#include "bind/codec.h"
#include "bind/last_words.h"
#include "bind/module.h"
#include "bind/output.h"
#include "bind/quota.h"
#include "bind/stop.h"
#include "core/fault.h"

enum {
  TEXT_MAX = 1 << 20,        /* of an error and of its traceback, bytes */
  COLLECTING_SHARE = 20,     /* at most one part in so many of the time goes into collecting after tasks */
  WORTH_COLLECTING = 1 << 20 /* bytes of arrays */
};

#define RANDOMSEED "shmx.randomseed" /* in the registry: the function, whatever tasks do to math */
#define NO_TEXT    "(its error cannot be made a text: __tostring fails)"

enum { HANDLER = 1, PERFORM = 2 }; /* always on the state's stack, at these indexes */

struct shmx_room {
  lua_State *L;
  bool guest;    /* it lives in main, for a pool without workers */
  uint32_t task; /* guest: that runs */
  struct shmx_packet packet;
  bool traceback; /* one is kept */
  bool printed;   /* the packet begins with what the task has printed */
  struct shmx_quota *quota;
  bool seeded;                         /* each task draws its own random numbers */
  lua_Integer seed, task_before;       /* by this, and by its number beyond that one */
  bool spent;                          /* the heap is full: another worker is to take the place */
  const struct shmx_incoming *message; /* of the task that runs */
  int error;                           /* why its message is incomplete */
};

static struct shmx_room here; /* a worker's; in main, while a task runs there, the guest's */

bool shmx_runner_is_here(void) { return here.L != NULL; }
bool shmx_runner_is_guest(uint32_t *task) {
  *task = here.task;
  return here.guest;
}
bool shmx_runner_was_given(const struct shmx_segment *segment) {
  for (uint32_t i = 0; here.guest && i < here.message->nsegments; i++)
    if (here.message->segments[i] == segment) return true;
  return false;
}
void shmx_runner_closes(void) { here.L = NULL; }

static int keep_traceback(lua_State *L);
static int perform(lua_State *L);

/* --- start --- */

static struct shmx_delivery delivery(void) {
  const struct shmx_incoming *m = here.message;
  return (struct shmx_delivery){m->body, m->size, m->segments, m->nsegments, m->codes, m->ncodes};
}

static int push_message(lua_State *L) {
  struct shmx_delivery message = delivery();
  return shmx_codec_unpack(L, &message, SHMX_PACK_FUNCTIONS);
}

/* The settings are the message's first value. */
static void push_settings(lua_State *L) {
  struct shmx_delivery message = delivery();
  shmx_codec_unpack_first(L, &message, SHMX_PACK_FUNCTIONS);
}

/* package[field] = options[field], with the table of options at index 1 */
static void set_package_field(lua_State *L, const char *field) {
  lua_getglobal(L, "package");
  if (lua_getfield(L, 1, field) == LUA_TSTRING) lua_setfield(L, -2, field);
  else lua_pop(L, 1);
  lua_pop(L, 1);
}

/* LUA_INIT as main ran it: code, or a file behind an @. */
static void run_init_variable(lua_State *L) {
  const char *name = "=LUA_INIT_5_4", *value = getenv(name + 1);
  if (!value) value = getenv((name = "=LUA_INIT") + 1);
  if (!value) return;
  int status = value[0] == '@' ? luaL_loadfile(L, value + 1) : luaL_loadbuffer(L, value, strlen(value), name);
  if (status != LUA_OK) lua_error(L);
  lua_call(L, 0, 0);
}

/* Each -l mod, or -l global=mod, as main ran it. "mod-v2" makes the globals "mod-v2" and "mod". */
static void load_library(lua_State *L, const char *spec) {
  const char *equals = strchr(spec, '=');
  size_t name = equals ? (size_t)(equals - spec) : strlen(spec), stem = equals ? name : strcspn(spec, "-");
  lua_getglobal(L, "require");
  lua_pushstring(L, equals ? equals + 1 : spec);
  lua_call(L, 1, 1);
  for (size_t length = name;; length = stem) {
    const char *global = lua_pushlstring(L, spec, length);
    lua_pushvalue(L, -2);
    lua_setglobal(L, global);
    lua_pop(L, 1);
    if (length == stem) break;
  }
  lua_pop(L, 1);
}

static void load_libraries(lua_State *L) {
  if (lua_getfield(L, 1, "libraries") != LUA_TTABLE) return;
  lua_Integer count = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    load_library(L, luaL_checkstring(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* A state with the libraries. */
static int open_libraries(lua_State *L) {
  lua_gc(L, LUA_GCSTOP); /* nothing of this is garbage */
  luaL_openlibs(L);
  shmx_open_preload(L);
  /* arrays come as arguments, whether the task requires shmx or not */
  luaL_requiref(L, "shmx.core", luaopen_shmx_core, 0);
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCGEN, 0, 0); /* as lua does */
  return 0;
}

static void prepare(void *context) {
  (void)context;
  lua_State *L = luaL_newstate();
  if (!L) return;
  lua_pushcfunction(L, open_libraries);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK) here.L = L;
  else lua_close(L);
}

/* Workers are born with the same state, and are not to draw the same numbers. */
static void seed_random(lua_State *L) {
  lua_getglobal(L, LUA_MATHLIBNAME);
  lua_getfield(L, -1, "randomseed");
  lua_pushinteger(L, shmx_os_now());
  lua_pushinteger(L, getpid());
  lua_call(L, 2, 0);
  lua_settop(L, 0);
}

/* With a seed, random numbers do not depend on who draws them. */
static void read_seed(lua_State *L) {
  here.seeded = lua_getfield(L, 1, "seed") == LUA_TNUMBER;
  here.seed = lua_tointeger(L, -1);
  lua_getfield(L, 1, "task_before");
  here.task_before = lua_tointeger(L, -1);
  lua_getglobal(L, LUA_MATHLIBNAME);
  lua_getfield(L, -1, "randomseed");
  lua_setfield(L, LUA_REGISTRYINDEX, RANDOMSEED);
  lua_pop(L, 3);
}

/* In a protected call: the number of the task */
static int seed_task(lua_State *L) {
  lua_Integer number = lua_tointeger(L, 1) - here.task_before;
  lua_getfield(L, LUA_REGISTRYINDEX, RANDOMSEED);
  lua_pushinteger(L, here.seed);
  lua_pushinteger(L, number);
  lua_call(L, 2, 0);
  return 0;
}

/* The worker's Lua heap may have so many bytes. */
static void limit_heap(lua_State *L) {
  if (lua_getfield(L, 1, "heap") == LUA_TNUMBER) shmx_quota_set(L, here.quota, (size_t)lua_tointeger(L, -1));
  lua_pop(L, 1);
}

/* With the settings alone at index 1. What it refers to by name is found now, as main finds it. */
static void run_init(lua_State *L) {
  push_message(L);
  if (lua_getfield(L, 3, "init") == LUA_TFUNCTION) lua_call(L, 0, 0);
}

/* Makes the state what main's was when its script began, then runs `init`. */
static int set_up(lua_State *L) {
  if (!here.guest) shmx_output_open(L);
  seed_random(L);
  if (here.error < 0) return luaL_error(L, "the options of the pool cannot be read: %s", strerror(-here.error));
  lua_settop(L, 0);
  push_settings(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  limit_heap(L);
  read_seed(L);
  set_package_field(L, "path");
  set_package_field(L, "cpath");
  lua_getfield(L, 1, "warnings");
  if (lua_toboolean(L, -1)) lua_warning(L, "@on", 0);
  lua_getfield(L, 1, "environment");
  bool environment = lua_toboolean(L, -1);
  lua_settop(L, 1);
  if (environment) run_init_variable(L);
  load_libraries(L);
  lua_settop(L, 1);
  run_init(L);
  if (!here.guest) shmx_output_finish();
  if (!here.guest) shmx_output_begin(L);
  return 0;
}

static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (!message && luaL_callmeta(L, 1, "__tostring")) message = lua_tostring(L, -1);
  if (!message) message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  luaL_traceback(L, L, message, 1);
  return 1;
}

static int start(void *context, int error, const struct shmx_incoming *config, char *text, size_t room) {
  static struct shmx_quota of_worker;
  if (!here.L) prepare(context); /* there was not enough memory then */
  lua_State *L = here.L;
  if (!L) {
    snprintf(text, room, "not enough memory for a Lua state");
    return -1;
  }
  if (!here.guest) {
    here.quota = &of_worker;
    shmx_stop_listen(L);
  }
  here.message = config;
  here.error = error;
  shmx_packet_init(&here.packet);
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, set_up);
  if (lua_pcall(L, 0, 0, 1) == LUA_OK) {
    lua_settop(L, 0);
    lua_pushcfunction(L, keep_traceback);
    lua_pushcfunction(L, perform);
    return 0;
  }
  if (!here.guest) shmx_output_finish();
  snprintf(text, room, "%s", lua_tostring(L, -1));
  return -1;
}

/* --- running a task --- */

static void forget_traceback(lua_State *L) {
  if (!here.traceback) return;
  here.traceback = false;
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.traceback");
}

/* The message handler: the error value stays as it is, the traceback is kept for pack_error. It does not run when memory
 * is short. */
static int keep_traceback(lua_State *L) {
  luaL_traceback(L, L, NULL, 1);
  here.traceback = true;
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.traceback");
  return 1;
}

/* What the task has printed, if that is captured, becomes the first value; names[here.printed] are for the others. */
static void add_output(lua_State *L) {
  here.printed = !here.guest && shmx_output_push(L);
  if (here.printed) lua_insert(L, 1);
}

/* Unpacks the function and its arguments, calls it, and packs what it returns. */
static int perform(lua_State *L) {
  static const struct shmx_pack_names names[] = {{"result", 0}, {"result", 1}};
  if (here.error < 0)
    return luaL_error(L, "the arguments of the task cannot be had: %s",
                      here.error == -EDQUOT ? "the memory budget is used up" : strerror(-here.error));
  lua_settop(L, 0);
  int count = push_message(L);
  SHMX_FAULT("w2");
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_call(L, count - 1, LUA_MULTRET);
  add_output(L);
  shmx_codec_pack(L, &here.packet, 1, lua_gettop(L), 0, &names[here.printed]);
  return 0;
}

/* The value on the top as text, at most TEXT_MAX bytes of it. */
static void to_text(lua_State *L) {
  size_t size;
  const char *text = luaL_tolstring(L, -1, &size);
  if (size <= TEXT_MAX) return;
  lua_pushlstring(L, text, TEXT_MAX);
  lua_pushfstring(L, "%s... (%I bytes in all)", lua_tostring(L, -1), (LUAI_UACINT)size);
}

/* Packs the error value, which is its argument, and the traceback. */
static int pack_error(lua_State *L) {
  static const struct shmx_pack_names names[] = {{"error", 0}, {"error", 1}};
  if (lua_type(L, 1) == LUA_TSTRING) {
    to_text(L);
    lua_replace(L, 1);
  }
  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.traceback");
  add_output(L);
  shmx_codec_pack(L, &here.packet, 1, lua_gettop(L), 0, &names[here.printed]);
  return 0;
}

static int pack_error_text(lua_State *L) {
  to_text(L);
  lua_replace(L, 1);
  return pack_error(L);
}

static bool pack_protected(lua_State *L, lua_CFunction function, int error) {
  shmx_packet_reset(&here.packet);
  lua_pushcfunction(L, function);
  lua_pushvalue(L, error);
  bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  lua_settop(L, error);
  return ok;
}

/* Makes the packet say what went wrong; the error value is on the top. */
static void pack_failure(lua_State *L) {
  int error = lua_gettop(L);
  if (pack_protected(L, pack_error, error) || pack_protected(L, pack_error_text, error)) return;
  lua_pushliteral(L, NO_TEXT);
  pack_protected(L, pack_error, error + 1);
}

static int pack_value(lua_State *L) {
  static const struct shmx_pack_names names = {"result", 0};
  shmx_codec_pack(L, &here.packet, 1, 1, 0, &names);
  return 0;
}

bool shmx_runner_try_to_send(lua_State *L) {
  lua_pushcfunction(L, pack_value);
  lua_pushvalue(L, -2);
  bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  shmx_packet_reset(&here.packet);
  return ok;
}

static int push_text(lua_State *L) {
  to_text(L);
  return 1;
}

void shmx_runner_make_sendable(lua_State *L) {
  if (lua_type(L, -1) != LUA_TSTRING) {
    if (shmx_runner_try_to_send(L)) return;
    lua_pop(L, 1);
  }
  lua_pushcfunction(L, push_text);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) return;
  lua_pop(L, 1);
  lua_pushliteral(L, NO_TEXT);
}

static void fill(struct shmx_outgoing *result) {
  *result = (struct shmx_outgoing){.body = here.packet.body,
                                   .size = here.packet.size,
                                   .segments = here.packet.segments,
                                   .nsegments = here.packet.nsegments};
}

bool shmx_runner_met_limit(int status) {
  bool met = status == LUA_ERRMEM && here.quota->met;
  here.spent = here.spent || met;
  return met;
}

/* What the task raised is on the top. */
static enum shmx_result take_error(lua_State *L, int status) {
  enum shmx_result verdict = SHMX_RESULT_ERROR;
  shmx_quota_lift(here.quota); /* the error needs memory too */
  if (shmx_runner_met_limit(status)) {
    lua_pushfstring(L, "its worker's Lua heap would be larger than max_memory_per_worker allows (%I bytes)",
                    (LUAI_UACINT)here.quota->most);
    verdict = SHMX_RESULT_REFUSED;
  } else {
    lua_getfield(L, LUA_REGISTRYINDEX, SHMX_ARRAY_REFUSAL);
    if (lua_isstring(L, -1) && lua_rawequal(L, -1, -2)) verdict = SHMX_RESULT_REFUSED;
    lua_pop(L, 1);
  }
  pack_failure(L);
  return verdict;
}

static void finish_output(void) {
  shmx_output_finish();
  shmx_output_drop();
}

static enum shmx_result run(void *context, uint32_t task, int error, const struct shmx_incoming *arguments,
                            struct shmx_outgoing *result) {
  (void)context;
  lua_State *L = here.L;
  here.message = arguments;
  here.error = error;
  here.task = task;
  shmx_packet_reset(&here.packet);
  forget_traceback(L);
  lua_pushvalue(L, PERFORM);
  enum shmx_result verdict = SHMX_RESULT_VALUES;
  if (here.seeded) {
    lua_pushcfunction(L, seed_task);
    lua_pushinteger(L, task);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
  }
  shmx_quota_begin(here.quota);
  shmx_stop_begin();
  int status = lua_pcall(L, 0, 0, HANDLER);
  shmx_stop_end(L);
  if (status != LUA_OK) verdict = take_error(L, status);
  lua_settop(L, PERFORM);
  if (!here.guest) finish_output();
  fill(result);
  return here.printed ? verdict | SHMX_RESULT_PRINTED : verdict;
}

static void refuse(void *context, int error, struct shmx_outgoing *result) {
  (void)context;
  lua_State *L = here.L;
  const char *why = error == -EDQUOT || error == -EFBIG ? "the memory budget" : "the system";
  forget_traceback(L);
  if (error == -EXDEV) lua_pushliteral(L, "a mapped file cannot be handed over; return a copy (a:copy())");
  else lua_pushfstring(L, "%s refuses the result", why);
  pack_protected(L, pack_error, lua_gettop(L));
  lua_settop(L, PERFORM);
  fill(result);
}

/* Garbage holds arrays whose memory the next ones could have while it is warm. A young collection finds those of the last
 * task in a microsecond or two. Where it takes longer it is made less often, unless there is much to win: a megabyte of
 * fresh pages costs more than that. */
static void collect_young(void) {
  static uint64_t handled;
  static int64_t not_before;
  uint64_t now_handled = shmx_memory_handled(shmx_memory_here());
  if (now_handled == handled) return;
  int64_t begin = shmx_os_now();
  if (begin < not_before && now_handled - handled < WORTH_COLLECTING) return;
  handled = now_handled;
  lua_gc(here.L, LUA_GCSTEP, 0);
  shmx_array_charge_nothing();
  int64_t end = shmx_os_now();
  not_before = end + COLLECTING_SHARE * (end - begin);
}

static void done(void *context) {
  (void)context;
  shmx_packet_reset(&here.packet);
  collect_young();
}

static bool is_spent(void *context) {
  (void)context;
  return here.spent;
}

/* At first garbage is looked for only when arrays have come since the last time; later also for what a task has let go of
 * that was kept before. */
static void idle(void *context, bool for_long) {
  static uint64_t collected_at;
  (void)context;
  struct shmx_memory *memory = shmx_memory_here();
  if (shmx_memory_live(memory) == 0 || (!for_long && shmx_memory_handled(memory) == collected_at)) return;
  lua_gc(here.L, LUA_GCCOLLECT);
  collected_at = shmx_memory_handled(memory);
}

static void last_words(void *context, const void *place, char *text, size_t room) {
  (void)context;
  if (here.L) shmx_last_words(here.L, place, text, room);
}

/* --- guests --- */

static void swap(struct shmx_room *room) {
  struct shmx_room other = here;
  here = *room;
  *room = other;
}

struct shmx_room *shmx_room_create(void) {
  struct shmx_room *room = calloc(1, sizeof *room);
  if (!room) return NULL;
  room->guest = true;
  room->quota = calloc(1, sizeof *room->quota);
  if (room->quota) return room;
  free(room);
  return NULL;
}

void shmx_room_destroy(struct shmx_room *room) {
  if (!room) return;
  swap(room);
  if (here.L) lua_close(here.L);
  shmx_packet_fini(&here.packet);
  swap(room);
  free(room->quota);
  free(room);
}

int shmx_room_start(struct shmx_room *room, const struct shmx_incoming *config, char *text, size_t size) {
  swap(room);
  int r = start(NULL, 0, config, text, size);
  swap(room);
  return r;
}

enum shmx_result shmx_room_run(struct shmx_room *room, uint32_t task, const struct shmx_incoming *arguments,
                               struct shmx_outgoing *result) {
  swap(room);
  enum shmx_result verdict = run(NULL, task, 0, arguments, result);
  swap(room);
  return verdict;
}

void shmx_room_done(struct shmx_room *room) {
  swap(room);
  done(NULL);
  swap(room);
}

const struct shmx_runner shmx_lua_runner = {NULL, prepare, start, run, refuse, done, is_spent, last_words, idle};
