"""The layout of the package: no import cycles, old import paths, and what importing costs."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import twat_cache

ROOT = Path(twat_cache.__file__).parent
# The places of public names before the package had folders, and where the code is now.
OLD_PLACES = {
    "backend_selector": "compat.backend_selector",
    "context": "compat.context",
    "type_defs": "compat.type_defs",
    "utils": "compat.utils",
    "engines": "compat.engines",
    "engines.base": "compat.engines.base",
    "engines.builtin": "compat.engines.builtin",
    "engines.common": "compat.engines.common",
    "engines.manager": "compat.engines.manager",
    "cachetools": "ext.cachetools",
    "django": "ext.django",
    "flask_caching": "ext.flask",
    "joblib_store": "ext.joblib",
}


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = ["twat_cache", *path.relative_to(ROOT).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path, known: dict[str, Path]) -> set[str]:
    """Every import: at the top, inside functions, and for type checkers alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                found.add(inner if inner in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found & known.keys()


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one cycle, or none: what is left when modules without imports are removed again and again."""
    left = {name: set(imports) for name, imports in graph.items()}
    while leaves := {name for name, imports in left.items() if not imports & left.keys()}:
        left = {name: imports for name, imports in left.items() if name not in leaves}
    while roots := left.keys() - set().union(*left.values()):
        left = {name: imports for name, imports in left.items() if name not in roots}
    return sorted(left)


def test_no_module_imports_itself_by_way_of_others():
    known = modules()
    # The package itself loads names by way of a table; its imports under TYPE_CHECKING are the public names.
    graph = {name: imports_of(path, known) for name, path in known.items() if name != "twat_cache"}
    assert len(graph) > 80
    assert cycle_in(graph) == []
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]


@pytest.mark.parametrize("old", OLD_PLACES)
def test_a_public_module_is_found_at_its_old_place(old):
    if old in ("django", "flask_caching", "joblib_store"):
        pytest.importorskip(old.removesuffix("_store"))
    try:
        here = importlib.import_module(f"twat_cache.{old}")
    except Exception as error:
        if type(error).__name__ != "ImproperlyConfigured":  # Django, which has no settings here
            raise
        return
    there = importlib.import_module(f"twat_cache.{OLD_PLACES[old]}")
    assert here.__all__ == there.__all__
    assert all(getattr(here, name) is getattr(there, name) for name in there.__all__)
    source = Path(here.__file__).read_text()
    assert len(ast.parse(source).body) <= 4, f"{old} is more than a re-export"


def test_importing_takes_less_than_30_milliseconds():
    code = "import time; a = time.perf_counter(); import twat_cache; print(time.perf_counter() - a)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    taken = [float(subprocess.check_output([sys.executable, "-c", code], env=env)) for _ in range(5)]
    assert min(taken) < 0.030, taken
