"""The secret under which pickles are signed. It never lies in a cache directory."""

from __future__ import annotations

import errno
import os

from twat_cache._config.opening import warn_lack
from twat_cache.exceptions import ResourceError

_SIZE = 32
_known: dict[str, bytes] = {}
# What passes: the next call may find the secret.
_PASSING = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN))


def secret() -> bytes:
    """The 32 bytes, made on first use. Where there is no place for them, a secret of this process."""
    given = os.environ.get("TWAT_CACHE_SECRET")
    if given:
        return _from_text(given)
    path = _path()
    found = _known.get(path)
    if found is None:
        try:
            found = _read(path) or _make(path)
        except ResourceError as error:
            if getattr(error.__cause__, "errno", None) in _PASSING:
                raise
            warn_lack(
                f"{error}; results that need a pickle are kept for this process only; set TWAT_CACHE_SECRET, or "
                "XDG_DATA_HOME to a directory that can be written",
                "no place for the secret",
            )
            found = os.urandom(_SIZE)
        found = _known.setdefault(path, found)
    return found


def _from_text(text: str) -> bytes:
    if len(text) == 2 * _SIZE:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    from twat_cache._ffi.digest import blake3

    return blake3(text.encode("utf-8", "surrogateescape"))


def _path() -> str:
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser(os.path.join("~", ".local", "share"))
    return os.path.join(base, "twat_cache", "secret")


def _read(path: str) -> bytes | None:
    if path.startswith("~"):
        raise ResourceError("the secret has no place: expected a home directory, found none")
    try:
        with open(path, "rb") as file:
            data = file.read(_SIZE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResourceError(f"the secret cannot be read ({path}): {error}") from error
    if len(data) != _SIZE:
        raise ResourceError(f"the secret: expected {_SIZE} bytes, found another number, so remove it: {path}")
    return data


def _make(path: str) -> bytes:
    """Writes a new secret; where two processes do so at once, one of them wins."""
    import tempfile

    folder = os.path.dirname(path)
    try:
        os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix="secret-")
        try:
            try:
                if os.write(handle, os.urandom(_SIZE)) != _SIZE:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
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
