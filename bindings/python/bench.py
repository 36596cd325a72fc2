"""The Python rows of the targets, each against pinned peers in the same run.

python bench.py [--quick] [part…]      table on stdout, JSON into target/bench/python.json

Peers are in requirements-bench.txt; one that is not installed leaves its rows out.
Each figure is the best of many short repeats, in which the peers take turns; only
ratios of one run are compared.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from functools import lru_cache
from pathlib import Path

work = tempfile.mkdtemp(prefix="twat-cache-bench-")
os.environ.setdefault("TWAT_CACHE_DIR", work)
os.environ.setdefault("XDG_DATA_HOME", work)
import twat_cache as tc  # noqa: E402

QUICK = "--quick" in sys.argv
REPEATS = 5 if QUICK else 60
ROWS: list[dict] = []


def peer(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def best(*functions, number):
    """The best time of each function, in ns a call; they take turns, so that noise hits all alike."""
    times = [float("inf")] * len(functions)
    gc.disable()
    try:
        for _ in range(REPEATS):
            for i, function in enumerate(functions):
                start = time.perf_counter_ns()
                function(number)
                times[i] = min(times[i], (time.perf_counter_ns() - start) / number)
    finally:
        gc.enable()
    return times


def row(what, ours, name, theirs, target):
    ROWS.append({"what": what, "ours": ours, "peer": name, "theirs": theirs, "ratio": ours / theirs, "target": target})


def loop(f, *args, **kwargs):
    """f(*args) in a loop that costs next to nothing."""
    names = ", ".join([*(f"a{i}" for i in range(len(args))), *(f"{k}=k_{k}" for k in kwargs)])
    scope = {"f": f, **{f"a{i}": a for i, a in enumerate(args)}, **{f"k_{k}": v for k, v in kwargs.items()}}
    parameters = ", ".join(f"{k}={k}" for k in scope)
    exec(f"def run(n, {parameters}):\n    for _ in range(n // 10):\n" + f"        f({names})\n" * 10, scope)
    return scope["run"]


def memory_hits():
    number = 5_000
    forms = {
        "f(int)": (lambda x: x, (12345,), {}),
        "f(str, int)": (lambda s, i: s, ("text", 7), {}),
        "f(int, kw=)": (lambda x, kw=0: x, (1,), {"kw": 2}),
    }
    cachetools, cachebox = peer("cachetools"), peer("cachebox")
    for form, (func, args, kwargs) in forms.items():
        ours = tc.mcache(maxsize=1000)(func)
        makers = [("functools.lru_cache", lru_cache(maxsize=1000), {"f(int)": 0.7, "f(str, int)": 1.05}.get(form, 0.7))]
        if cachetools:
            makers.append(("cachetools", cachetools.cached(cachetools.LRUCache(1000)), 0.3))
        if cachebox:
            makers.append(("cachebox", cachebox.cached(cachebox.LRUCache(1000)), 0.35))
        functions = [ours, *(make(func) for _, make, _ in makers)]
        for f in functions:
            f(*args, **kwargs)
        times = best(*(loop(f, *args, **kwargs) for f in functions), number=number)
        for (name, _, target), theirs in zip(makers, times[1:]):
            row(f"mcache hit, {form}", times[0], name, theirs, target)
    f, g = tc.mcache(maxsize=1000, ttl=1000)(forms["f(int)"][0]), lru_cache(1000)(forms["f(int)"][0])
    f(1), g(1)
    ours, theirs = best(loop(f, 1), loop(g, 1), number=number)
    row("mcache hit with ttl, f(int)", ours, "functools.lru_cache", theirs, 1.1)


def memory_misses():
    cachetools = peer("cachetools")
    if not cachetools:
        return
    number = 1_000

    def runner(f):
        keys = iter(range(10**12))

        def run(n):
            for _ in range(n):
                f(next(keys))

        return run

    body = lambda x: x
    ours = runner(tc.mcache(maxsize=1000)(body))
    theirs = runner(cachetools.cached(cachetools.LRUCache(1000))(body))
    plain = runner(lru_cache(1000)(body))
    a, b, c = best(ours, theirs, plain, number=number)
    row("mcache miss + store + evict", a, "cachetools", b, 1.0)
    row("mcache miss + store + evict", a, "functools.lru_cache", c, None)


def disk_hits():
    number = 200
    body = lambda x: {"a": x, "b": [1, 2, 3], "c": "text"}
    ours = tc.bcache(folder_name=work + "/bcache", name="f")(body)
    ours(1)
    functions, names = [ours], []
    diskcache, joblib = peer("diskcache"), peer("joblib")
    if diskcache:
        theirs = diskcache.Cache(work + "/diskcache").memoize(name="f")(body)
        theirs(1)
        functions.append(theirs)
        names.append(("diskcache memoize", 0.08))
    if joblib:
        theirs = joblib.Memory(work + "/joblib", verbose=0).cache(_for_joblib)
        theirs(1)
        functions.append(theirs)
        names.append(("joblib", 0.1))
    times = best(*(loop(f, 1) for f in functions), number=number)
    for (name, target), theirs in zip(names, times[1:]):
        row("bcache hit, small result", times[0], name, theirs, target)
    if diskcache:
        stop = threading.Event()
        thread = threading.Thread(target=_burn, args=(stop,), daemon=True)
        thread.start()
        try:
            ours_busy, theirs_busy = best(*(loop(f, 1) for f in functions[:2]), number=50)
        finally:
            stop.set()
            thread.join()
        row("bcache hit beside one CPU-bound thread", ours_busy, "diskcache memoize", theirs_busy, 0.5)


def _record(i):
    tags = ["new", "paid", f"region-{i % 7}"]
    return {
        "id": i,
        "name": f"user {i}",
        "email": f"user{i}@example.org",
        "active": i % 2 == 0,
        "score": i / 3,
        "tags": tags,
    }


def _nested(n):
    leaf = lambda i: {"x": i, "y": [i, i + 1, {"z": None}]}
    return {f"node {i}": {"children": [leaf(j) for j in range(3)], "place": (i, "a")} for i in range(n)}


KINDS = {
    "10 records": (lambda: [_record(i) for i in range(10)], 0.9),
    "1,000 records": (lambda: [_record(i) for i in range(1_000)], 0.9),
    "nested, 200 nodes": (lambda: _nested(200), 0.9),
    "text of 100 kB": (lambda: "memoized " * 11_111, 0.9),
    "dictionary of 10,000": (lambda: {f"key {i}": i for i in range(10_000)}, 1.05),
    "10,000 integers": (lambda: list(range(10_000)), 1.05),
    "10,000 strings": (lambda: [f"text number {i}" for i in range(10_000)], 1.05),
    "1,000 tuples": (lambda: [(i, f"row {i}", i / 2) for i in range(1_000)], 1.05),
}


def _kind(kind):
    return KINDS[kind][0]()


def structured_values():
    import pickle

    diskcache, joblib, msgpack = peer("diskcache"), peer("joblib"), peer("msgpack")
    ours = tc.bcache(folder_name=work + "/structured", name="structured")(_kind)
    cache, memory = tc.Cache("disk", work + "/structured-cache"), tc.Cache("memory")
    hits, sets = [("bcache", ours)], [("Cache.set", cache.set)]
    if diskcache:
        store = diskcache.Cache(work + "/structured-diskcache")
        hits.append(("diskcache memoize", store.memoize(name="structured")(_kind)))
        sets.append(("diskcache", store.set))
    if joblib:
        hits.append(("joblib", joblib.Memory(work + "/structured-joblib", verbose=0).cache(_kind)))
    for kind, (make, target) in KINDS.items():
        number = 2 if kind.startswith(("1,", "10,", "dict")) else 20
        value = make()
        times = best(*(_few(f, kind) for _, f in hits if f(kind) is not None), number=number)
        for (name, _), theirs in zip(hits[1:], times[1:]):
            row(f"bcache hit, {kind}", times[0], name, theirs, target if name.startswith("diskcache") else None)
        times = best(*(_few(f, "key", value) for _, f in sets), number=number)
        for (name, _), theirs in zip(sets[1:], times[1:]):
            row(f"Cache.set, {kind}", times[0], name, theirs, 0.7)
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        readers = [("pickle.loads", lambda _, data=pickled: pickle.loads(data), 1.3)]
        if msgpack:
            packed = msgpack.packb(value)
            readers.append(("msgpack.unpackb", lambda _, data=packed: msgpack.unpackb(data), None))
        memory.set("key", value)  # beside reading alone, so from no disk either
        times = best(_few(memory.get, "key"), *(_few(f, None) for _, f, _ in readers), number=number)
        for (name, _, bound), theirs in zip(readers, times[1:]):
            row(f"Cache.get from memory, {kind}", times[0], name, theirs, bound if theirs >= 5_000 else None)
    cache.close(), memory.close()


def _for_joblib(x):
    return {"a": x, "b": [1, 2, 3], "c": "text"}


def _burn(stop):
    while not stop.is_set():
        sum(range(1000))


def _array(n):
    import numpy as np

    return np.arange(n, dtype="float64")


def file_hits():
    if not peer("numpy"):
        return
    diskcache, joblib = peer("diskcache"), peer("joblib")
    for label, n in (("10 MB", 1_250_000), ("100 MB", 12_500_000)):
        if QUICK and label == "100 MB":
            continue
        ours = tc.fcache(folder_name=work + "/fcache", name="array")(_array)
        functions, names = [ours], []
        if joblib:
            functions.append(joblib.Memory(work + "/joblib-mmap", mmap_mode="r", verbose=0).cache(_array))
            names.append(("joblib, mmap_mode='r'", 0.2))
        if diskcache:
            store = diskcache.Cache(work + "/diskcache-array", size_limit=2**33)
            functions.append(store.memoize(name="array")(_array))
            names.append(("diskcache", 0.05))
        for f in functions:
            f(n)
            assert float(f(n)[-1]) == n - 1
        # Each peer by itself: reading 100 MB leaves nothing of anybody's in the processor's caches.
        for f, (name, target) in zip(functions[1:], names):
            times = best(_few(ours, n), _few(f, n), number=3 if (label, name) == ("100 MB", "diskcache") else 20)
            row(f"fcache hit, array of {label}", times[0], name, times[1], target)


def _few(f, *args):
    def run(times):
        for _ in range(times):
            f(*args)

    return run


def async_hits():
    number = 1_000
    cachebox, aiocache = peer("cachebox"), peer("aiocache")

    async def body(x):
        return x

    functions, names = [tc.acache(maxsize=1000)(body)], []
    if cachebox:
        functions.append(cachebox.cached(cachebox.LRUCache(1000))(body))
        names.append(("cachebox", 0.5))
    if aiocache:
        functions.append(aiocache.cached(ttl=1000)(body))
        names.append(("aiocache", 0.02))

    def runner(f):
        async def many(n):
            for _ in range(n):
                await f(1)

        event_loop = asyncio.new_event_loop()
        event_loop.run_until_complete(f(1))
        return lambda n: event_loop.run_until_complete(many(n))

    times = best(*map(runner, functions), number=number)
    for (name, target), theirs in zip(names, times[1:]):
        row("acache hit", times[0], name, theirs, target)


def redis_gets():
    redis, server = peer("redis"), shutil.which("redis-server")
    if not redis or not server:
        return
    socket = work + "/redis.sock"
    process = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", work], stdout=subprocess.DEVNULL
    )
    try:
        theirs = redis.Redis(unix_socket_path=socket, retry=_until_up(redis))
        theirs.ping()
        value = b"v" * 100
        with tc.Cache("redis", url=f"unix://{socket}") as ours:
            ours.set("key", value)
            theirs.set("key", value)
            assert ours.get("key") == theirs.get("key") == value
            times = best(loop(ours.get, "key"), loop(theirs.get, "key"), number=200)
        row("redis get, 100 B", times[0], "redis-py", times[1], 1.0)
    finally:
        process.terminate()
        process.wait()


def _until_up(redis):
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    return Retry(ConstantBackoff(0.05), 100, (redis.ConnectionError, FileNotFoundError))


def import_time():
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = work

    def once(statement):
        code = f"import time; t = time.process_time(); {statement}; print(time.process_time() - t)"
        times = [float(subprocess.check_output([sys.executable, "-c", code], env=env)) for _ in range(10)]
        return min(times) * 1e9

    row("import twat_cache", once("import twat_cache"), "30 ms", 30e6, 1.0)
    both = "from twat_cache import mcache, bcache; mcache(lambda x: x); bcache(name='import')(lambda x: x)"
    row("import, mcache and bcache of a function each", once(both), "30 ms", 30e6, 1.0)


def shown(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns:.0f} ns"


def main():
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    for part in (
        memory_hits,
        memory_misses,
        disk_hits,
        structured_values,
        file_hits,
        async_hits,
        redis_gets,
        import_time,
    ):
        if not wanted or part.__name__ in wanted:
            part()
    head = ("what", "ours", "peer", "ratio", "target")
    table = [head]
    for r in ROWS:
        target = "" if r["target"] is None else f"≤ {r['target']}" + ("" if r["ratio"] <= r["target"] else "  behind")
        table.append((r["what"], shown(r["ours"]), f"{r['peer']} {shown(r['theirs'])}", f"{r['ratio']:.3f}", target))
    widths = [max(len(line[i]) for line in table) for i in range(5)]
    for line in table:
        print(" | ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    root = Path(__file__).resolve().parents[2]
    out = root / "target" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "what": f"Python {r['what']} / {r['peer']}",
            "ours": r["ours"],
            "peer": r["theirs"],
            "ratio": r["ratio"],
            "target": "" if r["target"] is None else f"<= {r['target']}",
            "unit": "ns",
            "met": r["target"] is None or r["ratio"] <= r["target"],
        }
        for r in ROWS
    ]
    (out / "python.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(work, ignore_errors=True)
