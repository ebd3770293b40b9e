-- SPDX-License-Identifier: MIT
--
-- The module `shmx`: typed arrays in shared memory, tasks, and pools of worker processes.
--
-- What touches shared memory or runs for every task is written in C (shmx.core); pools are put together from that in
-- shmx.pool and shmx.map, failures of tasks are in shmx.failure, options in shmx.options.

local core = require "shmx.core"
local options = require "shmx.options"
local failure = require "shmx.failure"

core.on_failure(failure.new)

---A typed, shaped view of shared memory. `a[i]` reads and writes, `#a` is the first dimension; every index is 1-based.
---@class shmx.Array
---@field dtype shmx.dtype
---@field shape integer[]
---@field strides integer[]   in elements
---@field ndim integer
---@field size integer        number of elements
---@field nbytes integer
---@field segment shmx.Segment
---@field frozen boolean      it cannot be written
---@field freeze fun(self: shmx.Array): shmx.Array                           nobody writes it any more, wherever it goes
---@field path fun(self: shmx.Array): string, integer   a file that has it, and the offset, while it lives
---@field save fun(self: shmx.Array, path: string): shmx.Array   as a .npy file
---@field get fun(self: shmx.Array, ...: integer): number|boolean|nil       negative indices count from the end
---@field set fun(self: shmx.Array, ...): nil                               set(i, j, ..., value)
---@field fill fun(self: shmx.Array, value: number|boolean): shmx.Array
---@field copy fun(self: shmx.Array, options?: shmx.Out): shmx.Array
---@field astype fun(self: shmx.Array, dtype: shmx.dtype, options?: shmx.Out): shmx.Array
---@field sort fun(self: shmx.Array, axis?: integer|shmx.Sort, options?: shmx.Sort): shmx.Array
---@field argsort fun(self: shmx.Array, axis?: integer|shmx.Sort, options?: shmx.Sort): shmx.Array
---@field [shmx.Along] fun(self: shmx.Array, axis?: integer|shmx.Axis, options?: shmx.Axis): shmx.Array
---@field take fun(self: shmx.Array, which: shmx.Array, axis?: integer|shmx.Axis, options?: shmx.Axis): shmx.Array
---@field put fun(self: shmx.Array, which: shmx.Array, values: shmx.Operand): shmx.Array  positions or a mask
---@field unique fun(self: shmx.Array, options?: shmx.Unique): shmx.Array, ...     the distinct elements
---@field searchsorted fun(self: shmx.Array, values: shmx.Operand, options?: shmx.Side): shmx.Operand
---@field bincount fun(self: shmx.Array, options?: shmx.Bins): shmx.Array
---@field histogram fun(self: shmx.Array, bins?: shmx.Edges, options?: shmx.Histogram): shmx.Array, shmx.Array
---@field matmul fun(self: shmx.Array, other: shmx.Array, options?: shmx.Out): shmx.Operand
---@field dot fun(self: shmx.Array, other: shmx.Array, options?: shmx.Out): shmx.Operand
---@field split fun(self: shmx.Array, parts: integer|integer[], axis?: integer): shmx.Array[]  views
---@field tile fun(self: shmx.Array, ...: integer): shmx.Array
---@field uniform fun(self: shmx.Array, low?: number, high?: number, options?: shmx.Seed): shmx.Array
---@field normal fun(self: shmx.Array, mean?: number, deviation?: number, options?: shmx.Seed): shmx.Array
---@field integers fun(self: shmx.Array, low: integer, high: integer, options?: shmx.Seed): shmx.Array  both included
---@field nonzero fun(self: shmx.Array): shmx.Array, ...                    for each dimension the indices
---@field [shmx.Reduction] fun(self: shmx.Array, axis?: integer|shmx.Reduce, options?: shmx.Reduce): shmx.Operand
---@field minmax fun(self: shmx.Array, axis?: integer|shmx.Reduce, options?: shmx.Reduce): shmx.Operand, shmx.Operand
---@field view fun(self: shmx.Array, ...: integer|integer[]|nil): shmx.Array  {first, last, step} for each dimension
---@field reshape fun(self: shmx.Array, ...: integer): shmx.Array
---@field transpose fun(self: shmx.Array, ...: integer): shmx.Array          turns the dimensions around, or orders them
---@field totable fun(self: shmx.Array): table
---@field tobytes fun(self: shmx.Array): string
---@field close fun(self: shmx.Array)                                       lets go of the memory at once
---@field [shmx.Unary] fun(self: shmx.Array, options?: shmx.Out): shmx.Array
---@field [shmx.Binary] fun(self: shmx.Array, other: shmx.Operand, options?: shmx.Out): shmx.Array
---@field clip fun(self: shmx.Array, low: shmx.Operand, high: shmx.Operand, options?: shmx.Out): shmx.Array
---@field muladd fun(self: shmx.Array, factor: shmx.Operand, term: shmx.Operand, options?: shmx.Out): shmx.Array
---@field where fun(self: shmx.Array, x: shmx.Operand, y: shmx.Operand, options?: shmx.Out): shmx.Array
---@field map fun(self: shmx.Array, f: function, ...): shmx.Array              f of each element; options come last
---@field generate fun(self: shmx.Array, f: function): shmx.Array              f of each element's indices
---@field equal fun(self: shmx.Array, other: any): boolean                   the same shape and elements
---@field allclose fun(self: shmx.Array, other: shmx.Array|number, options?: shmx.Tolerance): boolean

---@alias shmx.Reduction "sum"|"prod"|"min"|"max"|"any"|"all"|"mean"|"var"|"std"|"argmin"|"argmax"

---@alias shmx.Along "cumsum"|"cumprod"|"diff"

---@class shmx.Seed
---@field seed integer?   of the random numbers; drawn from math.random otherwise
---@field first integer?  the number of the array's first element in them; 1 otherwise

---@class shmx.Axis: shmx.Out
---@field axis integer?

---@class shmx.Sort: shmx.Axis
---@field descending boolean?

---@class shmx.Unique
---@field index boolean?    give the position of the first of each
---@field inverse boolean?  give for each element the position of its equal
---@field counts boolean?   give how many there are of each

---@class shmx.Side: shmx.Out
---@field side "left"|"right"|nil  before equal elements or behind them

---@class shmx.Bins
---@field weights shmx.Array?  to be summed instead of counting
---@field minlength integer?   so many bins at least

---@alias shmx.Edges integer|number[]|shmx.Array  how many bins, or where they begin and end

---@class shmx.Histogram
---@field bins shmx.Edges?
---@field range number[]?      {low, high}; from the smallest to the largest element otherwise
---@field weights shmx.Array?  to be summed instead of counting
---@field density boolean?     so that the integral is 1

---@class shmx.Reduce: shmx.Out
---@field axis integer?      which goes; all of them if there is none
---@field keepdims boolean?  it stays, with the size 1
---@field ddof number?       of var and std: they divide by the number of elements less this

---|a - b| <= atol + rtol * |b|
---@class shmx.Tolerance
---@field rtol number?  1e-5
---@field atol number?  1e-8
---@field equal_nan boolean?

---@alias shmx.Operand shmx.Array|number|boolean

---Where an elementwise operation writes its result.
---@class shmx.Out
---@field out shmx.Array?  with the shape of the result, and a dtype that can hold it

---@alias shmx.Unary "unm"|"bnot"|"logical_not"|"abs"|"sign"|"square"|"floor"|"ceil"|"trunc"|"round"|"sqrt"|"isnan"
---|"isinf"|"isfinite"|"exp"|"exp2"|"expm1"|"log"|"log2"|"log10"|"log1p"|"sin"|"cos"|"tan"|"asin"|"acos"|"atan"|"sinh"
---|"cosh"|"tanh"|"asinh"|"acosh"|"atanh"|"cbrt"
---@alias shmx.Binary "add"|"sub"|"mul"|"div"|"idiv"|"mod"|"minimum"|"maximum"|"eq"|"ne"|"lt"|"le"|"gt"|"ge"|"band"
---|"pow"|"atan2"|"hypot"|"bor"|"bxor"|"shl"|"shr"|"logical_and"|"logical_or"|"logical_xor"

---@alias shmx.dtype "i8"|"u8"|"i16"|"u16"|"i32"|"u32"|"i64"|"u64"|"f32"|"f64"|"bool"

---The memory that an array lies in: the unit of lifetime and of the handover.
---@class shmx.Segment
---@field id integer     never used again
---@field bytes integer
---@field chunk integer  the shared memory object that it is a part of
---@field task integer?  the number of the task that brought it, as far as main knows
---@field state "private"|"held"|"in transit"|"freed"|"lost"  private: never handed over; lost: its supervisor is gone
---@field holders string[]  "main", "worker 2", "a task"; asked for each time

---@class shmx
---@field version string
---@field memory integer|string  the memory budget in bytes; may be set, also as "512M" or "50%"
---@field array fun(dtype: shmx.dtype, shape: integer|integer[], options?: {name: string}): shmx.Array  zeroed
---@field empty fun(dtype: shmx.dtype, shape: integer|integer[]): shmx.Array  with whatever is there
---@field full fun(dtype: shmx.dtype, shape: integer|integer[], value: number|boolean): shmx.Array
---@field range fun(dtype: shmx.dtype, first: number, last: number, step?: number): shmx.Array  last included
---@field linspace fun(dtype: shmx.dtype, first: number, last: number, count: integer): shmx.Array  both included
---@field frombytes fun(bytes: string, dtype: shmx.dtype, shape?: integer|integer[]): shmx.Array
---@field concat fun(list: shmx.Array[], axis?: integer|shmx.Axis, options?: shmx.Axis): shmx.Array
---@field stack fun(list: shmx.Array[], axis?: integer|shmx.Axis, options?: shmx.Axis): shmx.Array
---@field from fun(values: table|string, dtype?: shmx.dtype): shmx.Array
---@field [shmx.Unary] fun(a: shmx.Operand, options?: shmx.Out): shmx.Operand
---@field [shmx.Binary] fun(a: shmx.Operand, b: shmx.Operand, options?: shmx.Out): shmx.Operand
---@field clip fun(a: shmx.Operand, low: shmx.Operand, high: shmx.Operand, options?: shmx.Out): shmx.Operand
---@field muladd fun(a: shmx.Operand, b: shmx.Operand, c: shmx.Operand, options?: shmx.Out): shmx.Operand  a * b + c
---@field where fun(condition: shmx.Operand, x: shmx.Operand, y: shmx.Operand, options?: shmx.Out): shmx.Operand
---@field attach fun(name: string, dtype: shmx.dtype, shape: integer|integer[]): shmx.Array  what another has named
---@field load fun(path: string, options?: {mmap: boolean}): shmx.Array  a .npy file
---@field task fun(f: function|table, ...): shmx.Task
---@field pool fun(options?: shmx.PoolOptions): shmx.Pool
---@field wait fun(tasks: shmx.Task[], seconds?: number): boolean  waits for all; have they ended?
---@field first fun(tasks: shmx.Task[], seconds?: number): shmx.Task?, integer?  waits for one, and says its place
---@field load_tasks fun(dir: string): table<string, function|table<string, function>>
---@field worker fun(): integer?, integer?, integer?  in a task: the worker's number, the task's, and the attempt
---@field cancelled fun(): boolean  in a task: is it to stop?
---@field progress fun(done: number, total: number)  in a task: how far it is, for the bar
---@field clock fun(): number   monotonic, seconds
---@field pid fun(): integer
---@field cpus fun(): integer   that this process may use
local shmx = core.library or { version = core.version }
core.library = shmx -- a task may be interrupted in here: the next one to load this goes on with what there is
setmetatable(core, { __index = shmx })

-- Lua calls a function by the first name that it finds in a loaded module, and so a task may be called. Hence what
-- scripts call is in this module, and in the core only behind it.
for _, name in ipairs {
  "array", "empty", "full", "range", "linspace", "from", "frombytes", "attach", "load", "concat", "stack",
  "task", "wait", "first", "clock", "pid", "cpus", "worker", "cancelled", "progress",
} do
  shmx[name] = core[name]
  core[name] = nil
end
for name, f in pairs(core.elementwise) do shmx[name] = f end
shmx.pool = require "shmx.pool"
function shmx.load_tasks(...) return require "shmx.folder"(...) end -- few scripts need it

local budget = core.settings().memory
if budget and not core.in_worker() then core.budget(options.bytes(budget, "--memory")) end

---`memory` is the budget in force, wherever it was set; the other fields are plain. Nothing else can be set: a misspelt
---limit would be none.
local meta = {}

function meta.__index(_, key)
  if key == "memory" then return core.budget() end
end

function meta.__newindex(_, key, value)
  if key ~= "memory" then options.fail("shmx has no field %q; what can be set is memory", tostring(key)) end
  if core.in_worker() then options.fail("shmx.memory is set by the script, not by a task") end
  core.budget(options.bytes(value, "shmx.memory"))
end

return setmetatable(shmx, meta)
