"""A random identity of this machine's data directory, for names that are unique on one machine only."""

from __future__ import annotations

import os

_SIZE = 16
_known: dict[str, bytes] = {}


def data_folder() -> str | None:
    """Return the folder of what belongs to this user on this machine, not made; None without a home directory."""
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser(os.path.join("~", ".local", "share"))
    return None if base.startswith("~") else os.path.join(os.path.abspath(base), "twat_cache")


def machine_identity() -> bytes:
    """Return the 16 bytes, made on first use. Where they cannot be stored, they are this process's own."""
    folder = data_folder()
    path = "" if folder is None else os.path.join(folder, "machine")
    found = _known.get(path)
    if found is None:
        found = _known[path] = (path and (_read(path) or _make(path))) or os.urandom(_SIZE)
    return found


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_SIZE + 1)
    except OSError:
        return None
    return data if len(data) == _SIZE else None


def _make(path: str) -> bytes | None:
    """Write a new identity. Where two processes do so together, the first link wins."""
    aside = f"{path}-{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(handle, "wb") as file:
                file.write(os.urandom(_SIZE))
            try:
                os.link(aside, path)
            except FileExistsError:
                pass
        finally:
            os.unlink(aside)
    except OSError:
        return None
    return _read(path)
