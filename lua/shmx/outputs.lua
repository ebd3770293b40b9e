-- SPDX-License-Identifier: MIT
--
-- The files that the command's options name: what they ask for begins with the first pool.

local core = require "shmx.core"
local options = require "shmx.options"
local joblog = require "shmx.joblog"

local outputs = {}

-- Of two that are written to one file only one would be there in the end. A log may go on in the file that is resumed.
local function refuse_shared(files)
  for i = 1, 2 do
    for j = i + 1, #files do
      local a, b = files[i], files[j]
      if a.path and b.path and core.same_file(a.path, b.path) then
        options.fail("%s and %s cannot be one file, as %s and %s are", a.what, b.what, a.path, b.path)
      end
    end
  end
end

local opened = false

---@param settings table
function outputs.open(settings)
  local trace = settings.trace or (settings.environment ~= false and os.getenv "SHMX_TRACE") or nil
  if trace == "" then trace = nil end
  if not opened then
    refuse_shared {
      { what = "the trace", path = trace }, { what = "the report", path = settings.report },
      { what = "the job log", path = settings.joblog }, { what = "the job log to resume from", path = settings.resume },
    }
    joblog.open(settings)
    opened = true
  end
  if trace or settings.report then core.trace(trace, settings.report) end
end

return outputs
