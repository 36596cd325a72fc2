"""Forks, other processes, the end of the interpreter."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import pytest

import twat_cache as tc

ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def python(code, timeout=60, **options):
    return subprocess.run(
        [sys.executable, "-c", code], env=ENV, timeout=timeout, capture_output=True, text=True, **options
    )


def in_child(work):
    """Runs a function in a forked child; its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            status = 0 if work() in (None, True) else 71
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(status)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hung"


def test_memory_survives_a_fork_and_stays_the_childs_own(ran):
    f = tc.mcache(maxsize=3)(lambda x: ran(x))
    f(1), f(2), f(3)

    def child():
        f(1), f(2), f(3)
        assert ran.n == 3
        f(4)
        return ran.n == 4 and f.cache_info().currsize == 3

    assert in_child(child) == 0
    f(1)
    assert ran.n == 3


def test_twenty_forks_with_busy_threads_neither_hang_nor_mix(folder):
    f = tc.mcache(maxsize=8)(lambda x: (x, x))
    g = tc.bcache(folder_name=folder)(lambda x: [x, x])
    stop = threading.Event()

    def busy(seed):
        i = seed
        while not stop.is_set():
            i += 7
            f(i % 31), g(i % 31)

    threads = [threading.Thread(target=busy, args=(n,), daemon=True) for n in range(3)]
    [t.start() for t in threads]

    def child():
        for x in range(40):
            assert f(x) == (x, x) and g(x) == [x, x]
        return f.cache_info().currsize <= 8

    try:
        assert [in_child(child) for _ in range(20)] == [0] * 20
    finally:
        stop.set()
        [t.join(10) for t in threads]
    assert g(1) == [1, 1]


def test_a_cache_of_each_engine_is_usable_after_a_fork(folder):
    memory, disk = tc.Cache("memory"), tc.Cache("disk", path=folder)
    memory["a"] = disk["a"] = 1

    def child():
        memory["b"] = disk["b"] = 2
        return disk["a"] == 1 and disk["b"] == 2 and memory["b"] == 2

    assert in_child(child) == 0
    assert disk["b"] == 2 and memory["a"] == 1 and "b" not in memory


def _worker(arguments):
    folder, x = arguments
    return tc.bcache(folder_name=folder, name="shared")(_square)(x)


def _square(x):
    with open(os.environ["TWAT_TEST_MARKS"], "a") as file:
        file.write("x")
    return {"x": x * x}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_shares_a_store(method, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TWAT_TEST_MARKS", str(tmp_path / "marks"))
    monkeypatch.setenv("PYTHONPATH", ENV["PYTHONPATH"])
    with multiprocessing.get_context(method).Pool(3) as pool:
        work = [(folder, x % 5) for x in range(60)]
        assert pool.map_async(_worker, work).get(60) == [{"x": (x % 5) ** 2} for x in range(60)]
    marks = len((tmp_path / "marks").read_text())
    assert 5 <= marks <= 15  # each process may meet a key before another has stored it


def test_a_cache_travels_by_its_settings(folder):
    import pickle

    cache = tc.Cache("disk", path=folder, max_entries=100)
    cache["a"] = (1, 2)
    other = pickle.loads(pickle.dumps(cache))
    assert other["a"] == (1, 2)


@pytest.mark.parametrize("what", ["mcache", "bcache", "Cache"])
def test_the_interpreter_ends_well_with_busy_daemon_threads(what, folder):
    code = f"""if True:
        import threading, time, sys
        import twat_cache as tc
        f = tc.mcache(maxsize=4)(lambda x: [x]) if {what!r} == "mcache" else tc.bcache(folder_name={folder!r})(lambda x: [x])
        c = tc.Cache("disk", path={folder!r} + "2")
        def busy(n):
            i = n
            while True:
                i += 1
                if {what!r} == "Cache":
                    c.set(str(i % 50), i); c.get(str(i % 49))
                else:
                    f(i % 13)
        for n in range(4):
            threading.Thread(target=busy, args=(n,), daemon=True).start()
        time.sleep(0.1)
    """
    for _ in range(5):
        done = python(code)
        assert done.returncode == 0, (done.returncode, done.stderr[-500:])


def test_the_interpreter_ends_well_with_open_handles_and_values(folder):
    code = f"""if True:
        import twat_cache as tc, threading
        c = tc.Cache("disk", path={folder!r})
        c["a"] = "x" * 100_000
        held = c._store.get_mapped(b"a")
        scan = c.iterkeys(); next(scan)
        f = tc.mcache(maxsize=2)(lambda x: x); f(1)
        class Late:
            def __del__(self): f(5); c.get("a")
        late = Late()
    """
    done = python(code)
    assert done.returncode == 0 and "rror" not in done.stderr, done.stderr


def test_closing_beside_calls_waits_for_them(folder):
    for _ in range(10):
        cache = tc.Cache("disk", path=folder)
        errors = []

        def work(n, cache=cache, errors=errors):
            try:
                for i in range(2000):
                    cache.set(f"{n}-{i % 20}", i)
                    cache.get(f"{n}-{i % 20}")
            except tc.CacheOperationError as error:
                errors.append(str(error))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        [t.start() for t in threads]
        time.sleep(0.01)
        cache.close()
        [t.join(20) for t in threads]
        assert set(errors) <= {"already closed"}


def test_an_inherited_single_flight_does_not_wait_for_threads_that_are_gone(folder):
    started, go = threading.Event(), threading.Event()

    @tc.bcache(folder_name=folder)
    def slow(x):
        started.set()
        go.wait(0 if os.getpid() != parent else 20)
        return x

    parent = os.getpid()
    thread = threading.Thread(target=slow, args=(1,), daemon=True)
    thread.start()
    started.wait(5)
    try:
        assert in_child(lambda: slow(1) == 1) == 0
    finally:
        go.set()
        thread.join(10)
