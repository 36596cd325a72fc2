"""Engines by name."""

from __future__ import annotations

from typing import Any

from twat_cache._config.opening import ALIASES, warn_once
from twat_cache.compat.engines.base import BaseCacheEngine
from twat_cache.compat.engines.builtin import DiskEngine, FileEngine, MemoryEngine, RedisEngine
from twat_cache.config import CacheConfig
from twat_cache.exceptions import EngineError, EngineNotAvailableError

__all__ = ["CacheEngineManager", "EngineManager", "get_available_engines", "get_engine_manager"]

_BUILT_IN: dict[str, type[BaseCacheEngine]] = {
    "memory": MemoryEngine,
    "disk": DiskEngine,
    "file": FileEngine,
    "redis": RedisEngine,
}


class CacheEngineManager:
    """Ours and those that were registered."""

    def __init__(self) -> None:
        self._engines = dict(_BUILT_IN)

    def register_engine(self, name: str, engine: type[BaseCacheEngine]) -> None:
        """Makes an engine known. It takes the place of one of that name."""
        if not isinstance(engine, type) or not issubclass(engine, BaseCacheEngine):
            raise EngineError(f"engine '{name}': expected a subclass of BaseCacheEngine, found: {engine!r}")
        self._engines[name] = engine

    def get_engine(self, name: str) -> type[BaseCacheEngine] | None:
        """The class of a name or alias; None for an unknown one."""
        return self._engines.get(name) or self._engines.get(ALIASES.get(name, ""))

    def _known(self, name: str) -> type[BaseCacheEngine]:
        found = self.get_engine(name)
        if found is None:
            raise EngineError(f"engine: expected one of {' '.join(self.list_engines())}, found: {name!r}")
        return found

    def list_engines(self) -> list[str]:
        """Every name, available or not, those of other libraries among them."""
        aliases = [name for name, engine in ALIASES.items() if engine in self._engines]
        return sorted({*self._engines, *aliases})

    def get_available_engines(self) -> list[str]:
        """The names of engines that can be used here."""
        return [name for name in self.list_engines() if self._known(name).is_available()]

    def create_engine_instance(self, config: CacheConfig) -> BaseCacheEngine:
        """An engine for a configuration, as twat-cache 2.x named it."""
        return self.make(config)

    def select_engine(self, config: CacheConfig, preferred: str | None = None) -> type[BaseCacheEngine]:
        """The engine that a configuration asks for; a preference that cannot be had is told once."""
        for name in (preferred, config.preferred_engine, config.cache_type):
            if name is None or name == "auto":
                continue
            try:
                engine = self._known(name)
            except EngineError as error:
                warn_once(str(error))
                continue
            if engine.is_available():
                return engine
            warn_once(f"{EngineNotAvailableError(name)}; falls back to another")
        persistent = config.folder_name is not None or config.use_sql
        return self._engines["disk" if persistent else "memory"]

    def make(self, config: CacheConfig, name: str | None = None) -> BaseCacheEngine:
        """An engine: by name, where nothing else will do, or by configuration."""
        if name is None:
            engine = self.select_engine(config)
        else:
            engine = self._known(name)
            if not engine.is_available():
                raise EngineNotAvailableError(name)
        return engine(config)


EngineManager = CacheEngineManager
_manager: list[Any] = []


def get_engine_manager() -> CacheEngineManager:
    """The program's one manager."""
    if not _manager:
        _manager.append(CacheEngineManager())
    found: CacheEngineManager = _manager[0]
    return found


def get_available_engines() -> list[str]:
    """The names of engines that can be used here."""
    return get_engine_manager().get_available_engines()
