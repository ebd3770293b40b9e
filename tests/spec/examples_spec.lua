-- SPDX-License-Identifier: MIT
--
-- The examples run as the README says, and what they print and write is right.

local root = arg[0]:match("^(.*)/[^/]*$") .. "/.."
local examples = root .. "/scripts/examples/"

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- Runs an example in this Lua: what it printed, and its exit code.
local function run(name, ...)
  local words = { quoted(arg[-1]), quoted(examples .. name) }
  for _, word in ipairs { ... } do words[#words + 1] = quoted(word) end
  local pipe = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  local output = pipe:read("a")
  local _, _, code = pipe:close()
  return output, code
end

local leftovers = {} -- files that this test has made
after_each(function() while leftovers[1] do os.remove(table.remove(leftovers)) end end)

local function temporary(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(text or "")
  table.insert(leftovers, path)
  return path
end

local function contents(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- The filter of filter.lua, in one process and with tables.
local function blurred(pixels, width, height)
  local function pick(row, i) return row[math.max(1, math.min(i, #row))] end
  local function line(row)
    local new = {}
    for i = 1, #row do
      local sum = pick(row, i - 2) + 4 * pick(row, i - 1) + 6 * row[i] + 4 * pick(row, i + 1) + pick(row, i + 2)
      new[i] = (sum + 8) // 16
    end
    return new
  end
  local rows, out = {}, {}
  for y = 1, height do rows[y] = line { pixels:byte((y - 1) * width + 1, y * width) } end
  for x = 1, width do
    local column = {}
    for y = 1, height do column[y] = rows[y][x] end
    for y, value in ipairs(line(column)) do out[(y - 1) * width + x] = string.char(value) end
  end
  return table.concat(out)
end

describe("the examples", function()
  it("handover: 11,111,111 elements arrive and none is copied", function()
    local output, code = run("handover.lua")
    assert.equal(0, code, output)
    assert.truthy(output:find("11111111 elements in 8 arrays, sum 50505044949495, none of", 1, true), output)
    assert.truthy(output:find("\n  10000000    80000000   49999995000000  ", 1, true), output)
  end)

  it("wordcount: counts what is in a folder, and skips what is no text", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(require("lfs").mkdir(folder))
    finally(function() os.execute("rm -r " .. quoted(folder)) end)
    for name, text in pairs { a = "one two two\nThree three THREE", b = "three, two-one!", c = "two\0two" } do
      local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
      file:write(text)
    end
    local output, code = run("wordcount.lua", folder)
    assert.equal(0, code, output)
    assert.truthy(output:find("       4  three\n       3  two\n       2  one\n", 1, true), output)
    assert.truthy(output:find("9 words, 3 different ones, in 2 text files of 3 files", 1, true), output)
  end)

  it("wordcount: reads the project's own tree when no folder is named", function()
    local output, code = run("wordcount.lua")
    assert.equal(0, code, output)
    assert.truthy(output:find("%d+ words, %d+ different ones, in %d+ text files"), output)
  end)

  it("filter: blurs a picture as one process would", function()
    local width, height, bytes = 150, 131, {}
    for i = 1, width * height do bytes[i] = string.char(i * 7919 % 256) end
    local pixels = table.concat(bytes)
    local input = temporary(("P5\n# a comment\n%d %d\n255\n%s"):format(width, height, pixels))
    local target = temporary()
    local output, code = run("filter.lua", input, target)
    assert.equal(0, code, output)
    assert.is_true(contents(target) == ("P5\n%d %d\n255\n"):format(width, height) .. blurred(pixels, width, height))
  end)

  it("filter: makes a picture of its own when none is named", function()
    local output, code = run("filter.lua")
    assert.equal(0, code, output)
    local path = output:match("written to (%S+)")
    finally(function() os.remove(path) end)
    assert.equal(#"P5\n512 512\n255\n" + 512 * 512, #contents(path))
  end)

  it("filter: says what is wrong with a file that is no picture", function()
    local output, code = run("filter.lua", temporary("P6 1 1 255 x"))
    assert.equal(1, code)
    assert.truthy(output:find("is not a grey picture of 8 bits", 1, true), output)
  end)

  it("mandelbrot: a kernel in C fills the picture", function()
    local width, height, limit, bytes = 60, 40, 255, {}
    for i = 1, height do
      for j = 1, width do
        local cx, cy, x, y, n = -2.0 + (j - 1) * (3 / width), (i - 1) * (3 / width) - 1, 0.0, 0.0, 0
        while n < limit and x * x + y * y <= 4 do x, y, n = x * x - y * y + cx, 2 * x * y + cy, n + 1 end
        bytes[#bytes + 1] = string.char(n)
      end
    end
    local target = temporary()
    local output, code = run("mandelbrot.lua", tostring(width), target)
    assert.equal(0, code, output)
    -- Rounding may differ by where a slice begins: at the edge of the set, a few points do.
    local picture, differ = contents(target):sub(#"P5\n60 40\n255\n" + 1), 0
    assert.equal(width * height, #picture)
    for i = 1, #picture do if picture:byte(i) ~= bytes[i]:byte() then differ = differ + 1 end end
    assert.is_true(differ < #picture // 100, differ)
  end)

  it("gzip: packs a file so that gzip reads it", function()
    local parts = {}
    for i = 1, 200000 do parts[i] = i * i end
    for _, text in ipairs { "", "a line\n", table.concat(parts, "\n") } do
      local path = temporary(text)
      table.insert(leftovers, path .. ".gz")
      local output, code = run("gzip.lua", path)
      assert.equal(0, code, output)
      local pipe <close> = assert(io.popen("gzip -dc " .. quoted(path .. ".gz")))
      assert.is_true(pipe:read("a") == text)
    end
  end)

  it("watch: counts primes, labels its lines, and tells of itself", function()
    local output, code = run("watch.lua", "20000")
    assert.are.equal(0, code)
    assert.matches("\n2262 primes in all\n8 tasks done; mean run [%d.]+ ms, wait [%d.]+ ms, handover ", output)
    assert.matches("2 to 2499: 367 primes\n", output)
    assert.matches("\nworker 1 did %d tasks\n", output)
  end)
end)
