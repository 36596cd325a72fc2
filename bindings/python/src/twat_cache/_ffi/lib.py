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

from twat_cache._ffi import abi
from twat_cache._speedups import speed
from twat_cache.exceptions import EngineError

# The core that this package was made with: any later one of the same major
# version has all of its functions. A test compares it with Cargo.toml.
EXPECTED = (3, 0)
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
    raise EngineError(_not_found(looked))


def _platform() -> str:
    import sysconfig  # on failure only: importing it takes a millisecond

    return sysconfig.get_platform()


def _not_found(looked: list[str]) -> str:
    above = os.path.dirname(os.path.realpath(__file__))
    while above != os.path.dirname(above):
        above = os.path.dirname(above)
        if os.path.isfile(above):
            return (
                f"the core library {FILE_NAME}: expected a file, but this package is inside of the archive {above}, "
                "and the system loads no library from an archive; unpack the package beside the archive and put that "
                "folder on sys.path (shiv and pex do so by themselves), or name the library in TWAT_CACHE_LIBRARY"
            )
    bundled = "; PyInstaller: --collect-all twat_cache" if getattr(sys, "frozen", False) else ""
    return (
        f"the core library {FILE_NAME}: expected it in {', '.join(looked)}, found none; install a wheel for "
        f"{_platform()}, run `cargo library`, or name it in TWAT_CACHE_LIBRARY{bundled}"
    )


def _cannot_load(path: str, error: OSError) -> str:
    text = str(error)
    if "GLIBC_" in text or "ELF" in text or "architecture" in text or "image" in text:
        text += f"; this is {_platform()}: install the wheel for it"
    return f"the core library cannot be loaded ({path}): {text}"


def _check_version(path: str, library: Any) -> None:
    """Refuses a library of another version, with both versions in the text."""
    try:
        asked = library.twat_version_string
    except AttributeError:
        raise EngineError(f"TWAT_CACHE_LIBRARY: expected the twat-cache core, found another library: {path}") from None
    asked.restype = ctypes.c_char_p
    found = str(asked().decode())
    major, minor = (int(part) for part in found.split(".")[:2])
    if major != EXPECTED[0] or minor < EXPECTED[1]:
        expected = ".".join(map(str, EXPECTED))
        raise EngineError(
            f"the core library {path}: expected version {expected} or a later one of the same major version, "
            f"found {found}: two versions of twat-cache are mixed; install one of them again"
        )


def _load() -> tuple[Any, Any, Any]:
    path = library_path()
    try:
        freed, held = ctypes.CDLL(path), ctypes.PyDLL(path)
    except OSError as error:
        raise EngineError(_cannot_load(path, error)) from error
    _check_version(path, held)
    try:
        for library in (freed, held):
            abi.declare(library)
    except AttributeError as error:
        raise EngineError(f"the core library cannot be used ({path}): {error}") from error
    # Without declared types ctypes passes ready-made objects on as they are; one
    # function is called so often that this counts.
    raw = ctypes.PyDLL(path).twat_policy_insert
    raw.restype = ctypes.c_int32
    return freed, held, raw


freed, held, raw_insert = _load()
if speed is not None:
    # It calls the library that is loaded here: a second copy would open stores a second time.
    speed.connect({name: ctypes.cast(getattr(held, name), ctypes.c_void_p).value for name in speed.CORE})


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
        info = abi.Option(struct_size=ctypes.sizeof(abi.Option))
        if held.twat_option_info(index, ctypes.byref(info)) != abi.OK:
            break
        fields = ("name", "type_name", "default_value", "range", "engines", "doc")
        row = {field: (getattr(info, field) or b"").decode() for field in fields}
        table[row.pop("name")] = row
    return table
