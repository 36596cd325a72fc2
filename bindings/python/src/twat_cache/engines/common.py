"""The public name of ``twat_cache.compat.engines.common``."""

from __future__ import annotations

from twat_cache.compat.engines.common import *  # noqa: F403
from twat_cache.compat.engines.common import __all__ as __all__
