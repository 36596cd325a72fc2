"""The public name of ``twat_cache.ext.flask``."""

from __future__ import annotations

from twat_cache.ext.flask import *  # noqa: F403
from twat_cache.ext.flask import __all__ as __all__
