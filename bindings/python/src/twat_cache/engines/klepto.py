"""``twat_cache.engines.klepto`` of twat-cache 2.x: the engine here that does the job of klepto."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import DiskEngine

KleptoEngine = DiskEngine

__all__ = ["KleptoEngine"]
