"""The public name of ``twat_cache.compat.backend_selector``."""

from __future__ import annotations

from twat_cache.compat.backend_selector import *  # noqa: F403
from twat_cache.compat.backend_selector import __all__ as __all__
