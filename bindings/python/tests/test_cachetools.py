"""``cached`` and ``cachedmethod`` beside those of cachetools."""

from __future__ import annotations

import threading
import time

import cachetools
import pytest

from twat_cache import Cache, keys
from twat_cache import cachetools as ours
from twat_cache.exceptions import ConfigurationError


@pytest.fixture(params=["dict", "LRUCache", "memory", "disk"])
def mapping(request, tmp_path):
    if request.param == "dict":
        yield {}
    elif request.param == "LRUCache":
        yield cachetools.LRUCache(100)
    else:
        with Cache(request.param, tmp_path if request.param == "disk" else None) as cache:
            yield cache


def test_one_call_a_key_over_any_mapping(mapping, ran):
    @ours.cached(mapping, info=True)
    def f(x, y=1):
        """Doc."""
        return ran([x, y])

    assert f(1) == f(1) == [1, 1] and f(1, y=2) == [1, 2] and ran.n == 2
    assert (f.cache_info().hits, f.cache_info().misses, f.cache_info().currsize) == (1, 2, 2)
    assert f.__doc__ == "Doc." and f.__wrapped__(0) == [0, 1] and f.cache is mapping
    f.cache_clear()
    assert len(mapping) == 0 and f.cache_info().hits == 0
    assert f(1) == [1, 1]


def test_the_same_as_cachetools_for_the_same_calls():
    for key_ours, key_theirs in ((keys.hashkey, cachetools.keys.hashkey), (keys.typedkey, cachetools.keys.typedkey)):
        counts = []
        for library, key in ((ours, key_ours), (cachetools, key_theirs)):
            seen = []
            f = library.cached({}, key=key)(lambda *a, _seen=seen, **k: _seen.append((a, k)))
            for args, kwargs in [((1,), {}), ((1.0,), {}), ((1,), {"a": 2}), ((1,), {"a": 2.0}), ((), {}), ((1,), {})]:
                f(*args, **kwargs)
            counts.append(len(seen))
        assert counts[0] == counts[1]


def test_none_as_cache_keeps_nothing(ran):
    f = ours.cached(None, info=True)(lambda x: ran(x))
    f(1), f(1)
    assert ran.n == 2 and f.cache_info() == (0, 2, 0, 0)


def test_what_raises_runs_again_and_is_not_kept(mapping, ran):
    @ours.cached(mapping)
    def f(x):
        ran()
        raise KeyError(x)

    for _ in range(2):
        with pytest.raises(KeyError, match="5"):
            f(5)
    assert ran.n == 2 and len(mapping) == 0


def test_a_value_too_large_for_the_mapping_is_returned():
    f = ours.cached(cachetools.LRUCache(10, getsizeof=len))(lambda n: "x" * n)
    assert len(f(100)) == 100 and len(f(5)) == 5


def test_with_a_condition_concurrent_callers_run_it_once(ran):
    condition = threading.Condition()

    @ours.cached({}, condition=condition)
    def f(x):
        time.sleep(0.1)
        return ran(x)

    found = []
    threads = [threading.Thread(target=lambda: found.append(f(1))) for _ in range(8)]
    [t.start() for t in threads]
    [t.join(10) for t in threads]
    assert found == [1] * 8 and ran.n == 1


def test_with_a_condition_an_error_lets_the_next_one_try_and_a_recursion_goes_on():
    condition = threading.Condition()

    @ours.cached({}, condition=condition)
    def f(x):
        return x if x == 0 else f(x - 1) + 1

    @ours.cached({}, condition=condition)
    def bad(x):
        raise ValueError

    assert f(20) == 20
    for _ in range(2):
        with pytest.raises(ValueError):
            bad(1)


def test_with_a_lock_every_caller_gets_the_first_object():
    barrier = threading.Barrier(4)

    @ours.cached({}, lock=threading.Lock())
    def f(x):
        barrier.wait(10)
        return object()

    found = []
    threads = [threading.Thread(target=lambda: found.append(f(1))) for _ in range(4)]
    [t.start() for t in threads]
    [t.join(10) for t in threads]
    assert len({id(one) for one in found}) == 1 and len(found) == 4


def test_methods_with_a_mapping_for_each_instance(ran):
    class Shop:
        def __init__(self):
            self.kept = cachetools.LRUCache(2)
            self.lock = threading.RLock()
            self.condition = threading.Condition()

        @ours.cachedmethod(lambda self: self.kept, lock=lambda self: self.lock)
        def price(self, x):
            return ran(x * 2)

        @ours.cachedmethod(lambda self: self.kept, key=keys.typedkey, condition=lambda self: self.condition)
        def other(self, x):
            return ran(x)

    a, b = Shop(), Shop()
    assert a.price(1) == a.price(1) == 2 and ran.n == 1 and b.price(1) == 2 and ran.n == 2
    a.price(2), a.price(3), a.price(1)
    assert ran.n == 5
    assert a.other(7) == a.other(7) == 7 and ran.n == 6


def test_what_is_no_mapping_is_refused_at_decoration_time():
    with pytest.raises(ConfigurationError, match="expected a mapping or None"):
        ours.cached(5)
    with pytest.raises(ConfigurationError, match="expected a function from an instance"):
        ours.cachedmethod({})
