"""BLAKE3, plain and keyed."""

from __future__ import annotations

import ctypes
from typing import Any

from twat_cache._ffi import abi
from twat_cache._ffi.lib import freed, held
from twat_cache._ffi.status import check, too_deep

_SMALL = 1 << 16


def blake3(data: bytes | memoryview | bytearray) -> bytes:
    """The 32 bytes of a BLAKE3 hash."""
    out = ctypes.create_string_buffer(abi.DIGEST_BYTES)
    address, size, keep = _address(data)
    library = held if size <= _SMALL else freed
    _call(library.twat_hash, address, size, out)
    del keep
    return out.raw


def mac(secret: bytes, *parts: bytes | memoryview | bytearray) -> bytes:
    """The 32 bytes of a keyed BLAKE3 over several parts."""
    out = ctypes.create_string_buffer(abi.DIGEST_BYTES)
    slices = (abi.Slice * max(len(parts), 1))()
    keep = []
    total = 0
    for piece, part in zip(slices, parts):
        piece.data, piece.len, kept = _address(part)
        total += piece.len
        keep.append(kept)
    library = held if total <= _SMALL else freed
    _call(library.twat_mac, secret, len(secret), slices, len(parts), out)
    del keep
    return out.raw


def _call(function: Any, *arguments: Any) -> None:
    try:
        check(function(*arguments))
    except ctypes.ArgumentError as error:
        raise too_deep(error) from None


def _address(data: bytes | memoryview | bytearray) -> tuple[int | None, int, object]:
    """Where some bytes lie, how many they are, and what keeps them there."""
    if isinstance(data, bytes):
        holder = ctypes.c_char_p(data)
        return ctypes.cast(holder, ctypes.c_void_p).value, len(data), (holder, data)
    view = memoryview(data).cast("B")
    if not view.nbytes:
        return None, 0, view
    if view.readonly:
        copy = bytes(view)
        return _address(copy)
    array = (ctypes.c_char * view.nbytes).from_buffer(view)
    return ctypes.addressof(array), view.nbytes, array
