"""Times and sizes as text: the core reads them, so that all languages take the same ones."""

from __future__ import annotations

import ctypes

from twat_cache._ffi.lib import held
from twat_cache._ffi.status import check


def duration_ms(text: str) -> int:
    """Milliseconds of a time such as ``1h30m``. Raises ConfigurationError for any other text."""
    out = ctypes.c_uint64()
    check(held.twat_parse_duration(text.encode("utf-8", "replace"), ctypes.byref(out)), opening=True)
    return out.value


def size_bytes(text: str) -> int:
    """Bytes of a size such as ``500 MB``. Raises ConfigurationError for any other text."""
    out = ctypes.c_uint64()
    check(held.twat_parse_size(text.encode("utf-8", "replace"), ctypes.byref(out)), opening=True)
    return out.value
