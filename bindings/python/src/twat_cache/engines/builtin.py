"""The public name of ``twat_cache.compat.engines.builtin``."""

from __future__ import annotations

from twat_cache.compat.engines.builtin import *  # noqa: F403
from twat_cache.compat.engines.builtin import __all__ as __all__
