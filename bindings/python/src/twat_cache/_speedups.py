"""The native part of the package, where it was built and is not switched off.

``TWAT_CACHE_PURE=1`` switches it off. Nothing depends on it but speed.
"""

from __future__ import annotations

import os
from types import ModuleType

# The form of the native part that this source was written for: SPEED_EDITION of native/speed.h.
EDITION = 2


def _load() -> tuple[ModuleType | None, str]:
    if os.environ.get("TWAT_CACHE_PURE", "") not in ("", "0"):
        return None, "TWAT_CACHE_PURE is set"
    try:
        from twat_cache import _speed
    except ImportError as error:
        return None, str(error)
    if _speed.EDITION != EDITION:
        return None, f"it was built from another source: expected edition {EDITION}, got {_speed.EDITION}"
    return _speed, ""


speed, why_not = _load()


def form() -> str:
    """Which form runs, in words."""
    return "native" if speed is not None else f"pure Python ({why_not})"
