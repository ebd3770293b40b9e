-- SPDX-License-Identifier: MIT
--
-- shmx.load_tasks: folders of task definitions, in Lua and in C.

local shmx = require "shmx"
local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")

local function folder(name, files)
  assert(os.execute(("mkdir -p '%s'"):format(child.path(name))))
  for file, text in pairs(files) do child.write(name .. "/" .. file, text) end
  return child.path(name)
end

local module = [[
  #include <shmx/shmx.h>
  static int add(lua_State *L) {
    struct shmx_array_view a;
    shmx_check_array(L, 1, SHMX_DTYPE_I64, 1, SHMX_WRITABLE, &a);
    for (int64_t i = 0; i < a.count; i++) *(int64_t *)((char *)a.data + i * a.strides[0]) += luaL_checkinteger(L, 2);
    return 0;
  }
  SHMX_MODULE(native) {
    static const luaL_Reg functions[] = {{"add", add}, {NULL, NULL}};
    shmx_open(L);
    luaL_newlib(L, functions);
    return 1;
  }]]

setup(function()
  child.open()
  folder("tasks", {
    ["double.lua"] = "return function(x) return x * 2 end",
    ["count.lua"] = "local calls = 0\nlocal M = {}\nfunction M.call() calls = calls + 1 return calls, M.name end\n"
      .. "M.name = ...\nreturn M",
    ["notes.txt"] = "no task",
    [".hidden.lua"] = "error 'not to be loaded'",
    ["native.c"] = module,
  })
  local cc = "cd '%s/tasks' && cc -shared -fPIC $(PKG_CONFIG_PATH='%s/lib/pkgconfig' pkg-config --cflags shmx) "
    .. "-o native.so native.c"
  assert(os.execute(cc:format(child.path("."), child.root)))
end)
teardown(child.close)

describe("load_tasks", function()
  it("finds the tasks of a folder by the names of their files", function()
    local tasks = shmx.load_tasks(child.path "tasks")
    local names = {}
    for name in pairs(tasks) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "count", "double", "native" }, names)
    local pool <close> = shmx.pool { workers = 1 }
    assert.equal(42, pool:submit(tasks.double, 21):get())
    local a = shmx.range("i64", 1, 3)
    pool:submit(tasks.native.add, a, 10):get()
    assert.equal(36, a:sum())
  end)

  it("gives a folder by a relative path, and to a pool that is open", function()
    local run = child.run [[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 1 }
      pool:submit(function() require "lfs".chdir "/" end):get()
      local tasks = shmx.load_tasks "tasks/"
      print(pool:submit(tasks.double, 4):get())
      local task = pool:submit(tasks.native.add, shmx.array("i64", 1), 1)
      print(task:wait(), task.error)]]
    assert.equal("8\ntrue\tnil\n", run.out)
    assert.equal("", run.err)
  end)

  it("loads a file once in a worker, whose locals then keep what they have", function()
    local tasks = shmx.load_tasks(child.path "tasks")
    local pool <close> = shmx.pool { workers = 1 }
    for i = 1, 3 do
      local calls, name = pool:submit(tasks.count.call):get()
      assert.equal(i, calls)
      assert.equal(child.path "tasks/count.lua", name)
    end
    assert.equal(1, (tasks.count.call()))
  end)

  it("names the tasks", function()
    local tasks = shmx.load_tasks(child.path "tasks")
    local list = { tasks.double, tasks.count.call, tasks.native.add }
    for i, name in ipairs { "double", "count.call", "native.add" } do
      local f = list[i]
      list[i] = nil
      assert.equal(name, shmx.task { f }.name)
    end
  end)

  local broken = {
    ["a syntax error"] = { "a.lua", "local x = 1\nreturn function( end", "/a.lua:2: <name> .*expected near 'end'" },
    ["an error while it runs"] = { "a.lua", "\n\nnone.field = 1", "/a.lua:3: attempt to index a nil value" },
    ["an error that is no text"] = { "a.lua", "error {}", "/a.lua: table: 0x" },
    ["a missing module that it needs"] = { "a.lua", "require 'no.such'", "/a.lua:1: module 'no.such' not found" },
    ["nothing that it returns"] = { "a.lua", "", "/a.lua: it returns nothing; a function or a table of functions" },
    ["a value of another type"] = { "a.lua", "return 1", "/a.lua: it returns number; a function or" },
    ["a table without functions"] = { "a.lua", "return { 1 }", "/a.lua: it returns a table without any; a function" },
    ["a C module that is none"] = { "a.so", "text", "/a.so: file too short" },
    ["two files of one name"] = {
      "a.lua", "return print", "/a.lua and [^\n]*/a.so define the same name", { ["a.so"] = "" },
    },
  }
  for what, case in pairs(broken) do
    it("names the file with " .. what, function()
      local name, text, message, more = table.unpack(case)
      local dir = folder("broken" .. what:gsub("%W", ""), more or {})
      child.write(dir:match "[^/]*$" .. "/" .. name, text)
      local ok, err = pcall(function() shmx.load_tasks(dir) end)
      assert.is_false(ok)
      assert.matches("^[^\n]*folder_spec.lua:%d+: load_tasks: .*" .. message, err)
    end)
  end

  it("loads a file that has been mended", function()
    local dir = folder("mended", { ["a.lua"] = "return 1" })
    assert.is_false(pcall(shmx.load_tasks, dir))
    child.write("mended/a.lua", "return math.abs")
    assert.equal(math.abs, shmx.load_tasks(dir).a)
  end)

  it("says which function a C module lacks", function()
    local dir = folder("nameless", {})
    assert(os.execute(("cp '%s' '%s'"):format(child.path "tasks/native.so", dir .. "/v2-other.so")))
    local ok, err = pcall(shmx.load_tasks, dir)
    assert.is_false(ok)
    assert.matches("/v2%-other.so: there is no function luaopen_other in it", err)
  end)

  it("says what is wrong with a folder", function()
    for _, case in ipairs {
      { "/no/such/folder", "cannot obtain information from file '/no/such/folder': No such file or directory" },
      { child.path "tasks/double.lua", "double.lua is no folder" },
      { 1, "bad argument #1 to 'load_tasks' %(the path of a folder expected, got number%)" },
    } do
      local ok, err = pcall(function() shmx.load_tasks(case[1]) end)
      assert.is_false(ok)
      assert.matches("folder_spec.lua:%d+: .*" .. case[2], err)
    end
  end)
end)
