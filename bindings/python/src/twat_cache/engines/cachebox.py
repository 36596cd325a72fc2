"""``twat_cache.engines.cachebox`` of twat-cache 2.x: the engine here that does the job of cachebox."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import MemoryEngine

CacheBoxEngine = MemoryEngine

__all__ = ["CacheBoxEngine"]
