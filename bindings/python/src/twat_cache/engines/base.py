"""The public name of ``twat_cache.compat.engines.base``."""

from __future__ import annotations

from twat_cache.compat.engines.base import *  # noqa: F403
from twat_cache.compat.engines.base import __all__ as __all__
