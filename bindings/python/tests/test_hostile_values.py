"""Bytes that somebody else has written: read in time, whole or not at all, and nothing but a miss comes of them."""

from __future__ import annotations

import os
import random
import sys
import time

import pytest

import twat_cache as tc
from test_keys_of_objects import Colour, Model, Pair, Perm, Point, Thin
from twat_cache._serialize import msgpack_format, msgpack_reader
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_format import Malformed
from twat_cache._serialize.values import Codec, Foreign


def named(inner, name="nobody.Knows"):
    text = bytes((0xA0 | len(name),)) + name.encode()
    out = bytearray()
    mp.write_ext(out, msgpack_format.NAMED, b"\x92" + text + inner)
    return bytes(out)


def nested(wrap, depth, inner=b"\xc1"):
    for _ in range(depth):
        inner = wrap(inner)
    return inner


WRAPS = {
    "named": named, "date-time": lambda inner: named(b"\x93" + inner + b"\xc0\x00", "datetime.datetime"),
    "frozenset": lambda inner: named(b"\x91" + inner, "builtins.frozenset"),
}  # fmt: skip
for _kind in (msgpack_format.TUPLE, msgpack_format.SET, msgpack_format.ARRAY):

    def _wrap(inner, kind=_kind):
        out = bytearray()
        mp.write_ext(out, kind, b"\x91" + inner)
        return bytes(out)

    WRAPS[f"extension {_kind}"] = _wrap


@pytest.mark.parametrize("long", [0, 1 << 62], ids=["msgpack", "own"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_nesting_that_cannot_be_read_costs_no_more_than_its_length(wrap, long, monkeypatch):
    monkeypatch.setattr(msgpack_reader, "LONG", long)
    start = time.perf_counter()
    for depth in (18, 60, 90):
        for inner in (b"\xc1", b"\xc0", b"\xdb\xff\xff\xff\xff", bytes(100_000)):
            with pytest.raises(Malformed):
                msgpack_reader.decode(nested(WRAPS[wrap], depth, inner) + b"\xc0")
    assert time.perf_counter() - start < 5


def values():
    np = pytest.importorskip("numpy")
    import datetime as dt
    from zoneinfo import ZoneInfo

    tokyo = ZoneInfo("Asia/Tokyo")
    return [
        np.arange(3.0), [np.arange(3), np.array(["a"]), np.array([1], "M8[ns]")], {"a": [1, (2, {3}), {"b": 2.5}]}, (1, "x" * 40, -(2**70)),
        [Point(1), Pair(1, 2), Model(x=1, z=2), Thin(1), Colour.RED, Perm.R | Perm.W, frozenset([1])],
        [dt.datetime(2020, 1, 1, tzinfo=tokyo), dt.datetime(2020, 1, 1, fold=1), dt.time(1, tzinfo=tokyo), dt.timedelta(1)],
        [1 + 2j, dt.date(2020, 1, 1), list(range(70_000, 70_200)), [1.5] * 130],
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(7))
def test_a_changed_value_is_read_or_a_miss_and_never_another_error(seed):
    chance = random.Random(seed)
    whole = bytes(Codec().encode(b"k", values()[seed]))
    rounds = 200_000 if os.environ.get("TWAT_SOAK") else 3_000
    for _ in range(rounds):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            action = chance.randrange(4)
            if action == 0:
                data[at] = chance.randrange(256)
            elif action == 1:
                data[at] ^= 1 << chance.randrange(8)
            elif action == 2:
                del data[at : at + chance.randint(1, 3)]
                data = data or bytearray(1)
            else:
                data[at:at] = chance.randbytes(chance.randint(1, 3))
        try:
            Codec().decode(b"k", bytes(data))
        except Foreign:
            pass


@pytest.mark.parametrize(
    "text",
    [
        "<f8,",
        "(" * 200,
        "f8, f8",
        "<f",
        "",
        "<U99999999999999999999",
        "O",
        "<M8[25zz]",
        "i4)",
        "<f8\0",
        "{'names': []}",
    ],
)
def test_the_type_text_of_an_array_is_never_parsed_as_python(text):
    pytest.importorskip("numpy")
    head = bytes((3, ord("C"), 1, min(len(text), 255))) + (1).to_bytes(8, "little") + text.encode()[:255]
    with pytest.raises(Foreign):
        Codec().decode(b"k", head + bytes(-len(head) % 64) + bytes(8))
    with pytest.raises(Malformed):
        msgpack_reader.read_extension(msgpack_format.ARRAY, [text, [1], "C", bytes(8)])


WRAP_VALUES = {
    "list": lambda inner: [inner], "tuple": lambda inner: (inner,), "dict": lambda inner: {"k": inner}, "named": lambda inner: Point(inner),
    "long tuple": lambda inner: (*range(20), inner), "frozenset": lambda inner: frozenset([inner]), "pair": lambda inner: Pair(1, inner),
}  # fmt: skip


@pytest.mark.parametrize("wrap", WRAP_VALUES)
def test_what_is_written_as_data_can_be_read_and_deeper_is_pickled(wrap):
    codec = Codec()
    for depth in (mp.MAX_DEPTH - 1, mp.MAX_DEPTH):
        value = nested(WRAP_VALUES[wrap], depth, 1)
        data = codec.encode(b"k", value)
        assert data[0] == 1 and _below(600, lambda: codec.decode(b"k", data)) == value
    deeper = nested(WRAP_VALUES[wrap], mp.MAX_DEPTH + 1, 1)
    data = codec.encode(b"k", deeper)
    assert data[0] == 16 and codec.decode(b"k", data) == deeper


def _below(frames, call):
    """Calls with so many frames left of the thousand that a program has."""
    left = sys.getrecursionlimit() - frames
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back

    def deeper(n):
        return call() if n <= 0 else deeper(n - 1)

    return deeper(left - depth - 10)


@pytest.mark.parametrize("wrap", ["list", "dict", "tuple"])
def test_no_depth_of_a_result_costs_the_result(wrap, folder, ran):
    f = tc.bcache(folder_name=folder, name="f")(lambda depth: ran(nested(WRAP_VALUES[wrap], depth, 1)))
    for depth in (50, 64, 65, 200, 320, 900, 3_000):
        before = ran.n
        f(depth), f(depth)
        assert ran.n - before in ((1,) if depth <= 200 else (1, 2))


def test_a_call_at_the_limit_of_recursion_ends_in_a_recursion_error(folder):
    @tc.bcache(folder_name=folder, name="f")
    def f(x):
        return x

    f([1])
    raised = set()

    def dive(n):
        try:
            f([1]), f(n)
        except RecursionError:
            raise
        except Exception as error:
            raised.add(type(error))
        dive(n + 1)

    with pytest.raises(RecursionError):
        dive(0)
    assert not raised and f([1]) == [1]
