-- SPDX-License-Identifier: MIT
--
-- --joblog and --resume: opens the log of this run (bind/joblog.c writes it), and reads that of an earlier one.

local core = require "shmx.core"
local options = require "shmx.options"

local joblog = {}

local unescaped = { t = "\t", n = "\n", ["\\"] = "\\" }

-- The names that the log lists as done. Its last line may be cut off.
local function read_done(path, file, value)
  local done = {}
  local text, problem = file:read "a"
  if not text then options.fail("the job log cannot be read: %s: %s", path, problem) end
  for line in text:gmatch "([^\n]*)\n" do
    local name = line:match "^[%d.]+\t[%d.]+\t%d+\t%d+\tdone\t(.*)$"
    if name then done[name:gsub("\\(.)", unescaped)] = value end
  end
  return done
end

local opened = false

---Does once what the command's options say. A log to resume from that does not exist lists nothing, so that a first run
---needs no other command than the next ones.
---@param settings table
function joblog.open(settings)
  if opened then return end
  local same = settings.joblog ~= nil and settings.joblog == settings.resume
  if settings.resume then
    local file <close>, problem, code = io.open(settings.resume, "rb")
    if not file and code ~= 2 then options.fail("the job log cannot be read: %s", problem) end
    core.resume(file and read_done(settings.resume, file, same) or {})
  end
  if settings.joblog then core.joblog(settings.joblog, same) end
  opened = true
end

return joblog
