/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.task`, and the values that belong to it: its function and arguments until they are sent, what of them
 * is shown, its results, and the guard of a failure. What happens to a task while it is on a board is in bind/pool.c; how
 * scripts make one is in task_new.c, what it says of itself in task_fields.c.
 *
 * A failure that nobody has looked at is told by a warning when its task is collected: the finalizer for that belongs to
 * the guard, which only failed tasks have, because finalizers are dear.
 */
#include "bind/task.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/error.h"
#include "bind/task_parts.h"
#include "os/os.h"

enum { SHOWN = 40 }; /* longest text of an argument that is kept as it is */

static const char task_tag;

/* Where the registry has the metatable too: a number is found sooner than a name. */
#define METATABLE ((lua_Integer)(intptr_t)&task_tag)

struct shmx_task *shmx_task_test(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  return task && lua_rawlen(L, index) == sizeof *task && task->tag == &task_tag ? task : NULL;
}

struct shmx_task *shmx_task_check(lua_State *L, int index) {
  struct shmx_task *task = shmx_task_test(L, index);
  if (!task) luaL_typeerror(L, index, SHMX_TASK_TYPE);
  return task;
}

struct shmx_task *shmx_task_check_self(lua_State *L, const char *name) {
  struct shmx_task *task = shmx_task_test(L, 1);
  if (!task) shmx_error_without(L, "task", name);
  return task;
}

/* --- values --- */

static lua_Integer last_id;

lua_Integer shmx_task_last(void) { return last_id; }

struct shmx_task *shmx_task_push(lua_State *L) {
  struct shmx_task *task = lua_newuserdatauv(L, sizeof *task, SHMX_TASK_VALUES);
  *task = (struct shmx_task){.tag = &task_tag, .id = ++last_id, .status = SHMX_TASK_NEW};
  lua_rawgeti(L, LUA_REGISTRYINDEX, METATABLE);
  lua_setmetatable(L, -2);
  return task;
}

const char *shmx_task_peek_name(lua_State *L, int index) {
  lua_getiuservalue(L, index, SHMX_TASK_NAME);
  const char *name = lua_tostring(L, -1);
  lua_pop(L, 1);
  return name;
}

/* Pops `count` values and keeps them as the task's value `place`: one as itself, more in a table. */
static void keep_values(lua_State *L, int index, int place, int count) {
  if (count == 0) lua_pushnil(L);
  else if (count > 1) {
    lua_createtable(L, count, 0);
    lua_insert(L, -count - 1);
    for (int i = count; i >= 1; i--) lua_rawseti(L, -i - 1, i);
  }
  lua_setiuservalue(L, index, place);
}

static int push_values(lua_State *L, int index, int place, int count) {
  if (count == 0) return 0;
  lua_getiuservalue(L, index, place);
  if (count == 1) return 1;
  int table = lua_gettop(L);
  luaL_checkstack(L, count, "too many values");
  for (int i = 1; i <= count; i++) lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return count;
}

void shmx_task_keep(lua_State *L, int index, int first, int count) {
  struct shmx_task *task = lua_touserdata(L, index);
  lua_pushvalue(L, first);
  lua_setiuservalue(L, index, SHMX_TASK_FUNCTION);
  task->arguments = count - 1;
  luaL_checkstack(L, count, "too many arguments");
  for (int i = 1; i < count; i++) lua_pushvalue(L, first + i);
  keep_values(L, index, SHMX_TASK_ARGUMENTS, count - 1);
}

int shmx_task_push_kept(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  lua_getiuservalue(L, index, SHMX_TASK_FUNCTION);
  return 1 + push_values(L, index, SHMX_TASK_ARGUMENTS, task->arguments);
}

/* Pushes the value itself when it is small and plain, otherwise its text: a task does not keep its arguments alive. */
static void push_description(lua_State *L, int index) {
  int type = lua_type(L, index);
  index = lua_absindex(L, index);
  if (type < LUA_TSTRING || (type == LUA_TSTRING && lua_rawlen(L, index) <= SHOWN)) {
    lua_pushvalue(L, index);
  } else if (type == LUA_TSTRING) {
    lua_pushfstring(L, "string of %I bytes", (LUAI_UACINT)lua_rawlen(L, index));
  } else {
    shmx_push_type(L, index);
  }
}

bool shmx_task_describe_scalars(struct shmx_task *task, int count, const char *bytes, size_t size) {
  if (size > sizeof task->scalars) return false;
  task->arguments = count - 1;
  task->shown = (uint8_t)size;
  memcpy(task->scalars, bytes, size);
  return true;
}

void shmx_task_describe_arguments(lua_State *L, int index, int first, int count) {
  struct shmx_task *task = lua_touserdata(L, index);
  if (count == 0) return;
  task->arguments = count - 1;
  luaL_checkstack(L, count + 4, "too many arguments");
  for (int i = 1; i < count; i++) push_description(L, first + i);
  keep_values(L, index, SHMX_TASK_ARGUMENTS, count - 1);
}

static size_t append(char *out, size_t size, size_t length, const char *text) {
  while (*text && length < size - 1) out[length++] = *text++;
  return length;
}

void shmx_task_push_argument_text(lua_State *L) {
  int whole = 0;
  lua_Integer n = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &whole) : 0;
  if (whole) lua_pushfstring(L, "%I", (LUAI_UACINT)n);
  else luaL_tolstring(L, -1, NULL);
}

void shmx_task_label(lua_State *L, int index, int first, int count, char *out, size_t size) {
  lua_getiuservalue(L, index, SHMX_TASK_NAME);
  size_t length = append(out, size, 0, lua_tostring(L, -1));
  if (count > 0) length = append(out, size, length, "(");
  for (int i = 1; i < count && length < size - 1; i++) {
    push_description(L, first + i);
    if (i > 1) length = append(out, size, length, ", ");
    shmx_task_push_argument_text(L);
    length = append(out, size, length, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
  if (count > 0) length = append(out, size, length, ")");
  out[length] = 0;
  lua_pop(L, 1);
}

void shmx_task_keep_results(lua_State *L, struct shmx_task *task, int index, int count) {
  task->results = count;
  keep_values(L, index, SHMX_TASK_RESULTS, count);
  task->status = SHMX_TASK_DONE;
}

int shmx_task_push_results(lua_State *L, const struct shmx_task *task, int index) {
  return push_values(L, index, SHMX_TASK_RESULTS, task->results);
}

/* --- failures that nobody has looked at --- */

/* The finalizer of a guard, whose value is the task. */
static int guard_gc(lua_State *L) {
  if (shmx_os_forked() || lua_getiuservalue(L, 1, 1) != LUA_TUSERDATA) return 0;
  struct shmx_task *task = shmx_task_test(L, -1);
  if (!task || task->looked_at) return 0;
  task->looked_at = true;
  lua_pushcfunction(L, shmx_task_tostring);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) return 0;
  lua_warning(L, "a task failed and nobody looked at it: ", 1);
  lua_warning(L, lua_tostring(L, -1), 0);
  return 0;
}

void shmx_task_guard(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lua_newuserdatauv(L, 0, 1);
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
  if (luaL_newmetatable(L, "shmx.task.guard")) {
    lua_pushcfunction(L, guard_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  lua_setiuservalue(L, index, SHMX_TASK_GUARD);
}

static const luaL_Reg metamethods[] = {
    {"__newindex", shmx_task_newindex}, {"__tostring", shmx_task_tostring}, {NULL, NULL}};

void shmx_task_open(lua_State *L) {
  shmx_task_open_names(L);
  luaL_newmetatable(L, SHMX_TASK_TYPE);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, METATABLE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods"); /* bind/pool.c and lua/shmx add to it */
  lua_pushcclosure(L, shmx_task_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, shmx_task_new);
  lua_setfield(L, -2, "task");
  lua_pushcfunction(L, shmx_task_read_name);
  lua_setfield(L, -2, "task_name");
}
