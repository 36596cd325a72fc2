"""``twat_cache.engines.redis`` of twat-cache 2.x: the engine here that does the job of redis."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import RedisEngine

RedisCacheEngine = RedisEngine

__all__ = ["RedisCacheEngine", "RedisEngine"]
