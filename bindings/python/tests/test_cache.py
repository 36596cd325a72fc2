"""Cache: a mapping over any engine, against a model, and each promise by name."""

from __future__ import annotations

import math
import shutil
import tempfile
import threading
import time

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import twat_cache as tc
from twat_cache.exceptions import CacheKeyError, CacheOperationError, CacheValueError, ConfigurationError, EngineError

KEYS = st.one_of(
    st.text(max_size=3), st.binary(max_size=3), st.integers(-3, 3), st.tuples(st.integers(0, 1), st.text(max_size=1))
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3) | st.tuples(inner),
    max_leaves=6,
)


class Model(RuleBasedStateMachine):
    engine = "memory"

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp()
        path = {} if self.engine == "memory" else {"path": self.folder, "map_size": 1 << 24, "max_bytes": 1 << 22}
        self.cache = tc.Cache(self.engine, **path)
        self.model = {}
        self.tagged = set()

    @rule(key=KEYS, value=VALUES)
    def set(self, key, value):
        self.cache[key] = value
        self.model[_as_stored(key)] = value
        self.tagged.discard(_as_stored(key))

    @rule(key=KEYS)
    def get(self, key):
        assert self.cache.get(key, "none") == self.model.get(_as_stored(key), "none")
        assert (key in self.cache) == (_as_stored(key) in self.model)

    @rule(key=KEYS)
    def delete(self, key):
        assert self.cache.delete(key) == (_as_stored(key) in self.model)
        self.model.pop(_as_stored(key), None)

    @rule(key=KEYS, value=VALUES)
    def add(self, key, value):
        assert self.cache.add(key, value) == (_as_stored(key) not in self.model)
        if _as_stored(key) not in self.model:
            self.tagged.discard(_as_stored(key))
        self.model.setdefault(_as_stored(key), value)

    @rule(key=KEYS)
    def pop(self, key):
        assert self.cache.pop(key, "none") == self.model.pop(_as_stored(key), "none")

    @rule(items=st.dictionaries(st.text(max_size=2), VALUES, max_size=4))
    def set_many_with_a_tag(self, items):
        self.cache.set_many(items, tag="tag")
        self.model.update(items)
        self.tagged |= items.keys()
        assert self.cache.get_many([*items, "no such key"]) == items

    @rule()
    def evict(self):
        self.cache.evict("tag")
        for key in self.tagged:
            self.model.pop(key, None)
        self.tagged.clear()

    @rule()
    def clear(self):
        self.cache.clear()
        self.model.clear()
        self.tagged.clear()

    @invariant()
    def same_keys(self):
        assert sorted(map(repr, self.cache)) == sorted(map(repr, self.model)) and len(self.cache) == len(self.model)

    def teardown(self):
        self.cache.close()
        shutil.rmtree(self.folder)


def _as_stored(key):
    """Text and its UTF-8 are one key; what is not UTF-8 stays bytes."""
    if isinstance(key, bytes):
        from twat_cache._identity import call_keys

        return call_keys.undirect(key)
    return key


@pytest.mark.parametrize("engine", ["memory", "disk", "file"])
def test_cache_behaves_as_a_dictionary(engine):
    machine = type("Machine", (Model,), {"engine": engine})
    examples = 50 if engine == "memory" else 25
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.fixture(params=["memory", "disk", "file"])
def cache(request, folder):
    path = {} if request.param == "memory" else {"path": folder}
    with tc.Cache(request.param, **path) as cache:
        yield cache


def test_time_to_live(cache):
    cache.set("short", 1, ttl=0.05)
    cache.set("never", 1, ttl=math.inf)
    cache.set("nothing", 1)
    cache.set("nothing", 2, ttl=0)
    cache.set("touched", 1, ttl=0.05)
    assert cache.touch("touched", ttl=60) and not cache.touch("missing", ttl=60)
    assert cache["short"] == 1 and "nothing" not in cache
    time.sleep(0.08)
    assert set(cache) == {"never", "touched"} and len(cache) == 2
    cache.expire()
    assert cache.get("short") is None and cache.stats()["entries"] == 2


def test_counters(cache):
    assert [cache.incr("n"), cache.incr("n", 5), cache.decr("n", 2), cache.get("n")] == [1, 6, 4, 4]
    assert cache.incr("m", 2, default=10) == 12
    assert cache.incr("gone", 2, default=10, ttl=0) == 12 and "gone" not in cache
    assert cache.incr("m", 1, ttl=0) == 13 and cache.incr("m", ttl=60) == 14, "a counter that is there keeps its time"
    for number in (2, -1, 200, -40_000, 2**40, -(2**63), 2**63 - 2):
        cache.set("set", number)
        assert cache.incr("set") == number + 1 == cache.get("set"), "what set stores counts"
    for value, found in (
        ("1", "text"),
        (1.5, "a float"),
        (b"1", "raw bytes"),
        (True, "a boolean"),
        (2**200, "beyond 64"),
    ):
        cache.set("set", value)
        with pytest.raises(CacheOperationError, match=f"expected a stored integer, got .*{found}"):
            cache.incr("set")
        assert cache.get("set") == value
    for ttl in (None, 0):
        with pytest.raises(CacheValueError, match="sum from -9223372036854775808"):
            cache.incr("too large", 1, default=2**63 - 1, ttl=ttl)
    assert "too large" not in cache
    cache["text"] = "a"
    with pytest.raises(CacheOperationError):
        cache.incr("text")
    with pytest.raises(CacheOperationError, match="64 bits"):
        cache.incr("n", 2**63)
    with pytest.raises(CacheOperationError, match="64 bits"):
        cache.decr("n", "one")


def test_mapping_errors_are_a_dictionarys(cache):
    with pytest.raises(KeyError):
        cache["missing"]
    with pytest.raises(KeyError):
        del cache["missing"]
    with pytest.raises(KeyError):
        cache.pop("missing")
    assert cache.setdefault("a", 1) == 1 == cache.setdefault("a", 2)
    cache.update(b=2, c=3)
    assert dict(cache.items()) == {"a": 1, "b": 2, "c": 3} and bool(cache) and cache == cache
    assert sorted(cache.iterkeys("b")) == ["b"] and cache.volume() > 0 and cache.delete_many(["a", "x"]) == 1


@pytest.mark.parametrize("key", [1.5, None, [1], {"a": 1}, "\ud800", object()])
def test_keys_that_are_none_are_refused(cache, key):
    with pytest.raises(CacheKeyError, match="key"):
        cache.set(key, 1)
    with pytest.raises(CacheKeyError):
        cache.get(key)


def test_keys_of_different_types_are_different(cache):
    for n, key in enumerate(["1", 1, (1,), ("1",), True, b"\xff", "", (1, (2, b"x"))]):
        cache[key] = n
    assert [cache[key] for key in ("1", 1, (1,), ("1",), True, b"\xff", "", (1, (2, b"x")))] == list(range(8))
    assert "k" * 5000 not in cache
    cache["k" * 5000] = "long"
    assert cache["k" * 5000] == "long"


@pytest.mark.parametrize("engine", ["memory", "disk", "file"])
def test_keys_by_what_they_begin_with_and_of_every_kind(engine, folder):
    keys = ["user:1", "user:2", "used", "", "ü", b"user:\xff", 7, -1, 2**70, ("user", 1), ("user", ("x",)), ("u",)]
    with tc.Cache(engine, **({} if engine == "memory" else {"path": folder})) as cache:
        assert list(cache.iterkeys()) == []
        for n, key in enumerate(keys):
            cache[key] = n
        assert set(cache) == set(cache.iterkeys()) == set(keys) and len(list(cache)) == len(keys)
        assert set(cache.iterkeys("user:")) == {"user:1", "user:2", b"user:\xff"}
        assert set(cache.iterkeys("use")) == {"user:1", "user:2", "used", b"user:\xff"}
        assert set(cache.iterkeys(b"user:\xff")) == {b"user:\xff"} and list(cache.iterkeys("no")) == []
        cache.set("user:3", 1, ttl=0.01)
        time.sleep(0.05)
        assert set(cache.iterkeys("user:")) == {"user:1", "user:2", b"user:\xff"}
        for key in cache.iterkeys("user"):  # what is removed meanwhile is no matter
            del cache[key]
        assert set(cache) == set(keys) - {"user:1", "user:2", b"user:\xff"}


@pytest.mark.parametrize("engine", ["memory", "disk", "file"])
def test_an_entry_is_popped_by_one_caller_only(engine, folder):
    with tc.Cache(engine, **({} if engine == "memory" else {"path": folder})) as cache:
        with pytest.raises(KeyError):
            cache.popitem()
        cache.set("gone", 1, ttl=0.001)
        time.sleep(0.02)
        with pytest.raises(KeyError):
            cache.popitem()
        items = {n: [n] for n in range(200)}
        cache.set_many(items)
        taken, others = [], []

        def work(mine):
            while True:
                try:
                    mine.append(cache.popitem())
                except KeyError:
                    return

        threads = [threading.Thread(target=work, args=(mine,)) for mine in (taken, others)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        both = taken + others
        assert len(both) == 200 and dict(both) == items and len(cache) == 0
        cache["one"] = 1
        assert cache.pop("one") == 1 and cache.pop("one", None) is None


def test_memoize_in_a_cache_and_clearing_one_function(cache, ran):
    f = cache.memoize(ttl=60)(lambda x: ran([x]))
    g = cache.memoize(name="g")(lambda x: ran((x,)))
    cache["mine"] = 1
    assert f(1) == f(1) == [1] and g(1) == g(1) == (1,) and ran.n == 2
    f.cache_clear()
    f(1), g(1)
    assert ran.n == 3 and cache["mine"] == 1


def test_a_closed_cache_leaves_its_functions_and_the_registry_usable(cache, ran):
    @cache.memoize
    def f(x):
        return ran(x)

    assert f(1) == f(1) == 1 and ran.n == 1
    cache.close()
    assert f(1) == 1 and ran.n == 2
    assert f.cache_info().currsize == 0 and f.invalidate(1) is False
    assert tc.get_stats()["total_caches"] >= 1
    tc.clear_cache()
    assert f.cache_info()[:2] == (0, 0)


def test_export_and_import(cache, tmp_path):
    cache.set_many({"a": 1, "b": [2]})
    cache.set("c", 3, ttl=60, tag="t")
    assert cache.export(tmp_path / "out") == 3
    with tc.Cache("memory") as other:
        assert other.import_(tmp_path / "out") == 3
        assert dict(other.items()) == dict(cache.items())
        assert other.evict("t") and other.get("c") is None
    with pytest.raises(tc.TwatCacheError):
        cache.import_(tmp_path / "missing")


def test_check_info_and_stats(cache):
    cache["a"] = 1
    cache.get("a"), cache.get("b")
    stats = cache.stats()
    assert (stats["hits"], stats["misses"], stats["hit_ratio"]) == (1, 1, 0.5)
    assert cache.check()["bad"] == 0 and cache.info()["engine"] == cache.engine
    cache.flush()
    assert cache.engine in repr(cache)


def test_a_closed_cache_says_so(folder):
    cache = tc.Cache("disk", path=folder)
    cache.close()
    cache.close()
    for call in (lambda: cache.get("a"), lambda: cache.set("a", 1), lambda: len(cache), lambda: list(cache)):
        with pytest.raises(CacheOperationError, match="already closed"):
            call()


def test_values_beyond_the_bound_are_refused():
    with tc.Cache("memory", max_bytes=65536) as cache:
        with pytest.raises(CacheValueError):
            cache["a"] = bytes(100_000)
        cache["b"] = bytes(1000)
        assert "a" not in cache and len(cache["b"]) == 1000


def test_wrong_settings(folder, tmp_path):
    for wrong, error, word in (
        ({"engine": "no_such"}, EngineError, "no_such"),
        ({"engine": "disk"}, ConfigurationError, "path"),
        ({"engine": "memory", "max_entires": 5}, ConfigurationError, "max_entries"),
        ({"engine": "memory", "policy": "lruu"}, ConfigurationError, "policy"),
        ({"engine": "memory", "ttl": -1}, ConfigurationError, "ttl"),
        ({"engine": "memory", "max_entries": -1}, ConfigurationError, "max_entries"),
        ({"engine": "memory", "max_entries": 1.5}, ConfigurationError, "max_entries"),
        ({"engine": "memory", "path": folder}, ConfigurationError, "path"),
        ({"engine": "memory", "compress": 1}, ConfigurationError, "compress"),
        ({"engine": "memory", "namespace": 3}, ConfigurationError, "namespace"),
    ):
        with pytest.raises(error, match=word):
            tc.Cache(**wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(tc.TwatCacheError):
        tc.Cache("disk", path=tmp_path / "file")


def test_a_store_is_seen_by_two_names_of_one_process(folder):
    with tc.Cache("disk", path=folder) as one, tc.Cache("disk", path=folder) as two:
        one["a"] = 1
        assert two["a"] == 1
        with tc.Cache("disk", path=folder, namespace="other") as three:
            assert "a" not in three and len(three) == 0


def test_tiers():
    with tempfile.TemporaryDirectory() as folder:
        try:
            cache = tc.Cache("tiered", tiers=["memory", {"engine": "disk", "path": folder}])
        except tc.EngineNotAvailableError:
            return  # built without tiers
        with cache:
            cache["a"] = [1]
            assert cache["a"] == [1]
