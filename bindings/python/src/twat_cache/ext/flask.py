"""A backend for Flask-Caching (and, since it is one, a cachelib cache).

::

    app.config.update(
        CACHE_TYPE="twat_cache.flask_caching.TwatCache",
        CACHE_DIR="/var/cache/site",
    )
    cache = flask_caching.Cache(app)

``CACHE_DIR`` is a directory or the name of a folder below the user's cache
directory; ``CACHE_REDIS_URL`` a server; without either results stay in the
memory of this process. ``CACHE_THRESHOLD`` bounds the entries (only where it is
set: Flask-Caching's own default of 500 is for its own backends),
``CACHE_KEY_PREFIX`` is a namespace, and ``CACHE_OPTIONS`` takes ``engine``,
``serializer``, ``compress`` and every option of the core (docs/options.md).

A timeout of 0 never expires, as everywhere in cachelib.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_caching.backends.base import BaseCache

from twat_cache.exceptions import CacheOperationError
from twat_cache.ext._store import FOREVER, open_shared

__all__ = ["TwatCache"]

_MISSING: Any = object()
_FLASK_CACHING_THRESHOLD = 500


class TwatCache(BaseCache):
    """The backend to name in ``CACHE_TYPE``.

    ``location`` and ``options`` are those of ``CACHE_DIR`` and ``CACHE_OPTIONS``.
    """

    def __init__(
        self,
        location: Any = None,
        default_timeout: Any = 300,
        ignore_delete_many_errors: bool = False,
        **options: Any,
    ) -> None:
        # By name and one by one: releases differ in what else there is.
        super().__init__(default_timeout=default_timeout)
        self.ignore_delete_many_errors = ignore_delete_many_errors
        options.setdefault("namespace", "flask")
        self._cache = open_shared(location, options)

    @classmethod
    def factory(cls, app: Any, config: Mapping[str, Any], args: list[Any], kwargs: dict[str, Any]) -> TwatCache:
        """What Flask-Caching calls."""
        options = dict(kwargs)
        location = args[0] if args else config.get("CACHE_DIR") or config.get("CACHE_REDIS_URL")
        threshold = config.get("CACHE_THRESHOLD")
        if threshold and threshold != _FLASK_CACHING_THRESHOLD:
            options.setdefault("max_entries", threshold)
        prefix = config.get("CACHE_KEY_PREFIX")
        if prefix:
            options.setdefault("namespace", str(prefix))
        return cls(location, **options)

    def _seconds(self, timeout: Any) -> float:
        if timeout is None:
            timeout = self.default_timeout
        elif hasattr(timeout, "total_seconds"):
            timeout = timeout.total_seconds()
        return FOREVER if timeout <= 0 else float(timeout)

    def get(self, key: str) -> Any:
        return self._cache.find(key)

    def get_many(self, *keys: str) -> list[Any]:
        found = self._cache.find_many(keys)
        return [found.get(key) for key in keys]

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        return self._cache.put(key, value, self._seconds(timeout))

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        return self._cache.put_new(key, value, self._seconds(timeout))

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[Any]:
        failed = set(self._cache.put_many(mapping, self._seconds(timeout)))
        return [key for key in mapping if key not in failed]

    def delete(self, key: str) -> bool:
        return self._cache.delete(key)

    def has(self, key: str) -> bool:
        return self._cache.has(key)

    def clear(self) -> bool:
        self._cache.clear()
        return True

    def inc(self, key: str, delta: int = 1) -> Any:
        """Atomic between processes for integers; a missing key starts at 0."""
        try:
            return self._cache.incr(key, delta, ttl=self._seconds(None))
        except CacheOperationError:
            return super().inc(key, delta)

    def dec(self, key: str, delta: int = 1) -> Any:
        return self.inc(key, -delta)
