# SPDX-License-Identifier: MIT
#
# find_package(shmx) for projects that write task modules in C or C++. It lies in PREFIX/lib/cmake/shmx and finds the rest
# from there, so the installation can be moved; the build tree has the same layout.
#
#   shmx_add_task_module(NAME SOURCE...)   makes the Lua module NAME from the sources, one of which has luaopen_NAME. It is
#                                          a target like others: add include paths and libraries, and install it to
#                                          ${shmx_MODULE_DIR}, where the installed Lua looks, or wherever you like.
get_filename_component(shmx_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(shmx_MODULE_DIR lib/lua/5.4)

find_package(PkgConfig QUIET REQUIRED)
pkg_search_module(shmx_LUA QUIET lua5.4 lua-5.4 lua54)
if(NOT shmx_LUA_FOUND)
  set(shmx_FOUND FALSE)
  set(shmx_NOT_FOUND_MESSAGE "the headers of Lua 5.4 are missing (pkg-config: lua5.4, lua-5.4 or lua54)")
  return()
endif()

if(NOT TARGET shmx::module)
  add_library(shmx::module INTERFACE IMPORTED GLOBAL)
  set_target_properties(shmx::module PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
                        "${shmx_PREFIX}/include;${shmx_LUA_INCLUDE_DIRS}")
endif()

# Neither shmx nor Lua is linked: the program that loads the module has both.
function(shmx_add_task_module name)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" C_VISIBILITY_PRESET hidden
                        CXX_VISIBILITY_PRESET hidden)
  target_link_libraries(${name} PRIVATE shmx::module)
endfunction()
