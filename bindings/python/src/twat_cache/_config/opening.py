"""Opens stores for decorators and caches: options in Python's words, fallbacks with one warning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twat_cache._ffi.bytecache import ByteCache
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


class EngineName(str):
    """Our name of an engine, which equals every name of a library whose job it does."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and (str.__eq__(self, other) or ALIASES.get(other) == str.__str__(self))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


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
    """Logs a warning, once per process. It never raises: it is called where something has failed already."""
    if text in _warned:
        return
    _warned.add(text)
    try:
        from twat_cache.logging import logger

        for late in [*_unlogged, text]:
            logger.warning("%s", late.encode("utf-8", "backslashreplace").decode())
        _unlogged.clear()
    except Exception:  # noqa: BLE001 - the module cannot be loaded without descriptors, or after a chroot
        _unlogged.append(text)
        if len(_unlogged) == 1:
            _show(text)


# Warnings that came when logging could not be loaded.
_unlogged: list[str] = []


def warn_user(text: str) -> None:
    """Warns the programmer, once per process: what the code says is not what they may expect of it."""
    if text not in _warned:
        import warnings

        warn_once(text)
        warnings.warn(text, UserWarning, stacklevel=_level_of_caller())


def warn_lack(text: str, cause: str) -> None:
    """Warns of what the environment lacks: logged for each ``text``, shown once per ``cause``. It never raises."""
    warn_once(text)
    if cause not in _warned:
        _warned.add(cause)
        _show(text)


def _show(text: str) -> None:
    try:
        import warnings

        warnings.warn(text, UserWarning, stacklevel=_level_of_caller())
    except Exception:  # noqa: BLE001, S110 - warnings are errors here, or there is no place for them
        pass


def _level_of_caller() -> int:
    """The stack level, seen from whoever asks, of the first frame that is not of this package."""
    import sys

    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(frame: Any) -> bool:
    module: str = frame.f_globals.get("__name__", "")
    file: str = frame.f_code.co_filename
    return module.startswith("twat_cache.") or file.startswith("<twat_cache ")


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
    from twat_cache._ffi.digest import blake3

    return f"{plain}-{blake3(name.encode('utf-8', 'replace')).hex()[:12]}"


def open_first(engines: Iterable[str], options: Mapping[str, Mapping[str, Any]], *, why: str) -> ByteCache:
    """The first engine that opens; each that does not is told once.

    Wrong options are the caller's mistake on any engine, so they raise.
    """
    failed: dict[str, Exception] = {}
    wanted = list(engines)
    for position, name in enumerate(wanted):
        try:
            cache = ByteCache(name, options.get(name, {}))
            if name == "redis" and position < len(wanted) - 1:
                cache.contains(b"")  # a server is asked for the first time when it is used
        except ConfigurationError:
            raise
        except (ResourceError, EngineError, OSError, MemoryError) as error:
            failed[name] = error
            if position == len(wanted) - 1:
                raise
        else:
            if failed:
                reasons = "; ".join(f"{engine}: {error}" for engine, error in failed.items())
                warn_lack(f"{why}: falls back to {name} ({reasons})", f"{name} for {[*map(type, failed.values())]}")
            return cache
    raise EngineNotAvailableError("no engine to open")
