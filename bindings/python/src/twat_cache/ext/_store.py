"""What the adapters for frameworks share: one store a place, and a medium that fails quietly."""

from __future__ import annotations

import math
import os
import pickle
import threading
from collections.abc import Mapping
from typing import Any

from twat_cache._cache import Cache
from twat_cache._config.opening import order, warn_once
from twat_cache._serialize.values import COUNTER, Codec, Foreign
from twat_cache.exceptions import (
    CacheOperationError,
    CacheValueError,
    ConfigurationError,
    EngineError,
    ResourceError,
    SerializationError,
)
from twat_cache.paths import folder_path

FOREVER = math.inf
_TROUBLE = (ResourceError, EngineError, CacheValueError, MemoryError)


class Unpicklable(SerializationError, pickle.PicklingError):
    """What frameworks expect where a value cannot be stored."""


class CountingCodec(Codec):
    """Plain integers as counters, so that adding to one is a single step of the core."""

    __slots__ = ()

    def encode(self, key: bytes, value: Any) -> bytes | bytearray:
        if type(value) is int and -(2**63) <= value < 2**63:
            return bytes((COUNTER,)) + value.to_bytes(8, "little", signed=True)
        return super().encode(key, value)


class SharedCache(Cache):
    """A cache in which a failing medium is a miss, told once, and never a stale value.

    Reads miss, and writes say that they did nothing. What removes or counts raises,
    since a caller that goes on would find the old value later.

    Times to live are seconds; infinity is for ever, and zero or less keeps nothing.
    """

    def __init__(self, engine: str = "auto", path: Any = None, **options: Any) -> None:
        super().__init__(engine, path, **options)
        codec = self._codec
        self._codec = CountingCodec(codec.serializer, codec.namespace.decode(), types=codec.types)

    def find(self, key: str, missing: Any = None) -> Any:
        """The value, or ``missing``, also where what is stored cannot be read here."""
        try:
            return self.get(key, missing)
        except (ResourceError, EngineError) as error:
            self._trouble(error)
        except CacheOperationError as error:
            if not isinstance(error.__cause__, Foreign):
                raise
            self._trouble(error)
        return missing

    def has(self, key: str) -> bool:
        """Whether there is a value."""
        try:
            return key in self
        except (ResourceError, EngineError) as error:
            self._trouble(error)
            return False

    def find_many(self, keys: Any) -> dict[str, Any]:
        """Those that there are."""
        wanted = list(keys)
        try:
            return self.get_many(wanted)
        except (ResourceError, EngineError, CacheOperationError):
            missing = object()
            found = {key: self.find(key, missing) for key in wanted}
            return {key: value for key, value in found.items() if value is not missing}

    def put(self, key: str, value: Any, ttl: float) -> bool:
        """Stores a value; whether it did. Raises Unpicklable."""
        try:
            self.set(key, value, max(ttl, 0))
        except SerializationError as error:
            raise Unpicklable(str(error)) from error
        except _TROUBLE as error:
            self._give_up(key, error)
            return False
        return True

    def put_new(self, key: str, value: Any, ttl: float) -> bool:
        """Stores a value where there is none; whether there was none."""
        try:
            if ttl <= 0:
                self._codec.encode(b"", value)  # what cannot be stored is told in any case
                return key not in self
            return self.add(key, value, ttl)
        except SerializationError as error:
            raise Unpicklable(str(error)) from error
        except _TROUBLE as error:
            self._trouble(error)
            return False

    def put_many(self, items: Mapping[str, Any], ttl: float) -> list[str]:
        """Stores values; the keys of those it did not."""
        if not items:
            return []
        try:
            self.set_many(items, max(ttl, 0))
        except SerializationError as error:
            raise Unpicklable(str(error)) from error
        except _TROUBLE:
            return [key for key, value in items.items() if not self.put(key, value, ttl)]
        return []

    def _give_up(self, key: str, error: Exception) -> None:
        self._trouble(error)
        try:
            self.delete(key)  # better nothing than the value before
        except (*_TROUBLE, CacheOperationError):
            pass

    def _trouble(self, error: Exception) -> None:
        warn_once(f"{self.engine} cache: {error}")


_open: dict[tuple[str, str, str], tuple[dict[str, Any], SharedCache]] = {}
_lock = threading.Lock()


def _after_fork() -> None:
    """Another thread of the parent may have held it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def open_shared(location: Any, options: Mapping[str, Any]) -> SharedCache:
    """The program's one cache at a place.

    ``location`` is a directory, the name of a folder, a redis URL, or, with
    ``engine="memory"`` or empty, the name of a store in memory.
    """
    given = dict(options)
    where = "" if location is None else str(location)
    engine = given.pop("engine", None)
    if engine is None:
        engine = _engine_of(where)
    engine = order(engine)
    if engine in ("disk", "file"):
        if not where:
            raise ConfigurationError(f"location: engine '{engine}' needs a directory or a folder's name, found none")
        where = folder_path(where)
    elif engine == "redis" and where:
        given.setdefault("url", where)
    name = (engine, where, str(given.get("namespace", "")))
    with _lock:
        found = _open.get(name)
        if found is not None and not found[1]._store.closed:
            if found[0] != given:
                raise ConfigurationError(
                    f"location {_place(engine, where)}: open already with the options {_shown(found[0])}, "
                    f"asked for with {_shown(given)}; give it the same ones, or another location"
                )
            return found[1]
        cache = SharedCache(engine, where if engine in ("disk", "file") else None, **_core(engine, given))
        _open[name] = (given, cache)
        return cache


def _engine_of(where: str) -> str:
    if where in ("", "memory"):
        return "memory"
    return "redis" if "://" in where else "disk"


def _core(engine: str, given: dict[str, Any]) -> dict[str, Any]:
    if engine == "memory":
        return {key: value for key, value in given.items() if key != "namespace"}
    return given


def _place(engine: str, where: str) -> str:
    """A server's address may hold a password."""
    return "(a server)" if engine == "redis" else repr(where)


def _shown(options: dict[str, Any]) -> str:
    return str({key: "…" if key in ("url", "password") else value for key, value in sorted(options.items())})
