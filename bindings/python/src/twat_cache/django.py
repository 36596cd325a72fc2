"""The public name of ``twat_cache.ext.django``."""

from __future__ import annotations

from twat_cache.ext.django import *  # noqa: F403
from twat_cache.ext.django import __all__ as __all__
