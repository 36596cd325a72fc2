"""Engines, ours and a user's own."""

from __future__ import annotations

from twat_cache.compat.engines.base import BaseCacheEngine
from twat_cache.compat.engines.builtin import DiskEngine, FileEngine, MemoryEngine, RedisEngine
from twat_cache.compat.engines.common import is_package_available
from twat_cache.compat.engines.manager import (
    CacheEngineManager,
    EngineManager,
    get_available_engines,
    get_engine_manager,
)

CacheEngine = BaseCacheEngine
FunctoolsCacheEngine = FunctoolsEngine = CacheToolsEngine = CacheBoxEngine = AioCacheEngine = MemoryEngine
DiskCacheEngine = KleptoEngine = DiskEngine
JoblibEngine = FileEngine
RedisCacheEngine = RedisEngine

__all__ = [
    "AioCacheEngine",
    "BaseCacheEngine",
    "CacheBoxEngine",
    "CacheEngine",
    "CacheEngineManager",
    "CacheToolsEngine",
    "DiskCacheEngine",
    "DiskEngine",
    "EngineManager",
    "FileEngine",
    "FunctoolsCacheEngine",
    "FunctoolsEngine",
    "JoblibEngine",
    "KleptoEngine",
    "MemoryEngine",
    "RedisCacheEngine",
    "RedisEngine",
    "get_available_engines",
    "get_engine_manager",
    "is_package_available",
]
