"""Our own engines in the form that contexts use."""

from __future__ import annotations

from typing import Any

from twat_cache import config as configuration
from twat_cache._memory import ObjectStore
from twat_cache._native._lib import has_engine
from twat_cache.config import CacheConfig
from twat_cache.engines.base import BaseCacheEngine
from twat_cache.exceptions import CacheOperationError, EngineNotAvailableError
from twat_cache.paths import folder_path

_RAISE: Any = object()


class MemoryEngine(BaseCacheEngine):
    """Live objects in a dictionary; the core keeps the order."""

    engine_name = "memory"
    waits = False
    counts = True

    def __init__(self, config: CacheConfig) -> None:
        super().__init__(config)
        self._store = ObjectStore(
            maxsize=config.get_maxsize(), max_bytes=config.max_bytes, policy=config.policy, ttl=config.ttl
        )

    def get(self, key: Any, default: Any = _RAISE) -> Any:
        entry = self._store.find(_hashable(key))
        if entry is None:
            self._misses += 1
            if default is _RAISE:
                raise KeyError(key)
            return default
        self._hits += 1
        return entry[0]

    def set(self, key: Any, value: Any, ttl: float | None = None) -> None:
        from twat_cache._options import seconds

        self._store.put(_hashable(key), value, float("inf") if ttl == float("inf") else seconds("ttl", ttl))

    def delete(self, key: Any) -> bool:
        return self._store.remove(_hashable(key))

    def clear(self) -> None:
        self._store.clear()

    @property
    def stats(self) -> dict[str, Any]:
        return {**super().stats, "size": len(self._store)}

    def cleanup(self) -> None:
        self._store.clear()


def _hashable(key: Any) -> Any:
    try:
        hash(key)
    except TypeError as error:
        from twat_cache._freeze import freeze

        return freeze((key,), error)
    return key


class _StoreEngine(BaseCacheEngine):
    """Over a byte engine, by way of ``Cache``."""

    engine_name = ""

    def __init__(self, config: CacheConfig) -> None:
        super().__init__(config)
        from twat_cache._cache import Cache

        if not self.is_available():
            raise EngineNotAvailableError(self.engine_name)
        self._cache = Cache(engine=self.engine_name, **self._options(config))

    @classmethod
    def is_available(cls) -> bool:
        return has_engine(cls.engine_name)

    def _options(self, config: CacheConfig) -> dict[str, Any]:
        folder = config.folder_name or "default"
        return {
            "path": folder_path(folder, config.cache_dir),
            "namespace": config.namespace or "",
            "serializer": config.serializer if isinstance(config.serializer, str) else "auto",
            **configuration.bounds(config),
            **configuration.packing(config),
            **configuration.modes(config),
        }

    def get(self, key: Any, default: Any = _RAISE) -> Any:
        found = self._cache.get(_direct(key), _RAISE)
        if found is _RAISE:
            if default is _RAISE:
                raise KeyError(key)
            return default
        return found

    def set(self, key: Any, value: Any, ttl: float | None = None) -> None:
        self._cache.set(_direct(key), value, ttl)

    def delete(self, key: Any) -> bool:
        return self._cache.delete(_direct(key))

    def clear(self) -> None:
        self._cache.clear()

    @property
    def stats(self) -> dict[str, Any]:
        try:
            return {**self._cache.stats(), "maxsize": self._config.get_maxsize()}
        except CacheOperationError:
            return super().stats

    def cleanup(self) -> None:
        self._cache.close()


class DiskEngine(_StoreEngine):
    """Results on disk, small ones inside LMDB."""

    engine_name = "disk"


class FileEngine(_StoreEngine):
    """Results on disk, each in a file of its own."""

    engine_name = "file"


class RedisEngine(_StoreEngine):
    """Results on a server."""

    engine_name = "redis"

    def _options(self, config: CacheConfig) -> dict[str, Any]:
        options = super()._options(config)
        for name in ("path", "max_entries", "max_bytes", "policy", "dir_mode", "file_mode"):
            options.pop(name, None)
        namespace = config.namespace or config.folder_name or ""
        return {**options, "namespace": namespace, **configuration.redis_options(config)}


def _direct(key: Any) -> Any:
    """A key that is no text, bytes, integer or tuple of them goes by its canonical form."""
    if isinstance(key, (str, bytes, int, tuple)):
        return key
    return ("key", key)
