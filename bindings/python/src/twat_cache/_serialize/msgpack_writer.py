"""MessagePack with exact types: what is common to keys and values (docs/format.md).

Writers append to a bytearray and are found by the exact type of a value, so
that a subclass never passes for its base. What a table does not know goes to
that table's ``other``.
"""

from __future__ import annotations

import struct
from builtins import len
from collections.abc import Callable
from typing import Any

from twat_cache._serialize.msgpack_format import BIGINT, COMPLEX, NAMED, SET, TIMESTAMP, TUPLE

Writer = Callable[["Encoder", bytearray, Any], None]

_F64 = struct.Struct(">Bd").pack
_PAIR = struct.Struct(">dd")
_H, _I, _Q = struct.Struct(">BH").pack, struct.Struct(">BI").pack, struct.Struct(">BQ").pack


class Unencodable(Exception):
    """A value that this encoding does not carry; the text says which."""


# What is nested deeper is not written as a value: the reader takes up to seven frames for a level, and a program
# that is deep in calls of its own must be able to read what another has written.
MAX_DEPTH = 64


class Encoder:
    """Writes values by a table from exact type to writer. One that is not canonical counts levels, for one value."""

    __slots__ = ("canonical", "depth", "other", "table")

    def __init__(self, table: dict[type, Writer], other: Writer, canonical: bool) -> None:
        self.table = table
        self.other = other
        self.canonical = canonical
        self.depth = 0

    def fresh(self) -> Encoder:
        """The same, for one value: it counts from the first level on."""
        return Encoder(self.table, self.other, self.canonical)

    def enter(self) -> None:
        """Begin a level. Keys may have any number: nobody reads them."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unencodable(f"a value of more than {MAX_DEPTH} levels")

    def write(self, out: bytearray, value: Any) -> None:
        """Appends one value."""
        self.table.get(value.__class__, self.other)(self, out, value)

    def encode(self, value: Any) -> bytes:
        """One value as bytes."""
        out = bytearray()
        self.table.get(value.__class__, self.other)(self, out, value)
        return bytes(out)


def write_nil(_: Encoder, out: bytearray, value: None) -> None:
    out.append(0xC0)


def write_bool(_: Encoder, out: bytearray, value: bool) -> None:
    out.append(0xC3 if value else 0xC2)


def write_int(_: Encoder, out: bytearray, n: int) -> None:
    if 0 <= n < 0x80:
        out.append(n)
    elif n >= 0:
        if n < 0x100:
            out += bytes((0xCC, n))
        elif n < 0x10000:
            out += _H(0xCD, n)
        elif n < 0x100000000:
            out += _I(0xCE, n)
        elif n < 1 << 64:
            out += _Q(0xCF, n)
        else:
            write_ext(out, BIGINT, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))
    elif n >= -32:
        out.append(n + 256)
    elif n >= -0x80:
        out += bytes((0xD0, n + 256))
    elif n >= -0x8000:
        out += _H(0xD1, n + 0x10000)
    elif n >= -0x80000000:
        out += _I(0xD2, n + 0x100000000)
    elif n >= -(1 << 63):
        out += _Q(0xD3, n + (1 << 64))
    else:
        # One bit more than the magnitude of n + 1 holds the sign.
        size = (~n).bit_length() // 8 + 1
        write_ext(out, BIGINT, n.to_bytes(size, "big", signed=True))


def write_float(_: Encoder, out: bytearray, value: float) -> None:
    out += _F64(0xCB, value)


def write_canonical_float(_: Encoder, out: bytearray, value: float) -> None:
    if value != value:
        out += b"\xcb\x7f\xf8\0\0\0\0\0\0"
    else:
        out += _F64(0xCB, value)


def write_str(_: Encoder, out: bytearray, value: str) -> None:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise Unencodable("a text with a lone surrogate") from None
    n = len(data)
    if n < 32:
        out.append(0xA0 | n)
    elif n < 0x100:
        out += bytes((0xD9, n))
    elif n < 0x10000:
        out += _H(0xDA, n)
    else:
        out += _I(0xDB, _limit(n))
    out += data


def write_bytes(_: Encoder, out: bytearray, value: bytes) -> None:
    n = len(value)
    if n < 0x100:
        out += bytes((0xC4, n))
    elif n < 0x10000:
        out += _H(0xC5, n)
    else:
        out += _I(0xC6, _limit(n))
    out += value


def write_array_header(out: bytearray, n: int) -> None:
    if n < 16:
        out.append(0x90 | n)
    elif n < 0x10000:
        out += _H(0xDC, n)
    else:
        out += _I(0xDD, _limit(n))


def write_map_header(out: bytearray, n: int) -> None:
    if n < 16:
        out.append(0x80 | n)
    elif n < 0x10000:
        out += _H(0xDE, n)
    else:
        out += _I(0xDF, _limit(n))


def write_ext(out: bytearray, kind: int, data: bytes | bytearray) -> None:
    n = len(data)
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(n)
    if fixed:
        out.append(fixed)
    elif n < 0x100:
        out += bytes((0xC7, n))
    elif n < 0x10000:
        out += _H(0xC8, n)
    else:
        out += _I(0xC9, _limit(n))
    out.append(kind & 0xFF)
    out += data


def _limit(n: int) -> int:
    if n >= 1 << 32:
        raise Unencodable(f"something of {n} items or bytes, more than MessagePack's 2^32 - 1")
    return n


def write_items(encoder: Encoder, out: bytearray, items: Any) -> None:
    """An array: the items of a list or tuple."""
    n = len(items)
    write_array_header(out, n)
    table, other = encoder.table, encoder.other
    if not encoder.canonical:
        encoder.enter()
    if n >= MANY:
        for start in range(0, n, MANY):
            some = items[start : start + MANY]
            if not _write_many(encoder, out, some):
                for item in some:
                    table.get(item.__class__, other)(encoder, out, item)
    else:
        for item in items:
            table.get(item.__class__, other)(encoder, out, item)
    if len(items) != n:
        raise Unencodable("a list that changed while it was written")
    if not encoder.canonical:
        encoder.depth -= 1


# Numbers of one width mostly come together; so many are written, and read, at one go.
MANY = 64


class Many:
    """``MANY`` numbers of one width: what packs them, with room for their heads."""

    __slots__ = ("head", "heads", "size", "struct")

    def __init__(self, head: int, size: int, letter: str) -> None:
        self.head, self.size = head, size
        self.heads = bytes((head,)) * MANY
        self.struct = struct.Struct(">" + ("x" + letter) * MANY)

    def write(self, out: bytearray, numbers: Any) -> None:
        """Appends them."""
        start = len(out)
        out += self.struct.pack(*numbers)
        out[start :: self.size] = self.heads


F64, U16, U32, U64 = Many(0xCB, 9, "d"), Many(0xCD, 3, "H"), Many(0xCE, 5, "I"), Many(0xCF, 9, "Q")


def _write_many(encoder: Encoder, out: bytearray, some: Any) -> bool:
    """Whether they were ``MANY`` numbers of one width, and are written."""
    kinds = set(map(type, some))
    if len(kinds) != 1 or len(some) != MANY:
        return False
    if int in kinds:
        low, high = min(some), max(some)
        if low >= 1 << 8:
            width = U16 if high < 1 << 16 else U32 if low >= 1 << 16 and high < 1 << 32 else None
            width = U64 if low >= 1 << 32 and high < 1 << 64 else width
            if width is not None:
                width.write(out, some)
                return True
        elif low >= 0 and high < 0x80:
            out += bytes(some)
            return True
    elif float in kinds and encoder.table.get(float) is write_float:
        F64.write(out, some)
        return True
    return False


def write_tuple(encoder: Encoder, out: bytearray, value: Any) -> None:
    inner = bytearray()
    write_items(encoder, inner, value)
    write_ext(out, TUPLE, inner)


def encoded_set(encoder: Encoder, value: Any) -> bytearray:
    inner = bytearray()
    write_array_header(inner, len(value))
    if not encoder.canonical:
        encoder.enter()
    encoded = sorted(encoder.encode(item) for item in value)
    if not encoder.canonical:
        encoder.depth -= 1
    if len(set(encoded)) != len(encoded):
        raise Unencodable("a set with two items that encode alike")
    for item in encoded:
        inner += item
    return inner


def write_set(encoder: Encoder, out: bytearray, value: Any) -> None:
    write_ext(out, SET, encoded_set(encoder, value))


def write_frozenset(encoder: Encoder, out: bytearray, value: Any) -> None:
    inner = bytearray(b"\x92")
    write_str(encoder, inner, "builtins.frozenset")
    inner += encoded_set(encoder, value)
    write_ext(out, NAMED, inner)


def write_map(encoder: Encoder, out: bytearray, value: dict[Any, Any]) -> None:
    write_map_header(out, len(value))
    table, other = encoder.table, encoder.other
    if not encoder.canonical:
        encoder.enter()
    for key, item in value.items():
        table.get(key.__class__, other)(encoder, out, key)
        table.get(item.__class__, other)(encoder, out, item)
    if not encoder.canonical:
        encoder.depth -= 1


def write_sorted_map(encoder: Encoder, out: bytearray, value: dict[Any, Any]) -> None:
    pairs = sorted((encoder.encode(key), n, item) for n, (key, item) in enumerate(value.items()))
    write_map_header(out, len(pairs))
    before = None
    for key, _, item in pairs:
        if key == before:
            raise Unencodable("a map with two keys that encode alike")
        before = key
        out += key
        encoder.write(out, item)


def write_named(encoder: Encoder, out: bytearray, name: str, fields: Any) -> None:
    inner = bytearray(b"\x92")
    write_str(encoder, inner, name)
    encoder.write(inner, fields)
    write_ext(out, NAMED, inner)


def write_timestamp(out: bytearray, seconds: int, nanoseconds: int) -> None:
    if 0 <= seconds < 1 << 34:
        if nanoseconds == 0 and seconds < 1 << 32:
            write_ext(out, TIMESTAMP, seconds.to_bytes(4, "big"))
        else:
            write_ext(out, TIMESTAMP, (nanoseconds << 34 | seconds).to_bytes(8, "big"))
    else:
        data = nanoseconds.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)
        write_ext(out, TIMESTAMP, data)


def write_complex(_: Encoder, out: bytearray, value: complex) -> None:
    write_ext(out, COMPLEX, _PAIR.pack(value.real, value.imag))
