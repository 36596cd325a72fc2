"""Byte strings that the core hands out, and lists of them that it takes."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from typing import Any

from twat_cache._ffi import abi
from twat_cache._ffi.handle import Handle
from twat_cache._ffi.lib import held

# The size that ctypes.string_at takes is a C int, whatever the platform: a larger one is cut to its low bits.
INT_MAX = 2**31 - 1


def bytes_at(address: int, size: int) -> bytes:
    """A copy of bytes in memory, of any size."""
    if size <= INT_MAX:
        return ctypes.string_at(address, size)
    return memoryview((ctypes.c_char * size).from_address(address)).tobytes()


class Mapped(Handle):
    """A value where the core has it, released with the last view of it.

    It lets NumPy look at the bytes in place: an array made from ``array_at``
    keeps this object alive, and never sees the value change.
    """

    __slots__ = ("_raw", "address", "size")

    def __init__(self, raw: abi.Bytes) -> None:
        self.address: int = raw.data or 0
        self.size: int = raw.len
        self._raw = raw
        super().__init__(self.address)

    def _free(self, pointer: int) -> None:
        held.twat_bytes_free(ctypes.byref(self._raw))

    def tobytes(self, start: int = 0, size: int | None = None) -> bytes:
        """A copy of the bytes."""
        return bytes_at(self.address + start, self.size - start if size is None else size)

    def view_at(self, start: int, size: int) -> memoryview:
        """A read-only view of some of the bytes."""
        array = (ctypes.c_char * size).from_address(self.address + start)
        array._owner = self  # type: ignore[attr-defined]
        return memoryview(array).cast("B").toreadonly()

    def __len__(self) -> int:
        return self.size


# A map costs more than the copy of so many bytes.
_SMALL = 64 * 1024
_views: weakref.WeakSet[Mapped] = weakref.WeakSet()


def _most_maps() -> int:
    """A quarter of the maps that a process may have: beyond those, nothing in it can have memory any more."""
    try:
        with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
            return int(file.read()) // 4
    except (OSError, ValueError):
        return 16_384


_MOST_MAPS = _most_maps()


def may_stay_mapped(value: Mapped) -> bool:
    """Whether a result may look at a value where it lies; else it gets a copy."""
    if value.size < _SMALL or len(_views) >= _MOST_MAPS:
        return False
    _views.add(value)
    return True


def take(raw: abi.Bytes) -> bytes:
    """Copies a byte string out and releases it."""
    try:
        return bytes_at(raw.data, raw.len) if raw.len else b""
    finally:
        held.twat_bytes_free(ctypes.byref(raw))


def slices(items: Sequence[bytes]) -> tuple[Any, object]:
    """A table of byte strings for the core, and what must live as long as it is used."""
    table = (abi.Slice * max(len(items), 1))()
    keep = []
    for piece, item in zip(table, items):
        holder = ctypes.c_char_p(item)
        piece.data = ctypes.cast(holder, ctypes.c_void_p).value
        piece.len = len(item)
        keep.append((holder, item))
    return table, keep
