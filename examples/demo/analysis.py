"""One pass of the demo: analyse every module of the standard library, memoized on disk.

Run twice, in two processes: the first fills the store, the second is served from it.

    python analysis.py STORE            a directory
    python analysis.py URL [LIMIT]      memory above redis; so many modules
"""

from __future__ import annotations

import ast
import json
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import twat_cache
from tqdm import tqdm

STORE = sys.argv[1]
LIMIT = int(sys.argv[2]) if len(sys.argv) > 2 else None


def memoized() -> Callable[[Callable[..., Any]], Any]:
    """The decorator for the store of the command line."""
    if not STORE.startswith("redis://"):
        return twat_cache.bcache(folder_name=str(Path(STORE).absolute()), name="analyze")
    redis = {"engine": "redis", "url": STORE, "namespace": "analyze", "timeout_ms": 2000}
    tiers = [{"engine": "memory", "max_entries": 10_000}, redis]
    return twat_cache.Cache(engine="tiered", tiers=tiers).memoize(name="analyze")


def modules() -> list[Path]:
    """The source files of the standard library on this machine."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (path for path in root.rglob("*.py") if "site-packages" not in path.parts)
    return sorted(path for path in found if path.is_file())[:LIMIT]


def nesting(node: ast.AST) -> int:
    """How deep the deepest block lies."""
    deepest, stack = 0, [(node, 0)]
    while stack:
        node, depth = stack.pop()
        depth += isinstance(node, ast.stmt)
        deepest = max(deepest, depth)
        stack.extend((child, depth) for child in ast.iter_child_nodes(node))
    return deepest


@memoized()
def analyze(path: str, size: int, changed_ns: int) -> dict[str, int | str]:
    """Counts what a module holds. A file that does not parse is a result too."""
    try:
        source = Path(path).read_bytes()
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    kinds = [type(node) for node in ast.walk(tree)]
    return {
        "functions": kinds.count(ast.FunctionDef) + kinds.count(ast.AsyncFunctionDef),
        "classes": kinds.count(ast.ClassDef),
        "lines": source.count(b"\n"),
        "nesting": nesting(tree),
    }


def main() -> None:
    files = modules()
    start = time.perf_counter()
    results = []
    for path in tqdm(files, desc="analysing", unit=" files", disable=None):
        stat = path.stat()
        results.append(analyze(str(path), stat.st_size, stat.st_mtime_ns))
    seconds = time.perf_counter() - start
    info = analyze.cache_info()
    total = {kind: sum(result.get(kind, 0) for result in results) for kind in ("functions", "classes", "lines")}
    print(
        json.dumps(
            {
                "files": len(files),
                "seconds": seconds,
                "hits": info.hits,
                "misses": info.misses,
                "unparsable": sum("error" in result for result in results),
                "deepest": max(result.get("nesting", 0) for result in results),
                **total,
            }
        )
    )


if __name__ == "__main__":
    main()
