"""Where stores lie."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from twat_cache.exceptions import ConfigurationError, PathError

__all__ = ["clear_cache", "get_cache_dir", "get_cache_path", "validate_cache_path"]

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def get_cache_dir() -> Path:
    """The directory of all stores: ``$TWAT_CACHE_DIR``, else the platform's, then ``twat_cache``."""
    from pathlib import Path

    return Path(_cache_dir())


def _cache_dir() -> str:
    base = os.environ.get("TWAT_CACHE_DIR")
    if not base:
        if sys.platform == "darwin":
            base = os.path.expanduser("~/Library/Caches")
        elif sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
        else:
            base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(os.path.abspath(os.path.expanduser(base)), "twat_cache")


def folder_path(folder_name: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None) -> str:
    """The directory of a folder, not made: an absolute path is itself."""
    text = os.fspath(folder_name) if isinstance(folder_name, (str, os.PathLike)) else None
    if not isinstance(text, str) or "\0" in text:
        raise ConfigurationError(f"folder_name: expected text without NUL, found: {folder_name!r}")
    if os.path.isabs(text):
        return os.path.normpath(text)
    if not text or not LETTERS.issuperset(text) or set(text) == {"."}:
        raise ConfigurationError(
            f"folder_name: expected an absolute path or a name of letters, digits, '-', '_' and '.', found: {text!r}"
        )
    return os.path.join(os.path.abspath(cache_dir) if cache_dir else _cache_dir(), text)


def get_cache_path(
    folder_name: str | os.PathLike[str] | None = None,
    *,
    create: bool = True,
    use_temp: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    mode: int = 0o700,
) -> Path:
    """The directory of a folder (of all of them without a name), made if ``create``.

    >>> import tempfile
    >>> get_cache_path("reports", cache_dir=tempfile.gettempdir(), create=False).name
    'reports'
    """
    from pathlib import Path

    if use_temp:
        import tempfile

        cache_dir = Path(tempfile.gettempdir()) / f"twat_cache-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    if folder_name is None:
        path = Path(os.path.abspath(cache_dir)) if cache_dir else get_cache_dir()
    else:
        path = Path(folder_path(folder_name, cache_dir))
    if create:
        make(path, mode)
    return path


def make(path: Path, mode: int = 0o700) -> None:
    """Makes a directory with all above it."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise PathError(f"Failed to create cache directory {path}: {error.strerror or error}") from error


def validate_cache_path(path: str | os.PathLike[str]) -> Path:
    """The path as given, if it is a directory that can be written, or can be made one."""
    from pathlib import Path

    place = Path(path)
    if place.exists() and not place.is_dir():
        raise PathError(f"expected a directory, found a file: {place}")
    above = place
    while not above.exists():
        above = above.parent
    if not os.access(above, os.W_OK | os.X_OK):
        raise PathError(f"expected a directory that can be written, found: {above}")
    return place


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a directory is a store of ours."""
    return os.path.isfile(os.path.join(path, "data.mdb")) and os.path.exists(os.path.join(path, "lock.mdb"))


def clear_cache(
    folder_name: str | os.PathLike[str] | None = None, cache_dir: str | os.PathLike[str] | None = None
) -> None:
    """Removes the store of a folder, or all of them. What is not a store of ours is left alone."""
    import shutil

    root = get_cache_path(folder_name, create=False, cache_dir=cache_dir)
    candidates = [root] if folder_name is not None else sorted(root.glob("*")) if root.is_dir() else []
    for path in candidates:
        if not path.is_symlink() and path.is_dir() and is_store(path):
            shutil.rmtree(path, ignore_errors=True)
