/* SPDX-License-Identifier: MIT */
/*
 * Modules that are known by the path of their file. `require "/home/me/tasks/resize.lua"` finds such a one, in main and in
 * workers: by that, what shmx.load_tasks has loaded in main travels as a module does, by its name.
 */
#ifndef SHMX_BIND_FILES_H
#define SHMX_BIND_FILES_H

#include <lua.h>

/* Adds the searcher for absolute paths of *.lua and *.so files to package.searchers, and `name_function` to the module on
 * the top. */
void shmx_files_open(lua_State *L);

#endif
