"""One pass of the demo: analyse every module of the standard library, memoized on disk.

Run twice, in two processes: the first fills the store, the second is served from it.

    python analysis.py STORE [--json]
"""

from __future__ import annotations

import ast
import json
import sys
import sysconfig
import time
from pathlib import Path

from tqdm import tqdm

import twat_cache

STORE = Path(sys.argv[1]).absolute()


def modules() -> list[Path]:
    """The source files of the standard library on this machine."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (path for path in root.rglob("*.py") if "site-packages" not in path.parts)
    return sorted(path for path in found if path.is_file())


def nesting(node: ast.AST) -> int:
    """How deep the deepest block lies."""
    deepest, stack = 0, [(node, 0)]
    while stack:
        node, depth = stack.pop()
        depth += isinstance(node, ast.stmt)
        deepest = max(deepest, depth)
        stack.extend((child, depth) for child in ast.iter_child_nodes(node))
    return deepest


@twat_cache.bcache(folder_name=str(STORE), name="analyze")
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
    total = {
        kind: sum(result.get(kind, 0) for result in results)
        for kind in ("functions", "classes", "lines")
    }
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
