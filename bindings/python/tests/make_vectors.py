"""Writes tests/vectors/*.json. Run it only when the format grows; the tests compare with what is there.

python bindings/python/tests/make_vectors.py
"""

from __future__ import annotations

import json
import sys

from twat_cache._identity import call_keys
from twat_cache._serialize.values import Codec
from twat_cache.exceptions import TwatCacheError
from vectors import ROOT, Counter, Json, Raw, declare, python

INTS = [0, 1, 2, 31, 32, 126, 127, 128, 129, 254, 255, 256, 257, 32767, 32768, 65534, 65535, 65536,
        2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1,
        -1, -2, -31, -32, -33, -127, -128, -129, -32767, -32768, -32769, -2**31, -2**31 - 1, -2**53,
        -2**63]  # fmt: skip
BIG = [2**64, 2**64 + 1, -2**63 - 1, 2**71 - 1, 2**71, -2**71, -2**71 - 1, 10**30, -10**30, 2**127 - 1, 2**127,
       -2**127, 2**2040]  # fmt: skip
FLOATS = ["0.0", "1.0", "-1.0", "1.5", "0.1", "-2.5", "1e300", "5e-324", "2.2250738585072014e-308",
          "9007199254740993.0", "3.4028234663852886e+38", "inf", "-inf", "nan", "-0.0"]  # fmt: skip
TEXTS = ["", "a", "x" * 31, "x" * 32, "x" * 255, "x" * 256, "é", "e\u0301", "ß漢字", "😀", "a\0b", "\u2028", "x" * 65535,
         "x" * 65536]  # fmt: skip


def i(n):
    return {"int": str(n)}


def s(text):
    return {"str": text}


def fill(n):
    return (bytes(range(256)) * (n // 256 + 1))[:n].hex()


def scalars():
    yield {"nil": True}
    yield {"bool": False}
    yield {"bool": True}
    yield from map(i, INTS)
    yield from map(i, BIG)
    yield from ({"float": text} for text in FLOATS)
    yield from map(s, TEXTS)
    yield from ({"bytes": fill(n)} for n in (0, 1, 255, 256, 65535, 65536))
    yield from ({"timestamp": pair} for pair in (
        [0, 0], [1, 0], [2**32 - 1, 0], [2**32, 0], [1700000000, 1000], [1700000000, 999999000], [2**34 - 1, 1000],
        [2**34, 0], [-1, 0], [-1, 999999000], [-62135596800, 0], [253402300799, 999999000]))  # fmt: skip
    yield from (
        {"decimal": text}
        for text in ("0", "1.50", "-1E+5", "NaN", "Infinity", "1E-30", "123456789012345678901234567890")
    )
    yield from ({"date": text} for text in ("2026-01-31", "0001-01-01", "9999-12-31"))
    yield from ({"time": text} for text in ("00:00:00", "12:30:00.000250", "23:59:59.999999"))
    yield {"uuid": "12345678123456781234567812345678"}
    yield {"uuid": "00000000000000000000000000000000"}
    yield from ({"complex": pair} for pair in (["1.0", "-2.5"], ["0.0", "0.0"]))
    yield {"path": "/a/b"}
    yield {"path": "é.txt"}


def containers():
    yield from ({kind: []} for kind in ("list", "tuple", "set", "map"))
    yield from ({"list": [i(0)] * n} for n in (1, 15, 16, 300))
    yield {"list": [{"list": [{"list": []}]}, {"tuple": []}]}
    yield from ({"tuple": [i(7)] * n} for n in (1, 2, 3, 7, 15, 16, 300))
    yield {"tuple": [{"tuple": [i(1), s("a")]}, {"list": [{"nil": True}]}]}
    yield {"set": [i(3), i(1), i(2)]}
    yield {"set": [s("b"), s("a"), s("aa")]}
    yield {"set": [i(300), i(-1), i(5), s("x"), {"tuple": [i(1)]}]}
    yield {"map": [[s("b"), i(1)], [s("a"), i(2)]]}
    yield {"map": [[s("aa"), i(1)], [s("b"), i(2)], [s(""), i(3)]]}
    yield {"map": [[i(300), i(1)], [i(-1), i(2)], [s("1"), i(3)], [i(1), i(4)]]}
    yield {"map": [[s(f"k{n:05}"), i(n)] for n in range(15)]}
    yield {"map": [[s(f"k{n:05}"), i(n)] for n in range(16)]}
    yield {"map": [[{"tuple": [i(1), i(2)]}, s("pair")]]}
    yield {"map": [[s("nested"), {"map": [[s("z"), {"list": [i(1)]}], [s("y"), {"set": [i(1)]}]]}]]}


def arrays():
    one = {"dtype": "<f8", "shape": [2, 3], "order": "C"}
    data = "".join(f"{n:02x}" for n in range(48))
    yield {"array": {**one, "data": data}}
    yield {"array": {**one, "order": "F", "data": data}}
    yield {"array": {"dtype": "|u1", "shape": [4], "order": "C", "data": "00ff7f80"}}
    yield {"array": {"dtype": "<i4", "shape": [], "order": "C", "data": "01000000"}}
    yield {"array": {"dtype": "<f4", "shape": [0, 3], "order": "C", "data": ""}}
    yield {"array": {"dtype": "|b1", "shape": [3], "order": "C", "data": "010001"}}
    yield {"array": {"dtype": "<M8[ns]", "shape": [1], "order": "C", "data": "0000c16ff2862303"}}
    yield {"array": {"dtype": "<c16", "shape": [1], "order": "C", "data": "000000000000f03f0000000000000040"}}
    yield {"array": {"dtype": "<i8", "shape": [2, 2, 2], "order": "C", "data": fill(64)}}


NAMED = [
    {"named": ["shapes.Point", {"map": [[s("x"), i(1)], [s("y"), {"float": "2.5"}]]}]},
    {"named": ["shapes.Pair", {"list": [{"list": [s("y"), i(1)]}, {"list": [s("x"), s("b")]}]}]},
    {"named": ["shapes.Colour", s("RED")]},
    {"named": ["datetime.datetime", s("2026-01-31T12:00:00")]},
    {"named": ["datetime.timedelta", {"list": [i(1), i(2), i(3)]}]},
]


def zoned(seconds, zone, fold=0, *local, nanoseconds=0):
    instant = {"timestamp": [seconds, nanoseconds]}
    return {"named": ["datetime.datetime", {"list": [instant, zone, i(fold), *map(s, local)]}]}


def offset(seconds, name=None):
    return {"list": [i(seconds * 10**6), {"nil": True} if name is None else s(name)]}


ZONED = [
    zoned(1577847600, s("Asia/Tokyo")),
    zoned(1577847600, s("UTC")),
    zoned(1577847600, offset(32400), nanoseconds=250000000),
    zoned(1577847600, offset(32400, "JST")),
    zoned(1577847600, offset(0), 1),
    zoned(-1, offset(-34200)),
    zoned(1635642000, s("Europe/Berlin"), 1),
    zoned(1635638400, s("Europe/Berlin")),
    # An hour that the zone skips: the instant gives another local time.
    zoned(1616895000, s("Europe/Berlin"), 0, "2021-03-28T02:30:00"),
]
TIMES = [
    {"named": ["datetime.datetime", {"list": [s("2026-01-31T12:00:00"), i(1)]}]},
    {"named": ["datetime.time", {"list": [s("12:30:00"), s("Asia/Tokyo"), i(0)]}]},
    {"named": ["datetime.time", {"list": [s("12:30:00"), {"nil": True}, i(1)]}]},
]
FROZEN = {"named": ["builtins.frozenset", {"list": [i(1), i(2)]}]}
ERRORS = [{"surrogate": True}, {"list": [{"surrogate": True}]}, {"map": [[{"surrogate": True}, i(1)]]}]


def keys():
    cases = [("f", [], []), ("f", [i(12)], []), ("", [], []), ("módulo.función", [s("x")], []), ("n" * 300, [], [])]
    for typed in [
        *scalars(),
        *containers(),
        *arrays(),
        *NAMED,
        *ZONED,
        *TIMES,
        FROZEN,
        {"default": "x"},
        {"default": "größe"},
    ]:
        cases.append(("f", [typed], []))
    cases += [
        ("f", [i(1), s("a"), {"float": "1.0"}, {"bool": True}, {"nil": True}], []),
        ("f", [i(n) for n in range(15)], []),
        ("f", [i(n) for n in range(16)], []),
        ("f", [], [["b", i(2)], ["a", i(1)]]),
        ("f", [i(1)], [["zz", i(1)], ["b", i(2)], ["é", i(3)]]),
        ("f", [{"undefined": True}, i(1)], []),
        ("f", [{"list": [{"nil": True}, {"undefined": True}]}], []),
        ("f", [{"named": ["builtins.type", s("shapes.Point")]}], []),
    ]
    for name, args, kwargs in cases:
        entry = {"name": name, "args": args, "kwargs": kwargs}
        positional = [_named_type(typed) for typed in args]
        keywords = {k: python(v) for k, v in kwargs}
        yield {**entry, "hex": call_keys.encode_call(call_keys.prefix_of(name), positional, keywords).hex()}
    for typed in ERRORS:
        yield {"name": "f", "args": [typed], "kwargs": [], "error": True}


def _named_type(typed):
    if "named" in typed and typed["named"][0] == "builtins.type":

        class Point:
            pass

        declare(typed["named"][1]["str"], Point)
        return Point
    return python(typed)


def value_of(typed):
    codec, value = Codec(), python(typed)
    if isinstance(value, Raw):
        return b"\0" + bytes(value)
    if isinstance(value, Json):
        return Codec("json").encode(b"", value.value)
    if isinstance(value, Counter):
        return b"\4" + int(value).to_bytes(8, "little", signed=True)
    return bytes(codec.encode(b"", value))


def values():
    for typed in [*scalars(), *containers(), *arrays()]:
        if "bytes" in typed:
            typed = {"raw": typed["bytes"]}
        yield {"value": typed, "hex": value_of(typed).hex()}
    yield {
        "value": {"list": [{"bytes": "00ff"}, *list(arrays())[:2]]},
        "hex": value_of({"list": [{"bytes": "00ff"}, *list(arrays())[:2]]}).hex(),
    }
    for typed in ZONED:
        yield {"value": typed, "hex": value_of(typed).hex()}
    for typed in [*NAMED[3:], *TIMES]:
        yield {"value": typed, "hex": value_of(typed).hex(), "languages": ["python"]}
    yield {"value": FROZEN, "hex": value_of(FROZEN).hex(), "languages": ["python"]}
    yield {"value": {"undefined": True}, "hex": "01c7000c", "languages": ["python", "javascript"]}
    for n in (0, 1, -1, 2**63 - 1, -(2**63)):
        yield {"value": {"counter": str(n)}, "hex": value_of({"counter": str(n)}).hex()}
    for plain in ({"a": [1, 2.5, None, True], "b": "é"}, [], "x", 12, None):
        yield {"value": {"json": plain}, "hex": value_of({"json": plain}).hex()}
    # What other writers may choose: longer forms, bytes inside MessagePack, float 32.
    longer = [(i(1), "01cc01"), (i(1), "01cf0000000000000001"), (i(-1), "01d3ffffffffffffffff"), (i(1), "01d30000000000000001"),
              (s("a"), "01d90161"), (s("a"), "01db0000000161"), ({"bytes": "00"}, "01c40100"), ({"bytes": ""}, "01c400"),
              ({"float": "1.5"}, "01ca3fc00000"), ({"list": [i(1)]}, "01dd0000000101"), ({"map": [[i(1), i(2)]]}, "01df000000010102"),
              ({"tuple": [i(1)]}, "01c80002019101"),
              ({"json": {"a": 1}}, b"\2{ \"a\" : 1 }".hex())]  # fmt: skip
    for typed, text in longer:
        yield {"value": typed, "hex": text, "decode_only": True}


def write(name, entries):
    lines = [json.dumps(entry, ensure_ascii=True) for entry in entries]
    (ROOT / name).write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(name, len(lines), file=sys.stderr)


if __name__ == "__main__":
    ROOT.mkdir(exist_ok=True)
    try:
        write("keys.json", keys())
        write("values.json", values())
    except TwatCacheError as error:
        sys.exit(str(error))
