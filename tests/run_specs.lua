-- SPDX-License-Identifier: MIT
--
-- Runs busted specs inside the Lua that runs this file: shmx-lua tests/run_specs.lua [busted's options and files].
-- Without a file it runs all of tests/spec. busted's own command would start another Lua.
--
-- busted gives each spec a made-up _ENV. A task that is written in a spec then has an _ENV that cannot be sent to a
-- worker, so here specs see the real globals, among them `describe`, `it` and the rest.

local root = arg[0]:match("^(.*)/[^/]*$") or "."

package.preload["busted.environment"] = function()
  return function(context)
    local function find(name)
      local element = context.get()
      while element do
        local value = element.env and element.env[name]
        if value ~= nil then return value end
        element = context.parent(element)
      end
    end
    -- A tail call, so that busted sees the caller's line.
    local function forward(name)
      return function(...) return (find(name) or error("'" .. name .. "' has no meaning here", 2))(...) end
    end
    _G.finally = forward("finally") -- busted defines it for each `it` alone

    local environment = {}
    function environment.wrap(f) return f end
    function environment.set(name, value)
      local element = context.get()
      element.env = element.env or {}
      element.env[name] = value
      _G[name] = type(value) == "function" and forward(name) or value
    end
    return environment
  end
end

local names_a_file = false
for _, word in ipairs(arg) do names_a_file = names_a_file or word:sub(1, 1) ~= "-" end
if not names_a_file then table.insert(arg, root .. "/spec") end

-- busted forgets after each file which modules the file loaded; shmx shall be loaded once.
if pcall(require, "busted.core") then
  pcall(require, "shmx")
else
  io.stderr:write("the specs need busted for this Lua: scripts/setup test\n")
  os.exit(1)
end
require "busted.runner" { standalone = false }
