"""Where stores lie."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from twat_cache.exceptions import ConfigurationError, InvalidPathError, PathError

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
    base = os.path.expanduser(base)
    if base.startswith("~"):
        raise PathError(
            "cache directory: expected a home directory, got none (HOME is not set and the user has no entry in the "
            "password database); set TWAT_CACHE_DIR"
        )
    return os.path.join(absolute(base), "twat_cache")


AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def text_of(path: AnyPath, name: str = "path") -> str:
    """A path as text; bytes as the system decodes them."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ConfigurationError(f"{name}: expected a path, got: {path!r}")
    text = os.fsdecode(path)
    if "\0" in text:
        raise ConfigurationError(f"{name}: expected a path without NUL, got: {path!r}")
    return text


def absolute(path: AnyPath, name: str = "path") -> str:
    """An absolute path, so that it means the same after a change of the working directory."""
    try:
        return os.path.abspath(text_of(path, name))
    except OSError as error:
        raise PathError(f"{name}: the working directory cannot be found, give an absolute path: {error}") from error


def directory(path: AnyPath) -> str:
    """A directory as people write it: ``~``, ``$VARIABLES`` and relative paths, made absolute once."""
    text = os.path.expanduser(os.path.expandvars(text_of(path)))
    if not text:
        raise ConfigurationError("path: expected a directory, got an empty text")
    return absolute(text)


def folder_path(folder_name: AnyPath, cache_dir: AnyPath | None = None) -> str:
    """The directory of a folder, not made: an absolute path is itself."""
    text = text_of(folder_name, "folder_name")
    if os.path.isabs(text):
        return os.path.normpath(text)
    if not text or not LETTERS.issuperset(text) or set(text) == {"."}:
        hint = "; use path= for a directory" if set(text) & {"/", "~", "$"} else ""
        raise ConfigurationError(
            "folder_name: expected an absolute path or a name of letters, digits, '-', '_' and '.', "
            f"found: {text!r}{hint}"
        )
    return os.path.join(absolute(cache_dir, "cache_dir") if cache_dir else _cache_dir(), text)


def get_cache_path(
    folder_name: AnyPath | None = None,
    *,
    create: bool = True,
    use_temp: bool = False,
    cache_dir: AnyPath | None = None,
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
        path = Path(absolute(cache_dir, "cache_dir")) if cache_dir else get_cache_dir()
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


def validate_cache_path(path: AnyPath) -> Path:
    """The path as given, if it is a directory that can be written, or can be made one."""
    from pathlib import Path

    place = Path(text_of(path))
    if place.exists() and not place.is_dir():
        raise InvalidPathError(f"expected a directory, found a file: {place}")
    above = place
    while not above.exists():
        above = above.parent
    if not os.access(above, os.W_OK | os.X_OK):
        raise InvalidPathError(f"expected a directory that can be written, found: {above}")
    return place


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a directory is a store of ours."""
    return os.path.isfile(os.path.join(path, "data.mdb")) and os.path.exists(os.path.join(path, "lock.mdb"))


def clear_cache(folder_name: AnyPath | None = None, cache_dir: AnyPath | None = None) -> None:
    """Removes the store of a folder, or all of them. What is not a store of ours is left alone."""
    import shutil

    root = get_cache_path(folder_name, create=False, cache_dir=cache_dir)
    candidates = [root] if folder_name is not None else sorted(root.glob("*")) if root.is_dir() else []
    for path in candidates:
        if not path.is_symlink() and path.is_dir() and is_store(path):
            shutil.rmtree(path, ignore_errors=True)
