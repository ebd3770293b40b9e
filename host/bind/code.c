/* SPDX-License-Identifier: MIT */
/*
 * Function prototypes on both sides: see bind/code.h.
 *
 * A cache is a userdata in the registry whose user values are Lua tables, so that the collector does the book-keeping:
 * the sender's has two generations of hash -> userdata with the code, and closure (weak) -> hash; the receiver's has two
 * generations of hash -> closure or bytecode, and in front of them a few functions of tasks that ran last, found without
 * a lookup. A key is the 16 bytes of the hash. A code that is dropped from the cache while messages use it is freed by its
 * last user. Any allocation here can run finalizers, and these can come back here: a code is safe while its userdata is on
 * the stack.
 *
 * One damaged byte of bytecode can crash the interpreter, so the receiver hashes its own copy before it loads it.
 */
#include "bind/code.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* a program with one library less starts sooner, and each worker is a fork of it */
#include <xxhash.h>

#include "bind/bytecode.h"
#include "bind/error.h"
#include "bind/weak.h"

enum { YOUNG = 1, OLD = 2, CLOSURES = 3, RECENT = 4 }; /* user values; RECENT and the next ones: what was used last */
enum { DUMP_KEEP = 1 << 20, RECENTS = 8 };

/* A function of a task that ran last, by the hash's last bits. The user value is a closure that serves for every task, or
 * bytecode. */
struct recent {
  uint64_t hash[2];
  int upvalues;
  bool known;
};

struct cache {
  size_t entries, bytes; /* in the young generation */
  size_t old_entries, old_bytes;
  size_t dumps;
  char *dump; /* buffer of the last dump */
  size_t dump_size, dump_capacity;
  struct recent recent[RECENTS];
};

/* The userdata type of a code in the sender's cache, which counts as one more user. */
#define CODE_TYPE "shmx.code"

struct code_ref {
  struct shmx_code *code; /* NULL once dropped */
};

static char sender_key, receiver_key; /* the registry has the caches by their addresses, which are numbers there */

void shmx_code_use(struct shmx_code *code) { code->users++; }

void shmx_code_unuse(struct shmx_code *code) {
  if (--code->users > 0) return;
  shmx_segment_release(code->segment);
  free(code);
}

static int code_gc(lua_State *L) {
  struct code_ref *ref = luaL_checkudata(L, 1, CODE_TYPE);
  if (ref->code) shmx_code_unuse(ref->code);
  ref->code = NULL;
  return 0;
}

static int cache_gc(lua_State *L) {
  struct cache *cache = lua_touserdata(L, 1);
  free(cache->dump);
  cache->dump = NULL;
  cache->dump_size = cache->dump_capacity = 0;
  return 0;
}

/* Gives the cache on the top of the stack its tables and its __gc, and codes theirs. */
static void equip_cache(lua_State *L) {
  luaL_newmetatable(L, CODE_TYPE);
  lua_pushcfunction(L, code_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  for (int generation = YOUNG; generation <= OLD; generation++) {
    lua_newtable(L);
    lua_setiuservalue(L, -2, generation);
  }
  lua_newtable(L);
  shmx_make_weak(L, "k");
  lua_setiuservalue(L, -2, CLOSURES);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, cache_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

/* Pushes the cache under that key of the registry, which is made at first use. */
static struct cache *push_cache(lua_State *L, const char *address) {
  lua_Integer key = (intptr_t)address;
  luaL_checkstack(L, 8, "the message is nested too deeply");
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, key) == LUA_TUSERDATA) return lua_touserdata(L, -1);
  lua_pop(L, 1);
  struct cache *cache = lua_newuserdatauv(L, sizeof *cache, RECENT + RECENTS - 1);
  memset(cache, 0, sizeof *cache);
  equip_cache(L);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, key);
  return cache;
}

/* The young generation of the cache at `index` becomes the old one. */
static void turn(lua_State *L, int index, struct cache *cache) {
  lua_newtable(L);
  lua_getiuservalue(L, index, YOUNG);
  lua_setiuservalue(L, index, OLD);
  lua_setiuservalue(L, index, YOUNG);
  cache->old_entries = cache->entries;
  cache->old_bytes = cache->bytes;
  cache->entries = cache->bytes = 0;
}

/* Puts the value on the top into the young generation of the cache at `index` (positive), where it counts `bytes`. */
static void insert(lua_State *L, int index, struct cache *cache, const uint64_t *hash, size_t bytes) {
  if (cache->entries >= SHMX_CODE_ENTRIES || cache->bytes + bytes > SHMX_CODE_BYTES) turn(L, index, cache);
  lua_getiuservalue(L, index, YOUNG);
  lua_pushlstring(L, (const char *)hash, 2 * sizeof *hash);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  cache->entries++;
  cache->bytes += bytes;
}

/* Pushes what the cache at `index` has under the key on the top, which it replaces; LUA_TNIL: nil. What is found in the
 * old generation only, `*old` says. */
static int lookup(lua_State *L, int index, bool *old) {
  for (int generation = YOUNG; generation <= OLD; generation++) {
    lua_getiuservalue(L, index, generation);
    lua_pushvalue(L, -2);
    int type = lua_rawget(L, -2);
    lua_remove(L, -2);
    *old = generation == OLD;
    if (type != LUA_TNIL || generation == OLD) {
      lua_remove(L, -2);
      return type;
    }
    lua_pop(L, 1);
  }
  return LUA_TNIL;
}

/* Pushes a userdata for a code, which counts as its user. */
static struct code_ref *push_ref(lua_State *L) {
  struct code_ref *ref = lua_newuserdatauv(L, sizeof *ref, 0);
  ref->code = NULL;
  luaL_setmetatable(L, CODE_TYPE);
  return ref;
}

/* The code under the key on the top in the cache at `index`, or NULL. Something that keeps the code replaces the key. */
static struct shmx_code *find_code(lua_State *L, int index, struct cache *cache) {
  bool old;
  if (lookup(L, index, &old) == LUA_TNIL) return NULL;
  struct code_ref *ref = lua_touserdata(L, -1);
  if (old) insert(L, index, cache, ref->code->hash, ref->code->segment->size);
  return ref->code;
}

struct shmx_code *shmx_code_find(lua_State *L, int index) {
  struct shmx_code *code = NULL;
  index = lua_absindex(L, index);
  struct cache *cache = push_cache(L, &sender_key);
  int at = lua_gettop(L);
  lua_getiuservalue(L, at, CLOSURES);
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) != LUA_TNIL) code = find_code(L, at, cache);
  lua_settop(L, at - 1);
  return code;
}

static int write_dump(lua_State *L, const void *data, size_t size, void *context) {
  struct cache *cache = context;
  (void)L;
  if (cache->dump_capacity - cache->dump_size < size) {
    size_t capacity = 2 * (cache->dump_size + size) + 512;
    char *bigger = realloc(cache->dump, capacity);
    if (!bigger) return 1;
    cache->dump = bigger;
    cache->dump_capacity = capacity;
  }
  if (size > 0) memcpy(cache->dump + cache->dump_size, data, size);
  cache->dump_size += size;
  return 0;
}

/* Dumps the function at `index` into the cache's buffer. */
static void dump(lua_State *L, int index, struct cache *cache, uint64_t *hash) {
  if (cache->dump_capacity > DUMP_KEEP) {
    free(cache->dump);
    cache->dump = NULL;
    cache->dump_capacity = 0;
  }
  cache->dump_size = 0;
  lua_pushvalue(L, index);
  int rc = lua_dump(L, write_dump, cache, 0);
  lua_pop(L, 1);
  if (rc != 0) luaL_error(L, "not enough memory for the bytecode of a function");
  XXH128_hash_t xxh = XXH3_128bits(cache->dump, cache->dump_size);
  hash[0] = xxh.low64;
  hash[1] = xxh.high64;
  cache->dumps++;
}

/* A segment for the bytecode; a first refusal collects garbage. */
static struct shmx_segment *alloc_segment(lua_State *L, size_t size) {
  struct shmx_memory *memory = shmx_memory_here();
  struct shmx_segment *segment = NULL;
  int r = memory ? shmx_memory_alloc(memory, size, 0, &segment) : -ENOMEM;
  if (r == 0) return segment;
  lua_gc(L, LUA_GCCOLLECT);
  if (memory) r = shmx_memory_alloc(memory, size, SHMX_ALLOC_URGENT, &segment);
  if (r < 0)
    luaL_error(L, "the bytecode of a function (%I bytes) cannot be sent: %s", (LUAI_UACINT)size, shmx_explain(r));
  return segment;
}

/* Makes a code of the function at `index`, which the cache at `at` has just dumped, and pushes what keeps it. */
static struct shmx_code *make_code(lua_State *L, int index, int at, struct cache *cache, uint64_t *hash) {
  size_t size = cache->dump_size, dumps = cache->dumps;
  struct code_ref *ref = push_ref(L);
  struct shmx_segment *segment = alloc_segment(L, size);
  struct shmx_code *code = malloc(sizeof *code);
  if (!code) {
    shmx_segment_release(segment);
    luaL_error(L, "not enough memory for the bytecode of a function");
    return NULL;
  }
  *code = (struct shmx_code){.hash = {hash[0], hash[1]}, .segment = segment, .users = 1};
  ref->code = code;
  if (cache->dumps != dumps) dump(L, index, cache, hash); /* a finalizer has used the buffer */
  memcpy(segment->data, cache->dump, size);
  insert(L, at, cache, hash, size);
  return code;
}

struct shmx_code *shmx_code_dump(lua_State *L, int index, bool *known) {
  uint64_t hash[2];
  index = lua_absindex(L, index);
  struct cache *cache = push_cache(L, &sender_key);
  int at = lua_gettop(L);
  dump(L, index, cache, hash);
  lua_pushlstring(L, (const char *)hash, sizeof hash);
  struct shmx_code *code = find_code(L, at, cache);
  *known = code != NULL;
  if (!code) code = make_code(L, index, at, cache, hash);
  lua_getiuservalue(L, at, CLOSURES);
  lua_pushvalue(L, index);
  lua_pushlstring(L, (const char *)hash, sizeof hash);
  lua_rawset(L, -3);
  lua_settop(L, at - 1);
  return code;
}

/* Takes the code under the key on the top from a generation of the cache at `index`; the key stays. */
static void take_out(lua_State *L, int index, int generation, size_t *entries, size_t *bytes) {
  lua_getiuservalue(L, index, generation);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -2) != LUA_TNIL) {
    struct code_ref *ref = lua_touserdata(L, -1);
    *entries -= 1;
    *bytes -= ref->code->segment->size;
    lua_pushvalue(L, -3);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
  lua_pop(L, 2);
}

void shmx_code_forget(lua_State *L, int index) {
  index = lua_absindex(L, index);
  struct cache *cache = push_cache(L, &sender_key);
  int at = lua_gettop(L);
  lua_getiuservalue(L, at, CLOSURES);
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) != LUA_TNIL) {
    take_out(L, at, YOUNG, &cache->entries, &cache->bytes);
    take_out(L, at, OLD, &cache->old_entries, &cache->old_bytes);
    lua_pushvalue(L, index);
    lua_pushnil(L);
    lua_rawset(L, at + 1);
  }
  lua_settop(L, at - 1);
}

bool shmx_code_keeps_upvalues(lua_State *L, int index) {
  uint64_t hash[2];
  struct shmx_code *code = shmx_code_find(L, index);
  if (code) return shmx_bytecode_keeps_upvalues(code->segment->data, code->segment->size);
  index = lua_absindex(L, index);
  struct cache *cache = push_cache(L, &sender_key);
  dump(L, index, cache, hash);
  lua_pop(L, 1);
  return shmx_bytecode_keeps_upvalues(cache->dump, cache->dump_size);
}

void shmx_code_stats(lua_State *L, struct shmx_code_stats *stats) {
  struct cache *cache = push_cache(L, &sender_key);
  stats->entries = cache->entries + cache->old_entries;
  stats->bytes = cache->bytes + cache->old_bytes;
  stats->dumps = cache->dumps;
  lua_pop(L, 1);
}

/* The receiver. */

int shmx_code_count_upvalues(lua_State *L, int index) {
  lua_Debug info;
  lua_pushvalue(L, index);
  lua_getinfo(L, ">u", &info);
  return info.nups;
}

/* Whether any two closures of the prototype of the one at `index` are the same for a task. */
static bool is_plain(lua_State *L, int index, int upvalues) {
  if (upvalues == 0) return true;
  const char *name = lua_getupvalue(L, index, 1);
  lua_pop(L, 1);
  return upvalues == 1 && strcmp(name, "_ENV") == 0;
}

/* Replaces the bytecode on the top by a closure. */
static void load_top(lua_State *L) {
  size_t size;
  const char *bytes = lua_tolstring(L, -1, &size);
  if (luaL_loadbufferx(L, bytes, size, "function", "b") != LUA_OK) {
    luaL_error(L, "message does not decode: %s", lua_tostring(L, -1));
  }
  lua_remove(L, -2);
}

/* Pushes a closure of a prototype that the cache at `at` does not have, or its bytecode if each task needs one of its own,
 * and stores it there. */
static void load_new(lua_State *L, int at, struct cache *cache, const struct shmx_code_view *code) {
  const char *bytes;
  int r = shmx_code_view_look(code, &bytes);
  if (r < 0) luaL_error(L, "the code of a function cannot be had: %s", shmx_explain(r));
  const char *copy = lua_pushlstring(L, bytes, code->size);
  XXH128_hash_t xxh = XXH3_128bits(copy, code->size);
  if (xxh.low64 != code->hash[0] || xxh.high64 != code->hash[1]) {
    luaL_error(L, "message does not decode: the bytecode of a function is damaged");
  }
  lua_pushvalue(L, -1);
  load_top(L);
  int upvalues = shmx_code_count_upvalues(L, -1);
  if (is_plain(L, -1, upvalues)) {
    lua_remove(L, -2);
    insert(L, at, cache, code->hash, code->size);
  } else {
    lua_pop(L, 1);
    insert(L, at, cache, code->hash, code->size);
  }
}

/* Pushes what the cache at `at` has for the hash, a closure or bytecode, or makes it. */
static void push_known(lua_State *L, int at, struct cache *cache, const struct shmx_code_view *code) {
  bool old;
  lua_pushlstring(L, (const char *)code->hash, sizeof code->hash);
  if (lookup(L, at, &old) == LUA_TNIL) {
    lua_pop(L, 1);
    load_new(L, at, cache, code);
  } else if (old) {
    insert(L, at, cache, code->hash, code->size);
  }
}

int shmx_code_push(lua_State *L, const struct shmx_code_view *code) {
  struct cache *cache = push_cache(L, &receiver_key);
  int at = lua_gettop(L);
  push_known(L, at, cache, code);
  if (lua_type(L, -1) == LUA_TSTRING) load_top(L);
  lua_replace(L, at);
  return shmx_code_count_upvalues(L, -1);
}

/* Fills the entry from the bytecode or closure on the top, in whose place a closure for a task goes. */
static void note_recent(lua_State *L, int at, struct cache *cache, int place, const struct shmx_code_view *code) {
  struct recent *recent = &cache->recent[place];
  bool again = lua_type(L, -1) == LUA_TFUNCTION;
  lua_pushvalue(L, -1);
  if (!again) {
    size_t size;
    const char *bytes = lua_tolstring(L, -1, &size);
    again = shmx_bytecode_keeps_upvalues(bytes, size);
    load_top(L);
  }
  *recent = (struct recent){{code->hash[0], code->hash[1]}, shmx_code_count_upvalues(L, -1), true};
  lua_pushvalue(L, again ? -1 : -2);
  lua_setiuservalue(L, at, RECENT + place);
  lua_remove(L, -2);
}

int shmx_code_push_task(lua_State *L, const struct shmx_code_view *code) {
  struct cache *cache = push_cache(L, &receiver_key);
  int at = lua_gettop(L), place = (int)(code->hash[0] % RECENTS);
  struct recent *recent = &cache->recent[place];
  if (recent->known && recent->hash[0] == code->hash[0] && recent->hash[1] == code->hash[1]) {
    lua_getiuservalue(L, at, RECENT + place);
    if (lua_type(L, -1) == LUA_TSTRING) load_top(L);
  } else {
    push_known(L, at, cache, code);
    note_recent(L, at, cache, place, code);
  }
  lua_replace(L, at);
  return recent->upvalues;
}
