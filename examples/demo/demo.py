"""The main job: real work memoized, shared between processes and between languages.

    python demo.py WORK_DIRECTORY READ_STORE_PROGRAM

Two passes over the standard library in two processes, then a C program that reads what Python wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def analyse(store: Path, title: str) -> dict[str, float]:
    print(f"\n{title}", flush=True)
    command = [sys.executable, str(HERE / "analysis.py"), str(store)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def size_of(folder: Path) -> int:
    """Bytes on the disk (blocks, not lengths: the store's file is sparse)."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def main() -> None:
    work, reader = Path(sys.argv[1]), sys.argv[2]
    store = work / "store"
    cold = analyse(store, "1. a first pass, in a process of its own: fills the store")
    warm = analyse(store, "2. the same again, in a new process: served from the store")

    print("\n3. a C program opens the same store and reads the same entries", flush=True)
    listed = subprocess.run([reader, str(store), "analyze"], stdout=subprocess.PIPE, check=True, text=True)
    lines = listed.stdout.splitlines()
    print("\n".join(f"   {line}" for line in [*lines[:4], "…", lines[-1]]))

    print(
        f"""
   what was analysed        {cold["lines"]:,} lines, {cold["functions"]:,} functions, {cold["classes"]:,} classes,
                            deepest nesting {cold["deepest"]}, {cold["unparsable"]} files that do not parse
"""
    )
    rows = [
        ("files", f"{cold['files']:,}", f"{warm['files']:,}"),
        ("seconds", f"{cold['seconds']:.2f}", f"{warm['seconds']:.3f}"),
        ("hits", f"{cold['hits']:,}", f"{warm['hits']:,}"),
        ("misses", f"{cold['misses']:,}", f"{warm['misses']:,}"),
        ("speed-up", "", f"{cold['seconds'] / warm['seconds']:.0f} x"),
        ("size on disk", "", f"{size_of(store) / 1024:,.0f} KiB"),
    ]
    print(f"   {'':<14}{'cold':>10}{'warm':>12}")
    for name, left, right in rows:
        print(f"   {name:<14}{left:>10}{right:>12}")
    if warm["hits"] != warm["files"] or warm["misses"]:
        sys.exit("the warm pass should have hit on every file")
    if not lines[-1].startswith(f"{cold['misses']} entries"):
        sys.exit(f"the C program should have found {cold['misses']} entries, said: {lines[-1]}")


if __name__ == "__main__":
    main()
