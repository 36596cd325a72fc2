"""The contract of an engine, ours or a user's own."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from twat_cache.compat.engines.common import is_package_available
from twat_cache.compat.engines.mapping import MISSING, Mapping
from twat_cache.config import CacheConfig
from twat_cache.exceptions import ConfigurationError

__all__ = ["BaseCacheEngine", "CacheEngine", "is_package_available"]


class BaseCacheEngine(Mapping):
    """Subclass it, register it, and contexts use it by its name.

    A subclass has ``get`` and ``set``, or ``_get_cached_value`` (which raises KeyError
    on a miss) and ``_set_cached_value`` as twat-cache 2.x named them; ``delete``,
    ``clear`` and ``is_available``. The rest is given.

    ``get`` gives the default on a miss; one without a default may raise KeyError or
    return None, which is a miss then. ``waits`` says whether ``get`` and ``set`` may
    wait for a disk or a server: coroutines then call them in a thread. ``counts`` says
    that ``get`` counts its own hits and misses.
    """

    waits = True
    counts = False

    def __init__(self, config: CacheConfig) -> None:
        self._config = config
        self._hits = self._misses = 0
        self._made = time.monotonic()
        self.validate_config()

    @classmethod
    def is_available(cls) -> bool:
        """Whether it can be used here."""
        return True

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, or the default."""
        found = self._value_or_missing(key)
        return default if found is MISSING else found

    def set(self, key: Any, value: Any, ttl: float | None = None) -> None:
        """Stores a value; ``ttl`` in seconds, None for the configuration's."""
        self._set_cached_value(key, value)

    def _get_cached_value(self, key: Any) -> Any:
        """The value of a key. Raises KeyError where there is none."""
        found = self._value_or_missing(key)
        if found is MISSING:
            raise KeyError(key)
        return found

    def _set_cached_value(self, key: Any, value: Any) -> None:
        if type(self).set is BaseCacheEngine.set:
            raise NotImplementedError
        self.set(key, value)

    def _value_or_missing(self, key: Any) -> Any:
        """What a subclass answers, whichever methods it has, or MISSING."""
        kind = type(self)
        try:
            if kind._get_cached_value is not BaseCacheEngine._get_cached_value:
                found = self._get_cached_value(key)
            elif kind.get is BaseCacheEngine.get:
                raise NotImplementedError
            elif _takes_default(kind.get):
                return self.get(key, MISSING)
            else:
                found = self.get(key)
        except KeyError:
            return MISSING
        return MISSING if found is None else found

    def _make_key(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Text for a call."""
        from twat_cache.compat.engines.common import create_cache_key

        return create_cache_key(func, args, kwargs)

    def delete(self, key: Any) -> bool:
        """Removes an entry; whether there was one."""
        raise NotImplementedError

    def clear(self) -> None:
        """Removes every entry."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The engine's name."""
        return getattr(type(self), "engine_name", None) or type(self).__name__

    @property
    def config(self) -> CacheConfig:
        """What it was made with."""
        return self._config

    @property
    def stats(self) -> dict[str, Any]:
        """Hits and misses of functions cached by it, and what the engine adds."""
        asked = self._hits + self._misses
        return {
            "hits": self._hits,
            "misses": self._misses,
            "size": 0,
            "maxsize": self._config.maxsize,
            "hit_ratio": self._hits / asked if asked else 0.0,
            **self._about(),
        }

    def _about(self) -> dict[str, Any]:
        """What does not change, and how long it has been there."""
        return {
            "backend": self.name,
            "path": None,
            "policy": self._config.policy,
            "ttl": self._config.ttl,
            "uptime": time.monotonic() - self._made,
        }

    def validate_config(self) -> None:
        """Raises ConfigurationError for what the engine cannot do."""
        if not isinstance(self._config, CacheConfig):
            raise ConfigurationError(f"config: expected a CacheConfig, found: {self._config!r}")

    def cleanup(self) -> None:
        """Releases what the engine holds. Calling it again does nothing."""

    def cache(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """A memoized form of a function, plain or coroutine.

        Concurrent callers of one key compute it once. After ``cleanup`` it computes at each call.
        """
        from twat_cache.compat.engines.memo import memoized

        return memoized(self, func)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()


@functools.lru_cache(maxsize=256)
def _takes_default(get: Callable[..., Any]) -> bool:
    """Whether ``get`` of a subclass has a second parameter."""
    from twat_cache._identity.functions import parameters_of

    try:
        return len(parameters_of(get)) > 2
    except (TypeError, ValueError):
        return False


CacheEngine = BaseCacheEngine
