"""``twat_cache.engines.functools_engine`` of twat-cache 2.x: the engine here that does the job of functools."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import MemoryEngine

FunctoolsCacheEngine = MemoryEngine
FunctoolsEngine = MemoryEngine

__all__ = ["FunctoolsCacheEngine", "FunctoolsEngine"]
