"""What a negative status becomes."""

from __future__ import annotations

import ctypes
import os

from twat_cache import exceptions as ex
from twat_cache._ffi import abi
from twat_cache._ffi.lib import last_error

_BY_STATUS: dict[int, type[Exception]] = {
    abi.E_NOMEM: MemoryError,
    abi.E_IO: ex.ResourceError,
    abi.E_FULL: ex.ResourceError,
    abi.E_BUSY: ex.ConcurrencyError,
    abi.E_TOO_LARGE: ex.CacheValueError,
    abi.E_CORRUPT: ex.CacheOperationError,
    abi.E_VERSION: ex.CacheOperationError,
    abi.E_UNSUPPORTED: ex.CacheOperationError,
    abi.E_CLOSED: ex.CacheOperationError,
}


def error_of(status: int, *, opening: bool = False, path: str | None = None) -> Exception:
    """The exception for a failure that has just happened on this thread.

    ``opening`` is true for calls that make something from a configuration.
    """
    text = last_error()
    if status in (abi.E_ARG, abi.E_CONFIG):
        if opening or status == abi.E_CONFIG:
            return ex.ConfigurationError(text)
        return ex.CacheKeyError(text) if text.startswith("key") else ex.CacheValueError(text)
    if opening and path is not None and status == abi.E_IO:
        doing = "open the cache in" if os.path.isdir(path) else "create cache directory"
        return ex.PathError(f"Failed to {doing} {path}: {text}")
    if opening and status == abi.E_UNSUPPORTED:
        return ex.EngineNotAvailableError(text if " " in text else f"engine: {text}")
    if status == abi.E_UNAVAILABLE:
        return ex.EngineNotAvailableError(text if " " in text else f"server: {text}")
    if status == abi.E_CLOSED:
        return ex.CacheOperationError("already closed")
    if status == abi.E_PANIC:
        return ex.EngineError(f"report this: {text}")
    return _BY_STATUS.get(status, ex.EngineError)(text)


def too_deep(error: ctypes.ArgumentError) -> Exception:
    """What ctypes hides where a recursive function calls at the limit of its depth."""
    return RecursionError("maximum recursion depth exceeded") if "RecursionError" in str(error) else error


def check(status: int, *, opening: bool = False, path: str | None = None) -> int:
    """Raises for a failure, returns an outcome."""
    if status < 0:
        raise error_of(status, opening=opening, path=path)
    return status
