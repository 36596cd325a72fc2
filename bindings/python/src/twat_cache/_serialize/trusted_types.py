"""Types that reading a value may import.

A stored name must not make code run that this user has not chosen. So a module is imported only if it belongs to the
memoized function's own package or project, or if this user has written values of the type before: their names are in
a list beside the secret, each signed with it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twat_cache._identity.machine import data_folder
from twat_cache._serialize import named_types

_LIMIT = 1 << 20
_PURPOSE = b"types that this user has written"
_listed: dict[str, tuple[tuple[int, int], frozenset[str]]] = {}


class Types:
    """What one memoized function (None: no function) may import, and the list of what was written."""

    __slots__ = ("_func", "_noted", "_places")

    def __init__(self, func: Any = None) -> None:
        self._func = func
        self._noted = 0
        self._places: tuple[str | None, str | None] | None = None

    def note_written(self) -> None:
        """Add the types of values that this process has written to the list."""
        if len(named_types.written) == self._noted:
            return
        names = list(named_types.written)
        self._noted = len(names)
        try:
            _append([name for name in names if not name.startswith("__main__.")])
        except Exception:  # noqa: BLE001 - without a list, reading in another process is a miss
            return

    def load(self, name: str) -> bool:
        """Import the module of a type that is not loaded, if that is allowed; whether the type is found then."""
        if not self._allows(name):
            return False
        import importlib

        steps = name.split(".")
        for end in range(1, len(steps)):
            module = ".".join(steps[:end])
            if module in sys.modules:
                continue
            try:
                importlib.import_module(module)
            except (Exception, SystemExit):  # noqa: BLE001 - whatever it does, the value is a miss
                break
            if named_types.find(name) is not None:
                break
        return named_types.find(name) is not None

    def _allows(self, name: str) -> bool:
        top = name.partition(".")[0]
        package, folder = self._own()
        if top == package or name in _names():
            return True
        return folder is not None and _is_below(top, folder)

    def _own(self) -> tuple[str | None, str | None]:
        """Return the function's top-level package, and the folder of its project."""
        if self._places is None:
            from twat_cache._identity.functions import unwrapped
            from twat_cache._identity.origin import MAIN, origin_of, project_folder

            self._places = (None, None)
            if self._func is not None:
                origin = origin_of(unwrapped(getattr(self._func, "__func__", self._func)))
                package = origin.module.partition(".")[0] if origin.trusted and origin.module != MAIN else None
                self._places = (package, project_folder(origin.root))
        return self._places


def _is_below(top: str, folder: str) -> bool:
    """Whether a top-level module would be imported from a folder, and is not an installed one."""
    from importlib.machinery import PathFinder

    from twat_cache._identity.origin import is_installed

    try:
        spec = PathFinder.find_spec(top)
    except Exception:  # noqa: BLE001 - a finder of somebody else's
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or ())
    for place in places:
        path = os.path.realpath(place)
        root = os.path.dirname(os.path.dirname(path) if os.path.basename(path).startswith("__init__.") else path)
        if not path.startswith(folder + os.sep) or is_installed(root):
            return False
    return bool(places)


# The list


def _path() -> str | None:
    folder = data_folder()
    return None if folder is None else os.path.join(folder, "types")


def _names() -> frozenset[str]:
    path = _path()
    try:
        state = os.stat(path or "")
    except OSError:
        return frozenset()
    stamp = (state.st_size, state.st_mtime_ns)
    known = _listed.get(path or "")
    if known is None or known[0] != stamp:
        known = _listed[path or ""] = (stamp, _read(path or ""))
    return known[1]


def _read(path: str) -> frozenset[str]:
    found = set()
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read(_LIMIT).splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    for line in lines:
        signature, _, name = line.partition(" ")
        if name and signature == _signature(name):
            found.add(name)
    return frozenset(found)


def _append(names: list[str]) -> None:
    new = [name for name in names if "\n" not in name and name not in _names()]
    path = _path()
    if not new or path is None:
        return
    lines = "".join(f"{_signature(name)} {name}\n" for name in new).encode()  # makes the secret, and so the folder
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.fstat(handle).st_size + len(lines) <= _LIMIT:
            os.write(handle, lines)
    finally:
        os.close(handle)


def _signature(name: str) -> str:
    from twat_cache._ffi.digest import mac
    from twat_cache._serialize.signing import secret

    return mac(secret(), _PURPOSE, name.encode()).hex()
