"""The public name of ``twat_cache.compat.engines.manager``."""

from __future__ import annotations

from twat_cache.compat.engines.manager import *  # noqa: F403
from twat_cache.compat.engines.manager import __all__ as __all__
