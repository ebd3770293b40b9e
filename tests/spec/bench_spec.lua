-- SPDX-License-Identifier: MIT
--
-- The bench: that its programs for shmx-lua and the C limits run, what it writes, and what it says about peers that are
-- missing. Figures mean nothing here.

local root = arg[0]:match("^(.*)/[^/]*$") .. "/.."
local child = dofile(root .. "/tests/child.lua")
local json = require "cjson"

local bench = root .. "/tests/bench"

setup(child.open)
teardown(child.close)

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  assert.is_true(pipe:close(), text)
  return text
end

local function compile(name)
  run(("cc -std=gnu11 -D_GNU_SOURCE -O1 -o '%s' '%s/limits/%s.c' 2>&1"):format(child.path(name), bench, name))
end

describe("a program of the bench", function()
  for call, figures in pairs {
    ["job 2"] = {}, ["start"] = {}, ["tasks W2 2000 2"] = { "rate" }, ["tasks W2map 2000 2"] = { "rate" },
    ["tasks W3 20 awake"] = { "p50", "p99" }, ["tasks W3 5 asleep"] = { "p50", "p99" },
    ["scale arrays 700"] = { "rate" }, ["scale window 700"] = { "rate", "growth" }, ["scale workers 3"] = { "rate" },
    ["scale handovers 1200"] = { "rate" }, ["fill generate 1000"] = { "warm", "fresh" },
    ["fill loop 1000"] = { "warm", "fresh" }, ["arrays f64 100"] = { "a%+b", "sum", "exp" },
  } do
    it("prints its figures: " .. call, function()
      local name, rest = call:match "^(%S+)(.*)$"
      local text = run(("timeout 60 '%s' '%s/ours/%s.lua'%s 2>&1"):format(child.program, bench, name, rest))
      for _, figure in ipairs(figures) do assert.matches(figure .. "\t%-?%d", text) end
    end)
  end
end)

describe("the bench", function()
  local function measure(options)
    local command = "timeout 60 '%s' -e 'os.execute = function() end' '%s/bench.lua' --shmx '%s' --limits '%s' "
      .. "--command bench %s 2>&1"
    return run(command:format(child.program, bench, child.program, child.path("."), options))
  end

  it("measures what is there, and names what is not", function()
    compile "measure"
    compile "start"
    local text = measure(("--runs 3 --json '%s' --html '%s' W5"):format(child.path "json", child.path "html"))
    assert.matches("\nW5  8 workers start[^\n]*\n", text)
    assert.matches("\n  shmx%-lua +%d[%d.]* +%d[%d.]* to %d[%d.]*\n", text)
    assert.matches("\n  C, fork and socketpairs  %(limit%) +%d[%d.]* +%d[%d.]* to %d[%d.]* +%d[%d.]* times\n", text)
    assert.matches("bench: skipped LuaJIT and fork: wants luajit\n", text)
    assert.matches("bench: skipped joblib: wants python3, python3%-joblib\n", text)

    local systems = {}
    for line in child.read("json"):gmatch "[^\n]+" do
      local figure = json.decode(line)
      assert.are.equal("W5", figure.workload)
      assert.are.equal(3, #figure.values)
      assert.are.equal(figure.values[2], figure.median)
      systems[figure.system] = figure.kind
    end
    assert.are.same({ ["shmx-lua"] = "ours", ["C, fork and socketpairs"] = "limit" }, systems)

    local page = child.read "html"
    assert.matches("^<!doctype html>.*<h2>W5</h2>.*<svg.*<rect class=\"ours\".*<rect class=\"limit\".*</html>\n$", page)
    for _, fetches in ipairs { "src=", "href=", "url(", "@import" } do assert.is_nil(page:find(fetches, 1, true)) end
  end)

  it("refuses workloads and options that it does not know", function()
    local function complaint(options)
      local pipe = io.popen(("'%s' '%s/bench.lua' %s 2>&1"):format(child.program, bench, options))
      local text = pipe:read "a"
      assert.is_nil(pipe:close())
      return text
    end
    assert.matches("there is no workload 'W9'; there are: W1 W2 W3 W4 W5 W6 W7 scale\n", complaint "W9")
    assert.matches("unknown option or missing value: %-%-fast\n", complaint "--fast")
    assert.matches("%-%-runs takes a number from 1 on\n", complaint "--runs none")
  end)
end)
