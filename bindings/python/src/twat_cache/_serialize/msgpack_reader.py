"""Reads MessagePack and our extension types. Bytes that are not well formed raise Malformed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twat_cache._serialize import msgpack_format as mp
from twat_cache._serialize.msgpack_format import Malformed
from twat_cache._serialize.msgpack_package import LONG, long_reader
from twat_cache._serialize.msgpack_writer import F64, MANY, U16, U32, U64
from twat_cache._serialize.stack import is_nearly_full

if TYPE_CHECKING:
    from datetime import datetime

_f32 = struct.Struct(">f").unpack_from
_f64 = struct.Struct(">d").unpack_from
_PAIR = struct.Struct(">dd").unpack


class Undefined:
    """JavaScript's undefined, where it is met."""

    _only: Undefined | None = None

    def __new__(cls) -> Undefined:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False


class Omitted:
    """An omitted argument of a key, whose default has no canonical encoding."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<default of {self.name}>"


def decode(data: bytes, start: int = 0) -> Any:
    """The one value that the bytes are, from ``start`` on."""
    if len(data) - start >= LONG:
        reader = long_reader(read_extension)
        if reader is not None:
            try:
                return reader(memoryview(data)[start:])
            except Exception:  # noqa: BLE001, S110 - what is wrong with it is said below
                pass
    return decode_here(data, start)


def decode_here(data: bytes, start: int = 0) -> Any:
    """As ``decode``, by this reader alone. It reads each byte once, however the value is nested."""
    try:
        value, end = _read(data, start)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"not MessagePack: {error}") from error
    except (RecursionError, ArithmeticError, ImportError) as error:
        if isinstance(error, RecursionError) and is_nearly_full():
            raise  # the value may be as good as any
        # Nothing can be imported while the interpreter ends.
        raise Malformed(f"not a value: {error}") from error
    if end != len(data):
        raise Malformed(f"expected one value, found {len(data) - end} bytes after it")
    return value


def _read(data: bytes, at: int) -> tuple[Any, int]:
    head = data[at]
    at += 1
    if head < 0x80:
        return head, at
    if 0xA0 <= head < 0xC0:
        end = at + (head & 31)
        return _piece(data, at, end).decode(), end
    if head < 0x90:
        return _map(data, at, head & 15)
    if head < 0xA0:
        return _array(data, at, head & 15)
    if head >= 0xE0:
        return head - 256, at
    return _LONG[head - 0xC0](data, at)


def _piece(data: bytes, at: int, end: int) -> bytes:
    piece = data[at:end]
    if len(piece) != end - at:
        raise Malformed(f"expected {end - at} bytes, found {len(piece)}")
    return piece


# What long lists and rows are made of is read here: a call for each item would cost three times as much. A piece
# that the data cuts short is found out at the latest where the value does not end with the data.


def _array(data: bytes, at: int, n: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    append = items.append
    item: Any
    while n > 0:
        n -= 1
        head = data[at]
        if head < 0x80:
            append(head)
            at += 1
        elif 0xA0 <= head < 0xC0:
            end = at + head - 0x9F
            append(data[at + 1 : end].decode())
            at = end
        elif 0xCB <= head <= 0xCF and head != 0xCC:
            size, unpack, many = _FIXED[head]
            if n >= _MANY and data[at : at + size * _MANY : size] == many.heads:
                items += many.struct.unpack_from(data, at)
                at += size * _MANY
                n -= _MANY - 1
            else:
                append(unpack(data, at + 1)[0])
                at += size
        elif head == 0xC7 and data[at + 2] == mp.TUPLE and 0x90 <= data[at + 3] < 0xA0:
            item, at = _short_tuple(data, at + 3, at + 3 + data[at + 1])
            append(item)
        elif 0x80 <= head < 0x90:
            item, at = _map(data, at + 1, head & 15)
            append(item)
        else:
            item, at = _read(data, at)
            append(item)
    return items, at


def _short_tuple(data: bytes, at: int, end: int) -> tuple[tuple[Any, ...], int]:
    """The tuple that an extension from ``at`` to ``end`` is. Rows are mostly such; they are read where they lie."""
    items, ended = _array(data, at + 1, data[at] & 15)
    if ended != end:
        raise Malformed(f"a tuple of {end - at} bytes, found {ended - at}")
    return tuple(items), end


_MANY = MANY
# Head of a number: its size with the head, what reads one, what reads many.
_FIXED = {
    many.head: (many.size, struct.Struct(">" + letter).unpack_from, many)
    for many, letter in ((F64, "d"), (U16, "H"), (U32, "I"), (U64, "Q"))
}


def _map(data: bytes, at: int, n: int) -> tuple[dict[Any, Any], int]:
    items: dict[Any, Any] = {}
    for _ in range(n):
        head = data[at]
        key: Any
        if 0xA0 <= head < 0xC0:
            end = at + head - 0x9F
            key = data[at + 1 : end].decode()
            at = end
        else:
            key, at = _read(data, at)
        head = data[at]
        if head < 0x80:
            items[key] = head
            at += 1
        elif head == 0xCB:
            items[key] = _f64(data, at + 1)[0]
            at += 9
        elif 0xA0 <= head < 0xC0:
            end = at + head - 0x9F
            items[key] = data[at + 1 : end].decode()
            at = end
        else:
            items[key], at = _read(data, at)
    return items, at


Reader = Callable[[bytes, int], "tuple[Any, int]"]


def _number(size: int, signed: bool) -> Reader:
    def read(data: bytes, at: int) -> tuple[int, int]:
        end = at + size
        return int.from_bytes(_piece(data, at, end), "big", signed=signed), end

    return read


def _sized(width: int, what: Callable[[bytes, int, int], tuple[Any, int]]) -> Reader:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        start = at + width
        return what(data, start, int.from_bytes(_piece(data, at, start), "big"))

    return read


def _text(data: bytes, at: int, n: int) -> tuple[str, int]:
    return _piece(data, at, at + n).decode(), at + n


def _binary(data: bytes, at: int, n: int) -> tuple[bytes, int]:
    return _piece(data, at, at + n), at + n


def _ext(data: bytes, at: int, n: int) -> tuple[Any, int]:
    kind = data[at]
    at += 1
    end = at + n
    if kind == mp.TUPLE and n and 0x90 <= data[at] < 0xA0:
        return _short_tuple(data, at, end)
    holds = _HOLDERS.get(kind)
    if holds is None:
        return read_extension(kind - 256 if kind > 127 else kind, _piece(data, at, end)), end
    if end > len(data):
        raise Malformed(f"expected {n} bytes, found {len(data) - at}")
    # What holds other values is read where it is: a copy for each level would cost as much as there are levels.
    if data.startswith(_DATE_TIME, at) and kind == mp.NAMED:
        return read_date_time(data[at + len(_DATE_TIME) : end]), end
    if kind == mp.NAMED and data[at] == 0x92:
        name, at = _read(data, at + 1)
        fields, ended = _read(data, at)
        inner: Any = [name, fields]
    else:
        inner, ended = _read(data, at)
    if ended != end:
        raise Malformed(f"an extension of {n} bytes, found {ended - at}")
    return holds(inner), end


def read_extension(kind: int, inner: Any) -> Any:
    """The value of an extension, of its bytes; of one that holds another value, of that."""
    reader = _HOLDERS.get(kind) or _EXT.get(kind)
    if reader is None:
        raise Malformed(f"unknown extension type {kind & 0xFF}")
    return reader(inner)


def _fixed_ext(n: int) -> Reader:
    return lambda data, at: _ext(data, at, n)


def _never(data: bytes, at: int) -> tuple[Any, int]:
    raise Malformed("byte c1, which MessagePack never uses")


_LONG: list[Reader] = [
    lambda _, at: (None, at),
    _never,
    lambda _, at: (False, at),
    lambda _, at: (True, at),
    *(_sized(width, _binary) for width in (1, 2, 4)),
    *(_sized(width, _ext) for width in (1, 2, 4)),
    lambda data, at: (_f32(data, at)[0], at + 4),
    lambda data, at: (_f64(data, at)[0], at + 8),
    *(_number(size, False) for size in (1, 2, 4, 8)),
    *(_number(size, True) for size in (1, 2, 4, 8)),
    *(_fixed_ext(n) for n in (1, 2, 4, 8, 16)),
    *(_sized(width, _text) for width in (1, 2, 4)),
    *(_sized(width, _array) for width in (2, 4)),
    *(_sized(width, _map) for width in (2, 4)),
]


def _timestamp(data: bytes) -> datetime:
    from twat_cache._serialize.times import read_timestamp

    return read_timestamp(data)


def _uuid(data: bytes) -> Any:
    from uuid import UUID

    return UUID(bytes=data)


def _decimal(data: bytes) -> Any:
    from decimal import Decimal

    return Decimal(data.decode())


def _date(data: bytes) -> Any:
    from datetime import date

    return date.fromisoformat(data.decode())


def _time(data: bytes) -> Any:
    from datetime import time

    return time.fromisoformat(data.decode())


def _path(data: bytes) -> Any:
    from pathlib import Path

    return Path(data.decode())


# An aware date-time has its instant beside its zone, and may be outside the calendar without it.
_DATE_TIME = b"\x92\xb1datetime.datetime"


def read_date_time(fields: bytes) -> Any:
    from twat_cache._serialize.times import read_datetime

    return read_datetime(fields, decode_here)


def _tuple(items: Any) -> tuple[Any, ...]:
    if type(items) is not list:
        raise Malformed("a tuple without items")
    return tuple(items)


def _set(items: Any) -> set[Any]:
    return set(_tuple(items))


def _named(pair: Any) -> Any:
    from twat_cache._serialize.named_types import rebuild

    if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
        raise Malformed("a named type without name and fields")
    return rebuild(pair[0], pair[1])


def _array_ext(fields: Any) -> Any:
    from twat_cache._serialize.arrays import from_parts

    return from_parts(fields)


_HOLDERS: dict[int, Callable[[Any], Any]] = {
    mp.TUPLE: _tuple, mp.SET: _set, mp.ARRAY: _array_ext, mp.NAMED: _named,
}  # fmt: skip
_EXT: dict[int, Callable[[bytes], Any]] = {
    mp.TIMESTAMP: _timestamp,
    mp.BIGINT: lambda data: int.from_bytes(data, "big", signed=True),
    mp.DECIMAL: _decimal,
    mp.DATE: _date,
    mp.TIME: _time,
    mp.UUID_: _uuid,
    mp.COMPLEX: lambda data: complex(*_PAIR(data)),
    mp.PATH: _path,
    mp.UNDEFINED: lambda _: Undefined(),
    mp.DEFAULT: lambda data: Omitted(data.decode()),
}
