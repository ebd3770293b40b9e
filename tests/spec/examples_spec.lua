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

-- A module that examples share.
local function module(name) return dofile(examples .. "modules/" .. name .. ".lua") end

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
  it("are all named in the README and tested here", function()
    local function source(path)
      local file <close> = assert(io.open(path))
      return file:read "a"
    end
    local readme, here = source(root .. "/README.md"), source(debug.getinfo(1, "S").source:sub(2))
    for name in require("lfs").dir(examples) do
      if name:find "%.lua$" then
        assert.is_truthy(readme:find("`" .. name .. "`", 1, true), name)
        assert.is_truthy(here:find('run("' .. name .. '"', 1, true), name)
      end
    end
  end)

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
    local output, code = run("filter.lua", temporary("P6 1 1 255 xyz"))
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

  it("limits: what crashes or hangs is tried again, what is wrong is not", function()
    local output, code = run("limits.lua", "0.25")
    assert.equal(0, code, output)
    local lines = {}
    for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.same({
      "works             done     attempt 1  42",
      "crashes once      done     attempt 2  42",
      lines[3]:match("^crashes always    crashed  attempt 2  its worker was killed by signal SIGSEGV.*$"),
      "hangs once        done     attempt 2  42",
      "is in C for years timeout  attempt 2  it has not ended within its limit of 0.25 seconds",
      "is wrong          failed   attempt 1  it would be wrong again",
    }, lines)
  end)

  it("heat: the workers fill a plate step by step, as the sum of its edges says", function()
    local output, code = run("heat.lua", "19", "1500")
    assert.equal(0, code, output)
    assert.matches("\n  10 points below the upper edge:  25.0 degrees\n$", output) -- the mean of the four edges
    local before = tonumber(output:match "1 points below the upper edge: +([%d.]+)")
    assert.is_true(before > 80 and before < 100, output)
  end)

  it("tree: no ball is lost on the way up", function()
    for _, throws in ipairs { 1, 2, 13 } do
      local output, code = run("tree.lua", tostring(throws), "500")
      assert.equal(0, code, output)
      local sum = 0
      for count in output:gmatch("(%d+) %*+\n") do sum = sum + count end
      for count in output:gmatch("(%d+) \n") do sum = sum + count end
      assert.equal(throws * 500, sum)
      assert.matches(("\n%d balls\n$"):format(throws * 500), output)
    end
  end)

  it("search: finds the first of them and leaves the search", function()
    local expected, count, most, n = {}, 0, -1, 0
    while count < 27 do -- the last of them are not in the first block
      n = n + 1
      local steps, at = 0, n
      while at > 1 do at, steps = at % 2 == 0 and at // 2 or 3 * at + 1, steps + 1 end
      if steps > most then
        expected[#expected + 1] = ("%9d takes %3d steps\n"):format(n, steps)
        count, most = count + 1, steps
      end
    end
    local output, code = run("search.lua", "27")
    assert.equal(0, code, output)
    assert.equal(table.concat(expected), output)
  end)

  it("watch: counts primes, labels its lines, and tells of itself", function()
    local output, code = run("watch.lua", "20000")
    assert.are.equal(0, code)
    assert.matches("\n2262 primes in all\n8 tasks done; mean run [%d.]+ ms, wait [%d.]+ ms, handover ", output)
    assert.matches("2 to 2499: 367 primes\n", output)
    assert.matches("\nworker 1 did %d tasks\n", output)
  end)

  it("waves: paints a picture that is read again, and makes it grey", function()
    local name = temporary()
    table.insert(leftovers, name .. ".ppm")
    table.insert(leftovers, name .. ".pgm")
    local output, code = run("waves.lua", "90", name)
    assert.equal(0, code, output)
    assert.truthy(output:find("90 x 60 pixels in ", 1, true), output)
    assert.truthy(output:find("is the same", 1, true), output)
    local colours, grey = contents(name .. ".ppm"), contents(name .. ".pgm")
    assert.equal("P6\n90 60\n255\n", colours:sub(1, -90 * 60 * 3 - 1))
    assert.equal("P5\n90 60\n255\n", grey:sub(1, -90 * 60 - 1))
    local right, down = 89 / 0.9, 59 / 0.9
    local one = math.sqrt((right - 20) ^ 2 + (down - 30) ^ 2)
    local other = math.sqrt((right - 70) ^ 2 + (down - 50) ^ 2)
    for colour = 1, 3 do -- of the last pixel
      local value = (math.sin(one + colour * 0.4) + math.sin(other * 1.3 - colour * 0.7) + 2) * 63.75 // 1
      assert.equal(value, colours:byte(colour - 4))
    end
  end)

  it("columns: makes a file when none is named, and sorts it", function()
    local output, code = run("columns.lua")
    assert.equal(0, code, output)
    local input, sorted = output:match("read from (%S+) in"), output:match("written to (%S+)\n")
    leftovers = { input, sorted }
    assert.truthy(output:find("87600 rows of 3 columns", 1, true), output)
    local lines = {}
    for line in io.lines(input) do lines[#lines + 1] = line end
    assert.equal("hour,place,temperature", table.remove(lines, 1))
    local function temperature(line) return tonumber(line:match("[^,]*$")) or math.huge end
    local place = {}
    for i, line in ipairs(lines) do place[line] = i end
    table.sort(lines, function(a, b)
      if temperature(a) ~= temperature(b) then return temperature(a) < temperature(b) end
      return place[a] < place[b]
    end)
    assert.is_true(contents(sorted) == "hour,place,temperature\n" .. table.concat(lines, "\n") .. "\n")
  end)

  it("columns: reads a file as others write it", function()
    local text = 'name,"size, in m",n,x\r\n"a, b",1.5,1,2\r\nc,,2,-\r\n\r\n"",0.1,3,1e3'
    local input, target = temporary(text), temporary()
    local output, code = run("columns.lua", input, target)
    assert.equal(0, code, output)
    assert.truthy(output:find("3 rows of 3 columns", 1, true), output)
    assert.matches("\nsize, in m +f64 +1 +0%.1 +0%.8 +1%.5\n", output)
    assert.equal('"size, in m",n,x\n1.5,1,2.0\n0.1,3,1000.0\n,2,\n', contents(target))
  end)

  it("columns: says when there are none", function()
    for _, text in ipairs { "", "a,b\n", "a,b\nx,y\n" } do
      local output, code = run("columns.lua", temporary(text))
      assert.equal(1, code)
      assert.truthy(output:find("has no columns of numbers", 1, true), output)
    end
  end)
end)

describe("pnm", function()
  local shmx = require "shmx"
  local pnm = module "pnm"

  it("reads what it has written", function()
    local path = temporary()
    for _, shape in ipairs { { 2, 3 }, { 2, 3, 3 } } do
      for _, dtype in ipairs { "u8", "u16" } do
        local picture = shmx.array(dtype, shape):integers(0, 255, { seed = 1 })
        picture:view({ 1, 1 }, { 1, 1 }):fill(dtype == "u8" and 200 or 51234)
        pnm.write(path, picture)
        assert.is_true(pnm.read(path):equal(picture))
        assert.equal(dtype, pnm.read(path).dtype)
      end
    end
  end)

  it("reads comments, and any value of white", function()
    local picture, white = pnm.read(temporary("P6 # colours\n#\n2 1\n# white:\n1000\n" .. ("\1\2"):rep(6)))
    assert.same({ { { 258, 258, 258 }, { 258, 258, 258 } } }, picture:totable())
    assert.equal(1000, white)
  end)

  it("refuses what is no picture", function()
    for _, text in ipairs { "", "P5", "P4 1 1 255 x", "P5 1 x 255 x", "P5 1 1 70000 x", "P5 1 1 0 x" } do
      assert.error_matches(function() pnm.read(temporary(text)) end, "is not a raw picture")
    end
    assert.error_matches(function() pnm.read(temporary("P5 2 2 255 abc")) end, "ends too early")
    for _, a in ipairs { shmx.array("u8", 3), shmx.array("i16", { 2, 2 }), shmx.array("u8", { 2, 2, 4 }) } do
      assert.error_matches(function() pnm.write(temporary(), a) end, "a picture is u8 or u16")
    end
  end)
end)

describe("csv", function()
  local shmx = require "shmx"
  local csv = module "csv"

  it("reads what it has written, in as many parts as there are", function()
    local path = temporary()
    local pool <close> = shmx.pool { workers = 2 }
    local count = 150000
    local written = {
      number = shmx.range("i64", 1, count),
      third = shmx.range("f64", 1, count) / 3,
      whole = shmx.range("f64", 1, count),
    }
    csv.write(pool, path, written, { "number", "third", "whole" })
    local read, names = csv.read(pool, path)
    assert.same({ "number", "third", "whole" }, names)
    for name, column in pairs(written) do
      assert.is_true(read[name]:equal(column), name)
      assert.equal(column.dtype, read[name].dtype)
    end
  end)

  it("say what is wrong with an argument that is no number", function()
    for name, why in pairs {
      heat = "x is no whole number", tree = "x is no whole number", search = "the count is no whole number",
      watch = "the limit is no number", limits = "the time limit is no number", waves = "the width is no whole number",
    } do
      local output, code = run(name .. ".lua", "x")
      assert.equal(1, code)
      assert.matches("^[^\n]*: " .. why .. "\n", output)
    end
  end)
end)
