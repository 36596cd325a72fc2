"""Writes docs/benchmarks.md and its pictures from target/bench/*.json.

    python tools/report/page.py target/bench

Rows where we lose are shown like the others.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
AREAS = {
    "memory": "Core, memory",
    "disk": "Core, disk",
    "tiers": "Core, tiers",
    "python": "Python",
    "node": "Node",
    "cpp": "C++",
}
OURS, PEERS = "#3f51b5", ("#9e9e9e", "#ff8f00", "#26a69a")


def machine() -> list[tuple[str, str]]:
    """What the figures depend on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    peers = ("diskcache", "joblib", "cachetools", "cachebox", "aiocache", "msgpack", "redis")
    versions = [f"{name} {metadata.version(name)}" for name in peers if _has(name)]
    return [
        ("date", date.today().isoformat()),
        ("commit", commit.stdout.strip()),
        ("machine", f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"),
        ("languages", f"CPython {platform.python_version()}, Node {node}"),
        ("peers", ", ".join(versions)),
        ("command", "`make bench` and `make report`"),
    ]


def _has(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def table(rows: list[dict[str, Any]]) -> str:
    """One area: what, ours, peer, ratio, target."""
    lines = ["| what | ours | peer | ratio | target | |", "|---|---|---|---|---|---|"]
    for row in rows:
        unit = row.get("unit", "ns")

        def cell(name: str, row: dict[str, Any] = row, unit: str = unit) -> str:
            value = row.get(name)
            return f"{value:,.1f} {unit}" if isinstance(value, (int, float)) else str(value or "")

        ratio = f"{row['ratio']:.2f}" if isinstance(row.get("ratio"), (int, float)) else ""
        state = "" if row.get("met", True) else "behind"
        what = row["what"].replace("|", "\\|")
        lines.append(f"| {what} | {cell('ours')} | {cell('peer')} | {ratio} | {row.get('target') or ''} | {state} |")
    return "\n".join(lines)


def bars(area: str, rows: list[dict[str, Any]]) -> str | None:
    """The ratio of each row to its peer; 1 is as fast as the peer, less is faster."""
    rows = [row for row in rows if isinstance(row.get("ratio"), (int, float)) and row.get("peer") and row["ratio"] > 0]
    if not rows:
        return None
    figure, axes = plt.subplots(figsize=(8, 0.5 + 0.26 * len(rows)))
    ratios = [row["ratio"] for row in rows][::-1]
    axes.barh([row["what"][:60] for row in rows][::-1], ratios, color=[OURS if r <= 1 else PEERS[1] for r in ratios])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("time of twat-cache / time of the peer (left of 1: faster)")
    axes.tick_params(labelsize=7)
    name = f"bench-{area}.svg"
    save(figure, name)
    return name


def curve(number: int, title: str, growth: dict[str, Any]) -> str:
    """One growth curve, ours and each peer."""
    figure, axes = plt.subplots(figsize=(6, 3.4))
    for (name, points), color in zip(growth["curves"].items(), (OURS, *PEERS)):
        axes.plot(*zip(*points), marker="o", label=name, color=color)
    axes.set_xscale("log", base=10 if growth["x"] not in ("threads", "processes") else 2)
    axes.set_yscale("log")
    axes.set_xlabel(growth["x"])
    axes.set_ylabel("nanoseconds per operation")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    name = f"growth-{number}.svg"
    save(figure, name)
    return name


def save(figure: Any, name: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / name, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def main(bench: Path) -> None:
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "twat-cache"  # the same figures give the same file
    mpl.rcParams["svg.fonttype"] = "none"
    parts = [
        "# Benchmarks\n",
        "Times of this library beside its peers, each row in one run. Below 1 this library is faster.\n",
    ]
    parts += ["| | |\n|---|---|", *(f"| {name} | {text} |" for name, text in machine()), ""]
    for area, title in AREAS.items():
        file = bench / f"{area}.json"
        if not file.exists():
            continue
        rows = json.loads(file.read_text())
        parts.append(f"## {title}\n")
        if picture := bars(area, rows):
            parts.append(f"![{title}: ratio to the peer of each row](images/{picture})\n")
        parts.append(table(rows) + "\n")
    growth = bench / "growth.json"
    if growth.exists():
        parts.append("## Growth\n\nMeasured from Python.\n")
        for number, (title, data) in enumerate(json.loads(growth.read_text()).items(), 1):
            parts.append(f"![{title}](images/{curve(number, title, data)})\n")
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
