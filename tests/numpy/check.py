# SPDX-License-Identifier: MIT
"""Does with NumPy what session.lua did with shmx, and compares.

The file that it is given is a sequence of cases: a line with a Python literal, then the bytes of the arrays before the operation and
of its results. What differs is printed, a line for each case, and in the end how many cases there were.
"""
import itertools
import sys
import warnings

import numpy as np

DTYPES = {"i8": "i1", "u8": "u1", "i16": "i2", "u16": "u2", "i32": "i4", "u32": "u4", "i64": "i8", "u64": "u8",
          "f32": "f4", "f64": "f8", "bool": "?"}
SHOWN = 20  # differences that are printed


def axis0(axis):
    """An axis or an index, which shmx counts from 1, as NumPy counts it."""
    return axis - 1 if axis > 0 else axis


def dtype(name):
    return np.dtype(DTYPES[name])


def ranges(a, parts):
    """a:view(...): each part is an index, a range of first, last and step, or all of a dimension."""
    keys = []
    for part, size in itertools.zip_longest(parts, a.shape, fillvalue="all"):
        if part == "all":
            keys.append(slice(None))
        elif isinstance(part, list):
            first, last, step = part
            stop = last if step > 0 else last - 2
            keys.append(slice(first - 1, None if stop < 0 else stop, step) if size else slice(0, 0))
        else:
            keys.append(axis0(part))
    return a[tuple(keys)]


def histogram(a, bins, span=None, weights=None):
    """np.histogram. The edges of f32 are computed as f64 and then rounded, as NumPy 1 does; NumPy 2 computes in f32."""
    if a.dtype != np.float32:
        return np.histogram(a, bins, span, weights=weights)
    edges = np.histogram_bin_edges(a.astype(np.float64), bins, span).astype(np.float32)
    inside = (a >= edges[0]) & (a <= edges[-1])
    places = np.minimum(np.searchsorted(edges, a[inside], "right") - 1, bins - 1)
    return np.bincount(places, None if weights is None else weights[inside], bins), edges


def into(a, parts, value):
    """The array, after a copy of the value has been written where the ranges say."""
    ranges(a, parts)[...] = np.array(value)
    return a


def read(stream, header):
    shape = header.get("shape", ())
    kind = dtype(header["dtype"])
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    return np.frombuffer(bytearray(stream.read(size)), dtype=kind).reshape(shape)


def ordered(x):
    """The bits of floats as integers that are ordered like them."""
    bits = x.view(np.int32 if x.dtype.itemsize == 4 else np.int64).astype(object)
    return np.where(bits < 0, -(bits & ((1 << (8 * x.dtype.itemsize - 1)) - 1)), bits)


def near(got, expected, ulp, scale):
    """Where two arrays of floats are as equal as they have to be."""
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    if ulp == 0:
        bits = np.int32 if got.dtype.itemsize == 4 else np.int64
        return (got.view(bits) == expected.view(bits)) | (np.isnan(got) & np.isnan(expected))
    if scale is not None:
        unit = np.spacing(np.abs(np.asarray(scale)).astype(expected.dtype))
        return same | (np.abs(got - expected) <= ulp * unit)
    finite = np.isfinite(got) & np.isfinite(expected)
    distance = np.where(finite, np.abs(ordered(got) - ordered(expected)), 1 << 64)
    return same | (distance <= ulp)


def as_lua_sees(expected, got):
    """A number in Lua is 64 bits wide."""
    if got.ndim == 0 and expected.ndim == 0:
        kinds = {"i": "i", "u": "i", "f": "f", "b": "b"}
        if kinds[expected.dtype.kind] == got.dtype.kind:
            return expected.astype(got.dtype)
    return expected


def difference(got, expected, case):
    """What is wrong with a result, or None."""
    single = expected.dtype == np.float32
    expected = expected.astype(got.dtype) if case.get("kind") else as_lua_sees(expected, got)
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"{got.dtype}{list(got.shape)} instead of {expected.dtype}{list(expected.shape)}"
    if got.dtype.kind == "f":
        ulp, scale = case.get("ulp", 0), case["scaled"]
        if single and got.dtype == np.float64 and ulp:  # shmx did not round to f32
            got, expected = got.astype(np.float32), expected.astype(np.float32)
        equal = near(np.atleast_1d(got), np.atleast_1d(expected), ulp, scale)
    else:
        equal = np.atleast_1d(got == expected)
    if equal.all():
        return None
    place = tuple(int(i) for i in np.argwhere(~equal)[0])
    found, wanted = np.atleast_1d(got)[place].item(), np.atleast_1d(expected)[place].item()
    return f"{found!r} instead of {wanted!r} at {place}"


CODE = {}


def evaluate(text, names):
    if text not in CODE:
        CODE[text] = compile(text, "<numpy>", "eval")
    return eval(CODE[text], globals(), names)


def chain(a, steps):
    """The array, after one expression after another has been evaluated with it."""
    for step in steps:
        evaluate(step["numpy"], {**step, "a": a})
    return a


def exactly(sign, a, b):
    """Compares as Python does, whatever the dtypes: NumPy makes floats of integers that meet floats, NumPy 1 also of signed
    ones that meet unsigned ones."""
    if a.dtype == b.dtype:
        return evaluate(f"a {sign} b", {"a": a, "b": b})
    return evaluate(f"a {sign} b", {"a": a.astype(object), "b": b.astype(object)}).astype(bool)


def judge(case, arrays, results):
    """What is wrong with a case, or None."""
    names = {**dict(case["given"]), **dict(zip("abcd", arrays))}
    try:
        expected = evaluate(case["numpy"], names)
    except Exception as error:
        return None if "problem" in case else f"NumPy refuses it: {error!r}"
    if "problem" in case:
        return f"shmx refuses it: {case['problem']}"
    case["scaled"] = evaluate(case["scale"], names) if "scale" in case else None
    expected = expected if isinstance(expected, tuple) else (expected,)
    if len(expected) != len(results):
        return f"{len(results)} results instead of {len(expected)}"
    found = (difference(got, np.asarray(want), case) for got, want in zip(results, expected))
    return next((text for text in found if text), None)


def main(path):
    count = different = 0
    with open(path, "rb") as stream:
        for line in stream:
            case = eval(line)
            arrays = [read(stream, header) for header in case["arrays"]]
            results = [read(stream, header) for header in case["results"]]
            count += 1
            problem = judge(case, arrays, results)
            if problem:
                different += 1
                if different <= SHOWN:
                    inputs = ", ".join(f"{a.dtype}{list(a.shape)}" for a in arrays)
                    print(f"case {count}, {case['name']} of {inputs} given {case['given']}: {problem}")
    if different > SHOWN:
        print(f"and {different - SHOWN} more")
    print(f"{count} cases compared")


warnings.simplefilter("ignore")
np.seterr(all="ignore")
main(sys.argv[1])
