"""Hits and misses of persistent functions, added up over programs.

A program that ends in order adds what it counted to ``registry.json`` in the cache
directory, which ``python -m twat_cache`` shows. It is a courtesy: one that cannot be
written is not, and nothing rests on it.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twat_cache.exceptions import PathError

if TYPE_CHECKING:
    from pathlib import Path

_FUNCTIONS_KEPT = 1000
_watching: list[int] = []


def watch(live: Callable[[], Iterable[Any]]) -> None:
    """Has this process's counts added at its end. A forked child's are its parent's too, so they are not.

    Args:
        live: Gives the memoized functions that are alive then.
    """
    if not _watching:
        _watching.append(os.getpid())
        atexit.register(_at_exit, live)


def registry_file() -> Path:
    """Where the counts are."""
    from twat_cache.paths import get_cache_dir

    return get_cache_dir() / "registry.json"


def read() -> dict[str, dict[str, list[int]]]:
    """Store directory to function to hits and misses; empty where there is none or it is damaged."""
    import json

    try:
        return _sound(json.loads(registry_file().read_text()))
    except (OSError, ValueError, PathError):
        return {}


def _sound(found: Any) -> dict[str, dict[str, list[int]]]:
    if not isinstance(found, dict):
        return {}
    return {
        place: {name: pair for name, pair in functions.items() if _is_pair(pair)}
        for place, functions in found.items()
        if isinstance(functions, dict)
    }


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(n) is int and n >= 0 for n in pair)


def _at_exit(live: Callable[[], Iterable[Any]]) -> None:
    if _watching != [os.getpid()]:
        return
    try:
        counted = _counted(live())
        if counted:
            _add(counted)
    except Exception:  # noqa: BLE001, S110 - without a home, a disk, descriptors or modules there are no figures
        pass


def _counted(memos: Iterable[Any]) -> dict[str, dict[str, list[int]]]:
    from twat_cache.paths import is_store

    counted: dict[str, dict[str, list[int]]] = {}
    for memo in memos:
        folder = memo.parameters.get("folder")
        hits, misses = getattr(memo, "hits", 0), getattr(memo, "misses", 0)
        if folder and hits + misses and is_store(folder):
            pair = counted.setdefault(str(folder), {}).setdefault(memo.name, [0, 0])
            pair[0] += hits
            pair[1] += misses
    return counted


def _add(counted: dict[str, dict[str, list[int]]]) -> None:
    import fcntl
    import json

    from twat_cache.paths import is_store

    path = registry_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            known = _sound(json.load(file))
        except ValueError:
            known = {}
        for place, functions in counted.items():
            there = known.setdefault(place, {})
            for name, (hits, misses) in functions.items():
                before = there.pop(name, [0, 0])
                there[name] = [before[0] + hits, before[1] + misses]
            for name in list(there)[:-_FUNCTIONS_KEPT]:
                del there[name]
        known = {place: functions for place, functions in known.items() if is_store(place)}
        file.seek(0)
        file.truncate()
        json.dump(known, file)
