"""Reads long values by the package msgpack, where its compiled form is installed: the same, many times as fast.

What it does not read is read again by our own reader, which has the last word on
what is well formed, so this one decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache._msgpack import TUPLE

# Below this the package is not even loaded.
LONG = 4096

Extension = Callable[[int, bytes], Any]
_found: list[Callable[[Any], Any] | None] = []


def long_reader(read_extension: Extension) -> Callable[[Any], Any] | None:
    """What reads one value, or None. It raises whatever it likes."""
    if not _found:
        _found.append(_look(read_extension))
    return _found[0]


def _look(read_extension: Extension) -> Callable[[Any], Any] | None:
    def extension(kind: int, data: bytes) -> Any:
        if kind == TUPLE and 0x90 <= data[0] < 0xA0:
            return tuple(unpack(data, strict_map_key=False, timestamp=3, ext_hook=extension))
        return read_extension(kind, data)

    try:
        import msgpack

        # The package's own form in Python is slower than ours.
        unpack: Any = msgpack.unpackb if msgpack.Unpacker.__module__ == "msgpack._cmsgpack" else None
        if unpack is None or unpack(b"\x91\xc0", strict_map_key=False, timestamp=3, ext_hook=extension) != [None]:
            return None
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    return lambda data: unpack(data, strict_map_key=False, timestamp=3, ext_hook=extension)
