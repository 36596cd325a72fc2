"""Our own engines in the form that contexts use."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from typing import Any

from twat_cache import config as configuration
from twat_cache._config.options import seconds
from twat_cache._ffi.lib import has_engine
from twat_cache._memoize.live_table import ObjectStore
from twat_cache.compat.engines.base import BaseCacheEngine
from twat_cache.compat.engines.mapping import MISSING
from twat_cache.config import CacheConfig
from twat_cache.exceptions import CacheOperationError, ConfigurationError, EngineNotAvailableError
from twat_cache.paths import folder_path

__all__ = ["DiskEngine", "FileEngine", "MemoryEngine", "RedisEngine"]


def _time(ttl: float | None, expire: float | None) -> float | None:
    """``expire`` is the name that other libraries have for ``ttl``."""
    if ttl is not None and expire is not None:
        raise ConfigurationError(f"expire: expected None beside ttl, which is the same, got: {expire!r}")
    return expire if ttl is None else ttl


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
        self._tags: dict[str, dict[Any, None]] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        entry = self._store.find(_hashable(key))
        if entry is None:
            self._misses += 1
            return default
        self._hits += 1
        return entry[0]

    def set(
        self, key: Any, value: Any, ttl: float | None = None, tag: Any = None, *, expire: float | None = None
    ) -> None:
        from twat_cache._cache import tags_of

        name, ttl, tags = _hashable(key), _time(ttl, expire), tags_of(tag)
        self._store.put(name, value, float("inf") if ttl == float("inf") else seconds("ttl", ttl))
        for one in tags:
            tagged = self._tags.setdefault(one, {})
            tagged[name] = None
            if len(tagged) > 2 * len(self._store.table) + 64:
                self._tags[one] = {key: None for key in tagged if key in self._store.table}

    def evict(self, tag: str) -> bool:
        """Removes every entry that was stored with a tag; whether any was."""
        from twat_cache._cache import tags_of

        tagged = [self._tags.pop(one, {}) for one in tags_of(tag)]
        for name in [name for names in tagged for name in names]:
            self._store.remove(name)
        return any(tagged)

    def add(self, key: Any, value: Any, ttl: float | None = None, **options: Any) -> bool:
        with self._store.lock:
            return super().add(key, value, ttl, **options)

    def incr(self, key: Any, delta: int = 1, default: int = 0, ttl: float | None = None) -> int:
        with self._store.lock:
            return super().incr(key, delta, default, ttl)

    @property
    def _cache(self) -> dict[Any, Any]:
        """Keys and values, as twat-cache 2.x held them."""
        return {key: entry[0] for key, entry in list(self._store.table.items())}

    def __iter__(self) -> Any:
        return iter([key for key in list(self._store.table) if self._store.find(key) is not None])

    def expire(self) -> int:
        """Removes what is expired; how many entries."""
        return self._store.expire()

    def delete(self, key: Any) -> bool:
        return self._store.remove(_hashable(key))

    def clear(self) -> None:
        self._store.clear()

    @property
    def stats(self) -> dict[str, Any]:
        return {**super().stats, "size": len(self._store)}

    def volume(self) -> int:
        """Bytes accounted to the entries, where they are weighed."""
        return self._store.policy.stats()["bytes"] if self._store.policy and self._config.max_bytes else 0

    def info(self) -> dict[str, Any]:
        """The engine."""
        return {"engine": "memory", "reason": "live objects in a dictionary"}

    def cleanup(self) -> None:
        self._store.clear()


def _hashable(key: Any) -> Any:
    try:
        hash(key)
    except TypeError as error:
        from twat_cache._identity.hashable import freeze

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

    def get(self, key: Any, default: Any = None) -> Any:
        return self._cache.get(_direct(key), default)

    def set(
        self, key: Any, value: Any, ttl: float | None = None, tag: Any = None, *, expire: float | None = None
    ) -> None:
        self._cache.set(_direct(key), value, _time(ttl, expire), tag)

    # What the store does at once, and atomically.

    def add(self, key: Any, value: Any, ttl: float | None = None, tag: Any = None, **options: Any) -> bool:
        return self._cache.add(_direct(key), value, _time(ttl, options.pop("expire", None)), tag, **options)

    def setdefault(self, key: Any, default: Any = None, ttl: float | None = None) -> Any:
        return self._cache.setdefault(_direct(key), default, ttl)

    def incr(self, key: Any, delta: int = 1, default: int = 0, ttl: float | None = None) -> int:
        return self._cache.incr(_direct(key), delta, default, ttl)

    def touch(self, key: Any, ttl: float | None = None) -> bool:
        return self._cache.touch(_direct(key), ttl)

    def pop(self, key: Any, default: Any = MISSING) -> Any:
        found = self._cache.pop(_direct(key), MISSING)
        if found is not MISSING:
            return found
        if default is MISSING:
            raise KeyError(key)
        return default

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        wanted = list(keys)
        found = self._cache.get_many([_direct(key) for key in wanted])
        return {key: found[_direct(key)] for key in wanted if _direct(key) in found}

    def set_many(self, items: AnyMapping[Any, Any], ttl: float | None = None, **options: Any) -> None:
        ttl = _time(ttl, options.pop("expire", None))
        self._cache.set_many({_direct(key): value for key, value in items.items()}, ttl, **options)

    def delete_many(self, keys: Iterable[Any]) -> int:
        return self._cache.delete_many([_direct(key) for key in keys])

    def __contains__(self, key: object) -> bool:
        return _direct(key) in self._cache

    def __len__(self) -> int:
        return len(self._cache)

    def __iter__(self) -> Any:
        return iter(self._cache)

    def __getattr__(self, name: str) -> Any:
        """What else ``Cache`` has: ``evict``, ``expire``, ``volume``, ``check``, ``export`` …"""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._cache, name)

    def delete(self, key: Any) -> bool:
        return self._cache.delete(_direct(key))

    def clear(self) -> None:
        self._cache.clear()

    @property
    def stats(self) -> dict[str, Any]:
        try:
            return {**self._about(), **self._cache.stats(), "maxsize": self._config.get_maxsize()}
        except CacheOperationError:
            return super().stats

    def _about(self) -> dict[str, Any]:
        return {**super()._about(), "path": self._cache._core.get("path")}

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
