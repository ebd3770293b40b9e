-- SPDX-License-Identifier: MIT
--
-- Arrays beside NumPy: the same operations on the same random arrays (tests/numpy). SHMX_NUMPY_SEED repeats a run.

local root = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = root .. "/numpy/?.lua;" .. package.path

local session = require "session"
local shmx = require "shmx"

local seed = tonumber(os.getenv "SHMX_NUMPY_SEED") or 20261125
local times = os.getenv "SHMX_TEST_LONG" and 1000 or 30

local function compare(name)
  if not session.available() then return pending("/usr/bin/python3 has no NumPy") end
  local operations = require(name)
  local count, differences = session.run(operations, times, seed)
  assert.equal("", differences, "SHMX_NUMPY_SEED=" .. seed)
  assert.is_true(count >= times * #operations)
end

describe("arrays and NumPy agree on", function()
  for _, name in ipairs { "elementwise", "views", "reductions", "ordering", "selection", "products", "counting",
    "overlaps" } do
    it(name, function() compare(name) end)
  end
end)

describe("the comparison with NumPy", function()
  local function found(operation)
    if not session.available() then return pending("/usr/bin/python3 has no NumPy") end
    operation.name = "a test"
    local count, differences = session.run({ operation }, 20, seed)
    assert.equal(20, count)
    return differences
  end

  it("finds a wrong value, shape or dtype, and a call that one side alone refuses", function()
    local function same(_, a) return a:copy() end
    local function arrays() return { shmx.from { { 1, 2 }, { 3, 4 } } } end
    assert.matches("1 instead of 2 at %(0, 0%)", found { arrays = arrays, shmx = same, numpy = "a + 1" })
    assert.matches("int64%[2, 2%] instead of int64%[4%]", found { arrays = arrays, shmx = same, numpy = "a.ravel()" })
    assert.matches("int64%[2, 2%] instead of float64", found { arrays = arrays, shmx = same, numpy = "a * 1.0" })
    assert.matches("NumPy refuses it", found { arrays = arrays, shmx = same, numpy = "a.reshape(3)" })
    local function refuse() error "oops" end
    assert.matches("shmx refuses it: .*oops", found { arrays = arrays, shmx = refuse, numpy = "a" })
  end)

  it("finds floats that differ by more than they may, and the sign of zero", function()
    local function arrays() return { shmx.from { 1.0, -0.0 } } end
    local function next_but_two() return shmx.from { 1 + 3 * 2.0 ^ -52, -0.0 } end
    assert.matches("instead of 1.0 at", found { arrays = arrays, shmx = next_but_two, numpy = "a", ulp = 2 })
    assert.equal("", found { arrays = arrays, shmx = next_but_two, numpy = "a", ulp = 3 })
    assert.matches("0.0 instead of %-0.0", found { arrays = arrays, numpy = "a", shmx = function()
      return shmx.from { 1.0, 0.0 }
    end })
  end)
end)
