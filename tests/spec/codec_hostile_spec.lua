-- SPDX-License-Identifier: MIT
--
-- Messages that nobody has packed, and memory that runs out while one is. Run by the C test `codec` (see
-- codec_spec.lua).

if not package.loaded.loopback then return end
local failure = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/failure.lua")
local loopback = require "loopback"
local shmx = require "shmx"

describe("hostile messages", function()
  local function decodes(bytes) return failure(loopback.decode, bytes) end

  it("are errors", function()
    local cases = {
      [""] = "ends early",
      ["\0"] = "ends early",
      ["\2\0"] = "head is wrong",
      ["x"] = "head is wrong",
      ["\0\xff"] = "head is wrong",
      ["\0\2\1"] = "more values",
      ["\0\1\1\1"] = "more than its values",
      ["\0\1\xc1"] = "ends early",
      ["\0\1\xcb\0\0"] = "ends early",
      ["\0\1\xdb\xff\xff\xff\xffx"] = "ends early",
      ["\0\1\xdd\xff\xff\xff\xffx"] = "longer than the message",
      ["\0\1\xdf\xff\xff\xff\xffx"] = "longer than the message",
      ["\0\1\xdf\x80\0\0\0x"] = "longer than the message",
      ["\0\1\xcf\xff\xff\xff\xff\xff\xff\xff\xff"] = "Lua does not have",
      ["\0\1\xc4\1x"] = "unknown kind",
      ["\0\1\xd4\x7f\0"] = "unknown kind",
      ["\0\1\x81\xc0\1"] = "cannot be one",
      ["\0\1\x81\xca\x7f\xc0\0\0\1"] = "cannot be one",
      ["\0\1\xd6\1\1\0\0\0"] = "reference to nothing",
      ["\1\1\xd6\1\1\0\0\0"] = "reference to nothing",
      ["\1\1\x91\xd6\1\2\0\0\0"] = "reference to nothing",
      ["\1\1\xd5\1\1\0"] = "wrong size",
      ["\0\1\x91\xd6\x10\0\0\0\0"] = "carries a function",
      ["\0\1\xd6\2\1\0\0\0"] = "unknown kind",
      ["\0\1\xd6\5abcd"] = "without a module",
      ["\0\1\x92\xc7\0\x11\x90"] = "of the wrong form",
      ["\0\1\x93\xc7\0\x11\1\x90"] = "not a table here",
      ["\0\1\x93\xc7\0\x11\xc7\6\4string\xc7\6\4string"] = "without a table",
      ["\0\1\x91\xc7\0\x12"] = "of the wrong form",
      ["\0\1\x92\xc7\0\x12\xc7\7\5os\0exit"] = "cannot be remade",
      ["\0\1\x92\xc7\0\x12\xc7\2\4_G"] = "cannot be remade",
    }
    for bytes, expected in pairs(cases) do
      local message = decodes(bytes)
      assert.matches("^message does not decode: ", message)
      assert.matches(expected, message, 1, true)
    end
  end)

  it("cannot make the reader allocate absurdly", function()
    local bytes = "\0\1" .. ("\xdd\0\x0f\0\0"):rep(3000) .. ("\0"):rep(2 ^ 20)
    collectgarbage()
    local before = collectgarbage "count"
    assert.matches("longer than the message", decodes(bytes))
    assert.is_true(collectgarbage "count" - before < 50 * 1024)
  end)

  it("cannot nest without end", function()
    assert.matches("too deeply", decodes("\0\1" .. ("\x91"):rep(100000) .. "\0"))
    assert.matches("too deeply", decodes("\0\1" .. ("\x81\0"):rep(100000) .. "\0"))
  end)

  it("that are cut off anywhere, or changed, never do harm", function()
    local shared = { "x", 1.5, -300, 2 ^ 40 | 0 }
    local a = shmx.array("i32", { 2, 3 })
    local function f() return shared, a end
    local body = loopback.encode({ shared, shared, k = { [true] = a } }, string, print, -1)
    for i = 0, #body - 1 do
      assert.matches("^message does not decode", failure(loopback.decode, body:sub(1, i), nil, a))
    end
    local with_function = loopback.encode(f, { f })
    for _ = 1, 20000 do
      local source = math.random(2) == 1 and body or with_function
      local i = math.random(#source)
      local bytes = source:sub(1, i - 1) .. string.char(math.random(0, 255)) .. source:sub(i + 1)
      pcall(loopback.decode, bytes, f, a)
    end
  end)
end)

describe("running out of memory", function()
  it("is an error at every allocation", function()
    local setup = [[
      local loopback, shmx = require "loopback", require "shmx"
      local shared, n = { "x" }, 0
      local function f() n = n + 1 return shared end
      local function g() return n + f() end
      local module = { class = {} }
      package.loaded.failing = module
      module.new = function(x) return { x } end
      local object = setmetatable({}, { __shmx_pack = function() return module.new, "x" end })
      local a = shmx.array("u8", 3)
      local data = { shared, shared, string, print, k = a, [1.5] = setmetatable({ 1 }, module.class), object, a }
    ]]
    assert.is_true(loopback.failures(setup .. "loopback.arguments(f, g, data, {}, function() return g end)") > 50)
    assert.is_true(loopback.failures(setup .. "loopback.results(data, {}, 'long string' .. ('x'):rep(1000))") > 30)
  end)
end)
