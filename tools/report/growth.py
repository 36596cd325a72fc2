"""How times grow with entries, threads, processes, sizes and structure: ours and each peer, in one run.

    python tools/report/growth.py target/bench/growth.json

Each curve is a list of points [x, nanoseconds per operation]; the smallest of several rounds counts.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cachetools
import diskcache
import twat_cache

ROUNDS = 3
SECONDS = 0.15
Point = tuple[float, float]


def nanoseconds(call: Callable[[], Any]) -> float:
    """Time of one call: the best of several rounds, each long enough for the clock."""
    count, best = 1, float("inf")
    while True:
        start = time.perf_counter()
        for _ in range(count):
            call()
        spent = time.perf_counter() - start
        if spent > SECONDS / 10 or count >= 1 << 22:
            break
        count *= 4
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter() - start) / count)
    return best * 1e9


def memory_entries() -> dict[str, list[Point]]:
    curves: dict[str, list[Point]] = {"mcache": [], "lru_cache": [], "cachetools": []}
    for entries in (1_000, 10_000, 100_000, 1_000_000):
        makers = {
            "mcache": twat_cache.mcache(maxsize=entries),
            "lru_cache": functools.lru_cache(maxsize=entries),
            "cachetools": cachetools.cached(cachetools.LRUCache(entries)),
        }
        for name, make in makers.items():
            f = make(lambda x: x)
            for x in range(entries):
                f(x)
            xs = iter([(x * 7919) % entries for x in range(50_000)] * 40)
            curves[name].append((entries, nanoseconds(lambda f=f, xs=xs: f(next(xs)))))
    return curves


def disk_entries(place: Path) -> dict[str, list[Point]]:
    curves: dict[str, list[Point]] = {"twat_cache": [], "diskcache": []}
    for entries in (1_000, 10_000, 100_000):
        ours = twat_cache.Cache("disk", str(place / f"ours-{entries}"))
        theirs = diskcache.Cache(str(place / f"theirs-{entries}"))
        ours.set_many({f"key:{x}": x for x in range(entries)})
        with theirs.transact():
            for x in range(entries):
                theirs[f"key:{x}"] = x
        for name, cache in (("twat_cache", ours), ("diskcache", theirs)):
            keys = iter([f"key:{(x * 7919) % entries}" for x in range(20_000)] * 50)
            curves[name].append((entries, nanoseconds(lambda c=cache, k=keys: c.get(next(k)))))
            cache.close()
    return curves


def threads() -> dict[str, list[Point]]:
    curves: dict[str, list[Point]] = {"mcache": [], "lru_cache": []}
    for name, make in (("mcache", twat_cache.mcache(maxsize=1000)), ("lru_cache", functools.lru_cache(1000))):
        f = make(lambda x: x)
        for x in range(1000):
            f(x)
        for n in (1, 2, 4, 8):
            curves[name].append((n, _together(n, lambda f=f: [f(x) for x in range(1000)], 1000)))
    return curves


def _together(n: int, call: Callable[[], Any], operations: int, rounds: int = 200) -> float:
    """Nanoseconds of one operation, as all threads together make them."""
    gate = threading.Barrier(n + 1)

    def run() -> None:
        gate.wait()
        for _ in range(rounds):
            call()

    workers = [threading.Thread(target=run) for _ in range(n)]
    for worker in workers:
        worker.start()
    gate.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - start) / (n * rounds * operations) * 1e9


def _reader(kind: str, path: str, gate: Any) -> None:
    cache = twat_cache.Cache("disk", path) if kind == "twat_cache" else diskcache.Cache(path)
    cache.get("key:0")
    gate.wait()
    for x in range(20_000):
        cache.get(f"key:{x % 1000}")
    gate.wait()


def processes(place: Path) -> dict[str, list[Point]]:
    curves: dict[str, list[Point]] = {"twat_cache": [], "diskcache": []}
    context = multiprocessing.get_context("spawn")
    for kind in curves:
        path = str(place / f"processes-{kind}")
        cache = twat_cache.Cache("disk", path) if kind == "twat_cache" else diskcache.Cache(path)
        for x in range(1000):
            cache.set(f"key:{x}", x)
        cache.close()
        for n in (1, 2, 4, 8):
            gate = context.Barrier(n + 1)
            workers = [context.Process(target=_reader, args=(kind, path, gate)) for _ in range(n)]
            for worker in workers:
                worker.start()
            gate.wait()
            start = time.perf_counter()
            gate.wait()
            curves[kind].append((n, (time.perf_counter() - start) / (n * 20_000) * 1e9))
            for worker in workers:
                worker.join()
    return curves


def value_sizes(place: Path) -> dict[str, list[Point]]:
    ours = twat_cache.Cache("disk", str(place / "sizes-ours"), max_bytes="2 GB")
    theirs = diskcache.Cache(str(place / "sizes-theirs"))
    curves: dict[str, list[Point]] = {"twat_cache": [], "diskcache": []}
    for size in (16, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000):
        value = os.urandom(size)
        for name, cache in (("twat_cache", ours), ("diskcache", theirs)):
            cache.set("key", value)
            curves[name].append((size, nanoseconds(lambda c=cache: c.get("key"))))
    ours.close(), theirs.close()
    return curves


def structure(place: Path) -> dict[str, list[Point]]:
    ours = twat_cache.Cache("disk", str(place / "structure-ours"))
    theirs = diskcache.Cache(str(place / "structure-theirs"))
    curves: dict[str, list[Point]] = {"twat_cache": [], "diskcache": [], "pickle.loads": []}
    for records in (1, 10, 100, 1_000, 10_000):
        value = [{"id": n, "name": f"user {n}", "score": n / 7, "tags": ["a", "b"]} for n in range(records)]
        data = pickle.dumps(value)
        for name, cache in (("twat_cache", ours), ("diskcache", theirs)):
            cache.set("key", value)
            curves[name].append((records, nanoseconds(lambda c=cache: c.get("key"))))
        curves["pickle.loads"].append((records, nanoseconds(lambda d=data: pickle.loads(d))))
    ours.close(), theirs.close()
    return curves


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        growth = {
            "a hit in memory, by entries": {"x": "entries", "curves": memory_entries()},
            "a get from disk, by entries": {"x": "entries", "curves": disk_entries(place)},
            "a hit in memory, by threads": {"x": "threads", "curves": threads()},
            "a get from disk, by processes": {"x": "processes", "curves": processes(place)},
            "a get from disk, by size of the value": {"x": "bytes", "curves": value_sizes(place)},
            "a get from disk, by records in the value": {"x": "records", "curves": structure(place)},
        }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(growth))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
