/* SPDX-License-Identifier: MIT */
/*
 * Arrays when memory is refused: the k-th allocation of the Lua state fails, for every k and in every function, and so
 * does the k-th segment. Afterwards no segment is left. The segments come from a stand-in for core/memory.c, which
 * counts them, on malloc, so that the address sanitizer sees every wrong access.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bind/array.h"
#include "bind/array_parts.h"
#include "check.h"
#include "core/chunk.h"
#include "core/outside.h"

struct shmx_memory {
  uint64_t serial;
  int64_t segments; /* that exist */
  int64_t bytes, budget;
  int64_t fail_at; /* the fail_at-th allocation from now on fails; 0: none */
  int code;        /* with this */
  int64_t waits;
};

static struct shmx_memory memory = {.budget = INT64_MAX};
static struct shmx_chunk chunk = {.id = 1ULL << 40 | 1};

struct shmx_memory *shmx_memory_here(void) {
  return &memory;
}

int shmx_memory_alloc(struct shmx_memory *m, uint64_t size, unsigned flags, struct shmx_segment **out) {
  if (m->fail_at > 0 && --m->fail_at == 0) return m->code;
  if ((int64_t)size > m->budget) return -E2BIG;
  if (m->bytes + (int64_t)size > m->budget) return -EDQUOT;
  struct shmx_segment *segment = calloc(1, sizeof *segment);
  CHECK(segment != NULL);
  segment->data = aligned_alloc(64, (size + 64) & ~63ULL);
  CHECK(segment->data != NULL);
  memset(segment->data, flags & SHMX_ALLOC_ZERO ? 0 : 0xA5, size);
  segment->id = 1ULL << 40 | ++m->serial;
  segment->size = size;
  segment->memory = m;
  segment->chunk = &chunk;
  segment->refs = 1;
  m->segments++;
  m->bytes += (int64_t)size;
  *out = segment;
  return 0;
}

int shmx_memory_alloc_wait(struct shmx_memory *m, uint64_t size, unsigned flags, struct shmx_segment **out) {
  m->waits++;
  return shmx_memory_alloc(m, size, flags, out);
}

int shmx_segment_produce(struct shmx_segment *segment, shmx_producer *make, void *context) {
  make(context, 0, segment->data, segment->size);
  return 0;
}

void shmx_array_new_named(lua_State *L, const struct shmx_view *shape, const char *name) {
  (void)name;
  shmx_array_new(L, shape, SHMX_ALLOC_ZERO);
}
const luaL_Reg shmx_array_named_constructors[] = {{NULL, NULL}};
const luaL_Reg shmx_array_named_methods[] = {{NULL, NULL}};
const luaL_Reg shmx_array_freeze_methods[] = {{NULL, NULL}};

int shmx_memory_map_file(struct shmx_memory *m, int fd, uint64_t size, struct shmx_segment **out) {
  (void)fd;
  return shmx_memory_alloc(m, size, 0, out);
}

void shmx_segment_retain(struct shmx_segment *segment) { segment->refs++; }

void shmx_segment_release(struct shmx_segment *segment) {
  if (!segment || --segment->refs > 0) return;
  segment->memory->segments--;
  segment->memory->bytes -= (int64_t)segment->size;
  free(segment->data);
  free(segment);
}

/* An allocator whose k-th growth from now on fails. Every growth moves the block, so that a stale pointer is found. */
static int64_t lua_fail_at;

static void *allocate(void *ud, void *block, size_t old_size, size_t new_size) {
  (void)ud;
  if (new_size == 0) {
    free(block);
    return NULL;
  }
  bool grows = !block || new_size > old_size;
  if (grows && lua_fail_at > 0 && --lua_fail_at == 0) {
    lua_fail_at = 1; /* and all that follow, since Lua collects and tries again */
    return NULL;
  }
  return realloc(block, new_size);
}

static lua_State *open_state(void) {
  lua_State *L = lua_newstate(allocate, NULL);
  CHECK(L != NULL);
  luaL_openlibs(L);
  lua_newtable(L);
  shmx_array_open(L);
  lua_setglobal(L, "shmx");
  lua_gc(L, LUA_GCCOLLECT); /* so that none begins in a short script: Lua drops finalizers that it cannot call */
  return L;
}

static const char *const scripts[] = {
    "return #shmx.array('i64', 10), #shmx.empty('u8', {2, 3}), shmx.full('f32', {4}, 1.5):sum()",
    "return shmx.range('i16', 1, 100, 3):sum(), shmx.range('f64', 1, 0, -0.1):max()",
    "return shmx.from{{1, 2}, {3, 4}}, shmx.from{1.5}, shmx.from{true}, shmx.from('abcdefgh', 'i32')",
    "local a = shmx.from{{1, 2}, {3, 4}} return a[1][2], a[2], a:get(1, 1), a:set(2, 2, 5)",
    "local a = shmx.range('i64', 1, 9) for i, v in ipairs(a) do a[i] = v * 2 end return a:fill(3)",
    "local a = shmx.range('u8', 1, 99) return a:copy(), a:astype('f64'), a:minmax(), a:reshape(9, 11):minmax(1)",
    "local a = shmx.array('u8', {9, 9}) return a:view(1), a:view({2, -1, 2}, 3), a:reshape(3, 27), a:reshape{81}",
    "local a = shmx.array('u8', {2, 3}) return a:transpose(), a:transpose(-1, 1), a:reshape{-1, 2}, a:transpose(1, 1)",
    "return shmx.linspace('i8', 1, 9, 3), shmx.frombytes('abcdefgh', 'u16', {2, 2}), shmx.linspace('u8', 0, 999, 2)",
    "local a = shmx.range('f32', 1, 5000) return a:totable(), a:tobytes(), a:reshape(50, 100):totable()",
    "return tostring(shmx.range('u64', 1, 5000)), tostring(shmx.full('f32', {9, 9, 9}, 0.1))",
    "local a = shmx.array('u8', {2, 3}) return a.dtype, a.shape, a.strides, a.ndim, a.size, a.nbytes, a.segment",
    "local a = shmx.array('u8', 3) return a.segment == a[{}]",
    "local a <close> = shmx.array('u8', 3) local b <close> = a:view({1, 2}) a:close() return b[1]",
    "local a = shmx.array('f32', {3, 4}) return a:sum(), a:mean(1), a:argmax{axis = -1, keepdims = true}, a:var(1, "
    "{out "
    "= a[1]})",
    "local a = shmx.array('f32', {3, 4}) return a:sum(1, {out = shmx.array('i8', 4)})",
    "return shmx.array('f32', {3, 4}):max(1, {of = 5})",
    "local a = shmx.range('f64', 1, 99) return a:sort(), a:argsort{descending = true}, a:cumsum{out = a}, a:diff()",
    "local a = shmx.array('i8', {3, 4}) return a:transpose():cumprod(), a:sort(1, {out = a}), a:diff(1, {out = a[1]})",
    "local a = shmx.full('i8', {3, 3}, 2) return a:matmul(a), a:matmul(a, {out = a}), a[1]:dot(a:astype('f64')), "
    "a[1]:dot(a[2]), a:reshape(9):matmul(a)",
    "local a = shmx.array('i8', {3, 4}) return shmx.concat({a, a:astype('f32')}, {out = shmx.array('f64', {6, 4})}), "
    "shmx.stack({a, a}, -1), a:split(2), a:split({2}, 2), a:tile(2, 1)",
    "local a = shmx.array('f32', {3, 4}) return a:uniform(), a:normal{seed = 1}, a:integers(1, 6), shmx.concat{a, "
    "a[1]}",
    "local a, p = shmx.array('i8', {3, 4}), shmx.from{1, 2} return a:take(p), a:take(p, -1), a:take(a:ge(0)), "
    "a:transpose():take(p, {out = shmx.array('f32', 2)}), a:nonzero()",
    "local a = shmx.range('i64', 1, 9) a:put(a, a:view{9, 1, -1}) a:put(a:gt(5), 1) return a:take(shmx.from{10})",
    "local a = shmx.range('i8', 6, 1, -1):reshape(2, 3) return a:unique(), a:unique{index = true, inverse = true, "
    "counts "
    "= true}, a[2]:searchsorted(a), a[2]:searchsorted(1.5), a[1]:searchsorted(a[2], {side = 'right', out = a[2]})",
    "local a = shmx.range('i8', 6, 1, -1):transpose() return a:bincount{weights = a}, a:histogram(), a:histogram({1, "
    "2.5},"
    " {weights = a, density = true}), a:histogram(a:sort())",
    "return shmx.array('f32', {3, 4}):histogram(5, {range = {2, 1}})",
    "local a = shmx.range('i16', 1, 9) return a + 1, -a, a:add(a:view({9, 1, -1}), {out = a}), a / a",
    "local a, b = shmx.range('f64', 1, 700), shmx.array('f32', {3, 1}) return a:lt(b), shmx.elementwise.where(true, a, "
    "b)",
    "return shmx.range('i16', 1, 9) // 0",
    "return shmx.range('i64', 1, 700):map(function(x, y) return x * math.abs(y) + 1 end, 5)",
    "return shmx.range('i64', 1, 99):map(function(x) if x > 5 then return 1.5 end return 2 end, {dtype = 'f32'})",
    "return shmx.array('i8', {2, 3}):generate(function(i, j) return i * j * 40 end)",
    "return shmx.array('u8', 2) + shmx.array('u8', 3)",
    "return shmx.array('u8', 2):add(1.5, {out = shmx.array('u8', 2)})",
    "return shmx.array('u8', -1)",
    "return shmx.array('nothing', 1)",
    "local a = shmx.array('u8', {2, 2}) a:set(1, 2, 256)",
    "return shmx.from{{1, 2}, {3}}",
    "local a = shmx.array('u8', 1) return a[3]",
};

/* Runs a script; true when it ran into the failure that was set up. */
static bool run_script(const char *script, int64_t lua_fails, int64_t memory_fails) {
  lua_State *L = open_state();
  CHECK(luaL_loadstring(L, script) == LUA_OK);
  lua_fail_at = lua_fails;
  memory.fail_at = memory_fails;
  int status = lua_pcall(L, 0, LUA_MULTRET, 0);
  bool failed = lua_fails > 0 ? lua_fail_at == 1 : memory.fail_at == 0;
  lua_fail_at = memory.fail_at = 0;
  CHECK(status == LUA_OK || lua_type(L, -1) == LUA_TSTRING);
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  CHECK(memory.segments == 0);
  lua_close(L);
  return failed;
}

static void test_lua_allocation_fails(void) {
  for (size_t s = 0; s < sizeof scripts / sizeof scripts[0]; s++) {
    int64_t k = 2; /* a count of 1 means that it has failed */
    while (run_script(scripts[s], k, 0)) CHECK(++k < 100000);
    CHECK(k > 2);
  }
}

static int open_arrays(lua_State *L) {
  shmx_array_open(L);
  return 0;
}

static void test_opening_fails(void) {
  for (int64_t k = 2;; k++) {
    lua_State *L = lua_newstate(allocate, NULL);
    lua_pushcfunction(L, open_arrays);
    lua_newtable(L);
    lua_fail_at = k;
    int status = lua_pcall(L, 1, 0, 0);
    bool failed = lua_fail_at == 1;
    lua_fail_at = 0;
    CHECK(failed || status == LUA_OK);
    lua_close(L);
    if (!failed) break;
  }
}

static void test_segment_allocation_fails(void) {
  static const int codes[] = {-ENOMEM, -EDQUOT, -E2BIG, -EFBIG, -EMFILE};
  for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
    memory.code = codes[c];
    for (size_t s = 0; s < sizeof scripts / sizeof scripts[0]; s++) {
      for (int64_t k = 1; run_script(scripts[s], 0, k); k++) CHECK(k < 100);
    }
  }
}

/* Runs a script that must succeed. */
static void run(const char *script) {
  lua_State *L = open_state();
  if (luaL_dostring(L, script) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(1);
  }
  lua_close(L);
  CHECK(memory.segments == 0);
}

static void test_refusal_collects_and_then_waits(void) {
  memory.budget = 1 << 20;
  run("collectgarbage('stop')\n"
      "for i = 1, 1000 do shmx.array('u8', 600000) end");
  CHECK(memory.waits == 0);
  run("local a = shmx.array('u8', 600000)\n"
      "local ok, message = pcall(shmx.array, 'u8', 500000)\n"
      "assert(not ok and message:find('cannot allocate 500000 bytes: the memory budget is used up', 1, true), "
      "message)");
  CHECK(memory.waits == 1);
  run("local ok, message = pcall(shmx.array, 'u8', 2000000)\n"
      "assert(not ok and message:find('cannot allocate 2000000 bytes: the memory budget is smaller', 1, true), "
      "message)");
  CHECK(memory.waits == 1);
}

static void test_dropped_arrays_drive_the_collector(void) {
  memory.budget = 64 << 20;
  static const char *const modes[] = {"incremental", "generational"};
  for (int i = 0; i < 2; i++) {
    char script[300];
    snprintf(script, sizeof script,
             "collectgarbage('%s')\n"
             "local keep = {} for i = 1, 20000 do keep[i] = {i} end\n"
             "for i = 1, 20000 do shmx.empty('u8', 1 << 16) end\n"
             "for i = 1, 300000 do shmx.empty('u8', 1000) end",
             modes[i]);
    run(script);
  }
  CHECK(memory.waits == 0);
}

/* Every allocation runs a cycle with a finalizer that closes the array that is being read. */
static void test_finalizers_that_close_what_is_read(void) {
  run("collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000)\n"
      "local a\n"
      "local function trap() setmetatable({}, {__gc = function() a:close() end}) end\n"
      "local reads = {\n"
      "  function() return a:copy() end, function() return a:astype('f64') end, function() return a:totable() end,\n"
      "  function() return a:tobytes() end, function() return tostring(a) end, function() return a[1] end,\n"
      "  function() return a:view({1, 2}) end, function() return a:reshape(400) end, function() return a.shape end,\n"
      "  function() return a.strides end, function() return a.segment end, function() return a + 1 end,\n"
      "  function() return a:mul(a:view(1), {out = a}) end, function() return a:sum(1) end,\n"
      "  function() return a:max(1, {out = a[1]}) end, function() return a:sort(1) end,\n"
      "  function() return a:cumsum() end, function() return a:take(a, {out = a}) end,\n"
      "  function() return a:matmul(a, {out = a}) end, function() return shmx.concat{a, a} end,\n"
      "  function() return a:split(3) end, function() return a:tile(2) end,\n"
      "  function() return a:put(a:eq(0), 1) end, function() return a:nonzero() end,\n"
      "  function() return a:unique{index = true, inverse = true, counts = true} end, function() return a:unique() "
      "end,\n"
      "  function() return a:reshape(400):searchsorted(a) end, function() return a:bincount{weights = a} end,\n"
      "  function() return a:histogram(5, {weights = a}) end, function() return a:histogram(a:reshape(400)) end}\n"
      "local closed = 0\n"
      "for round = 1, 300 do\n"
      "  for _, read in ipairs(reads) do\n"
      "    a = shmx.full('i64', {20, 20}, round)\n"
      "    trap()\n"
      "    local ok, message = pcall(read)\n"
      "    if not ok then assert(message:find('array is closed', 1, true), message) closed = closed + 1 end\n"
      "  end\n"
      "end\n"
      "assert(closed > 0)");
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"lua_allocation_fails", test_lua_allocation_fails},
      {"opening_fails", test_opening_fails},
      {"segment_allocation_fails", test_segment_allocation_fails},
      {"refusal_collects_and_then_waits", test_refusal_collects_and_then_waits},
      {"dropped_arrays_drive_the_collector", test_dropped_arrays_drive_the_collector},
      {"finalizers_that_close_what_is_read", test_finalizers_that_close_what_is_read},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
