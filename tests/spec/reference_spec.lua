-- SPDX-License-Identifier: MIT
-- What the READMEs say of the library is true: their examples give what they say, and no public name is left out.

local lfs = require "lfs"
local root = arg[0]:match("^(.*)/[^/]*$") .. "/.."

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local folder -- where the examples run
before_each(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder) and lfs.mkdir(folder .. "/tasks"))
  write(folder .. "/tasks/double.lua", "return function(x) return 2 * x end")
end)
after_each(function() os.execute("rm -r " .. quoted(folder)) end)

-- Runs a script in this Lua: what it printed.
local function run(...)
  local words = { quoted(arg[-1]) }
  for _, word in ipairs { ... } do words[#words + 1] = quoted(word) end
  local pipe <close> = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  return pipe:read("a")
end

local function check(path, ...) return run(root .. "/tests/reference.lua", path, folder, ...) end

-- What is found to be wrong with a reference that has this text.
local function faults_of(text, ...)
  local path = folder .. "/README.md"
  write(path, text)
  return check(path, ...)
end

describe("the reference of the library", function()
  it("has an entry for every name, whose example gives what it says", function()
    assert.equal("", check(root .. "/lua/README.md"))
  end)

  it("of the main README, too, tells the truth", function()
    assert.equal("", check(root .. "/README.md", "-"))
  end)

  it("begins with an example that prints what is said below it", function()
    local file <close> = assert(io.open(root .. "/README.md"))
    local code, count, line = file:read("a"):match(
      "\n## An example\n.-```lua\n(.-)```\n\nIt prints (%w+) lines, the first of which is `(.-)`%.")
    assert.equal("eight", count)
    write(folder .. "/example.lua", code)
    local output = run(folder .. "/example.lua")
    assert.equal(8, select(2, output:gsub("\n", "")))
    assert.equal(line, (output:match("[^\n]*"):gsub("%s+", " ")))
  end)
end)

describe("the check of a reference", function()
  local variables = '```lua\nlocal shmx = require "shmx"\nlocal v = shmx.from { 3, 1 }\n```\n\n'

  it("finds an example that gives something else", function()
    local text = variables .. "| `a:sum()` | `v:sum()` --> `%s` |\n"
    assert.equal("", faults_of(text:format "4", "-"))
    assert.matches("README.md:6: `v:sum%(%)` gives `4`, not `5`\n", faults_of(text:format "5", "-"))
    assert.matches("gives `4`, not `error: no`\n", faults_of(text:format "error: no", "-"))
  end)

  it("finds a name without an entry, and an entry without an example of it", function()
    local text = variables .. "%s"
    local faults = faults_of(text:format "| `a:sum()`, `t:get()` | `v:sum()` --> `4` |\n| `shmx.pool(options)` | |\n")
    assert.matches("README.md:6: the example does not show what the row is about\n", faults)
    for _, missing in ipairs { "array: .* mean ", "shmx: .* pool .* range ", "task: .*done ", "pool: .* map " } do
      assert.matches("no entry with an example: " .. missing, faults)
    end
    assert.falsy(faults:find(" sum ", 1, true))
  end)

  it("finds a block that prints something else, or that is no Lua", function()
    assert.equal("", faults_of("```lua\nprint(1, nil)\n```\n\n```\n1\tnil\n```\n", "-"))
    assert.matches("README.md:1: the block prints\n1\n", faults_of("```lua\nprint(1)\n```\n\n```\n2\n```\n", "-"))
    assert.matches("README.md:2: .*unexpected symbol", faults_of("\n```lua\n)\n```\n", "-"))
  end)
end)
