"""Engines, ours and a user's own: the public name of ``twat_cache.compat.engines``."""

from __future__ import annotations

from twat_cache.compat.engines import *  # noqa: F403
from twat_cache.compat.engines import __all__ as __all__
