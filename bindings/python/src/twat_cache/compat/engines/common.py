"""Small helpers that people's code uses. Our own keys and values do not."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from twat_cache.exceptions import CacheKeyError, CacheValueError, PathError

__all__ = [
    "create_cache_key",
    "ensure_dir_exists",
    "get_func_qualified_name",
    "is_package_available",
    "safe_key_serializer",
    "safe_temp_file",
    "safe_value_serializer",
]


def ensure_dir_exists(path: str | os.PathLike[str], mode: int = 0o700) -> Path:
    """Makes a directory with all above it."""
    place = Path(path)
    try:
        place.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise PathError(f"Failed to create cache directory {place}: {error}") from error
    return place


def safe_key_serializer(key: Any) -> str:
    """Text for a key.

    >>> safe_key_serializer("a"), safe_key_serializer(1.5), safe_key_serializer([1, "a"])
    ('a', '1.5', '["1", "a"]')
    """
    try:
        if isinstance(key, str):
            return key
        if key is None or isinstance(key, (int, float, bool)):
            return str(key)
        if isinstance(key, (list, tuple)):
            return json.dumps([safe_key_serializer(item) for item in key])
        if isinstance(key, (set, frozenset)):
            return json.dumps(sorted(safe_key_serializer(item) for item in key))
        if isinstance(key, dict):
            return json.dumps({safe_key_serializer(k): safe_key_serializer(v) for k, v in sorted(key.items(), key=str)})
        return json.dumps(repr(key))
    except Exception as error:
        raise CacheKeyError(f"Failed to serialize cache key: {error}") from error


def safe_value_serializer(value: Any) -> str:
    """JSON of a value, or its representation."""
    try:
        try:
            return json.dumps(value)
        except (TypeError, ValueError):
            return repr(value)
    except Exception as error:
        raise CacheValueError(f"Failed to serialize cache value: {error}") from error


def safe_temp_file(prefix: str = "twat_cache_", suffix: str = ".tmp") -> tuple[Path, IO[bytes]]:
    """A temporary file that only its owner can read, and its path."""
    try:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix)
        return Path(name), os.fdopen(handle, "w+b")
    except OSError as error:
        raise PathError(f"Failed to create a temporary file: {error}") from error


def get_func_qualified_name(func: Callable[..., Any]) -> str:
    """``module.qualname``."""
    return f"{func.__module__}.{getattr(func, '__qualname__', type(func).__qualname__)}"


def create_cache_key(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Text for a call."""
    parts = [get_func_qualified_name(func), *map(safe_key_serializer, args)]
    parts += [f"{name}={safe_key_serializer(value)}" for name, value in sorted(kwargs.items())]
    return ":".join(parts)


def is_package_available(name: str) -> bool:
    """Whether a package can be imported."""
    import importlib.util

    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
