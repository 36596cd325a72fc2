"""The contract of an engine, ours or a user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache.config import CacheConfig
from twat_cache.exceptions import ConfigurationError


class BaseCacheEngine:
    """Subclass it, register it, and contexts use it by its name.

    ``get`` raises KeyError on a miss. Everything after the first group is given.
    ``waits`` says whether ``get`` and ``set`` may wait for a disk or a server:
    coroutines then call them in a thread. ``counts`` says that ``get`` counts its
    own hits and misses.
    """

    waits = True
    counts = False

    def __init__(self, config: CacheConfig) -> None:
        self._config = config
        self._hits = self._misses = 0
        self.validate_config()

    @classmethod
    def is_available(cls) -> bool:
        """Whether it can be used here."""
        return True

    def get(self, key: Any) -> Any:
        """The value of a key. Raises KeyError where there is none."""
        raise NotImplementedError

    def set(self, key: Any, value: Any, ttl: float | None = None) -> None:
        """Stores a value; ``ttl`` in seconds, None for the configuration's."""
        raise NotImplementedError

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
        from twat_cache.engines.memo import memoized

        return memoized(self, func)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()
