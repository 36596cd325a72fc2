"""Options from outside the code: environment, then a file. What the code says is never changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twat_cache._config.opening import warn_once

PREFIX = "TWAT_CACHE_"
_TRUE, _FALSE = frozenset(("1", "true", "yes", "on")), frozenset(("0", "false", "no", "off"))
_files: dict[str, tuple[tuple[tuple[str, float], ...], dict[str, Any]]] = {}


def from_environment(kinds: Mapping[str, str]) -> dict[str, Any]:
    """Options that the environment has, by the kind each field is of."""
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        # TWAT_CACHE_DIR is the short form, and the one that is documented.
        variable = PREFIX + ("DIR" if name == "cache_dir" else name.upper())
        text = os.environ.get(variable)
        if not text or name == "cache_dir":
            continue
        try:
            found[name] = _parse(text, kind)
        except ValueError:
            warn_once(f"{variable}: expected {_EXPECTED[kind]}, found: {text!r}; it is left out")
    return found


_EXPECTED = {"int": "an integer", "float": "seconds", "bool": "true or false", "str": "text", "octal": "octal digits"}


def _parse(text: str, kind: str) -> Any:
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    if kind == "octal":
        return int(text, 8)
    if kind == "bool":
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError(text)
    return text


def from_file() -> dict[str, Any]:
    """Options of the nearest ``twat_cache.toml`` or ``[tool.twat_cache]``, from the working directory upwards."""
    try:
        here = os.getcwd()
    except OSError:
        return {}
    known = _files.get(here)
    seen = _candidates(here)
    if known is not None and known[0] == seen:
        return known[1]
    found: dict[str, Any] = {}
    for name, _ in seen:
        table = _table(name)
        if table is not None:
            found = table
            break
    _files[here] = (seen, found)
    return found


def _candidates(folder: str) -> tuple[tuple[str, float], ...]:
    found = []
    while True:
        for name in ("twat_cache.toml", "pyproject.toml"):
            path = os.path.join(folder, name)
            try:
                found.append((path, os.stat(path).st_mtime))
            except OSError:
                continue
        above = os.path.dirname(folder)
        if above == folder:
            return tuple(found)
        folder = above


def _table(path: str) -> dict[str, Any] | None:
    """The options of one file; None where it is not about us."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        warn_once(f"{path}: cannot be read: {error}")
        return None
    own = os.path.basename(path) == "twat_cache.toml"
    if not own and not _may_hold_ours(text):
        return None
    loads = toml_loads()
    if loads is None:
        warn_once(f"{path}: reading it takes Python 3.11 or the package tomli; it is left out")
        return None
    try:
        data = loads(text)
    except ValueError as error:
        warn_once(f"{path}: not TOML: {error}")
        return None
    table = data if own else data.get("tool", {}).get("twat_cache")
    if not isinstance(table, dict):
        return None
    # The project is not an option of a cache.
    return {name: value for name, value in table.items() if name != "project"}


def _may_hold_ours(text: str) -> bool:
    """Whether a pyproject.toml is worth reading: a parser costs more to load than this package."""
    lines = [line.translate(_BARE) for line in text.splitlines() if "tool" in line or "twat_cache" in line]
    if any(line.startswith(("[tool.twat_cache", "tool.twat_cache")) for line in lines):
        return True
    return any(line.startswith("[tool]") for line in lines) and any(line.startswith("twat_cache") for line in lines)


_BARE = str.maketrans("", "", " \t\"'")


def toml_loads() -> Any:
    """Return the function that parses TOML, or None where Python has none."""
    import importlib

    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name).loads
        except ImportError:
            continue
    return None
