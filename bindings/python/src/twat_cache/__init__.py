"""twat_cache: one memoization library for Python functions, over the twat-cache core."""

from __future__ import annotations

from twat_cache._cache import Cache
from twat_cache.decorators import bcache, mcache

__all__ = ["Cache", "bcache", "mcache"]
