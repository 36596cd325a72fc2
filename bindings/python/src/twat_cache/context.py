"""The public name of ``twat_cache.compat.context``."""

from __future__ import annotations

from twat_cache.compat.context import *  # noqa: F403
from twat_cache.compat.context import __all__ as __all__
