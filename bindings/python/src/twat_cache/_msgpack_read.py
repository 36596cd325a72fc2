"""Reads MessagePack and our extension types. Bytes that are not well formed raise Malformed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twat_cache import _msgpack as mp

if TYPE_CHECKING:
    from datetime import datetime

_f32 = struct.Struct(">f").unpack_from
_f64 = struct.Struct(">d").unpack_from
_u16 = struct.Struct(">H").unpack_from
_u32 = struct.Struct(">I").unpack_from
_u64 = struct.Struct(">Q").unpack_from
_PAIR = struct.Struct(">dd").unpack


class Malformed(Exception):
    """Bytes that are not one value of ours."""


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


def decode(data: bytes, start: int = 0) -> Any:
    """The one value that the bytes are, from ``start`` on."""
    try:
        value, end = _read(data, start)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, ValueError) as error:
        raise Malformed(f"not MessagePack: {error}") from error
    except (RecursionError, ArithmeticError) as error:
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


def _array(data: bytes, at: int, n: int) -> tuple[list[Any], int]:
    # What long lists are made of is read here: a call for each item would cost three times as much.
    items: list[Any] = []
    append = items.append
    for _ in range(n):
        head = data[at]
        if head < 0x80:
            append(head)
            at += 1
        elif head == 0xCD:
            append(_u16(data, at + 1)[0])
            at += 3
        elif head == 0xCE:
            append(_u32(data, at + 1)[0])
            at += 5
        elif head == 0xCF:
            append(_u64(data, at + 1)[0])
            at += 9
        elif head == 0xCB:
            append(_f64(data, at + 1)[0])
            at += 9
        else:
            item, at = _read(data, at)
            append(item)
    return items, at


def _map(data: bytes, at: int, n: int) -> tuple[dict[Any, Any], int]:
    items = {}
    for _ in range(n):
        key, at = _read(data, at)
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
    end = at + 1 + n
    reader = _EXT.get(kind - 256 if kind > 127 else kind)
    if reader is None:
        raise Malformed(f"unknown extension type {kind}")
    return reader(_piece(data, at + 1, end)), end


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
    from datetime import datetime, timedelta, timezone

    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    if len(data) == 4:
        return epoch + timedelta(seconds=int.from_bytes(data, "big"))
    if len(data) == 8:
        both = int.from_bytes(data, "big")
        nanoseconds, seconds = both >> 34, both & ((1 << 34) - 1)
    elif len(data) == 12:
        nanoseconds = int.from_bytes(data[:4], "big")
        seconds = int.from_bytes(data[4:], "big", signed=True)
    else:
        raise Malformed(f"a timestamp of {len(data)} bytes")
    return epoch + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


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


def _tuple(data: bytes) -> tuple[Any, ...]:
    items = decode(data)
    if type(items) is not list:
        raise Malformed("a tuple without items")
    return tuple(items)


def _set(data: bytes) -> set[Any]:
    return set(_tuple(data))


def _named(data: bytes) -> Any:
    from twat_cache._named import rebuild

    pair = decode(data)
    if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
        raise Malformed("a named type without name and fields")
    return rebuild(pair[0], pair[1])


def _array_ext(data: bytes) -> Any:
    from twat_cache._arrays import from_parts

    return from_parts(decode(data))


_EXT: dict[int, Callable[[bytes], Any]] = {
    mp.TIMESTAMP: _timestamp,
    mp.TUPLE: _tuple,
    mp.SET: _set,
    mp.BIGINT: lambda data: int.from_bytes(data, "big", signed=True),
    mp.DECIMAL: _decimal,
    mp.DATE: _date,
    mp.TIME: _time,
    mp.UUID_: _uuid,
    mp.COMPLEX: lambda data: complex(*_PAIR(data)),
    mp.PATH: _path,
    mp.ARRAY: _array_ext,
    mp.NAMED: _named,
    mp.UNDEFINED: lambda _: Undefined(),
}
