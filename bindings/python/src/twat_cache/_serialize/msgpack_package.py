"""Reads long values by the package msgpack, where its compiled form is installed: the same, many times as fast.

What it does not read is read again by our own reader, which has the last word on
what is well formed, so this one decides nothing. It gives up as a whole: a part
that was tried twice would be tried twice for each level that it is nested in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache._serialize.msgpack_format import ARRAY, NAMED, SET, TUPLE

# Below this the package is not even loaded.
LONG = 4096
# Each extension inside another is a copy of the bytes, and calls of ours on the C stack.
_NESTED = 24

Extension = Callable[[int, Any], Any]
_found: list[Callable[[Any], Any] | None] = []


def long_reader(read_extension: Extension) -> Callable[[Any], Any] | None:
    """What reads one value, or None. It raises whatever it likes."""
    if not _found:
        _found.append(_look(read_extension))
    return _found[0]


class _TooDeep(Exception):
    pass


def _look(read_extension: Extension) -> Callable[[Any], Any] | None:
    def extension(level: int) -> Extension:
        """What reads the extensions of one level."""
        if level == _NESTED:
            return _give_up
        below = extension(level + 1)

        def read(kind: int, inner: bytes) -> Any:
            if kind == TUPLE and 0x90 <= inner[0] < 0xA0:
                return tuple(unpack(inner, strict_map_key=False, timestamp=3, ext_hook=below))
            if kind not in _HOLDERS:
                return read_extension(kind, inner)
            if inner.startswith(b"\x92\xb1datetime.datetime"):
                raise _TooDeep  # it is read from its bytes
            return read_extension(kind, unpack(inner, strict_map_key=False, timestamp=3, ext_hook=below))

        return read

    try:
        import msgpack

        # The package's own form in Python is slower than ours.
        unpack: Any = msgpack.unpackb if msgpack.Unpacker.__module__ == "msgpack._cmsgpack" else None
        outermost = extension(0)
        if unpack is None or unpack(b"\x91\xc0", strict_map_key=False, timestamp=3, ext_hook=outermost) != [None]:
            return None
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    return lambda data: unpack(data, strict_map_key=False, timestamp=3, ext_hook=outermost)


_HOLDERS = frozenset((TUPLE, SET, ARRAY, NAMED))


def _give_up(kind: int, inner: Any) -> Any:
    raise _TooDeep
