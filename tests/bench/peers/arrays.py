# SPDX-License-Identifier: MIT
"""arrays.py DTYPE N: NumPy, what operations on arrays of N elements cost, in nanoseconds for an element.

They take turns, a sample at a time, so that whatever else the machine does for a moment disturbs one sample of each.
"""

import math
import statistics
import sys
import time

import numpy as np

LEAST = 0.01  # seconds that a sample takes, or one call if that takes longer
MANY, FEW = 7, 3  # samples, and samples of such calls
DTYPES = {"f64": np.float64, "f32": np.float32, "i64": np.int64, "i32": np.int32}
OTHER = {"f64": "f32", "f32": "f64", "i64": "f64", "i32": "i64"}


def clock(f, calls):
    begin = time.perf_counter()
    for _ in range(calls):
        f()
    return time.perf_counter() - begin


def calibrate(f):
    """How many calls of f a sample has."""
    calls = 1
    while (seconds := clock(f, calls)) < LEAST:
        calls *= 4
    return math.ceil(calls * LEAST / seconds)


def scramble(dtype, n):
    """Values in no order: of integers all bits, of floats from 0 to 1."""
    x = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    if dtype[0] == "i":
        return x.astype(np.int64).astype(DTYPES[dtype])
    return ((x >> np.uint64(11)) * 2.0**-53).astype(DTYPES[dtype])


def operations(dtype, n):
    kind = DTYPES[dtype]
    a = (np.arange(1, n + 1) % 1000 * 0.1 + 1).astype(kind)
    b, c, out = a[::-1].copy(), np.ones(n, kind), np.empty(n, kind)
    mask, cast, half = np.empty(n, bool), np.empty(n, DTYPES[OTHER[dtype]]), a < 50
    shuffled = scramble(dtype, n)
    places = (scramble("i64", n).view(np.uint64) >> np.uint64(1)).astype(np.int64) % n
    side = int(n**0.5)
    square, turned = a[: side * side].reshape(side, side), np.empty((side, side), kind)

    def sort():
        np.copyto(out, shuffled)
        out.sort()

    yield "fill", lambda: out.fill(7)
    yield "range", lambda: np.arange(n, dtype=kind)
    yield "copy", lambda: np.copyto(out, a)
    yield "a+b", lambda: np.add(a, b, out=out)
    yield "a+b_new", lambda: a + b
    yield "a*b+c", lambda: np.add(np.multiply(a, b, out=out), c, out=out)
    yield "sum", a.sum
    yield "dot", lambda: a.dot(b)
    yield "min_max", lambda: (a.min(), a.max())
    yield "cumsum", lambda: np.cumsum(a, out=out)
    yield "a<b", lambda: np.less(a, b, out=mask)
    yield "mask", lambda: a[half]
    yield "take", lambda: np.take(a, places, out=out, mode="clip")
    yield "transpose", lambda: np.copyto(turned, square.T)
    yield "sort", sort
    yield "argsort", shuffled.argsort
    yield "astype", lambda: np.copyto(cast, a, casting="unsafe")
    if dtype[0] == "f":
        yield "sqrt", lambda: np.sqrt(a, out=out)
        yield "exp", lambda: np.exp(shuffled, out=out)


timings = []
for name, f in operations(sys.argv[1], int(sys.argv[2])):
    f()
    timings.append((name, f, calibrate(f), []))
for turn in range(MANY):
    for _, f, calls, samples in timings:
        if turn < FEW or calls > 1:
            samples.append(clock(f, calls) / calls)
for name, _, _, samples in timings:
    print(f"{name}\t{statistics.median(samples) / int(sys.argv[2]) * 1e9:.5g}")
