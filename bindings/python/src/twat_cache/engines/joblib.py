"""``twat_cache.engines.joblib`` of twat-cache 2.x: the engine here that does the job of joblib."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import FileEngine

JoblibEngine = FileEngine

__all__ = ["JoblibEngine"]
