"""``twat_cache.engines.diskcache`` of twat-cache 2.x: the engine here that does the job of diskcache."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import DiskEngine

DiskCacheEngine = DiskEngine

__all__ = ["DiskCacheEngine"]
