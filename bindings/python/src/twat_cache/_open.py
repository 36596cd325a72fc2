"""Opens stores for decorators and caches: options in Python's words, fallbacks with one warning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twat_cache._native._bytecache import ByteCache
from twat_cache.exceptions import (
    ConfigurationError,
    EngineError,
    EngineNotAvailableError,
    ResourceError,
)

# Names of other libraries, and the engine here that does their job.
ALIASES = {
    "functools": "memory",
    "cachetools": "memory",
    "cachebox": "memory",
    "aiocache": "memory",
    "memory": "memory",
    "diskcache": "disk",
    "klepto": "disk",
    "disk": "disk",
    "joblib": "file",
    "file": "file",
    "redis": "redis",
    "null": "null",
}

_warned: set[str] = set()


def resolve(name: str) -> str | None:
    """Our engine's name for any name that is known, else None."""
    return ALIASES.get(name)


def order(name: Any, what: str = "engine") -> str:
    """As ``resolve``, where a name is an order."""
    found = ALIASES.get(name) if isinstance(name, str) else None
    if found is None:
        raise EngineError(f"{what}: expected one of {' '.join(sorted(ALIASES))}, found: {name!r}")
    return found


def warn_once(text: str) -> None:
    """Logs a warning, once a process."""
    if text not in _warned:
        _warned.add(text)
        from twat_cache.logging import logger

        logger.warning(text)


def warn_user(text: str) -> None:
    """Tells the programmer, once a process: what the code says is not what he may expect of it."""
    if text not in _warned:
        import sys
        import warnings

        warn_once(text)
        level, frame = 1, sys._getframe()
        while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("twat_cache."):
            level, frame = level + 1, frame.f_back
        warnings.warn(text, UserWarning, stacklevel=level)


def milliseconds(ttl: float | None) -> int:
    """A time to live as the core has it; 0 is never."""
    return 0 if ttl is None else max(1, min(round(ttl * 1000), 2**63))


def modes(secure: bool) -> dict[str, str]:
    """Permissions of what is made."""
    return {} if secure else {"dir_mode": "0755", "file_mode": "0644"}


def folder_of(name: str) -> str:
    """A folder named after a function."""
    from twat_cache.paths import LETTERS

    kept: list[str] = []
    for letter in name:
        if letter in LETTERS:
            kept.append(letter)
        elif kept[-1:] != ["/"]:
            kept.append("/")  # one for a run of others
    plain = "".join(kept).replace("/", "_").strip(".")[:100]
    if plain == name:
        return plain
    from twat_cache._native._digest import blake3

    return f"{plain}-{blake3(name.encode('utf-8', 'replace')).hex()[:12]}"


def open_first(engines: Iterable[str], options: Mapping[str, Mapping[str, Any]], *, why: str) -> ByteCache:
    """The first engine that opens; each that does not is told once.

    Wrong options are the caller's mistake on any engine, so they raise.
    """
    failed: list[str] = []
    wanted = list(engines)
    for position, name in enumerate(wanted):
        try:
            cache = ByteCache(name, options.get(name, {}))
            if name == "redis" and position < len(wanted) - 1:
                cache.contains(b"")  # a server is asked for the first time when it is used
        except ConfigurationError:
            raise
        except (ResourceError, EngineNotAvailableError, EngineError, OSError) as error:
            failed.append(f"{name}: {error}")
            if position == len(wanted) - 1:
                raise
        else:
            if failed:
                warn_once(f"{why}: {name} stands in ({'; '.join(failed)})")
            return cache
    raise EngineNotAvailableError("no engine to open")
