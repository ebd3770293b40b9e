/* SPDX-License-Identifier: MIT */
/* What is told of functions from their bytecode. */
#include "bind/bytecode.h"

#include <lauxlib.h>

#include "check.h"

struct dump {
  char bytes[8192];
  size_t size;
};

static int append(lua_State *L, const void *bytes, size_t size, void *to) {
  struct dump *dump = to;
  (void)L;
  CHECK(size <= sizeof dump->bytes - dump->size);
  memcpy(dump->bytes + dump->size, bytes, size);
  dump->size += size;
  return 0;
}

/* The function that the script returns. */
static struct dump dump_of(const char *script, int strip) {
  struct dump dump = {.size = 0};
  lua_State *L = luaL_newstate();
  CHECK(L && luaL_loadstring(L, script) == LUA_OK && lua_pcall(L, 0, 1, 0) == LUA_OK && lua_isfunction(L, -1));
  CHECK(lua_dump(L, append, &dump, strip) == 0);
  lua_close(L);
  return dump;
}

static bool keeps(const char *script) {
  struct dump whole = dump_of(script, 0), stripped = dump_of(script, 1);
  bool answer = shmx_bytecode_keeps_upvalues(whole.bytes, whole.size);
  CHECK(answer == shmx_bytecode_keeps_upvalues(stripped.bytes, stripped.size));
  return answer;
}

static void test_functions_that_only_read_keep_their_upvalues(void) {
  CHECK(keeps("return function(x) return x + 1 end"));
  CHECK(keeps("local a, b = 1, 'x' return function(x) return x + a, b end"));
  CHECK(keeps("return function(x) y = x return y end")); /* a field of _ENV */
  CHECK(keeps("return function(...) local t = {nil, true, false, 1e9, 0.5, 1 << 40, ('x'):rep(2), "
              "'a string that is longer than forty characters, as long ones are'} return #t, ... end"));
  CHECK(keeps("local t = {} return function(x) t.x = x for i = 1, 10 do local x = i end goto done ::done:: end"));
}

static void test_functions_that_assign_or_hand_on_do_not(void) {
  CHECK(!keeps("local a = 1 return function() a = 2 end"));
  CHECK(!keeps("local a = 1 return function(x) if x then for i = 1, 3 do a = a + i end end return a end"));
  CHECK(!keeps("local a = 1 return function() return function() a = 2 end end"));
  CHECK(!keeps("return function() return function() end end"));
}

static void test_instructions_and_constants_are_read(void) {
  struct dump dump = dump_of("local a = 1 return function(x, y) return x * 0.5 + y // 1000000007 + a.name end", 1);
  struct shmx_prototype prototype;
  struct shmx_constant half, big, name, none;
  CHECK(shmx_bytecode_open(dump.bytes, dump.size, &prototype) && prototype.parameters == 2);
  CHECK(prototype.nconstants == 3 && prototype.instructions > 5);
  CHECK((shmx_bytecode_instruction(&prototype, 0) & 127) == 24); /* MULK */
  CHECK(shmx_bytecode_constant(&prototype, 0, &half) && half.type == SHMX_CONSTANT_FLOAT && half.number == 0.5);
  CHECK(shmx_bytecode_constant(&prototype, 1, &big) && big.type == SHMX_CONSTANT_INTEGER && big.integer == 1000000007);
  CHECK(shmx_bytecode_constant(&prototype, 2, &name) && name.type == SHMX_CONSTANT_TEXT && name.length == 4);
  CHECK(!memcmp(name.text, "name", 4) && !shmx_bytecode_constant(&prototype, 3, &none));
  dump = dump_of("return function(...) return ... end", 1);
  CHECK(!shmx_bytecode_open(dump.bytes, dump.size, &prototype));
}

/* Asks everything of the bytes; true when somebody would believe them. */
static bool read_all(const char *bytes, size_t size) {
  struct shmx_prototype prototype;
  struct shmx_constant constant;
  bool open = shmx_bytecode_open(bytes, size, &prototype);
  for (size_t i = 0; open && i < prototype.instructions; i++) shmx_bytecode_instruction(&prototype, i);
  for (size_t i = 0; open && i < 10; i++) {
    if (!shmx_bytecode_constant(&prototype, i, &constant) || constant.type != SHMX_CONSTANT_TEXT) continue;
    CHECK(constant.text + constant.length <= bytes + size);
  }
  return shmx_bytecode_keeps_upvalues(bytes, size);
}

static void test_damaged_bytes_are_doubted_and_not_read_beyond(void) {
  struct dump dump = dump_of("local a = 'text' return function(x) return x .. a .. 'y' .. 1e9 end", 0);
  for (size_t size = 0; size < dump.size; size++) {
    char *copy = malloc(size + 1); /* as long as that, for the sanitizer */
    CHECK(copy != NULL);
    memcpy(copy, dump.bytes, size);
    read_all(copy, size);
    if (size < dump.size / 4) CHECK(!read_all(copy, size));
    for (size_t i = 0; i < size; i++) {
      for (int bit = 0; bit < 8; bit++) {
        copy[i] ^= (char)(1 << bit);
        read_all(copy, size);
        copy[i] ^= (char)(1 << bit);
      }
    }
    free(copy);
  }
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      {"functions_that_only_read_keep_their_upvalues", test_functions_that_only_read_keep_their_upvalues},
      {"functions_that_assign_or_hand_on_do_not", test_functions_that_assign_or_hand_on_do_not},
      {"instructions_and_constants_are_read", test_instructions_and_constants_are_read},
      {"damaged_bytes_are_doubted_and_not_read_beyond", test_damaged_bytes_are_doubted_and_not_read_beyond},
      {NULL, NULL},
  };
  return run_tests(tests, argc, argv);
}
