"""Memoized functions that are pickled by value: joblib, dask, cloudpickle and dill take them to other processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap

import pytest

import twat_cache as tc

cloudpickle = pytest.importorskip("cloudpickle")
dill = pytest.importorskip("dill")
PICKLERS = [cloudpickle, dill]


@tc.mcache
def of_a_module(x):
    return x


def make(decorate, factor):
    """A function of a factory, with all that one may have."""
    log = []

    @decorate
    def scaled(x, extra=0, *more, key=1, **rest):
        log.append(x)
        return [x * factor + extra + key, list(more), sorted(rest)]

    scaled.note = "mine"
    return scaled


def travel(pickler, value):
    return pickler.loads(pickler.dumps(value))


DECORATORS = {
    "mcache": tc.mcache, "mcache options": tc.mcache(maxsize=7, ttl=60, policy="sieve", typed=True), "ucache": tc.ucache(maxsize=5),
    "bcache": tc.bcache, "cache": tc.cache(maxsize=9), "smart": tc.smart_cache(), "hybrid": tc.hybrid_cache(size_threshold=10),
    "key": tc.mcache(key=lambda x, extra=0, *a, **k: (x, extra)), "fcache": tc.fcache(mmap=False),
}  # fmt: skip


@pytest.mark.parametrize("pickler", PICKLERS, ids=lambda p: p.__name__)
@pytest.mark.parametrize("name", DECORATORS)
def test_a_function_of_a_factory_travels_with_its_options(name, pickler):
    f = make(DECORATORS[name], 10)
    f(1)
    g = travel(pickler, f)
    assert g is not f and g.note == "mine" and g.__qualname__ == f.__qualname__
    assert g.cache_parameters() == f.cache_parameters()
    assert g(2, 5, 6, key=3, z=1) == [28, [6], ["z"]] and g(2)[0] == 21 and g(2)[0] == 21
    assert g.cache_info().hits >= 1 and travel(pickler, g)(3)[0] == 31


@pytest.mark.parametrize("pickler", PICKLERS, ids=lambda p: p.__name__)
def test_functions_of_modules_are_pickled_by_name(pickler):
    assert travel(pickler, of_a_module) is of_a_module and travel(pickle, of_a_module) is of_a_module


@pytest.mark.parametrize("pickler", PICKLERS, ids=lambda p: p.__name__)
def test_recursive_functions_and_instances_with_memoized_methods(pickler):
    def outer():
        @tc.mcache
        def fib(n, step=1):
            return n if n < 2 else fib(n - step) + fib(n - 2)

        class Shop:
            def __init__(self, rate):
                self.rate = rate

            @tc.mcache
            def price(self, x):
                return self.rate * x

            @staticmethod
            @tc.mcache(maxsize=3)
            def plain(x):
                return -x

        return fib, Shop(3)

    fib, shop = travel(pickler, outer())
    assert fib(60) == 1548008755920 and fib.cache_info().misses == 61
    assert shop.price(2) == 6 and shop.price(2) == 6 and shop.plain(1) == -1


def test_a_function_in_a_cache_travels_with_it(tmp_path):
    with tc.Cache("disk", path=str(tmp_path / "c")) as cache:
        f = cache.memoize(ttl=60)(lambda x: [x])
        f(1)
        g = travel(cloudpickle, f)
        assert g(1) == [1] and g.cache_info().hits == 1, "the same function, in the same store"


def test_coroutine_functions_travel():
    import asyncio

    @tc.acache(ttl=60)
    async def fetch(x):
        return [x]

    g = travel(cloudpickle, fetch)
    assert asyncio.run(g(1)) == [1] and g.cache_parameters()["ttl"] == 60


JOBLIB = """
    from twat_cache import mcache, bcache
    import sys
    if sys.argv[1] == "after": from joblib import Parallel, delayed
    @mcache
    def sq(x): return x * x
    RATE = 3
    @bcache
    def kept(x):
        print("ran", x, file=sys.stderr)
        return x * RATE
    if sys.argv[1] == "before": from joblib import Parallel, delayed
    def work(i): return sq(i), kept(i)
    if __name__ == "__main__":
        print(Parallel(n_jobs=2)(delayed(work)(i) for i in range(4)), Parallel(n_jobs=2)(delayed(kept)(i) for i in range(4)))
        print([kept(i) for i in range(4)], kept.cache_info().hits)
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_workers_of_joblib_share_the_script_s_results(order, tmp_path):
    pytest.importorskip("joblib")
    path = tmp_path / "a.py"
    path.write_text(textwrap.dedent(JOBLIB))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TWAT_CACHE_DIR": str(tmp_path / "c")}
    done = subprocess.run([sys.executable, path, order], capture_output=True, text=True, env=env, timeout=120)
    assert done.stdout == "[(0, 0), (1, 3), (4, 6), (9, 9)] [0, 3, 6, 9]\n[0, 3, 6, 9] 4\n", done.stderr


DASK_SCRIPT = """
import sys
import dask
from distributed import Client
from twat_cache import bcache, mcache

@mcache
def square(x): return x * x

@bcache(folder_name=sys.argv[1])
def cube(x): return x ** 3

def adder(n):
    @mcache
    def add(x): return x + n
    return add

if __name__ == "__main__":
    for scheduler in ("threads", "processes"):
        tasks = [dask.delayed(f)(3) for f in (square, cube, adder(2))]
        print(*dask.compute(*tasks, scheduler=scheduler))
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        print(*client.gather([client.submit(f, 3) for f in (square, cube, adder(2))]))
"""


def test_dask_takes_functions_of_a_script_to_threads_processes_and_workers(tmp_path):
    pytest.importorskip("distributed")
    script = tmp_path / "script.py"
    script.write_text(DASK_SCRIPT)
    found = subprocess.run(
        [sys.executable, script, str(tmp_path / "store")], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert found.stdout.splitlines() == ["9 27 5"] * 3, found.stdout + found.stderr[-2000:]
