-- SPDX-License-Identifier: MIT
--
-- The walls between the layers of host/: a file includes headers of its own layer and of layers below it, and only
-- bind and the command know Lua.

local lfs = require "lfs"

local may_include = {
  os = { os = true },
  core = { os = true, core = true },
  array = { array = true },
  bind = { os = true, core = true, array = true, bind = true, shmx = true },
  command = { os = true, core = true, array = true, bind = true, command = true }, -- the files of host/ itself
  include = { shmx = true },
}
local knows_lua = { bind = true, command = true, include = true }
local lua_headers = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true, ["luaconf.h"] = true }

-- What is wrong with the includes of the file at `path` below host/: a list of messages.
local function violations(path, text)
  local layer = path:match("^([^/]+)/") or "command"
  local may, found, number = may_include[layer] or {}, {}, 0
  local function complain(what) found[#found + 1] = path .. ":" .. number .. ": " .. layer .. what end
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local open, header = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
    local target = header and (header:match("^([^/]+)/") or "command")
    if header and lua_headers[header:match("[^/]+$")] then
      if not knows_lua[layer] then complain(" must not know Lua") end
    elseif header and not may[target] and (open == '"' or target ~= "command" and may_include[target]) then
      complain(" must not include " .. header)
    end
  end
  return found
end

local function each_source(directory, prefix, visit)
  for name in lfs.dir(directory) do
    local path = directory .. "/" .. name
    if lfs.attributes(path, "mode") == "directory" then
      if not name:match("^%.") then each_source(path, prefix .. name .. "/", visit) end
    elseif name:match("%.[ch]$") then
      local file <close> = assert(io.open(path))
      visit(prefix .. name, file:read("a"))
    end
  end
end

describe("the walls between the layers", function()
  local host = arg[0]:gsub("[^/]*$", "") .. "../host"

  it("hold in every file of host/", function()
    local found, files = {}, 0
    each_source(host, "", function(path, text)
      files = files + 1
      for _, message in ipairs(violations(path, text)) do found[#found + 1] = message end
    end)
    assert.is_true(files > 5)
    assert.equal("", table.concat(found, "\n"))
  end)

  it("would be seen to fall", function()
    for path, include in pairs {
      ["core/ledger.c"] = '#include "bind/array.h"',
      ["core/ring.h"] = "#include <lua.h>",
      ["core/board.c"] = '  #  include "array/view.h"',
      ["array/view.c"] = '#include "core/memory.h"',
      ["array/dtype.c"] = "#include <lua5.4/lauxlib.h>",
      ["os/os.c"] = "#include <core/message.h>",
      ["os/os.h"] = '#include "message.h"',
      ["core/worker.c"] = '#include "main.h"',
      ["stray/new.c"] = '#include "os/os.h"',
    } do
      assert.equal(1, #violations(path, "#include <stdio.h>\n" .. include .. "\n"), path)
    end
  end)

  it("let through what is allowed", function()
    for path, includes in pairs {
      ["core/ring.c"] = '#include "core/ring.h"\n#include "os/os.h"\n#include <sys/mman.h>\n',
      ["bind/array.c"] = '#include <lauxlib.h>\n#include "array/view.h"\n#include "core/memory.h"\n',
      ["main.c"] = '#include <lua.h>\n#include "bind/module.h"\n#include "run.h"\n',
    } do
      assert.same({}, violations(path, includes))
    end
  end)
end)
