"""The package's logger: the standard library's, silent until it is asked to speak."""

from __future__ import annotations

import logging
import os

__all__ = ["LOG_LEVEL", "logger"]

LOG_LEVEL = os.environ.get("TWAT_CACHE_LOG_LEVEL", "").upper() or "WARNING"

logger = logging.getLogger("twat_cache")
logger.addHandler(logging.NullHandler())


def _from_environment() -> None:
    level = os.environ.get("TWAT_CACHE_LOG_LEVEL", "").upper()
    to_file = os.environ.get("TWAT_CACHE_LOG_FILE") == "1"
    if not level and not to_file:
        return
    number = logging.getLevelName(level) if level else logging.INFO
    handler: logging.Handler = _file_handler() if to_file else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    if isinstance(number, int):
        logger.setLevel(number)
    else:
        logger.setLevel(logging.WARNING)
        logger.warning("TWAT_CACHE_LOG_LEVEL: expected a level of logging, found: %s", level)


def _file_handler() -> logging.Handler:
    from logging.handlers import RotatingFileHandler
    from pathlib import Path

    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "logs" / "twat_cache.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return RotatingFileHandler(path, maxBytes=1 << 20, backupCount=3, delay=True)
    except OSError:
        return logging.StreamHandler()


_from_environment()
