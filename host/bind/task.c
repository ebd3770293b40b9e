/* SPDX-License-Identifier: MIT */
/*
 * The userdata `shmx.task`. What happens to it while it is on a board is in bind/pool.c; here are its making, its fields
 * and its end. A failure that nobody has looked at is told by a warning when its task is collected: the finalizer for that
 * belongs to a guard, which only failed tasks have, because finalizers are dear.
 */
#include "bind/task.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/module.h"
#include "bind/output.h"
#include "bind/pool.h"
#include "bind/scalar.h"
#include "os/os.h"

enum {
  SHOWN = 40,                  /* longest text of an argument that is kept as it is */
  ARGUMENTS_MAX = 1000000 - 16 /* less than what fits on a Lua stack */
};

static const char task_tag;

struct shmx_task *shmx_task_test(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  return task && lua_rawlen(L, index) == sizeof *task && task->tag == &task_tag ? task : NULL;
}

struct shmx_task *shmx_task_check(lua_State *L, int index) {
  struct shmx_task *task = shmx_task_test(L, index);
  if (!task) luaL_typeerror(L, index, SHMX_TASK_TYPE);
  return task;
}

/* --- names --- */

/* A local variable of the frame that has the function at `f`. Parameters do not count: they say nothing about it. */
static const char *find_local(lua_State *L, lua_Debug *frame, int f) {
  const char *name;
  for (int i = frame->nparams + 1; (name = lua_getlocal(L, frame, i)) != NULL; i++) {
    bool found = lua_rawequal(L, -1, f) && name[0] != '(';
    lua_pop(L, 1);
    if (found) return name;
  }
  return NULL;
}

/* An upvalue, that has the function at `f`, of the function on the top, which is popped. */
static const char *find_upvalue(lua_State *L, int f) {
  const char *name;
  bool found = false;
  for (int i = 1; !found && (name = lua_getupvalue(L, -1, i)) != NULL; i++) {
    found = lua_rawequal(L, -1, f) && name[0] != 0;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return found ? name : NULL;
}

/* Looks for a variable of the innermost functions on the call stack that are not of this library. */
static const char *find_variable(lua_State *L, int f) {
  lua_Debug frame;
  for (int level = 1, seen = 0; seen < 3 && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "fSu", &frame);
    if (*frame.what == 'C' || shmx_is_own_source(L, frame.source)) {
      lua_pop(L, 1);
      continue;
    }
    seen++;
    const char *name = find_upvalue(L, f);
    if (!name) name = find_local(L, &frame, f);
    if (name) return name;
  }
  return NULL;
}

/* Pushes the key of the function at `f` in the table on the top, in whose place it goes; or false. */
static bool find_key(lua_State *L, int f) {
  int table = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    if (lua_rawequal(L, -1, f) && lua_type(L, -2) == LUA_TSTRING) {
      lua_pop(L, 1);
      lua_replace(L, table);
      return true;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return false;
}

static bool find_global(lua_State *L, int f) {
  lua_pushglobaltable(L);
  return find_key(L, f);
}

/* Pushes "module.field" of a loaded module that has the function, or nothing. */
static bool find_field(lua_State *L, int f) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  int modules = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, modules)) {
    bool module = lua_istable(L, -1) && lua_type(L, -2) == LUA_TSTRING;
    if (!module) lua_pop(L, 1);
    else if (find_key(L, f)) {
      lua_pushfstring(L, "%s.%s", lua_tostring(L, -2), lua_tostring(L, -1));
      lua_replace(L, modules);
      lua_settop(L, modules);
      return true;
    }
  }
  lua_pop(L, 1);
  return false;
}

/* "function <script.lua:12>", or what there is to say about one that is written in C. */
static void push_origin(lua_State *L, int f) {
  lua_Debug info;
  lua_pushvalue(L, f);
  lua_getinfo(L, ">S", &info);
  if (*info.what == 'C') lua_pushliteral(L, "C function");
  else lua_pushfstring(L, "function <%s:%d>", info.short_src, info.linedefined);
}

/* Pushes the name of a global or a module's field that has the function, or where it was defined. Scripts with many
 * globals make new closures again and again: for those of a definition for which nothing was found, nothing is sought.
 * The table of names is on the top. */
static void push_lasting_name(lua_State *L, int f) {
  int names = lua_gettop(L);
  push_origin(L, f);
  lua_pushvalue(L, -1);
  bool anonymous = lua_rawget(L, names) != LUA_TNIL;
  lua_pop(L, 1);
  if (lua_iscfunction(L, f) ? find_global(L, f) || find_field(L, f) : !anonymous && find_global(L, f)) {
    lua_remove(L, names + 1);
  } else if (!anonymous) {
    lua_pushvalue(L, -1);
    lua_pushboolean(L, true);
    lua_rawset(L, names);
  }
}

void shmx_task_push_name(lua_State *L, int f) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "shmx.names");
  lua_pushvalue(L, f);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    const char *variable = find_variable(L, f);
    if (variable) lua_pushstring(L, variable);
    else push_lasting_name(L, f);
    lua_pushvalue(L, f);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

static void open_names(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.names");
}

/* --- making --- */

static lua_Integer last_id;

lua_Integer shmx_task_last(void) { return last_id; }

struct shmx_task *shmx_task_push(lua_State *L) {
  struct shmx_task *task = lua_newuserdatauv(L, sizeof *task, SHMX_TASK_VALUES);
  *task = (struct shmx_task){.tag = &task_tag, .id = ++last_id, .status = SHMX_TASK_NEW};
  luaL_setmetatable(L, SHMX_TASK_TYPE);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, SHMX_TASK_NAME);
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
    int named = luaL_getmetafield(L, index, "__name");
    if (named == LUA_TSTRING) return;
    if (named != LUA_TNIL) lua_pop(L, 1);
    lua_pushstring(L, lua_typename(L, type));
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

/* Pushes the value on the top as text: a whole number is written as one, though 10^3 is a float. */
static void push_argument_text(lua_State *L) {
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
    push_argument_text(L);
    length = append(out, size, length, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
  if (count > 0) length = append(out, size, length, ")");
  out[length] = 0;
  lua_pop(L, 1);
}

int shmx_task_push_results(lua_State *L, int index) {
  struct shmx_task *task = lua_touserdata(L, index);
  return push_values(L, index, SHMX_TASK_RESULTS, task->results);
}

static void check_function(lua_State *L, int index, const char *what) {
  if (lua_type(L, index) == LUA_TFUNCTION) return;
  shmx_error(L, "bad %s to 'task' (function expected, got %s)", what, luaL_typename(L, index));
}

static bool is_known_field(const char *key) {
  static const char *const known[] = {"n", "name", "retries", "timeout"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(key, known[i]) == 0) return true;
  return false;
}

/* Refuses what shmx.task{...} at index 1 does not know. */
static void check_fields(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) continue;
    const char *key = lua_tostring(L, -1);
    if (is_known_field(key)) continue;
    shmx_error(L,
               "bad field '%s' to 'task' (known are: n, name, retries, timeout, and from [1] on the function and its "
               "arguments)",
               key);
  }
}

/* The number of arguments in shmx.task{f, args..., n =}. */
static int check_count(lua_State *L) {
  int number = 1;
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1) - 1;
  if (lua_getfield(L, 1, "n") != LUA_TNIL) count = lua_tointegerx(L, -1, &number);
  if (!number || count < 0 || count > ARGUMENTS_MAX)
    shmx_error(L, "bad field 'n' to 'task' (the number of arguments expected, at most %d, got %s)", ARGUMENTS_MAX,
               luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return (int)count;
}

/* The fields timeout and retries of the table at index 1. */
static void read_limits(lua_State *L, struct shmx_task *task) {
  if (lua_getfield(L, 1, "timeout") != LUA_TNIL) {
    lua_Number seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(seconds > 0))
      shmx_error(L, "bad field 'timeout' to 'task' (a positive number of seconds expected, got %s)",
                 luaL_tolstring(L, -1, NULL));
    task->nanoseconds = shmx_task_timeout(seconds);
  }
  if (lua_getfield(L, 1, "retries") != LUA_TNIL) {
    int whole;
    lua_Integer retries = lua_tointegerx(L, -1, &whole);
    if (!whole || lua_type(L, -1) != LUA_TNUMBER || retries < 0 || retries > SHMX_TASK_RETRIES_MAX)
      shmx_error(L, "bad field 'retries' to 'task' (a whole number from 0 to %d expected, got %s)",
                 SHMX_TASK_RETRIES_MAX, luaL_tolstring(L, -1, NULL));
    task->attempt = (uint8_t)(retries + 1);
  }
}

/* shmx.task{f, args..., n =, name =, timeout =, retries =} */
static int task_from_table(lua_State *L) {
  check_fields(L);
  lua_rawgeti(L, 1, 1);
  check_function(L, 2, "field [1]");
  int count = check_count(L);
  luaL_checkstack(L, count + 8, "too many arguments");
  for (int i = 1; i <= count; i++) lua_rawgeti(L, 1, i + 1);
  shmx_task_push_name(L, 2);
  shmx_task_push(L);
  int task = lua_gettop(L);
  shmx_task_keep(L, task, 2, count + 1);
  int named = lua_getfield(L, 1, "name");
  if (named == LUA_TSTRING) {
    shmx_task_check(L, task)->named = true;
    lua_setiuservalue(L, task, SHMX_TASK_NAME);
  } else if (named != LUA_TNIL)
    shmx_error(L, "bad field 'name' to 'task' (string expected, got %s)", luaL_typename(L, -1));
  read_limits(L, shmx_task_check(L, task));
  lua_settop(L, task);
  return 1;
}

static int new_task(lua_State *L) {
  if (lua_type(L, 1) == LUA_TTABLE && lua_gettop(L) == 1) return task_from_table(L);
  check_function(L, 1, "argument #1");
  int count = lua_gettop(L);
  shmx_task_push_name(L, 1);
  shmx_task_push(L);
  shmx_task_keep(L, count + 1, 1, count);
  return 1;
}

/* --- fields --- */

static const char *const status_names[] = {"waiting", "queued",    "done",    "failed",
                                           "crashed", "cancelled", "refused", "timeout"};

const char *shmx_task_status_name(int status) {
  bool known = status >= 0 && (size_t)status < sizeof status_names / sizeof *status_names;
  return known ? status_names[status] : NULL;
}

static const char *status_of(lua_State *L, const struct shmx_task *task) {
  return task->status == SHMX_TASK_QUEUED ? shmx_task_state_on_board(L, 1) : status_names[task->status];
}

static int push_result(lua_State *L, struct shmx_task *task) {
  if (task->status != SHMX_TASK_DONE || task->results == 0) return 0;
  int n = shmx_task_push_results(L, 1);
  lua_pop(L, n - 1);
  return 1;
}

static int push_result_list(lua_State *L, struct shmx_task *task) {
  if (task->status != SHMX_TASK_DONE) return 0;
  int n = shmx_task_push_results(L, 1);
  lua_createtable(L, n, 1);
  lua_insert(L, -n - 1);
  int table = lua_gettop(L) - n;
  for (int i = n; i >= 1; i--) lua_rawseti(L, table, i);
  lua_pushinteger(L, n);
  lua_setfield(L, table, "n");
  return 1;
}

/* lua/shmx/seeing.lua finds them. */
static int push_handovers(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.handovers");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static lua_Integer attempt_of(lua_State *L, const struct shmx_task *task) {
  if (task->status == SHMX_TASK_NEW) return 0;
  return task->status == SHMX_TASK_QUEUED ? shmx_task_attempt_on_board(L, 1) : task->attempt;
}

static int push_field(lua_State *L, struct shmx_task *task, const char *key) {
  bool ended = shmx_task_has_ended(task);
  if (strcmp(key, "result") == 0) return push_result(L, task);
  else if (strcmp(key, "id") == 0) lua_pushinteger(L, task->id);
  else if (strcmp(key, "status") == 0) lua_pushstring(L, status_of(L, task));
  else if (strcmp(key, "results") == 0) return push_result_list(L, task);
  else if (strcmp(key, "name") == 0) lua_getiuservalue(L, 1, SHMX_TASK_NAME);
  else if (strcmp(key, "skipped") == 0) lua_pushboolean(L, task->skipped);
  else if (strcmp(key, "output") == 0) shmx_output_push_taken(L, 1);
  else if (strcmp(key, "handovers") == 0) return push_handovers(L);
  else if (strcmp(key, "attempt") == 0) lua_pushinteger(L, attempt_of(L, task));
  else if (strcmp(key, "worker") == 0 && task->worker > 0) lua_pushinteger(L, task->worker);
  else if (strcmp(key, "seconds") == 0 && ended && task->nanoseconds > 0)
    lua_pushnumber(L, (double)task->nanoseconds * 1e-9);
  else if (strcmp(key, "error") == 0 && task->status > SHMX_TASK_DONE) {
    task->looked_at = true;
    lua_getiuservalue(L, 1, SHMX_TASK_RESULTS);
  } else return 0;
  return 1;
}

static int task_index(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  return lua_type(L, 2) == LUA_TSTRING ? push_field(L, task, lua_tostring(L, 2)) : 0;
}

/* Appends the kept values, as people write them, to the buffer. */
static void add_values(lua_State *L, luaL_Buffer *text, int place, int count) {
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addstring(text, ", ");
    lua_getiuservalue(L, 1, place);
    if (count != 1) {
      lua_rawgeti(L, -1, i);
      lua_remove(L, -2);
    }
    if (place == SHMX_TASK_ARGUMENTS) push_argument_text(L);
    else luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    luaL_addvalue(text);
  }
}

static void add_arguments(lua_State *L, luaL_Buffer *text, const struct shmx_task *task) {
  const char *at = task->scalars, *end = at + task->shown;
  if (at == end) add_values(L, text, SHMX_TASK_ARGUMENTS, task->arguments);
  while (at && at < end) {
    if (at > task->scalars) luaL_addstring(text, ", ");
    at = shmx_scalar_take_any(L, at, end);
    push_argument_text(L);
    lua_remove(L, -2);
    luaL_addvalue(text);
  }
}

/* Appends what the failure says, without name and traceback. */
static void add_failure(lua_State *L, luaL_Buffer *text) {
  lua_getiuservalue(L, 1, SHMX_TASK_RESULTS);
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "message");
    lua_remove(L, -2);
  }
  luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
  luaL_addvalue(text);
}

static int task_tostring(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  lua_getiuservalue(L, 1, SHMX_TASK_NAME);
  luaL_addvalue(&text);
  luaL_addchar(&text, '(');
  add_arguments(L, &text, task);
  luaL_addchar(&text, ')');
  if (task->skipped) {
    luaL_addstring(&text, " --> done before");
  } else if (task->status == SHMX_TASK_DONE) {
    luaL_addstring(&text, " --> Result: ");
    add_values(L, &text, SHMX_TASK_RESULTS, task->results);
  } else if (shmx_task_has_ended(task)) {
    task->looked_at = true;
    luaL_addstring(&text, " --> Error: ");
    add_failure(L, &text);
  } else {
    luaL_addstring(&text, " --> ");
    luaL_addstring(&text, status_of(L, task));
  }
  luaL_pushresult(&text);
  return 1;
}

/* The finalizer of a guard, whose value is the task. */
static int guard_gc(lua_State *L) {
  if (shmx_os_forked() || lua_getiuservalue(L, 1, 1) != LUA_TUSERDATA) return 0;
  struct shmx_task *task = shmx_task_test(L, -1);
  if (!task || task->looked_at) return 0;
  task->looked_at = true;
  lua_pushcfunction(L, task_tostring);
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

static const luaL_Reg metamethods[] = {{"__tostring", task_tostring}, {NULL, NULL}};

void shmx_task_open(lua_State *L) {
  open_names(L);
  luaL_newmetatable(L, SHMX_TASK_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods"); /* bind/pool.c and lua/shmx add to it */
  lua_pushcclosure(L, task_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, new_task);
  lua_setfield(L, -2, "task");
}
