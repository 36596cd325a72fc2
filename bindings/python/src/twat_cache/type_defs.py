"""The public name of ``twat_cache.compat.type_defs``."""

from __future__ import annotations

from twat_cache.compat.type_defs import *  # noqa: F403
from twat_cache.compat.type_defs import __all__ as __all__
