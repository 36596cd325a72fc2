"""The public name of ``twat_cache.compat.utils``."""

from __future__ import annotations

from twat_cache.compat.utils import *  # noqa: F403
from twat_cache.compat.utils import __all__ as __all__
