"""The project that a file belongs to: stated by the program, or named by the nearest ``pyproject.toml``."""

from __future__ import annotations

import os
import re
from typing import Any

from twat_cache.exceptions import ConfigurationError

VARIABLE = "TWAT_CACHE_PROJECT"

_stated: list[str] = []
_folders: dict[str, tuple[str, str] | None] = {}
_HEADER = re.compile(r"\[\[?([^\[\]#]*)\]\]?\s*(?:#.*)?\Z")
_PAIR = re.compile(r"""([A-Za-z0-9_."' -]+?)\s*=\s*(?:"([^"\\]*)"|'([^']*)')\s*(?:#.*)?\Z""")
_STRIPPED = str.maketrans("", "", " \t\"'")
# Ours comes first; Poetry and Flit had tables of their own before there was [project].
_KEYS = ("tool.twat_cache.project", "project.name", "tool.poetry.name", "tool.flit.metadata.module")


def set_project(name: str | None) -> None:
    """State the project of this program. It is part of the names of functions that are memoized afterwards.

    Args:
        name: The project's name. None withdraws an earlier statement.

    Raises:
        ConfigurationError: The name is not text, or empty.

    >>> set_project("shop")
    >>> set_project(None)
    """
    if name is not None and (not isinstance(name, str) or not name):
        raise ConfigurationError(f"set_project: expected text that is not empty or None, got: {name!r}")
    _stated[:] = [] if name is None else [name]


def stated_project() -> str | None:
    """Return the project that the program or the environment states."""
    return _stated[0] if _stated else os.environ.get(VARIABLE) or None


def project_of_folder(folder: str) -> tuple[str, str] | None:
    """Return the name of a folder's project and the project's own folder, from the nearest ``pyproject.toml``."""
    if folder in _folders:
        return _folders[folder]
    path, found = os.path.join(folder, "pyproject.toml"), None
    if os.path.isfile(path):
        name = _name_in(path)
        found = None if name is None else (name, folder)
    else:
        above = os.path.dirname(folder)
        found = None if above == folder else project_of_folder(above)
    _folders[folder] = found
    return found


def _name_in(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return None
    found = _parsed(text) if '"""' in text or "'''" in text else _scanned(text)
    return next((found[key] for key in _KEYS if found.get(key)), None)


def _scanned(text: str) -> dict[str, str]:
    """Return the texts of a TOML file that has none of several lines. A parser takes long to load."""
    found: dict[str, str] = {}
    table = ""
    for raw in text.splitlines():
        line = raw.strip()
        header = _HEADER.match(line)
        if header is not None:
            # The tables of an array have no single name.
            table = "[]" if line.startswith("[[") else header[1].translate(_STRIPPED)
            continue
        pair = _PAIR.match(line)
        if pair is not None:
            key = pair[1].translate(_STRIPPED)
            found.setdefault(f"{table}.{key}" if table else key, pair[2] if pair[2] is not None else pair[3])
    return found


def _parsed(text: str) -> dict[str, str]:
    from twat_cache._config.sources import toml_loads

    loads = toml_loads()
    if loads is None:
        return _scanned(text)
    try:
        data = loads(text)
    except ValueError:
        return {}
    return {key: value for key in _KEYS if isinstance(value := _reached(data, key), str)}


def _reached(data: Any, key: str) -> Any:
    for step in key.split("."):
        data = data.get(step) if isinstance(data, dict) else None
    return data
