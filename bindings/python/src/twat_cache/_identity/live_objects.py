"""Numbers of live objects: they stand for an object in one process, and for nothing else in any process."""

from __future__ import annotations

import itertools
import os
import weakref
from typing import Any

UNBOUND: Any = type("UNBOUND", (), {})()
_process: list[bytes] = []
_numbers = itertools.count(1)
_known: dict[int, tuple[weakref.ref[Any], int]] = {}

if hasattr(os, "register_at_fork"):
    # A child counts on from where its parent was, and so would its brothers.
    os.register_at_fork(after_in_child=_process.clear)


def process_bytes() -> bytes:
    """Return 16 random bytes of this process. A fork gets its own."""
    if not _process:
        _process.append(os.urandom(16))
    return _process[0]


def number_of(value: Any) -> int:
    """Return the number of an object: the same while it lives, if it can be watched, and never another one's."""
    address = id(value)
    known = _known.get(address)
    if known is not None and known[0]() is value:
        return known[1]
    number = next(_numbers)
    if value is not UNBOUND:
        try:
            _known[address] = (weakref.ref(value, lambda _: _known.pop(address, None)), number)
        except TypeError:
            pass  # it may be gone tomorrow and another at its address
    return number
