"""``twat_cache.engines.cachetools`` of twat-cache 2.x: the engine here that does the job of cachetools."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import MemoryEngine

CacheToolsEngine = MemoryEngine

__all__ = ["CacheToolsEngine"]
