/* SPDX-License-Identifier: MIT */
/*
 * See runner.h. One Lua state for the worker's life, born in the supervisor, where nothing runs in it; globals persist
 * from task to task. Everything runs in protected calls; memory that Lua cannot get is that task's error.
 *
 * Here is how a task runs and what it leaves: its values, or its failure (runner_failure.c). How the state is made is in
 * runner_start.c, tasks in main are in room.c.
 */
#include "bind/runner.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "bind/array.h"
#include "bind/error.h"
#include "bind/last_words.h"
#include "bind/output.h"
#include "bind/plain.h"
#include "bind/runner_parts.h"
#include "bind/stop.h"
#include "core/fault.h"

enum {
  COLLECTING_SHARE = 20,     /* at most one part in so many of the time goes into collecting after tasks */
  WORTH_COLLECTING = 1 << 20 /* bytes of arrays */
};

enum { HANDLER = 1, PERFORM = 2 }; /* always on the stack of a state that has started, at these indexes */

struct shmx_room shmx_here;

bool shmx_runner_is_here(void) { return shmx_here.L != NULL; }
bool shmx_runner_is_guest(uint32_t *task) {
  *task = shmx_here.task;
  return shmx_here.guest;
}
bool shmx_runner_was_given(const struct shmx_segment *segment) {
  for (uint32_t i = 0; shmx_here.guest && i < shmx_here.message->nsegments; i++)
    if (shmx_here.message->segments[i] == segment) return true;
  return false;
}
void shmx_runner_closes(void) { shmx_here.L = NULL; }

/* --- running a task --- */

/* Pushes the function and its arguments, and returns how many values that is. */
static int push_call(lua_State *L) {
  int count = shmx_runner_push_message(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  return count;
}

/* Unpacks the function and its arguments, calls it, and packs what it returns. Nothing is on the stack. */
static int perform(lua_State *L) {
  static const struct shmx_pack_names names[] = {{"result", 0}, {"result", 1}};
  if (shmx_here.error < 0)
    return luaL_error(L, "the arguments of the task cannot be had: %s", shmx_explain(shmx_here.error));
  struct shmx_delivery call = shmx_delivery_of(shmx_here.message);
  int count = shmx_plain_read(L, &call);
  if (count == 0) count = push_call(L);
  SHMX_FAULT("w2");
  lua_call(L, count - 1, LUA_MULTRET);
  const struct shmx_pack_names *called = shmx_runner_add_output(L, names);
  shmx_codec_pack(L, &shmx_here.packet, 1, lua_gettop(L), 0, called);
  return 0;
}

static int start(void *context, int error, const struct shmx_incoming *config, char *text, size_t room) {
  if (shmx_runner_start(context, error, config, text, room) < 0) return -1;
  lua_pushcfunction(shmx_here.L, shmx_runner_keep_traceback);
  lua_pushcfunction(shmx_here.L, perform);
  return 0;
}

static void fill(struct shmx_outgoing *result) {
  *result = (struct shmx_outgoing){.body = shmx_here.packet.body,
                                   .size = shmx_here.packet.size,
                                   .segments = shmx_here.packet.segments,
                                   .nsegments = shmx_here.packet.nsegments};
}

bool shmx_runner_met_limit(int status) {
  bool met = status == LUA_ERRMEM && shmx_here.quota->met;
  shmx_here.spent = shmx_here.spent || met;
  return met;
}

void shmx_runner_note_failed_element(void) { shmx_here.failed = true; }

/* What the task raised is on the top. */
static enum shmx_result take_error(lua_State *L, int status) {
  enum shmx_result verdict = SHMX_RESULT_ERROR;
  shmx_quota_lift(shmx_here.quota); /* the error needs memory too */
  if (shmx_runner_met_limit(status)) {
    lua_pushfstring(L, "its worker's Lua heap would be larger than max_memory_per_worker allows (%I bytes)",
                    (LUAI_UACINT)shmx_here.quota->most);
    verdict = SHMX_RESULT_REFUSED;
  } else if (shmx_array_is_refusal(L)) {
    verdict = SHMX_RESULT_REFUSED;
  }
  shmx_runner_pack_failure(L);
  lua_settop(L, PERFORM);
  return verdict;
}

static void finish_output(void) {
  shmx_output_finish();
  shmx_output_drop();
}

static enum shmx_result run(void *context, uint32_t task, int error, const struct shmx_incoming *arguments,
                            struct shmx_outgoing *result) {
  (void)context;
  lua_State *L = shmx_here.L;
  shmx_here.message = arguments;
  shmx_here.error = error;
  shmx_here.task = task;
  shmx_here.failed = false;
  shmx_packet_reset(&shmx_here.packet);
  if (shmx_here.traceback) shmx_runner_forget_traceback(L);
  lua_pushvalue(L, PERFORM);
  enum shmx_result verdict = SHMX_RESULT_VALUES;
  if (shmx_here.seed.is_set) shmx_seed_begin(L, &shmx_here.seed, task);
  shmx_quota_begin(shmx_here.quota);
  shmx_stop_begin();
  int status = lua_pcall(L, 0, 0, HANDLER);
  shmx_hook_end(L, &shmx_here.hook);
  if (status != LUA_OK) verdict = take_error(L, status);
  else if (shmx_here.failed) verdict = SHMX_RESULT_ELEMENT_FAILED;
  if (!shmx_here.prints_itself) finish_output();
  fill(result);
  return shmx_here.printed ? verdict | SHMX_RESULT_PRINTED : verdict;
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
  lua_gc(shmx_here.L, LUA_GCSTEP, 0);
  shmx_array_charge_nothing();
  int64_t end = shmx_os_now();
  not_before = end + COLLECTING_SHARE * (end - begin);
}

static void done(void *context) {
  (void)context;
  shmx_packet_reset(&shmx_here.packet);
  collect_young();
}

static bool is_spent(void *context) {
  (void)context;
  return shmx_here.spent;
}

/* At first garbage is looked for only when arrays have come since the last time; later also for what a task has let go of
 * that was kept before. */
static void idle(void *context, bool for_long) {
  static uint64_t collected_at;
  (void)context;
  struct shmx_memory *memory = shmx_memory_here();
  if (shmx_memory_live(memory) == 0 || (!for_long && shmx_memory_handled(memory) == collected_at)) return;
  lua_gc(shmx_here.L, LUA_GCCOLLECT);
  collected_at = shmx_memory_handled(memory);
}

static void last_words(void *context, const void *place, char *text, size_t room) {
  (void)context;
  if (shmx_here.L) shmx_last_words(shmx_here.L, place, text, room);
}

const struct shmx_runner shmx_lua_runner = {NULL, shmx_runner_prepare, start, run, done, is_spent, last_words, idle};
