"""Random values and random damage, for the comparison of the native codec with the one in Python.

python tests/native_values.py SEED ROUNDS   compares; native/fuzz.sh runs it under AddressSanitizer
"""

from __future__ import annotations

import datetime as dt
import enum
import pathlib
import random
import sys
import uuid
from collections import namedtuple
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from twat_cache._identity import call_keys as _keys
from twat_cache._serialize import msgpack_reader as reader
from twat_cache._serialize import values
from twat_cache._serialize.msgpack_writer import Unencodable
from twat_cache._speedups import speed


@dataclass
class Point:
    x: Any
    y: Any


@dataclass(frozen=True)
class Frozen:
    name: Any


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


Row = namedtuple("Row", "a b")
EDGES = [0, 1, 31, 32, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64]
INTEGERS = [sign * edge + step for edge in EDGES for sign in (1, -1) for step in (-1, 0, 1)] + [
    2**200,
    -(2**200),
    2**71,
]
FLOATS = [0.0, -0.0, 1.5, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308]
TEXTS = ["", "a", "id", "naïve", "日本語", "🦀", "\0", "x" * 31, "x" * 32, "y" * 255, "z" * 256, "é" * 40_000, "\ud800"]
ATOMS = [
    *INTEGERS, *FLOATS, *TEXTS, None, True, False, b"", b"\xff" * 255, b"\0" * 256, b"b" * 65_536, 1 + 2j,
    dt.datetime(2026, 1, 31, 12, 30, 0, 250), dt.datetime(2026, 1, 31, tzinfo=dt.timezone.utc), dt.date(1, 1, 1),
    dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-5))), dt.time(12, 30), dt.timedelta(-1, 5, 7),
    uuid.UUID(int=7), Decimal("1.50"), Decimal("NaN"), pathlib.PurePosixPath("/x"), pathlib.Path("/tmp/x"), Color.RED,
    Color.BLUE, reader.Undefined(), object(), Point, range(3), bytearray(b"x"), (), [], {}, set(), frozenset(),
]  # fmt: skip


def value(chance: random.Random, levels: int = 4) -> Any:
    """A random value, of which some cannot be encoded."""
    if levels == 0 or chance.random() < 0.4:
        return chance.choice(ATOMS[:-11] if chance.random() < 0.97 else ATOMS)
    n = chance.choice((0, 1, 2, 3, 5, 15, 16, 17, 70)) if levels < 3 else chance.randrange(6)
    some = lambda: [value(chance, levels - 1) for _ in range(n)]
    kind = chance.randrange(12)
    if kind < 3:
        return some()
    if kind < 5:
        return tuple(some())
    if kind < 8:
        return {_hashable(chance): item for item in some()}
    if kind == 8:
        return chance.choice((set, frozenset))(_hashable(chance) for _ in range(n))
    if kind == 9:
        return [chance.choice((1, 300, 70_000, 2**40, 0.5)) for _ in range(chance.choice((10, 64, 200)))]
    if kind == 10:
        return chance.choice((Point(1, some()), Row(some(), None), Frozen("x")))
    return _array(chance)


def _hashable(chance: random.Random) -> Any:
    kind = chance.randrange(5)
    if kind < 3:
        return chance.choice(("id", "name", "é", f"key {chance.randrange(2000)}", "k" * 31, "k" * 32))
    return chance.choice((1, 2.5, None, True, b"x", (1, "a"), Frozen(3), Color.RED, frozenset((1, 2)), Row(1, 2)))


def _array(chance: random.Random) -> Any:
    np = sys.modules.get("numpy")
    if np is None:
        return "without NumPy"
    made = np.arange(6).astype(chance.choice(("<f8", "i4", "u1", "M8[s]"))).reshape(2, 3)
    return chance.choice((made, made.T, made[:0]))


def deep(levels: int, kind: int) -> Any:
    """A value of so many levels."""
    made: Any = 1
    for _ in range(levels):
        made = ([made], (made,), {"k": made}, Point(1, made), Row(made, 2))[kind]
    return made


def damaged(chance: random.Random, data: bytes) -> bytes:
    """The bytes with some of them changed, cut out, put in or cut off."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(1, len(changed) + 1) if len(changed) > 1 else 1
        how = chance.randrange(5)
        if how < 2 and at < len(changed):
            changed[at] = chance.choice((chance.randrange(256), changed[at] ^ 1 << chance.randrange(8)))
        elif how == 2:
            del changed[at : at + chance.choice((1, 2, 9))]
        elif how == 3:
            changed[at:at] = bytes(chance.choices((0x90, 0x93, 0xC1, 0xC7, 0xD4, 0xDD, 0xDF, 0xFF, 0x01, 0xC9), k=3))
        else:
            del changed[at:]
    return bytes(changed)


def written(encode: Any, sample: Any) -> Any:
    """The bytes of a value, or the class of the error."""
    try:
        return encode(sample)
    except Exception as error:  # noqa: BLE001
        return type(error)


def read(decode: Any, data: bytes) -> Any:
    """The value that bytes are, in a form that can be compared, or the class of the error."""
    try:
        made = decode(data, 1)
    except Exception as error:  # noqa: BLE001
        return type(error)
    try:
        return values.encode_here(made)
    except (Unencodable, RecursionError):
        return repr(made)


def compare_encoding(sample: Any) -> bytes | None:
    """The bytes of a value, which are the same in both forms, or None for one that both refuse."""
    ours, pure = written(speed.encode, sample), written(values.encode_here, sample)
    assert ours == pure, (sample, ours, pure)
    return ours if isinstance(ours, bytes) else None


def compare_key(sample: Any) -> None:
    """Both forms make the same key of a value, or have the same error."""
    prefix, names = b"\x94\x03\xa1f", ("a", "b")
    ours = written(lambda value: speed.encode_call(prefix, names, (value, 1), {"k": value}), sample)
    pure = written(lambda value: _keys.encode_call(prefix, (value, 1), {"k": value}, names), sample)
    assert ours == pure, (sample, ours, pure)


def compare_decoding(data: bytes) -> None:
    """Both readers have the same value, or the same error."""
    ours, pure = read(speed.decode, data), read(reader.decode_here, data)
    assert ours == pure, (data, ours, pure)


def run(seed: int, rounds: int) -> int:
    """Compares so many values and four damaged forms of each; how many could be encoded."""
    chance, encoded = random.Random(seed), 0
    for _ in range(rounds):
        sample = value(chance)
        compare_key(sample)
        data = compare_encoding(sample)
        if data is None:
            continue
        encoded += 1
        compare_decoding(data)
        for _ in range(4 if len(data) < 4096 else 1):
            compare_decoding(damaged(chance, data))
    return encoded


if __name__ == "__main__":
    from contextlib import suppress

    with suppress(ImportError):
        import numpy  # noqa: F401
    print(run(int(sys.argv[1]), int(sys.argv[2])), "values compared")
