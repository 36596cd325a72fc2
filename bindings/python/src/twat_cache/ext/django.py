"""Django's cache framework over this library.

In the settings::

    CACHES = {
        "default": {
            "BACKEND": "twat_cache.django.TwatCache",
            "LOCATION": "/var/cache/site",
        },
    }

``LOCATION`` is a directory (or the name of a folder below the user's cache
directory), a redis URL, or nothing (or ``memory``) for a store in the memory of
this process. ``OPTIONS`` takes ``MAX_ENTRIES``, ``engine``, ``serializer``,
``compress``, and every option of the core (docs/options.md). Aliases of one
``LOCATION`` share a store, in Django's way: their ``KEY_PREFIX`` and ``VERSION``
tell their keys apart, and ``clear()`` empties it for all of them.

What differs from Django's own backends: entries leave one at a time in the
order of ``policy``, so ``CULL_FREQUENCY`` is accepted and has no effect; without
``MAX_ENTRIES`` a store holds 4 GiB on disk and is unbounded in memory;
``incr`` and ``decr`` are atomic between processes and leave the time to live as
it is; a value that this program cannot read is a miss. While a server is down, reads
miss and ``set`` does nothing, which the log tells once; what deletes or counts raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import ImproperlyConfigured

from twat_cache.exceptions import CacheOperationError, TwatCacheError
from twat_cache.ext._store import FOREVER, SharedCache, open_shared

__all__ = ["TwatCache"]

_MISSING: Any = object()


class TwatCache(BaseCache):
    """The backend to name in ``CACHES``."""

    def __init__(self, location: Any, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = dict(params.get("OPTIONS") or {})
        options.pop("CULL_FREQUENCY", None)
        if "MAX_ENTRIES" in options:
            options["max_entries"] = options.pop("MAX_ENTRIES")
        options.setdefault("namespace", "django")
        try:
            self._cache: SharedCache = open_shared(location, options)
        except (TwatCacheError, TypeError) as error:
            raise ImproperlyConfigured(f"CACHES: {error}") from error

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float:
        """Seconds; infinity for ever."""
        if timeout is DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        return FOREVER if timeout is None else float(timeout)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._cache.find(self.make_and_validate_key(key, version=version), default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        name = self.make_and_validate_key(key, version=version)
        self._cache.put(name, value, self.get_backend_timeout(timeout))

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        name = self.make_and_validate_key(key, version=version)
        return self._cache.put_new(name, value, self.get_backend_timeout(timeout))

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        name = self.make_and_validate_key(key, version=version)
        return self._cache.touch(name, max(self.get_backend_timeout(timeout), 0))

    def delete(self, key: Any, version: Any = None) -> bool:
        return self._cache.delete(self.make_and_validate_key(key, version=version))

    def has_key(self, key: Any, version: Any = None) -> bool:
        return self._cache.has(self.make_and_validate_key(key, version=version))

    def incr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        name = self.make_and_validate_key(key, version=version)
        if name not in self._cache:
            raise ValueError(f"Key '{key}' not found")
        if type(delta) is int and -(2**63) <= delta < 2**63:
            try:
                return self._cache.incr(name, delta, ttl=self.get_backend_timeout())
            except CacheOperationError:
                pass  # no integer: what Django does for any value is right
        return super().incr(key, delta, version=version)

    def get_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        return {names[name]: value for name, value in self._cache.find_many(names).items()}

    def set_many(self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> list[Any]:
        names = {self.make_and_validate_key(key, version=version): key for key in data}
        items = {name: data[key] for name, key in names.items()}
        return [names[name] for name in self._cache.put_many(items, self.get_backend_timeout(timeout))]

    def delete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        self._cache.delete_many([self.make_and_validate_key(key, version=version) for key in keys])

    def clear(self) -> None:
        self._cache.clear()

    # Coroutines. A look-up in memory or on disk is over before a thread would have been woken.

    async def aget(self, key: Any, default: Any = None, version: Any = None) -> Any:
        if self._cache.engine in ("memory", "disk"):
            return self.get(key, default, version)
        return await sync_to_async(self.get, thread_sensitive=True)(key, default, version)

    async def aget_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        found: dict[Any, Any] = await sync_to_async(self.get_many, thread_sensitive=True)(keys, version)
        return found

    async def aset_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> list[Any]:
        failed: list[Any] = await sync_to_async(self.set_many, thread_sensitive=True)(data, timeout, version)
        return failed

    async def adelete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        await sync_to_async(self.delete_many, thread_sensitive=True)(keys, version)

    async def aincr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        return await sync_to_async(self.incr, thread_sensitive=True)(key, delta, version)

    async def adecr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        return await self.aincr(key, -delta, version)
