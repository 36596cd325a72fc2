"""The public name of ``twat_cache.ext.cachetools``."""

from __future__ import annotations

from twat_cache.ext.cachetools import *  # noqa: F403
from twat_cache.ext.cachetools import __all__ as __all__
