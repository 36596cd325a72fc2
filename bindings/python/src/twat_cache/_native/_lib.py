"""Finds the shared object and loads it once, in two ways.

``held`` keeps the interpreter lock during a call: a call of a microsecond must
not give it up, since beside one busy thread it costs half a millisecond to win
it back. ``freed`` gives it up, for whatever may wait for a disk, a server or
another process.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

from twat_cache._native import _abi
from twat_cache.exceptions import EngineError

_MAJOR = 0  # the ABI promises nothing between minor versions before 1.0
_NAMES = {"darwin": "libtwat_cache.dylib", "win32": "twat_cache.dll"}
FILE_NAME = _NAMES.get(sys.platform, "libtwat_cache.so")


def _candidates() -> list[str]:
    here = os.path.dirname(os.path.realpath(__file__))
    found = [os.path.join(here, FILE_NAME)]
    # Development inside the repository: whatever cargo built last.
    above = os.path.dirname(here)
    while above != os.path.dirname(above):
        if all(os.path.isfile(os.path.join(above, *name)) for name in (("include", "twat_cache.h"), ("Cargo.toml",))):
            built = [os.path.join(above, "target", kind, FILE_NAME) for kind in ("library", "release", "debug")]
            found += sorted(filter(os.path.isfile, built), key=os.path.getmtime, reverse=True)
            break
        above = os.path.dirname(above)
    return found


def library_path() -> str:
    """The shared object that is (or would be) loaded."""
    given = os.environ.get("TWAT_CACHE_LIBRARY")
    if given:
        if not os.path.isfile(given):
            raise EngineError(f"TWAT_CACHE_LIBRARY: expected a shared object, found no file at: {given}")
        return given
    looked = _candidates()
    for path in looked:
        if os.path.isfile(path):
            return path
    raise EngineError(
        f"the core library {FILE_NAME} was not found; install a wheel, run `cargo library`, "
        f"or name it in TWAT_CACHE_LIBRARY; looked in: {', '.join(looked)}"
    )


def _load() -> tuple[Any, Any, Any]:
    path = library_path()
    try:
        freed, held = ctypes.CDLL(path), ctypes.PyDLL(path)
        for library in (freed, held):
            _abi.declare(library)
    except (OSError, AttributeError) as error:
        raise EngineError(f"the core library cannot be used ({path}): {error}") from error
    # Without declared types ctypes passes ready-made objects on as they are; one
    # function is called so often that this counts.
    raw = ctypes.PyDLL(path).twat_policy_insert
    raw.restype = ctypes.c_int32
    return freed, held, raw


freed, held, raw_insert = _load()


def last_error() -> str:
    """The text of this thread's last failure."""
    text: bytes = held.twat_last_error()
    return text.decode("utf-8", "replace")


def has_engine(name: str) -> bool:
    """Whether the core was built with an engine."""
    return bool(held.twat_has_engine(name.encode()) == 1)


def version() -> str:
    """The core's version."""
    text: bytes = held.twat_version_string()
    return text.decode()


def options() -> dict[str, dict[str, str]]:
    """The option table of the core: name to its type, default, range, engines and doc."""
    table: dict[str, dict[str, str]] = {}
    for index in range(held.twat_option_count()):
        info = _abi.Option(struct_size=ctypes.sizeof(_abi.Option))
        if held.twat_option_info(index, ctypes.byref(info)) != _abi.OK:
            break
        fields = ("name", "type_name", "default_value", "range", "engines", "doc")
        row = {field: (getattr(info, field) or b"").decode() for field in fields}
        table[row.pop("name")] = row
    return table
