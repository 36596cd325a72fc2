"""``python -m twat_cache``: engines, which one ``auto`` is, the cache directory, and the stores there are.

``--json`` prints the same as one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twat_cache import paths
from twat_cache._memoize import tally
from twat_cache._speedups import form
from twat_cache.exceptions import TwatCacheError
from twat_cache.paths import get_cache_path as get_cache_path

_ENGINES = ("memory", "disk", "file", "redis", "tiered", "null")


def report() -> dict[str, Any]:
    """Everything that is shown."""
    from twat_cache._ffi import lib

    return {
        "version": lib.version(),
        "library": str(lib.library_path()),
        "form": form(),
        "engines": {name: lib.has_engine(name) for name in _ENGINES},
        "auto": chosen(),
        "cache_dir": str(paths.get_cache_dir()),
        "stores": stores(),
    }


def chosen() -> dict[str, Any]:
    """What engine ``auto`` is with the options of the environment and the file, and why."""
    from twat_cache import config
    from twat_cache._cache import Cache

    try:
        settings = config.create_cache_config()
        with Cache("auto", **config.redis_options(settings) if settings.redis_url else {}) as cache:
            info = cache.info()
    except (TwatCacheError, ValueError) as error:
        return {"engine": None, "reason": str(error)}
    return {name: info[name] for name in ("engine", "reason", "server", "trouble") if name in info}


def stores() -> list[dict[str, Any]]:
    """The stores of the cache directory and those elsewhere that programs told of, by name."""
    counts = tally.read()
    root = paths.get_cache_dir()
    found = {str(path) for path in root.glob("*") if path.is_dir() and paths.is_store(path)} if root.is_dir() else set()
    found |= {place for place in counts if paths.is_store(place)}
    return [store(place, counts.get(place, {})) for place in sorted(found)]


def store(place: str, counts: dict[str, list[int]]) -> dict[str, Any]:
    """One store. It is opened for reading only, so nothing in it changes."""
    hits = sum(pair[0] for pair in counts.values())
    misses = sum(pair[1] for pair in counts.values())
    row: dict[str, Any] = {
        "name": Path(place).name, "path": place, "hits": hits, "misses": misses, "hit_ratio": _ratio(hits, misses),
    }  # fmt: skip
    try:
        from twat_cache._cache import Cache

        with Cache("disk", place, create=False, read_only="true") as cache:
            info, stats = cache.info(), cache.stats()
    except (TwatCacheError, OSError) as error:
        return {**row, "entries": None, "size": None, "error": str(error)}
    functions = {
        name: {**figures, **_counts(counts.get(name))} for name, figures in dict(info.get("namespaces", {})).items()
    }
    return {
        **row,
        "entries": info.get("store_entries"),
        "size": info.get("store_bytes"),
        "file_size": info.get("file_size"),
        "max_entries": stats["max_entries"] or None,
        "max_bytes": stats["max_bytes"] or None,
        "functions": functions,
    }


def _counts(pair: list[int] | None) -> dict[str, Any]:
    hits, misses = pair or (0, 0)
    return {"hits": hits, "misses": misses, "hit_ratio": _ratio(hits, misses)}


def _ratio(hits: int, misses: int) -> float | None:
    return round(hits / (hits + misses), 4) if hits + misses else None


def lines(found: dict[str, Any]) -> list[str]:
    """The report as text."""
    engines = [name if there else f"({name})" for name, there in found["engines"].items()]
    out = [
        f"twat-cache {found['version']}",
        f"library    {found['library']}",
        f"form       {found['form']}",
        f"engines    {' '.join(engines)}",
        f"auto       {_chosen(found['auto'])}",
        f"directory  {found['cache_dir']}",
        "",
    ]
    if not found["stores"]:
        return [*out, "no stores"]
    head = ("store", "entries", "size", "bound", "hits", "misses", "hit ratio")
    rows = [_row(one) for one in found["stores"]]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        out.append(
            "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))
        )
    out += [f"{one['path']}: {one['error']}" for one in found["stores"] if "error" in one]
    return out


def _chosen(auto: dict[str, Any]) -> str:
    words = [f"{auto['engine'] or 'none'} ({auto['reason']})", *(auto[n] for n in ("server", "trouble") if n in auto)]
    return "; ".join(words)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    at_home = Path(one["path"]).parent == paths.get_cache_dir()
    ratio = "-" if one["hit_ratio"] is None else f"{one['hit_ratio']:.1%}"
    entries = "-" if one["entries"] is None else str(one["entries"])
    return (
        one["name"] if at_home else one["path"], entries, _size(one["size"]), _size(one.get("max_bytes")),
        str(one["hits"]), str(one["misses"]), ratio,
    )  # fmt: skip


def _size(n: int | None) -> str:
    if n is None:
        return "-"
    size, units = float(n), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{n} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m twat_cache", description="Shows engines, the cache directory, and the stores there are."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    found = report()
    try:
        print(json.dumps(found, indent=2) if options.json else "\n".join(lines(found)), flush=True)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read it has had enough
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
