/* SPDX-License-Identifier: MIT */
/*
 * shmx for C and C++: Lua modules whose functions read, fill, make and return the arrays of shmx.
 *
 * Such a module is an ordinary C module of Lua 5.4. Its functions work in the script, in tasks, and in a stock lua5.4
 * with shmx installed. It links neither shmx nor Lua: both are there when it is loaded.
 *
 *   #include <shmx/shmx.h>
 *
 *   static int twice(lua_State *L) {                         // twice(a) -> array
 *     struct shmx_array_view a, b;
 *     shmx_check_array(L, 1, SHMX_DTYPE_F64, 1, SHMX_CONTIGUOUS, &a);
 *     shmx_new_array(L, a.dtype, a.ndim, a.shape, 0, &b);    // on the top of the stack
 *     for (int64_t i = 0; i < a.count; i++) ((double *)b.data)[i] = 2 * ((const double *)a.data)[i];
 *     return 1;                                              // handed over, not copied
 *   }
 *
 *   SHMX_MODULE(twice) {
 *     static const luaL_Reg functions[] = {{"twice", twice}, {NULL, NULL}};
 *     shmx_open(L);
 *     luaL_newlib(L, functions);
 *     return 1;
 *   }
 *
 * To build it, with CMake:
 *
 *   find_package(shmx REQUIRED)
 *   shmx_add_task_module(twice twice.c)
 *
 * or without:
 *
 *   cc -O2 -shared -fPIC $(pkg-config --cflags shmx) -o twice.so twice.c
 *
 * In the script, `pool:submit(require("twice").twice, a)` then runs it in a worker.
 *
 * Errors. Every function here that says that it raises an error leaves by longjmp, as Lua's own do: hold no memory, file
 * or lock across it that nobody would let go of. To raise one yourself use luaL_error or luaL_argerror; the task then
 * ends with it. In C++, no object with a destructor may be alive in a function that calls what can raise.
 *
 * Threads. Only the thread that Lua called may use these functions, shmx_cancelled aside. Other threads may work in the
 * memory of a view.
 *
 * Crashes. When native code crashes, its worker ends; the task fails with an error that names the signal and the module,
 * the arrays of others are safe, and a new worker takes the place. What nobody can guard against is code that writes
 * outside its arrays.
 */
#ifndef SHMX_SHMX_H
#define SHMX_SHMX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include <lauxlib.h>
#include <lua.h>

/*
 * The version of this interface, SHMX_ABI.SHMX_ABI_REVISION. A module works in every shmx that has the same SHMX_ABI and at
 * least the SHMX_ABI_REVISION that the module was compiled with; shmx_open sees to that.
 *
 * The revision grows when something is added: functions, behind the last member of struct shmx_api, or flags. What there
 * was keeps its place and its meaning, so what is compiled already goes on working. SHMX_ABI grows when that cannot be, and
 * then every module must be compiled anew.
 *
 *   1.0  arrays
 *   1.1  shmx_cancelled, shmx_check_cancelled, shmx_progress
 */
#define SHMX_ABI          1
#define SHMX_ABI_REVISION 1

/*
 * SHMX_MODULE(name) { ... } is the function that opens the module: `int luaopen_name(lua_State *L)`, which can be seen from
 * outside also when nothing else in the module can. A module a.b has the name a_b here, and the file a/b.so.
 */
#ifdef __cplusplus
#define SHMX_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define SHMX_EXPORT __attribute__((visibility("default")))
#endif
#define SHMX_MODULE(name)                                                                                              \
  SHMX_EXPORT int luaopen_##name(lua_State *L);                                                                        \
  SHMX_EXPORT int luaopen_##name(lua_State *L)

/* --- arrays --- */

/* The types of elements. A bool is a byte: everything but 0 is true, and 1 is what you should write. */
enum {
  SHMX_DTYPE_I8 = 0,
  SHMX_DTYPE_U8 = 1,
  SHMX_DTYPE_I16 = 2,
  SHMX_DTYPE_U16 = 3,
  SHMX_DTYPE_I32 = 4,
  SHMX_DTYPE_U32 = 5,
  SHMX_DTYPE_I64 = 6,
  SHMX_DTYPE_U64 = 7,
  SHMX_DTYPE_F32 = 8,
  SHMX_DTYPE_F64 = 9,
  SHMX_DTYPE_BOOL = 10
};

/* What to ask for, and what a view says of itself. */
enum {
  SHMX_CONTIGUOUS = 1, /* the elements lie one after another, the last dimension densest */
  SHMX_WRITABLE = 2,   /* you may write; an array that is frozen is not */
  SHMX_ZEROED = 4      /* of a new array: every element is 0 */
};

enum { SHMX_ANY = -1 }; /* in the place of a dtype, or of a number of dimensions */

enum { SHMX_NDIM_MAX = 8 };

/*
 * How the elements of an array lie in memory. Element (i, j, ...), counted from 0, is at
 *
 *   (char *)data + i * strides[0] + j * strides[1] + ...
 *
 * `data` is aligned to the element's size, and at least to 64 bytes in a new array. It is valid as long as the array is:
 * until it is closed, or collected because Lua refers to it no longer. While the array is an argument of the function
 * that runs, or on its stack, it stays, unless a Lua function that you call closes it.
 */
struct shmx_array_view {
  void *data;     /* never NULL, even without elements */
  int64_t count;  /* elements: the product of the shape */
  int32_t dtype;  /* SHMX_DTYPE_... */
  int32_t ndim;   /* 1 to SHMX_NDIM_MAX */
  uint32_t bytes; /* of one element */
  uint32_t flags; /* SHMX_CONTIGUOUS, SHMX_WRITABLE */
  int64_t shape[SHMX_NDIM_MAX];
  int64_t strides[SHMX_NDIM_MAX]; /* in bytes; may be negative, and 0 */
};

/* --- what shmx gives a module; use the functions below instead --- */

struct shmx_api {
  /* In every version: */
  uint32_t abi, revision;
  void (*accept)(lua_State *L, uint32_t abi, uint32_t revision, const void *module);
  /* Since 1.0: */
  int (*to_array)(lua_State *L, int index, struct shmx_array_view *view);
  void (*check_array)(lua_State *L, int arg, int dtype, int ndim, unsigned flags, struct shmx_array_view *view);
  void (*new_array)(lua_State *L, int dtype, int ndim, const int64_t *shape, unsigned flags,
                    struct shmx_array_view *view);
  int (*check_dtype)(lua_State *L, int arg);
  const char *(*dtype_name)(int dtype);
  /* Since 1.1: */
  int (*cancelled)(void);
  void (*check_cancelled)(lua_State *L);
  void (*progress)(double done, double total);
};

#define SHMX_API_KEY "shmx.api" /* in the registry: a pointer to it */

/* One for the whole module, however many files it has, and for no other module. */
__attribute__((weak, visibility("hidden"))) const struct shmx_api *shmx_api_here;

/* --- opening --- */

/*
 * Finds shmx, loading it if the script has not, and checks that it is one that this module can work with. Call it first
 * in SHMX_MODULE. Raises an error that names the module's file and both versions if it is not.
 */
static inline void shmx_open(lua_State *L) {
  const struct shmx_api *api;
  if (lua_getfield(L, LUA_REGISTRYINDEX, SHMX_API_KEY) == LUA_TNIL) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "shmx");
    lua_call(L, 1, 0);
    lua_pop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, SHMX_API_KEY);
  }
  api = (const struct shmx_api *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!api) luaL_error(L, "the shmx that is installed here has no interface for C modules; install a newer one");
  api->accept(L, SHMX_ABI, SHMX_ABI_REVISION, (const void *)&shmx_api_here);
  shmx_api_here = api;
}

static inline const struct shmx_api *shmx_api_get(lua_State *L) {
  if (!shmx_api_here) shmx_open(L);
  return shmx_api_here;
}

/* --- functions for arrays --- */

/*
 * Describes the array at `index` and returns 1; returns 0, with *view unchanged, when there is something else or a
 * closed array. Never raises.
 */
static inline int shmx_to_array(lua_State *L, int index, struct shmx_array_view *view) {
  return shmx_api_get(L)->to_array(L, index, view);
}

/*
 * Describes the array that is argument `arg` of the function. Raises an error that says what is wrong with it unless it
 * has this dtype and number of dimensions (SHMX_ANY: any) and all of `flags`, SHMX_CONTIGUOUS and SHMX_WRITABLE.
 */
static inline void shmx_check_array(lua_State *L, int arg, int dtype, int ndim, unsigned flags,
                                    struct shmx_array_view *view) {
  shmx_api_get(L)->check_array(L, arg, dtype, ndim, flags, view);
}

/*
 * Pushes a new array, contiguous and writable, and describes it. With SHMX_ZEROED in `flags` its elements are 0; without,
 * the memory holds whatever it held, and it is yours to fill. Raises an error when the shape makes no sense or the memory
 * is not to be had; in a worker that can take a while, since it waits as long as others may free some.
 */
static inline void shmx_new_array(lua_State *L, int dtype, int ndim, const int64_t *shape, unsigned flags,
                                  struct shmx_array_view *view) {
  shmx_api_get(L)->new_array(L, dtype, ndim, shape, flags, view);
}

/* The dtype whose name ("f64") is argument `arg`; raises an error that lists them when there is none. */
static inline int shmx_check_dtype(lua_State *L, int arg) { return shmx_api_get(L)->check_dtype(L, arg); }

/* The name of a dtype, such as "f64"; "?" for what is none. */
static inline const char *shmx_dtype_text(lua_State *L, int dtype) { return shmx_api_get(L)->dtype_name(dtype); }

/* --- functions for what takes long --- */

/*
 * Returns 1 when the task that runs is to stop, because it was cancelled or has used up its `timeout`, otherwise 0. It
 * costs some nanoseconds: ask after every millisecond of work or so. Never raises.
 *
 * The caller of the task has its verdict by then, and nobody sees what the function returns. So let go of what you hold,
 * and return or raise an error. Whoever has been told is trusted: the Lua code of the task, which is interrupted otherwise,
 * is not from then on, and can tidy up. But the worker is killed, and another takes its place, if the task has not ended a
 * quarter of a second after a time-out, or the pool's `grace` after a cancellation; so it is when nobody asks.
 *
 * Any thread may call this while the function runs. Outside of a task, and where workers = 0, it returns 0.
 */
static inline int shmx_cancelled(lua_State *L) { return shmx_api_get(L)->cancelled(); }

/*
 * Raises an error if the task that runs is to stop, as happens to tasks in Lua. For functions that hold nothing which this
 * would leave behind (see Errors above); one line in the outer loop is enough then.
 */
static inline void shmx_check_cancelled(lua_State *L) { shmx_api_get(L)->check_cancelled(L); }

/*
 * Says that `done` of `total` parts of the task are done; the bar shows it. The cost is a store to memory. Never raises;
 * less than nothing counts as nothing, more than all as all. Outside of a task it does nothing.
 */
static inline void shmx_progress(lua_State *L, double done, double total) { shmx_api_get(L)->progress(done, total); }

#ifdef __cplusplus
}
#endif

#endif
