"""``twat_cache.hybrid_cache`` of twat-cache 2.x, a module beside the decorator of that name."""

from __future__ import annotations

from twat_cache.decorators import hybrid_cache, smart_cache

__all__ = ["hybrid_cache", "smart_cache"]
