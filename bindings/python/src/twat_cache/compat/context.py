"""Caches for a stretch of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twat_cache.compat.engines.base import BaseCacheEngine
from twat_cache.compat.engines.manager import get_engine_manager
from twat_cache.config import CacheConfig
from twat_cache.exceptions import ConfigurationError

__all__ = ["CacheContext", "engine_context", "get_or_create_engine"]


def _config(config: CacheConfig | None, options: dict[str, Any]) -> CacheConfig:
    if config is None:
        return CacheConfig(**options)
    if not isinstance(config, CacheConfig):
        raise ConfigurationError(f"config: expected a CacheConfig, found: {config!r}")
    return config.replace(**options) if options else config


class CacheContext:
    """An engine that is there inside ``with`` or ``async with``, and cleaned up once after.

    >>> with CacheContext(maxsize=10) as cache:
    ...     cache.set("a", 1)
    ...     cache.get("a")
    1
    """

    def __init__(self, config: CacheConfig | None = None, engine_name: str | None = None, **options: Any) -> None:
        self.config = _config(config, options)
        self.engine_name = engine_name
        # One for each level of a context that is entered again while it is open.
        self._engines: list[BaseCacheEngine] = []

    @property
    def engine(self) -> BaseCacheEngine | None:
        """The engine in use, None outside."""
        return self._engines[-1] if self._engines else None

    def __enter__(self) -> Any:
        engine = get_engine_manager().make(self.config, self.engine_name)
        self._engines.append(engine)
        return engine

    def __exit__(self, *_: object) -> None:
        engine = self._engines.pop()
        try:
            engine.cleanup()
        except Exception as error:  # noqa: BLE001 - the user's own error must come through
            from twat_cache.logging import logger

            logger.error("cleaning up engine %s failed: %s", engine.name, error)

    async def __aenter__(self) -> Any:
        from twat_cache._memoize.stored import to_thread

        engine = await to_thread(get_engine_manager().make, self.config, self.engine_name)
        self._engines.append(engine)
        return engine

    async def __aexit__(self, *_: object) -> None:
        from twat_cache._memoize.stored import to_thread

        await to_thread(self.__exit__)


@contextmanager
def engine_context(config: CacheConfig | None = None, engine_name: str | None = None, **options: Any) -> Iterator[Any]:
    """As ``CacheContext``, for one use."""
    with CacheContext(config, engine_name, **options) as engine:
        yield engine


def get_or_create_engine(config: CacheConfig | None = None, engine_name: str | None = None, **options: Any) -> Any:
    """An engine that the caller cleans up: ``engine.cleanup()``."""
    return get_engine_manager().make(_config(config, options), engine_name)
