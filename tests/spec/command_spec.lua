-- SPDX-License-Identifier: MIT
-- The command does what the stock `lua` does, and has options of its own.
--
-- Most cases run the same command line under `lua5.4` and under shmx-lua, in a folder made for it, and compare standard
-- output, standard error and exit status, with the program's name taken out. Interrupts are sent by the scripts to
-- themselves, so nothing here depends on time.

local stock = "lua5.4"

--- The shmx-lua under test: SHMX_LUA, or the interpreter that runs this file.
local function program_under_test()
  local program = os.getenv("SHMX_LUA")
  if not program then
    local first = 0
    while arg[first - 1] do first = first - 1 end
    program = arg[first]
  end
  if program:find("/") and program:sub(1, 1) ~= "/" then
    local pwd <close> = assert(io.popen("pwd"))
    program = pwd:read("l") .. "/" .. program
  end
  return program
end

local ours = program_under_test()
local folder

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function write(name, text)
  local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(text)
end

local function read(name)
  local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
  return file:read("a")
end

--- Runs `line` by the shell, in the test's folder and without variables that change what Lua does. Returns standard
--- output, standard error and the exit status as the shell has it (128 + n after signal n).
local function shell(line, input)
  write("stdin", input or "")
  local clean = "unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4; export TERM=vt100; "
  local pipe <close> = assert(io.popen(("cd %s && { %s { %s\n} <stdin >stdout 2>stderr; echo $?; }")
    :format(quote(folder), clean, line)))
  local status = pipe:read("n")
  return read("stdout"), read("stderr"), status
end

local function replace(text, from, to)
  local first, last = text:find(from, 1, true)
  if not first then return text end
  return text:sub(1, first - 1) .. to .. replace(text:sub(last + 1), from, to)
end

--- Runs a command line in which %% stands for the program.
local function run(program, line, input)
  local out, err, status = shell(replace(line, "%%", quote(program)), input)
  return { out = replace(out, program, "PROGRAM"), err = replace(err, program, "PROGRAM"), status = status }
end

local function run_ours(line, input) return run(ours, line, input) end

--- Runs the line under both and expects the same; returns what both did.
local function same(line, input)
  local expected, got = run(stock, line, input), run_ours(line, input)
  assert.are.same(expected, got)
  return got
end

local function statement(code) return "%% -e " .. quote(code) end

-- Sends SIGINT to the process that runs this Lua code, and has sent it when it returns.
local interrupt = [[io.popen("kill -INT $PPID"):close() ]]
-- The same some moments later, and as soon as the process sleeps.
local interrupt_soon = [[local p = io.popen("read x; kill -INT $PPID", "w") p:write("\n") p:flush() ]]
local interrupt_asleep = interrupt_soon:gsub("read x", "%0; until grep -q ^State:.S /proc/$PPID/status; do :; done")

setup(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. quote(folder)))
  write("arguments.lua", [[
    print(#arg, select("#", ...), ...)
    for i = -9, 9 do if arg[i] then print(i, arg[i]) end end]])
  write("broken.lua", "local x = = 1")
  write("fails.lua", "local function f() error('no good') end\nlocal function g() f() end\ng()")
  write("init.lua", "print('init', ...) initialized = true")
  write("mod.lua", "print('mod', ...) return { name = 'mod' }")
  write("mod-v2.lua", "return { name = 'v2' }")
  write("-", "print 'the file called dash'")
  write("shebang.lua", "#!/usr/bin/lua\nprint('ran', debug.getinfo(1, 'l').currentline)")
end)

teardown(function() os.execute("rm -rf " .. quote(folder)) end)

describe("like lua, shmx-lua", function()
  local cases = {
    ["runs nothing from an empty input"] = "%%",
    ["stops options at --"] = "%% -e 'x = 1' -- arguments.lua a",
    ["runs a script with its arguments"] = "%% arguments.lua a '' 'b c' -e -- -",
    ["puts its options at negative indices"] = "%% -e 'x = 1' -W -- arguments.lua a",
    ["has no script at index 0 without one"] = "%% -e 'print(#arg, arg[1], arg[2] == nil)'",
    ["passes no options of the script to itself"] = "%% arguments.lua -v --help -w x",
    ["runs precompiled code"] =
      "%% -e 'io.open([[c]], [[wb]]):write(string.dump(load([[print(7)]]))):close()' && %% c",
    ["skips a first line with #"] = "%% shebang.lua",
    ["runs a file called - after --"] = "%% -- -",
    ["takes statements glued and apart"] = "%% -eprint'(1)' -e 'print(2)' -e ''",
    ["runs -e and -l in order"] = "%% -e 'print(1)' -l mod -e 'print(mod.name)'",
    ["takes a glued library"] = "%% -lmod -e 'print(mod.name)'",
    ["gives a library another name"] = "%% -l m=mod -lk=mod -e 'print(m.name, k.name, mod)'",
    -- Later releases of 5.4 leave the version out of the global's name.
    ["loads a library with a version in its name"] = "%% -l mod-v2 -e 'print((_G[\"mod-v2\"] or mod).name)'",
    ["stops at the first statement that fails"] = "%% -e 'print(1)' -e 'error(2)' -e 'print(3)' arguments.lua",
    ["runs no script after a library that fails"] = "%% -l broken arguments.lua",
    ["shows its version"] = "%% -v",
    ["shows its version and runs the script"] = "%% -v arguments.lua",
    ["shows its version and runs a statement"] = "%% -v -e 'print(1)'",
    ["turns warnings on"] = "%% -W -e 'warn(\"one \", \"two\")'",
    ["turns warnings on where -W stands"] = "%% -e 'warn(1)' -W -e 'warn(2)'",
    ["has warnings off"] = "%% -e 'warn(1) warn(\"@on\") warn(2) warn(\"@off\") warn(3)'",
    ["collects garbage in the same mode"] = "%% -e 'print(collectgarbage(\"incremental\"))'",
    ["has the same globals"] = [[%% -e 'local n = {} for k in pairs(_G) do n[#n+1] = k end table.sort(n)
      for k in pairs(package.loaded) do n[#n+1] = k end table.sort(n) print(table.concat(n, " "))']],
    ["has the same paths"] = "%% -e 'print(package.path, package.cpath)'",
    ["reads paths from the environment"] = "LUA_PATH='x;;' LUA_CPATH_5_4=y %% -e 'print(package.path, package.cpath)'",
    ["ignores the environment with -E"] = "LUA_PATH=x LUA_INIT='print(1)' %% -E -e 'print(package.path)'",
    ["runs LUA_INIT"] = "LUA_INIT='print(1)' %% -e 'print(2)'",
    ["prefers LUA_INIT_5_4"] = "LUA_INIT='print(1)' LUA_INIT_5_4='print(5.4)' %% -e 'print(2)'",
    ["runs a file that LUA_INIT names"] = "LUA_INIT=@init.lua %% -e 'print(initialized)'",
    ["ends when LUA_INIT fails"] = "LUA_INIT='error(1)' %% -e 'print(2)'",
    ["ends when LUA_INIT_5_4 does not compile"] = "LUA_INIT_5_4='x x' %% -e 'print(2)'",
    ["ends when the file of LUA_INIT is missing"] = "LUA_INIT=@missing.lua %% -e 'print(2)'",
    ["shows arg to LUA_INIT"] = "LUA_INIT='print(arg[1], #arg)' %% arguments.lua a",
    ["reports a script that does not exist"] = "%% missing.lua",
    ["reports a script that does not compile"] = "%% broken.lua",
    ["reports an error with a traceback"] = "%% fails.lua",
    ["reports a library that does not exist"] = "%% -e 'package.path, package.cpath = [[]], [[]]' -l missing",
    ["reports an arg that is no table"] = "%% -e 'arg = 1' arguments.lua",
    ["takes arguments from a changed arg"] = "%% -e 'arg = { 1, 2, 3 }' arguments.lua a",
    ["refuses too many arguments"] =
      "%% -e 'arg = setmetatable({}, { __len = function() return 100000000 end })' init.lua",
    ["exits with a code"] = "%% -e 'os.exit(7)'",
    ["exits with success"] = "%% -e 'os.exit(true, true)'",
    ["exits with failure"] = "%% -e 'os.exit(false)'",
    ["ends with the signal that kills it"] = "%% -e 'io.popen(\"kill -TERM $PPID\"):close() while true do end'",
    ["closes its state at the end"] = "%% -e 'setmetatable({}, { __gc = function() print(\"closed\") end })'",
    ["closes its state after an error"] =
      "%% -e 'setmetatable({}, { __gc = function() print(\"closed\") end }) error(1)'",
    ["closes variables when an error unwinds them"] =
      "%% -e 'local x <close> = setmetatable({}, { __close = function(_, e) print(e) end }) error(\"e\", 0)'",
    ["does not mind a full standard output"] = "%% -e 'print(1)' >/dev/full",
    ["sees a closed standard output"] = "%% -e 'io.stderr:write(select(3, io.write(\"x\"):flush()) or 0)' >&-",
    ["sees a closed standard input"] = "%% -e 'print(io.read())' <&-",
    ["cannot run a closed standard input"] = "%% <&-",
  }
  for name, line in pairs(cases) do
    it(name, function() same(line) end)
  end

  -- Lua 5.4.7 says "not enough memory".
  it("runs nothing but the options when there is nothing behind --", function()
    assert.are.same({ out = "1\n", err = "", status = 0 }, run_ours("%% -e 'print(1)' --"))
  end)

  for _, options in ipairs { "-e", "-l", "-e -v", "-l -", "-vv", "-E1", "-ii", "-Wx", "-x", "-1", "--x", "---" } do
    it("refuses " .. options, function()
      local function refusal(program)
        local result = run(program, "%% -e 'print(1)' " .. options)
        result.err = result.err:match("^[^\n]*\n[^\n]*\n[^\n]*\n") -- the list of options differs
        return result
      end
      assert.are.same(refusal(stock), refusal(ours))
      assert.are.equal(1, refusal(ours).status)
    end)
  end

  it("reports every kind of error object", function()
    local objects = { "nil", "true", "42", "1.5", "'text'", "{}", "print", "coroutine.create(print)",
      "('long '):rep(1e6)", "'a\\0b'", "'lines\\nmore'", "setmetatable({}, {__name = 'N'})",
      "setmetatable({}, {__tostring = function() return 'mine' end})",
      "setmetatable({}, {__tostring = function() return 1 end})",
      "setmetatable({}, {__tostring = function() error('e') end})" }
    for _, object in ipairs(objects) do
      assert.are.equal(1, same(statement("error(" .. object .. ")")).status)
    end
  end)

  it("reports a stack overflow, and errors in finalizers", function()
    local function overflow(program)
      local result = run(program, statement("local function f() return 1 + f() end f()"))
      result.err = result.err:gsub("skipping %d+ levels", "skipping levels") -- how many fit is no one's promise
      return result
    end
    assert.are.same(overflow(stock), overflow(ours))
    same("%% -W -e " .. quote("setmetatable({}, { __gc = function() error('in gc', 0) end })"))
  end)

  it("runs standard input", function()
    same("%%", "print(1, ...)")
    same("%% -", "print(2, arg[0], ...)")
    same("%% - a b", "print(3, arg[1], arg[2], ...)")
    same("%%", "error('in input')")
    same("%% -", "x x")
    same("%% -", "print(io.read())\n")
  end)

  it("does not run standard input after -e or -v", function()
    same("%% -e 'print(1)'", "print(2)")
    same("%% -v", "print(2)")
    same("%% -e 'print(1)' -", "print(2)")
  end)

  it("succeeds when standard input fails without being named", function()
    assert.are.equal(0, same("%%", "error(1)").status)
    assert.are.equal(1, same("%% -", "error(1)").status)
  end)
end)

describe("interrupted by Ctrl-C, shmx-lua", function()
  --- Runs the line under both and expects the same, except for where exactly the interrupt came.
  local function interrupted(line)
    local function anywhere(text)
      return (text:gsub("%(command line%):%d+: interrupted", "interrupted"):gsub("\n\t[^\n]*", ""))
    end
    local function without_place(program)
      local result = run(program, line)
      return { out = anywhere(result.out), err = anywhere(result.err), status = result.status }
    end
    local result = without_place(ours)
    assert.are.same(without_place(stock), result)
    return result
  end

  it("raises an error with a traceback in a loop", function()
    local result = interrupted(statement(interrupt_soon .. "while true do end"))
    assert.are.same({ out = "", err = "PROGRAM: interrupted!\nstack traceback:\n", status = 1 }, result)
  end)

  it("raises it in a script and in standard input", function()
    write("loop.lua", interrupt .. "while true do end")
    assert.are.equal(1, run_ours("%% loop.lua").status)
    assert.matches("interrupted!", run_ours("%% - <loop.lua").err)
  end)

  it("raises it out of a read that waits", function()
    local waits = statement(interrupt_asleep .. "io.read()")
    local result = run_ours("mkfifo fifo; exec 9<>fifo; timeout 60 " .. waits .. " <fifo; rm fifo")
    assert.matches("interrupted!", result.err)
  end)

  it("lets pcall catch it, and goes on", function()
    local code = "print(pcall(function() " .. interrupt .. "while true do end end)) print('on')"
    assert.are.same({ out = "false\tinterrupted!\non\n", err = "", status = 0 }, interrupted(statement(code)))
  end)

  it("closes what is to be closed, and its state", function()
    local result = interrupted(statement([[
      setmetatable({}, { __gc = function() print("collected") end })
      local x <close> = setmetatable({}, { __close = function(_, e) print("closing", e) end })
      ]] .. interrupt .. "while true do end"))
    assert.matches("^closing\tinterrupted!.*\ncollected\n$", result.out)
  end)

  it("ends the second time", function()
    local code = "pcall(function() " .. interrupt .. "while true do end end) io.stdout:write('once'):flush() "
      .. interrupt .. "while true do pcall(print) end"
    local result = same(statement(code))
    assert.are.same({ "once", 130 }, { result.out, result.status })
  end)

  it("can be interrupted again in the next statement", function()
    local result = interrupted("%% -e " .. quote("pcall(function() " .. interrupt .. "while true do end end)") ..
      " -e " .. quote(interrupt .. "while true do end"))
    assert.are.equal(1, result.status)
  end)

  it("is not interrupted while nothing runs that could see it", function()
    local code = "setmetatable({}, { __gc = function() " .. interrupt .. "print('after') end })"
    assert.are.equal(130, same(statement(code)).status)
  end)
end)

describe("interactively, shmx-lua", function()
  --- Without a terminal; standard output has the prompts, and not what was read.
  local function feed(input, options)
    local result = run_ours("%% -i " .. (options or ""), input)
    assert.are.equal(0, result.status)
    return result.out:gsub("^[^\n]*\n", ""), result.err
  end

  it("prints the values of expressions", function()
    assert.are.equal("> 3\n> 1\t2\n> > nil\n> 7\n> \n", feed("1 + 2\n1, 2\n\nnil\n= 7\n"))
  end)

  it("runs statements over several lines", function()
    assert.are.equal("> >> >> 1\n2\n> >> text\nmore\n> \n",
      feed("for i = 1, 2 do\nprint(i)\nend\nprint [[text\nmore]]\n"))
  end)

  it("goes on after an error", function()
    local out, err = feed("error('a')\nx x\n1\n")
    assert.are.equal("> > > 1\n> \n", out)
    assert.matches("^stdin:1: a\nstack traceback:\n", err)
    assert.matches("\nstdin:1: syntax error near 'x'\n", err)
    assert.are.equal(err, run(stock, "%% -i", "error('a')\nx x\n1\n").err)
  end)

  it("reports a statement that the end of the input cuts", function()
    local out, err = feed("if x then\n")
    assert.are.equal("> >> > \n", out)
    assert.matches("'end' expected near <eof>", err)
  end)

  it("takes prompts from _PROMPT and _PROMPT2", function()
    local code = "_PROMPT, _PROMPT2 = 'a:', setmetatable({}, {__tostring = function() return 'b:' end})"
    assert.are.equal("a:b:a:1\na:\n", (feed("x =\n1\nx\n", "-e " .. quote(code))))
  end)

  it("reads lines of any length, with any bytes", function()
    assert.are.equal("> 100000\n> 3\n> \n", feed("#'" .. ("x"):rep(100000) .. "'\n#'a\0b'\n"))
  end)

  it("reports an error in print, and in what it prints", function()
    local input = "setmetatable({}, {__tostring = function() error('bad', 0) end})\nprint = nil\n1\n"
    local _, err = feed(input)
    assert.matches("error calling 'print' %(bad%)", err)
    assert.are.equal(err, run(stock, "%% -i", input).err)
  end)

  it("starts after options and script, and not after an error in them", function()
    write("defines.lua", "value = ...")
    assert.are.equal("> given\n> \n", feed("value\n", "defines.lua given"))
    local result = run_ours("%% -i missing.lua", "print(1)\n")
    assert.are.equal(1, result.status)
    assert.not_matches("> ", result.out)
  end)

  it("is interrupted and goes on", function()
    local out, err = feed(interrupt .. "while true do end\n'on'\n")
    assert.are.equal("> > on\n> \n", out)
    assert.matches("^stdin:1: interrupted!\n", err)
  end)

  describe("on a terminal", function()
    --- Types into a command in which %% stands for shmx-lua, on the terminal that `script` makes. Each pair is what the
    --- screen has to show, and what is typed then; waiting makes sure that the right program reads the keys. Returns
    --- what the screen showed, and whether the command succeeded. The limit of time is for one that never ends.
    local function type_in(command, ...)
      local terminal = "LC_ALL=C.UTF-8 TERM=vt100 timeout 60 script -qec %s /dev/null >screen 2>&1"
      local keys <close> = assert(io.popen(("cd %s && mkfifo screen && " .. terminal)
        :format(quote(folder), quote(replace(command, "%%", quote(ours)))), "w"))
      repeat until os.execute("test -p " .. quote(folder .. "/screen"))
      local screen <close> = assert(io.open(folder .. "/screen", "rb"))
      local seen = ""
      for i = 1, select("#", ...), 2 do
        local awaited, text = select(i, ...)
        while not seen:find(awaited) do seen = seen .. (screen:read(1) or error("ended with: " .. seen)) end
        keys:write(text):flush()
      end
      seen = seen .. screen:read("a")
      os.remove(folder .. "/screen")
      return (seen:gsub("\r", "")), keys:close()
    end

    --- The same for lines of Lua; what they print stands on lines of its own.
    local function type_lua(text) return (type_in("%%", "> $", text .. "os.exit()\n")) end

    it("starts by itself, shows its version and ends with Ctrl-D", function()
      -- the prompt may stand there before Ctrl-D is an ordinary key, so see first that a line is edited
      local seen, succeeded = type_in("%%", "> $", "a\8", "> .*\27%[K", "\4")
      assert.is_true(succeeded)
      assert.matches("^Lua 5%.4%.%d+  Copyright[^\n]*\n", seen)
    end)

    it("prints values and shows a second prompt until a statement is complete", function()
      assert.matches("\n42\n", type_lua("21 + 21\n"))
      assert.matches("\n>> .*\n>> .*\n1 2 3\n", type_lua("for i = 3, 3 do\nprint('1 2 ' .. i)\nend\n"))
    end)

    it("has a history, of whole statements too", function()
      local _, count = type_lua("x = (x or 0) + 1 print('x is ' .. x)\n\27[A\n"):gsub("\nx is [12]%f[\n]", "")
      assert.are.equal(2, count)
      _, count = type_lua("do\nprint('from ' .. 'history')\nend\n\27[A\n"):gsub("\nfrom history%f[\n]", "")
      assert.are.equal(2, count)
    end)

    it("edits characters of more than one byte", function()
      assert.matches("\n10\n", type_lua("#'\u{e9}\u{e9}' + 8" .. ("\27[D"):rep(5) .. "\8\n"))
    end)

    it("leaves the locale of the script alone", function()
      assert.matches("\nC\n", type_lua("(os.setlocale(nil, 'ctype'))\n"))
    end)

    it("gives the terminal back when Ctrl-C at the prompt ends it", function()
      local seen = type_in("trap : INT; %%; stty -a", "> $", "\3")
      assert.matches("[^-]icanon", seen)
      assert.matches("[^-]echo ", seen)
    end)

    it("reads standard input as a script when told to", function()
      local seen = type_in("%% -", "", "print('read ' .. 'it')\n\4")
      assert.matches("\nread it\n", seen)
      assert.not_matches("Copyright", seen)
    end)
  end)
end)

describe("with options of its own, shmx-lua", function()
  local usage = "\nusage: PROGRAM %[options%] %[script %[args%]%]\n"

  local function refuses(options, message, with_usage)
    local result = run_ours("%% " .. options .. " -e 'print(1)'")
    assert.are.same({ 1, "" }, { result.status, result.out })
    assert.are.equal("PROGRAM: " .. message, result.err:match("^[^\n]*"))
    assert.are.equal(with_usage or false, result.err:find(usage) ~= nil)
  end

  it("takes the number of workers in each form", function()
    for _, options in ipairs { "-w 0", "-w 1024", "-w 3", "-w3", "--workers 3", "--workers=3", "-w 1 -w 2" } do
      local result = run_ours("%% " .. options .. " -e 'print(1)'")
      assert.are.same({ out = "1\n", err = "", status = 0 }, result)
    end
  end)

  it("refuses what is no number of workers", function()
    for _, value in ipairs { "x", "-1", "", "1.5", "1e3", "0x10", " 1", "3x", "-e", "1025", "1e9",
      "99999999999999999999" } do
      local message = ("the number of workers must be an integer from 0 to 1024, not '%s'"):format(value)
      refuses("-w " .. quote(value), message)
      refuses("--workers=" .. quote(value), message)
    end
  end)

  it("takes and refuses amounts of memory", function()
    for _, value in ipairs { "1", "1000000", "64K", "512M", "4G", "4g", "50%", "100%" } do
      assert.are.equal("1\n", run_ours("%% --memory " .. quote(value) .. " --memory=" .. value .. " -e 'print(1)'").out)
    end
    for _, value in ipairs { "", "0", "0G", "x", "G", "%", "-1", "1.5G", "1T", "10MB", "101%", "1000%", "5 M" } do
      refuses("--memory " .. quote(value),
        ("the memory must be a size such as 512M or 4G, or a share such as 50%%, not '%s'"):format(value))
    end
  end)

  it("refuses a file without a name", function()
    for _, option in ipairs { "--trace", "--report", "--joblog", "--resume" } do
      refuses(option .. "=", ("'%s' needs the name of a file"):format(option))
      refuses(option .. " ''", ("'%s' needs the name of a file"):format(option))
    end
  end)

  it("takes progress either way", function()
    assert.are.equal("1\n", run_ours("%% --progress --no-progress -e 'print(1)'").out)
  end)

  it("shows the usage when a value is missing or an option unknown", function()
    for _, option in ipairs { "-w", "--workers", "--memory" } do
      local result = run_ours("%% " .. option)
      assert.matches("^PROGRAM: '" .. option:gsub("%-", "%%-") .. "' needs argument" .. usage, result.err)
      assert.are.equal(1, result.status)
    end
    for _, option in ipairs { "--worker", "--workersx", "--progress=1", "--help=x", "--no-progressx", "-h" } do
      refuses(option, "unrecognized option '" .. option .. "'", true)
    end
  end)

  it("names every option in the usage", function()
    local text = run_ours("%% -x").err
    for _, option in ipairs { "-e stat", "-i", "-l mod", "-l g=mod", "-v", "-E", "-W", "-w N", "--workers N",
      "--memory SIZE", "--progress", "--no-progress", "--help", "--version", "--", "-" } do
      assert.is_truthy(text:find("\n  " .. option .. "  ", 1, true), option)
    end
    assert.is_truthy(run_ours("%% --help").out:find(text:match("\n(usage.*)$"), 1, true))
  end)

  it("names every long option in the man page and in the README, too", function()
    local function source(name)
      local file <close> = assert(io.open(arg[0]:gsub("[^/]*$", "") .. "../" .. name))
      return file:read "a"
    end
    local manual, readme, count = source "host/shmx-lua.1", source "README.md", 0
    for option in run_ours("%% -x").err:gmatch "\n  %-%-([%l-]+)" do
      assert.is_truthy(manual:find("Fl -" .. option, 1, true), option)
      assert.is_truthy(readme:find("`--" .. option, 1, true), option)
      count = count + 1
    end
    assert.is_true(count >= 10)
  end)

  it("shows help and versions and runs nothing", function()
    local help = run_ours("%% --help -e 'print(1)' missing.lua")
    assert.are.same({ "", 0 }, { help.err, help.status })
    assert.matches("^usage: PROGRAM ", help.out)
    local version = run_ours("%% -e 'print(1)' --version")
    assert.are.same({ "", 0 }, { version.err, version.status })
    assert.matches("^shmx%-lua %d+%.%d+%.%d+, " .. _VERSION:gsub("%.", "%%.") .. "%.%d+\n$", version.out)
  end)

  it("takes no file for a standard output that is closed", function()
    local code = "local f = io.open('file', 'w') print('stray') io.stderr:write('stray') f:close()"
    local result = run_ours(statement(code) .. " >&- 2>&-; cat file")
    assert.are.same({ out = "", err = "", status = 0 }, result)
  end)

  it("says so when help cannot be written", function()
    local result = run_ours("%% --help >/dev/full")
    assert.are.equal(1, result.status)
    assert.matches("^PROGRAM: cannot write to standard output: ", result.err)
  end)

  it("counts its options as options in arg", function()
    assert.are.equal("-w,2,--memory=1M,x.lua,a\n", run_ours(
      "echo 'print(table.concat(arg, [[,]], -3, 1))' >x.lua; %% -w 2 --memory=1M x.lua a").out)
  end)

  it("gives a library with a version in its name the global without it, too", function()
    assert.are.equal("v2\n", run_ours("%% -l mod-v2 -e 'print(mod.name)'").out)
  end)
end)
