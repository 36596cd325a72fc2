"""Times and sizes as text, and ``Cache.get_or_set`` and its company."""

from __future__ import annotations

import asyncio
import datetime
import pickle
import threading

import pytest

import twat_cache as tc


@pytest.mark.parametrize("text, seconds", [("1h30m", 5400.0), ("250ms", 0.25), ("2d", 172800.0)])
def test_a_time_to_live_as_text(text, seconds, tmp_path):
    for decorator in (tc.mcache(ttl=text), tc.bcache(path=tmp_path / "b", ttl=text), tc.ucache(ttl=text)):
        assert decorator(lambda: 1).cache_parameters()["ttl"] == seconds
    cache = tc.Cache("memory", ttl=text)
    cache.set("a", 1, ttl=text)
    assert cache["a"] == 1
    assert tc.mcache(ttl=datetime.timedelta(minutes=90))(lambda: 1).cache_parameters()["ttl"] == 5400.0


@pytest.mark.parametrize("wrong", ["", "soon", "1 fortnight", "-1s", "5 s 3"])
def test_a_text_that_is_no_time_is_named_with_its_option(wrong):
    with pytest.raises(tc.ConfigurationError, match="^ttl: "):
        tc.mcache(ttl=wrong)(lambda: 1)
    with pytest.raises(tc.ConfigurationError, match="^ttl: "):
        tc.Cache("memory").set("a", 1, ttl=wrong)


def test_a_size_as_text(tmp_path):
    f = tc.mcache(max_bytes="500 kB")(lambda: 1)
    assert f.cache_parameters()["max_bytes"] == 500_000
    assert tc.mcache(max_bytes="1 MiB")(lambda: 1).cache_parameters()["max_bytes"] == 1 << 20
    assert tc.bcache(path=tmp_path, max_bytes="8 MiB")(lambda: 1)() == 1
    assert tc.CacheConfig(max_bytes="2 MB", ttl="1m").to_dict().items() >= {"max_bytes": 2_000_000, "ttl": 60.0}.items()
    assert tc.Cache("memory", max_bytes="1 MB").get_or_set("a", lambda: 1) == 1
    with pytest.raises(tc.ConfigurationError, match="^max_bytes: "):
        tc.mcache(max_bytes="much")(lambda: 1)


@pytest.fixture(params=["memory", "disk", "file"])
def cache(request, tmp_path):
    with tc.Cache(request.param, None if request.param == "memory" else tmp_path) as cache:
        yield cache


def test_threads_that_ask_for_one_key_compute_it_once(cache):
    ran, results, gate = [], [], threading.Barrier(8)

    def compute():
        ran.append(1)
        threading.Event().wait(0.05)
        return {"n": 1}

    def ask():
        gate.wait()
        results.append(cache.get_or_set("k", compute, ttl="1h", tag="t"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [{"n": 1}] * 8 and len(ran) == 1
    assert cache.invalidate_tag("t") and cache.get("k") is None and not cache.evict("u")


def test_tasks_that_ask_for_one_key_compute_it_once(cache):
    ran = []

    async def compute():
        ran.append(1)
        await asyncio.sleep(0.01)
        return [1]

    async def ask():
        return await asyncio.gather(*(cache.aget_or_set("k", compute) for _ in range(8)))

    assert asyncio.run(ask()) == [[1]] * 8 and len(ran) == 1 and cache["k"] == [1]
    assert asyncio.run(cache.aget_or_set("l", lambda: 2)) == 2


def test_an_exception_of_what_computes_is_raised_and_not_stored(cache):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cache.get_or_set("k", lambda: 1 // 0)
    assert "k" not in cache and cache.get_or_set("k", lambda: None) is None and "k" in cache

    async def later(): ...

    for wrong in (later, 5):
        with pytest.raises(tc.ConfigurationError, match="^compute: "):
            cache.get_or_set("x", wrong)
    assert cache.get_or_set("nothing", lambda: 1, ttl=0) == 1 and "nothing" not in cache


def test_entries_of_a_prefix_are_deleted(cache):
    cache.update({"user:1": 1, "user:2": 2, "users": 3, 7: 5})
    assert cache.delete_prefix("user:") == 2 and set(cache) == {"users", 7}
    assert cache.delete_prefix(b"us") == 1 and set(cache) == {7}
    for wrong in ("", b"", 5, None):
        with pytest.raises(tc.ConfigurationError, match="^prefix: "):
            cache.delete_prefix(wrong)


def test_a_cache_says_what_it_is_and_holds(tmp_path):
    cache = tc.Cache("disk", tmp_path / "<store>", max_entries=9)
    cache["a"] = 1
    assert repr(cache).startswith("Cache('disk', path=") and "max_entries=9" in repr(cache)
    assert "entries=1, bytes=" in repr(cache)
    assert "&lt;store&gt;" in cache._repr_html_() and "<th>entries</th><td>1</td>" in cache._repr_html_()
    copy = pickle.loads(pickle.dumps(cache))
    assert copy["a"] == 1 and copy.get_or_set("b", lambda: 2) == 2
    cache.close()
    assert repr(cache).endswith("closed=True)")
    secret = tc.Cache("memory")
    secret._core["password"] = "hidden"
    assert "hidden" not in repr(secret) + secret._repr_html_()
