/* SPDX-License-Identifier: MIT */
/*
 * See joblog.h. When the log cannot be written any more, that is said once, and the run goes on.
 */
#include "bind/joblog.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bind/error.h"
#include "bind/task.h"
#include "os/os.h"

bool shmx_joblog_is_open;
static int joblog = -1;

static const char end_of_cut[] = "\t(cut off)\n"; /* no name ends so: tabs in names are written otherwise */
static const char head[] = "ended\tseconds\tworker\tattempt\tstatus\tname\n";

static void write_line(const char *line, size_t size) {
  int r = shmx_os_file_write(joblog, line, size);
  if (r == 0) return;
  fprintf(stderr, "shmx: the job log cannot be written any more: %s\n", shmx_os_explain(r));
  shmx_joblog_is_open = false;
}

/* Tabs and ends of lines in names are written as in Lua's strings. */
static void add_name(luaL_Buffer *line, const char *name) {
  for (; *name; name++) {
    if (*name == '\t') luaL_addstring(line, "\\t");
    else if (*name == '\n') luaL_addstring(line, "\\n");
    else if (*name == '\\') luaL_addstring(line, "\\\\");
    else luaL_addchar(line, *name);
  }
  luaL_addchar(line, '\n');
}

void shmx_joblog_write(lua_State *L, int index) {
  const struct shmx_task *task = lua_touserdata(L, index);
  struct timespec now;
  char numbers[128];
  luaL_Buffer line;
  clock_gettime(CLOCK_REALTIME, &now);
  snprintf(numbers, sizeof numbers, "%lld.%03ld\t%.6f\t%u\t%u\t%s\t", (long long)now.tv_sec, now.tv_nsec / 1000000,
           (double)task->nanoseconds * 1e-9, task->worker, task->attempt, shmx_task_status_name(task->status));
  const char *name = shmx_task_peek_name(L, index);
  luaL_buffinit(L, &line);
  luaL_addstring(&line, numbers);
  add_name(&line, name);
  luaL_pushresult(&line);
  write_line(lua_tostring(L, -1), lua_rawlen(L, -1));
  lua_pop(L, 1);
}

/* core.skip(task) -> boolean: the task, which is to be submitted and has a name of its own, was done in the run that is
 * resumed (core.resume); then it has ended. */
static int skip_task(lua_State *L) {
  struct shmx_task *task = shmx_task_check(L, 1);
  lua_settop(L, 1);
  lua_pushboolean(L, false);
  if (!task->named || task->status != SHMX_TASK_NEW || task->pending) return 1;
  lua_getfield(L, LUA_REGISTRYINDEX, "shmx.resume");
  lua_getiuservalue(L, 1, SHMX_TASK_NAME);
  bool done = lua_rawget(L, -2) != LUA_TNIL;
  bool listed = done && lua_toboolean(L, -1); /* in the log that is being written */
  lua_settop(L, 2);
  if (!done) return 1;
  lua_pushnil(L);
  lua_setiuservalue(L, 1, SHMX_TASK_RESULTS);
  task->status = SHMX_TASK_DONE;
  task->results = 0;
  task->skipped = true;
  if (shmx_joblog_is_open && !listed) shmx_joblog_write(L, 1);
  lua_pushboolean(L, true);
  return 1;
}

/* core.joblog(path, append, cut): lines go there from now on, behind what is there, whose last line may have been cut off; an
 * error when the file cannot be written */
static int open_joblog(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int flags = O_WRONLY | O_CREAT | O_APPEND | (lua_toboolean(L, 2) ? 0 : O_TRUNC);
  if (joblog >= 0) return 0;
  joblog = shmx_os_open(path, flags, 0666);
  if (joblog < 0) return shmx_error(L, "the job log cannot be written: %s: %s", path, shmx_os_explain(joblog));
  shmx_joblog_is_open = true;
  if (lseek(joblog, 0, SEEK_END) <= 0) write_line(head, sizeof head - 1);
  else if (lua_toboolean(L, 3)) write_line(end_of_cut, sizeof end_of_cut - 1);
  return 0;
}

/* core.resume(names): tasks with these names are done: true where the log that is being written says so */
static int set_resume(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "shmx.resume");
  return 0;
}

/* core.same_file(path, path) -> boolean: do both lead to one file? */
static int same_file(lua_State *L) {
  lua_pushboolean(L, shmx_os_file_same(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
  return 1;
}

void shmx_joblog_register(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"joblog", open_joblog}, {"resume", set_resume}, {"same_file", same_file}, {"skip", skip_task}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushstring(L, head);
  lua_setfield(L, -2, "joblog_head"); /* the first line of any */
}
