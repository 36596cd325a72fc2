"""``twat_cache.engines.aiocache`` of twat-cache 2.x: the engine here that does the job of aiocache."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import MemoryEngine

AioCacheEngine = MemoryEngine

__all__ = ["AioCacheEngine"]
