"""bcache, fcache and what they share: flights, fallbacks, bounds, options."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import twat_cache as tc
from twat_cache._memoize.single_flight import Call
from twat_cache.exceptions import ConfigurationError, EngineError


def test_results_survive_the_process_and_the_folder_is_private(folder):
    code = f"""if True:
        import twat_cache as tc
        f = tc.bcache(folder_name={folder!r}, name="report")(lambda x: print("ran") or {{"x": (x,)}})
        print(f(1), f(x=1))
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    out = [subprocess.check_output([sys.executable, "-c", code], env=env, text=True) for _ in range(2)]
    assert out[0].startswith("ran\n") and out[1] == out[0].removeprefix("ran\n")
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in Path(folder).rglob("*"))


def test_threads_compute_once_and_share_the_exception(folder, ran):
    gate = threading.Barrier(8)

    @tc.bcache(folder_name=folder)
    def slow(x):
        time.sleep(0.05)
        ran()
        if x < 0:
            raise ValueError("shared")
        return x

    results = []

    def work(x):
        gate.wait()
        try:
            results.append(slow(x))
        except ValueError as error:
            results.append(str(error))

    for x, expected in ((1, 1), (-1, "shared")):
        results.clear()
        threads = [threading.Thread(target=work, args=(x,)) for _ in range(8)]
        [t.start() for t in threads]
        [t.join(10) for t in threads]
        assert results == [expected] * 8
    assert ran.n == 2
    with pytest.raises(ValueError):
        slow(-1)
    assert ran.n == 3


def test_a_thread_put_off_after_its_look_up_finds_what_landed_meanwhile(folder, ran):
    @tc.bcache(folder_name=folder)
    def f(x):
        return ran(x)

    memo, key = f.cache, f.cache_key(1)
    assert f(1) == 1
    # What the wrapper does after a look-up that came before the other thread's result.
    assert memo.begin(key, Call()) == 1
    assert ran.n == 1 and f.cache_info()[:2] == (1, 1)


def test_a_kept_exception_is_no_value_for_the_callback(folder):
    seen = []
    for deco in (
        tc.bcache(folder, cache_exceptions=ValueError, callback=lambda *a: seen.append(a)),
        tc.hybrid_cache(cache_exceptions=ValueError, callback=lambda *a: seen.append(a)),
    ):

        @deco
        def f(x):
            raise ValueError(x)

        for _ in range(2):
            with pytest.raises(ValueError):
                f(1)
    assert seen == []


def test_recursive_calls_and_crossed_ones_never_wait_for_each_other(folder):
    @tc.bcache(folder_name=folder, name="fact")
    def fact(n):
        return n * fact(n - 1) if n else 1

    assert fact(30) == fact(30)
    start = threading.Barrier(2)

    @tc.bcache(folder_name=folder, name="ping")
    def ping(depth):
        if depth == 2:
            start.wait(5)
        return pong(depth - 1) if depth else 0

    @tc.bcache(folder_name=folder, name="pong")
    def pong(depth):
        if depth == 2:
            start.wait(5)
        return ping(depth - 1) if depth else 0

    @tc.bcache(folder_name=folder, name="a")
    def a(n):
        if n:
            start.wait(5)
            time.sleep(0.02)
        return b(0) if n else 1

    @tc.bcache(folder_name=folder, name="b")
    def b(n):
        if n:
            start.wait(5)
            time.sleep(0.02)
        return a(0) if n else 2

    threads = [threading.Thread(target=f, args=(2,), daemon=True) for f in (ping, pong)]
    threads_ab = [threading.Thread(target=f, args=(1,), daemon=True) for f in (a, b)]
    for group in (threads, threads_ab):
        start.reset()
        [t.start() for t in group]
        [t.join(10) for t in group]
        assert not any(t.is_alive() for t in group)


def test_same_key_asked_for_by_its_own_computation_is_computed_again(folder):
    depth = []

    @tc.bcache(folder_name=folder)
    def f(x):
        depth.append(x)
        return f(x) if len(depth) < 3 else "end"

    assert f(1) == "end"


def test_unknown_engine_is_an_error_as_an_order_and_a_warning_as_a_wish(caplog):
    with pytest.raises(EngineError, match="no_such"):
        tc.bcache(engine="no_such")(lambda: 1)
    with pytest.raises(EngineError):
        tc.ucache(engine="no_such")(lambda: 1)
    with caplog.at_level(logging.WARNING, "twat_cache"):
        assert tc.ucache(preferred_engine="no_such_wish")(lambda: 1)() == 1
    assert "no_such_wish" in caplog.text


@pytest.mark.parametrize("alias", ["diskcache", "klepto", "disk", "joblib", "file", "cachebox", "functools", "memory"])
def test_names_of_other_libraries_mean_the_engine_that_does_their_job(alias, folder, ran):
    f = tc.ucache(folder_name=folder, preferred_engine=alias)(lambda x: ran(x))
    assert f(1) == f(1) == 1 and ran.n == 1
    expected = {"diskcache": "disk", "klepto": "disk", "disk": "disk", "joblib": "file", "file": "file"}.get(alias)
    assert f.cache_parameters().get("engine") == expected


def test_a_folder_that_cannot_be_made_lets_memory_stand_in(tmp_path, caplog, ran):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "twat_cache"):
        f = tc.bcache(folder_name=str(tmp_path / "file" / "store"))(lambda x: ran(x))
    assert f(1) == f(1) == 1 and ran.n == 1 and f.cache_parameters()["engine"] == "memory"
    assert "falls back to memory" in caplog.text
    with pytest.raises(tc.ResourceError):
        tc.bcache(folder_name=str(tmp_path / "file" / "store"), engine="disk")(lambda x: x)


def test_bounds_that_contradict_an_open_store_name_both_values(folder):
    keep = tc.bcache(folder_name=folder, maxsize=1_000_000)(lambda x: x)
    with pytest.raises(ConfigurationError, match=r"1000000.*2000000|2000000.*1000000"):
        tc.bcache(folder_name=folder, maxsize=2_000_000)(lambda x: x)
    assert tc.bcache(folder_name=folder)(lambda x: x)(1) == 1 == keep(1)


def test_bytes_bound_a_store(folder):
    f = tc.bcache(folder_name=folder, maxsize=200_000)(lambda x: bytes(10_000))
    for x in range(60):
        f(x)
    assert f.cache.store.stats()["bytes"] <= 200_000 and f.cache.store.stats()["evictions"] > 0


def test_nothing_is_kept_where_the_options_say_so(folder, ran):
    for options in ({"maxsize": 0}, {"ttl": 0}):
        f = tc.bcache(folder_name=folder, **options)(lambda x: ran(x))
        f(1), f(1)
    assert ran.n == 4 and not os.path.exists(folder)


@pytest.mark.parametrize(
    "options, word",
    [
        ({"maxsize": -1}, "maxsize"),
        ({"max_bytes": 5}, "max_bytes"),
        ({"ttl": -0.1}, "ttl"),
        ({"policy": "sieve"}, "policy"),
        ({"policy": "lruu"}, "policy"),
        ({"compress": "yes"}, "compress"),
        ({"folder_name": "a/b"}, "folder_name"),
        ({"no_such": 1}, "no_such"),
        ({"single_flight": 1}, "single_flight"),
        ({"secure": 2}, "secure"),
        ({"max_entries": 1.5}, "max_entries"),
        ({"namespace": 3}, "namespace"),
        ({"folder_name": 3}, "folder_name"),
        ({"version": object()}, "version"),
    ],
)
def test_wrong_options_are_told_at_decoration_time_and_make_nothing(options, word, folder):
    with pytest.raises(ConfigurationError, match=word):
        tc.bcache(**{"folder_name": folder, **options})(lambda x: x)
    assert not os.path.exists(folder)


def test_kept_exceptions_on_disk(folder, ran):
    @tc.bcache(folder_name=folder, cache_exceptions=ValueError)
    def f(x):
        ran()
        raise ValueError("text", x)

    for _ in range(3):
        with pytest.raises(ValueError, match="text"):
            f(1)
    assert ran.n == 1


@pytest.mark.parametrize("deco", [tc.bcache, tc.fcache, tc.hybrid_cache], ids=lambda deco: deco.__name__)
def test_kept_exceptions_have_a_time_of_their_own(deco, folder, ran):
    place = {"large_result_config": {"folder_name": folder}} if deco is tc.hybrid_cache else {"folder_name": folder}
    kinds = {KeyError: 0.3, ValueError: None, OSError: 0}

    @deco(cache_exceptions=kinds, name="f", **place)
    def f(kind):
        ran()
        raise {"key": KeyError, "value": UnicodeError, "os": OSError, "type": TypeError}[kind](kind)

    def count(kind):
        ran.n = 0
        for _ in range(3):
            with pytest.raises((KeyError, ValueError, OSError, TypeError), match=kind):
                f(kind)
        return ran.n

    assert [count(kind) for kind in ("key", "value", "os", "type")] == [1, 1, 3, 3]
    time.sleep(0.35)
    assert [count(kind) for kind in ("key", "value")] == [1, 0], "a class's own time; none is that of results"


def test_a_store_that_is_closed_costs_the_store_never_the_result(folder, ran):
    f = tc.bcache(folder_name=folder)(lambda x: ran(x))
    f(1)
    f.cache.store.close()
    assert f(1) == 1 and ran.n == 2


def test_a_server_that_is_down_is_a_wish_that_is_not_granted(folder, caplog, ran):
    from twat_cache.engines import RedisEngine

    if not RedisEngine.is_available():
        return
    nowhere = tc.CacheConfig(redis_port=1)
    with caplog.at_level(logging.WARNING, "twat_cache"):
        f = tc.ucache(folder_name=folder, preferred_engine="redis", config=nowhere)(lambda x: ran(x))
    assert f(1) == f(1) == 1 and ran.n == 1 and f.cache_parameters()["engine"] == "disk"
    assert "falls back to disk" in caplog.text
    ordered = tc.ucache(engine="redis", config=nowhere)(lambda x: ran(x))
    assert ordered(1) == ordered(1) == 1 and ran.n == 3


def _decorators(folder):
    config = tc.CacheConfig(folder_name=folder)
    return {
        "bcache": tc.bcache(folder_name=folder), "fcache": tc.fcache(folder_name=folder), "ucache": tc.ucache(folder_name=folder),
        "cache": tc.cache(folder_name=folder), "smart": tc.smart_cache(config=config),
        "hybrid": tc.hybrid_cache(large_result_config=config), "default": tc.hybrid_cache(size_threshold=0),
    }  # fmt: skip


@pytest.mark.parametrize("one", _decorators("x"))
@pytest.mark.parametrize("two", _decorators("x"))
def test_two_kinds_of_decorator_share_a_folder_and_a_function(one, two, folder):
    np = pytest.importorskip("numpy")

    def large(n):
        return np.arange(n)

    def other(n):
        return np.zeros(n)

    kinds = _decorators(folder)
    for functions in ((large, other), (large, large)):
        f, g = kinds[one](functions[0]), kinds[two](functions[1])
        for n in (10, 50_000):
            assert (f(n) == large(n)).all() and (g(n) == functions[1](n)).all()
            assert (f(n) == large(n)).all() and (g(n) == functions[1](n)).all()
    if two == "fcache":
        assert not g(50_000).flags.writeable, "a view of the mapped file"


def test_options_that_disagree_are_named_as_they_were_given(folder):
    plain = tc.bcache(folder_name=folder)(lambda x: x)
    with pytest.raises(tc.ConfigurationError, match=r"maxsize: open with.*asked for 100000.*another folder_name="):
        tc.bcache(folder_name=folder, maxsize=100_000)(lambda x: x)
    with pytest.raises(tc.ConfigurationError, match=r"; policy: open with lru, asked for fifo.*another folder_name="):
        tc.bcache(folder_name=folder, policy="fifo")(lambda x: x)
    assert plain(1) == 1
