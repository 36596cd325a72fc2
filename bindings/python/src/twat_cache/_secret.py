"""The secret under which pickles are signed. It never lies in a cache directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twat_cache.exceptions import ResourceError

if TYPE_CHECKING:
    from pathlib import Path

_SIZE = 32
_known: dict[str, bytes] = {}


def secret() -> bytes:
    """The 32 bytes, made on first use."""
    given = os.environ.get("TWAT_CACHE_SECRET")
    if given:
        return _from_text(given)
    path = _path()
    found = _known.get(str(path))
    if found is None:
        found = _known[str(path)] = _read(path) or _make(path)
    return found


def _from_text(text: str) -> bytes:
    if len(text) == 2 * _SIZE:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    from twat_cache._native._digest import blake3

    return blake3(text.encode("utf-8", "surrogateescape"))


def _path() -> Path:
    from pathlib import Path

    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "twat_cache" / "secret"


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResourceError(f"the secret cannot be read ({path}): {error}") from error
    if len(data) != _SIZE:
        raise ResourceError(f"the secret: expected {_SIZE} bytes, found {len(data)}: {path}")
    return data


def _make(path: Path) -> bytes:
    """Writes a new secret; where two processes do so at once, one of them wins."""
    import tempfile

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix="secret-")
        try:
            os.write(handle, os.urandom(_SIZE))
            os.close(handle)
            try:
                os.link(name, path)
            except FileExistsError:
                pass
        finally:
            os.unlink(name)
    except OSError as error:
        raise ResourceError(f"the secret cannot be made ({path}): {error}") from error
    made = _read(path)
    if made is None:
        raise ResourceError(f"the secret was taken away while it was made: {path}")
    return made
