"""Writers by exact type: the built-in types, and those of standard modules that the program has loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twat_cache._serialize.msgpack_format import DATE, DECIMAL, PATH, UUID_
from twat_cache._serialize.msgpack_writer import (
    Encoder,
    Unencodable,
    Writer,
    write_bool,
    write_bytes,
    write_ext,
    write_int,
    write_items,
    write_named,
    write_nil,
    write_set,
    write_str,
    write_tuple,
)

if TYPE_CHECKING:
    from datetime import datetime, time, timedelta

# Classes that freezegun puts in place of those of the module datetime.
_FROZEN = {"FakeDate": "date", "FakeDatetime": "datetime"}


def write_loaded(encoder: Encoder, out: bytearray, value: Any) -> bool:
    """Types of modules that are not imported for their sake; whether it was one."""
    kind = type(value)
    # From 3.13 on some modules have their classes from others, which are theirs all the same.
    module, name = kind.__module__.partition(".")[0], kind.__name__
    home: Any = sys.modules.get(module)
    frozen: Any = sys.modules.get("freezegun.api")
    if frozen is not None and name in _FROZEN and getattr(frozen, name, None) is kind:
        module, name, home = "datetime", _FROZEN[name], None  # a date while time stands still is a date
    elif getattr(home, name, None) is not kind and getattr(frozen, f"real_{name}", None) is not kind:
        return False
    writer = _LOADED.get((module, name))
    if writer is None:
        return False
    encoder.table[kind] = writer
    writer(encoder, out, value)
    return True


def _text_ext(kind: int, text: Callable[[Any], str]) -> Writer:
    def write(_: Encoder, out: bytearray, value: Any) -> None:
        try:
            write_ext(out, kind, text(value).encode())
        except UnicodeEncodeError:
            raise Unencodable("a text with a lone surrogate") from None

    return write


def write_timedelta(encoder: Encoder, out: bytearray, value: timedelta) -> None:
    write_named(encoder, out, "datetime.timedelta", [value.days, value.seconds, value.microseconds])


PLAIN: dict[type, Writer] = {
    type(None): write_nil,
    bool: write_bool,
    int: write_int,
    str: write_str,
    bytes: write_bytes,
    list: write_items,
    tuple: write_tuple,
    set: write_set,
}


def _datetime(encoder: Encoder, out: bytearray, value: datetime) -> None:
    from twat_cache._serialize.times import write_datetime

    write_datetime(encoder, out, value)


def _time(encoder: Encoder, out: bytearray, value: time) -> None:
    from twat_cache._serialize.times import write_time

    write_time(encoder, out, value)


_PATH = _text_ext(PATH, str)
_LOADED: dict[tuple[str, str], Writer] = {
    ("uuid", "UUID"): lambda _, out, value: write_ext(out, UUID_, value.bytes),
    ("decimal", "Decimal"): _text_ext(DECIMAL, str),
    ("datetime", "date"): _text_ext(DATE, lambda value: value.isoformat()),
    ("datetime", "datetime"): _datetime,
    ("datetime", "time"): _time,
    ("datetime", "timedelta"): write_timedelta,
    ("pathlib", "PosixPath"): _PATH,
    ("pathlib", "WindowsPath"): _PATH,
}
