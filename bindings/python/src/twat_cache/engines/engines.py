"""``twat_cache.engines.engines`` of twat-cache 2.x."""

from __future__ import annotations

from twat_cache.compat.engines import *  # noqa: F403
from twat_cache.compat.engines import __all__ as __all__
