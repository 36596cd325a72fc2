"""The public name of ``twat_cache.ext.joblib``."""

from __future__ import annotations

from twat_cache.ext.joblib import *  # noqa: F403
from twat_cache.ext.joblib import __all__ as __all__
