"""mcache: what functools.lru_cache promises, and more."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sys
import threading
import time
import weakref

import pytest

import twat_cache as tc
from lru_cache_as_cpython_tests_it import McacheAsLruCache  # noqa: F401
from twat_cache.exceptions import CacheKeyError, CacheValueError, ConfigurationError

POLICIES = ["lru", "mru", "fifo", "lifo", "lfu", "rr", "sieve", "s3fifo", "none"]


@tc.mcache(maxsize=10)
def at_module_level(x):
    """A docstring."""
    return [x]


def test_a_hit_gives_the_same_object_and_hashes_its_key_once(ran):
    class Key:
        hashed = 0

        def __hash__(self):
            Key.hashed += 1
            return 7

    f = tc.mcache(maxsize=5)(lambda a, b: ran(object()))
    key = Key()
    first = f(key, 1)
    Key.hashed = 0
    assert f(key, 1) is first and ran.n == 1 and Key.hashed == 1


def test_exact_lru_order_over_many_hits(ran):
    f = tc.mcache(maxsize=3)(lambda x: ran(x))
    f(1), f(2), f(3)
    for _ in range(10_000):  # more than the log holds
        f(2), f(1)
    f(4)  # 3 leaves
    ran.n = 0
    f(1), f(2), f(4)
    assert ran.n == 0
    f(3)
    assert ran.n == 1 and f.cache_info().currsize == 3
    assert f.cache_info().hits == 20_003


def test_an_interrupted_insertion_leaves_no_evicted_entry_behind(monkeypatch):
    from twat_cache._ffi import policy as _policy
    from twat_cache._memoize import live_table

    class Interrupted:
        def __getattr__(self, name):
            if name == "twat_policy_evicted":
                raise KeyboardInterrupt
            return getattr(held, name)

    held = _policy.held
    store = live_table.ObjectStore(max_bytes=100_000, sizeof=lambda cost: cost)
    for i in range(100):
        store.put(i, 1000)
    with monkeypatch.context() as patched:
        patched.setattr(_policy, "held", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            store.put("evicts all", 100_000)  # more than are told at once
    store.put("refused", 100_001)
    assert len(store.table) == 0, "the core has evicted them, and the next call finds that out"
    store.put("fits", 1)
    assert list(store.table) == ["fits"] and len(store) == 1
    assert store.policy.stats()["entries"] == 1


def test_the_size_counts_no_entry_whose_time_is_over():
    f = tc.mcache(maxsize=100, ttl=0.05)(lambda x: x)
    for i in range(10):
        f(i)
    assert f.cache_info().currsize == 10
    time.sleep(0.06)
    assert f.cache_info().currsize == 0, "asked for or not"
    f(1)
    assert f.cache_info().currsize == 1


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("ttl", [None, 60])
def test_every_policy_bounds_and_counts(policy, ttl, ran):
    f = tc.mcache(maxsize=8, policy=policy, ttl=ttl)(lambda x: ran(x))
    expected = {}
    for i in range(2000):
        x = (i * i + i // 7) % 37
        assert f(x) == expected.setdefault(x, x)
    info = f.cache_info()
    assert info.currsize <= 8 and info.misses == ran.n and info.hits + info.misses == 2000


def test_keyword_order_and_defaults_make_no_difference(ran):
    @tc.mcache
    def f(a, b=2, *args, c=3, **kw):
        return ran((a, b, args, c, kw))

    same = [f(1), f(1, 2), f(a=1), f(b=2, a=1), f(1, c=3), f(c=3, b=2, a=1)]
    assert ran.n == 1 and all(one is same[0] for one in same)
    assert f(1, x=1, y=2) is f(1, y=2, x=1) and ran.n == 2
    f(1, 2, 3), f(1, 2, 3, 4), f(1, 2, x=3)
    assert ran.n == 5
    assert str(inspect.signature(f)) == "(a, b=2, *args, c=3, **kw)"


def test_positional_only_and_odd_names(ran):
    @tc.mcache(maxsize=4)
    def f(value, /, table=1, *, key=2, log=3):
        return ran((value, table, key, log))

    assert f(1) == (1, 1, 2, 3) == f(1, table=1, key=2)
    assert ran.n == 1
    with pytest.raises(TypeError):
        f(value=1)


def test_typed_tells_types_apart(ran):
    f = tc.mcache(typed=True)(lambda x, *a: ran((type(x), x)))
    assert [f(1)[0], f(1.0)[0], f(True)[0]] == [int, float, bool] and ran.n == 3
    f(1, 2), f(1, 2.0)
    assert ran.n == 5
    g = tc.mcache(lambda x: ran(x))
    g(1), g(1.0), g(True)
    assert ran.n == 6


def test_typed_tells_keyword_types_apart_in_any_order():
    f = tc.mcache(typed=True)(lambda **words: [type(words[w]) for w in sorted(words)])
    assert f(a=1, b=2.0) == [int, float]
    assert f(b=2, a=1.0) == [float, int]
    assert f(b=2.0, a=1) is f(a=1, b=2.0)


@pytest.mark.parametrize("ttl", [None, 1000])
def test_no_hit_is_lost_where_the_log_of_hits_is_full(ttl, ran):
    f = tc.mcache(maxsize=2, ttl=ttl)(lambda a, b: ran((a, b)))
    f(1, 1), f(2, 2)
    for n in (4094, 4095, 4096, 4097, 8192):
        before = f.cache_info().hits
        assert {f(2, 2) for _ in range(n - 1)} == {(2, 2)} and f(1, 1) == (1, 1)
        assert f.cache_info().hits - before == n
        f(3, n)  # the core hears of the last hit before it chooses
        assert f.cache.content().keys() == {(1, 1), (3, n)}
        f(1, 1), f(2, 2)


def test_an_index_error_of_a_key_is_the_users_whatever_the_log_holds():
    class Odd:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            raise IndexError("mine")

    f = tc.mcache(maxsize=5)(lambda key, b: b)
    f(Odd(), 1)
    before = f.cache_info().hits
    f(1, 2)
    for _ in range(4200):
        f(1, 2)
        with pytest.raises(IndexError, match="mine"):
            f(Odd(), 1)
    assert f.cache_info().hits - before == 4200


def test_hits_of_many_threads_are_counted_each_once(ran):
    f = tc.mcache(maxsize=8)(lambda a, b: ran((a, b)))
    for i in range(8):
        f(i, i)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    try:
        threads = [threading.Thread(target=lambda i=i: [f(i, i) for _ in range(10_000)]) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert (ran.n, f.cache_info().hits) == (8, 40_000)


def test_unhashable_arguments_by_what_they_hold(ran):
    f = tc.mcache(maxsize=10)(lambda *a, **k: ran(object()))
    assert f([1, 2], {"a": {1}}) is f([1, 2], {"a": {1}}) and ran.n == 1
    assert f([1, 2]) is not f((1, 2)) and f([1]) is not f([1.0])
    np = pytest.importorskip("numpy")
    assert f(np.ones(3)) is f(np.ones(3)) and f(np.ones(3)) is not f(np.ones(4))
    thing = object()
    assert f([thing]) is f([thing]) and f(k=[1]) is f(k=[1])

    class Odd:
        __hash__ = None

    with pytest.raises(CacheKeyError, match=r"Odd.*key=.*ignore="):
        f(Odd())


@pytest.mark.parametrize("options", [{}, {"maxsize": 4}, {"ttl": 9}, {"maxsize": 4, "ttl": 9, "policy": "sieve"}])
def test_unhashable_arguments_with_a_ttl_and_on_a_new_instance(options, ran):
    class Host:
        @tc.mcache(**options)
        def one(self, x):
            return ran(object())

        @tc.mcache(**options)
        def two(self, x, y=1):
            return ran(object())

    f = tc.mcache(**options)(lambda x: ran(object()))
    host, other = Host(), Host()
    for call in (f, host.one, host.two, other.two):
        assert call([1]) is call([1]) is not call([2])
    assert ran.n == 8


def test_a_hash_that_fails_is_the_users_error():
    class Bad:
        def __hash__(self):
            raise TypeError("mine")

    f = tc.mcache(lambda x: x)
    with pytest.raises((TypeError, CacheKeyError)):
        f(Bad())

    class Worse:
        def __hash__(self):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        f(Worse())


def test_ignore_key_and_conditions(ran):
    f = tc.mcache(ignore="log")(lambda x, log=None: ran(x))
    f(1, log=1), f(1, log=2)
    assert ran.n == 1
    g = tc.mcache(key=lambda x: x % 10)(lambda x: ran(x))
    assert g(3) == g(13) == 3
    h = tc.mcache(cache_if=bool)(lambda x: ran(x))
    ran.n = 0
    h(0), h(0), h(1), h(1)
    assert ran.n == 3
    k = tc.mcache(ignore="log")(lambda x, **more: ran(x))
    ran.n = 0
    k(1, log=1), k(1, log=2), k(1), k(1, other=1)
    assert ran.n == 2

    class Shared:
        @tc.mcache(ignore="self")
        def get(self, x):
            return [x]

    assert Shared().get(1) is Shared().get(1)
    with pytest.raises(ConfigurationError, match="nothing_like_it"):
        tc.mcache(ignore="nothing_like_it")(lambda x: x)


def test_callback_tells_hits_misses_and_evictions():
    told = []
    f = tc.mcache(maxsize=1, callback=lambda *event: told.append(event))(lambda x: -x)
    f(1), f(1), f(2)
    assert told == [("miss", 1, -1), ("hit", 1, -1), ("evict", 1, -1), ("miss", 2, -2)]


def test_kept_exceptions(ran):
    @tc.mcache(cache_exceptions={KeyError: 1.0, ValueError: None})
    def f(x):
        ran()
        raise {1: KeyError, 2: ValueError, 3: OSError}[x]("text")

    for x, error in ((1, KeyError), (2, ValueError), (3, OSError)):
        for _ in range(3):
            with pytest.raises(error, match="text") as caught:
                f(x)
            assert len(inspect.getinnerframes(caught.tb)) < 6
    assert ran.n == 1 + 1 + 3
    time.sleep(1.05)
    with pytest.raises(KeyError):
        f(1)
    with pytest.raises(ValueError):
        f(2)
    assert ran.n == 6


def test_copy_protects_what_is_kept():
    f = tc.mcache(copy=True)(lambda: {"a": [1]})
    f()["a"].append(2)
    assert f() == {"a": [1]}


@pytest.mark.parametrize("size", [0, None, 1])
def test_maxsize_zero_none_and_one(size, ran):
    f = tc.mcache(maxsize=size)(lambda x: ran(x))
    f(1), f(1), f(2), f(1)
    assert ran.n == {0: 4, None: 2, 1: 3}[size]
    assert f.cache_info().maxsize == size and f.cache_info().currsize == {0: 0, None: 2, 1: 1}[size]


def test_bytes_bound_what_is_kept():
    f = tc.mcache(max_bytes=100_000, sizeof=len)(lambda n: bytes(n))
    for n in range(1000, 60_000, 1000):
        f(n)
    assert sum(map(len, f.cache.content().values())) <= 100_000
    assert f.cache_info().currsize >= 1
    assert len(f(500_000)) == 500_000  # too large to keep, never too large to return


def test_time_to_live_and_its_sweep(ran):
    f = tc.mcache(ttl=0.05, maxsize=100)(lambda x: ran(x))
    for x in range(50):
        f(x)
    assert f(0) == 0 and ran.n == 50
    time.sleep(0.06)
    assert f(0) == 0 and ran.n == 51
    for x in range(100, 150):
        f(x)
    assert f.cache_info().currsize <= 60


def test_evicted_objects_are_released_outside_the_lock():
    class Loud:
        def __del__(self):
            at_module_level.cache_info()
            done.append(f.cache_info().currsize)
            f(0)

    done = []
    f = tc.mcache(maxsize=2)(lambda x: Loud() if x > 0 else None)
    for x in range(1, 6):
        f(x)
    gc.collect()
    assert len(done) >= 3


def test_recursion_and_reentrancy(ran):
    @tc.mcache(maxsize=None)
    def fib(n):
        ran()
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(80) == 23416728348467685 and ran.n == 81

    @tc.mcache(maxsize=3)
    def twice(n, depth=2):
        return twice(n, depth - 1) if depth else n

    assert twice(1) == 1


def test_methods_do_not_keep_instances_alive_nor_mix_them(ran):
    class Shop:
        def __init__(self, n):
            self.n = n

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

        @tc.mcache(maxsize=4)
        def price(self, x):
            return ran(self.n * x)

        @classmethod
        @tc.mcache
        def kind(cls):
            return ran(cls.__name__)

    class Other(Shop):
        pass

    a, b = Shop(1), Shop(2)
    assert (a.price(3), b.price(3), a.price(x=3)) == (3, 6, 3) and ran.n == 2
    assert (Shop.kind(), Other.kind(), Shop.kind()) == ("Shop", "Other", "Shop")
    gone = weakref.ref(a)
    del a
    gc.collect()
    assert gone() is None and Shop.price.cache_info().currsize == 1
    ids = set()
    for n in range(200):  # addresses are used again
        shop = Shop(n)
        ids.add(id(shop))
        assert shop.price(1) == n
        del shop
    assert len(ids) < 200


def test_slots_without_weak_references_still_work():
    class Slim:
        __slots__ = ("n",)

        def __init__(self, n):
            self.n = n

        @tc.mcache
        def get(self):
            return self.n

    assert [Slim(i).get() for i in range(20)] == list(range(20))


def test_slots_without_weak_references_stay_only_as_long_as_their_results():
    class Slim:
        __slots__ = ("n",)

        @tc.mcache(maxsize=2)
        def get(self, x):
            return x

        def __del__(self):
            ended.append(1)

    ended = []
    for _ in range(1000):
        Slim().get(1)
    assert len(ended) >= 1000 - 64
    kept = Slim()
    assert kept.get([7]) is kept.get([7])


def test_the_wrapper_is_a_function_like_any_other():
    assert at_module_level.__name__ == "at_module_level" and at_module_level.__doc__ == "A docstring."
    assert at_module_level.__wrapped__(1) == [1]
    assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level
    assert copy.copy(at_module_level) is at_module_level is copy.deepcopy(at_module_level)
    f = tc.mcache(lambda x: x)
    ref = weakref.ref(f)
    f(1)
    del f
    gc.collect()
    assert ref() is None


def test_management(ran):
    f = tc.mcache(maxsize=5, ttl=60)(lambda x, y=1: ran(x))
    f(1), f(1)
    assert f.cache_parameters()["maxsize"] == 5 and f.cache_parameters()["ttl"] == 60
    assert f.cache_key(1) == f.cache_key(x=1, y=1)
    assert f.invalidate(1) is True and f.invalidate(1) is False
    f(1)
    assert ran.n == 2 and f.cache_info()[:2] == (1, 2)
    f.clear()
    assert f.cache_info() == (0, 0, 5, 0)
    assert f.cache.stats == {"hits": 0, "misses": 0, "size": 0, "maxsize": 5}


def test_four_threads_keep_the_bound_and_the_values():
    f = tc.mcache(maxsize=4)(lambda x: (x, x * x))
    wrong = []

    def work(seed):
        for i in range(20_000):
            x = (i * seed) % 11
            if f(x) != (x, x * x):
                wrong.append(x)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 5, 7)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        [t.start() for t in threads]
        [t.join() for t in threads]
    finally:
        sys.setswitchinterval(interval)
    info = f.cache_info()
    assert not wrong and len(f.cache.content()) == info.currsize <= 4
    assert f.cache.figures()["entries"] == info.currsize
    assert info.hits + info.misses == 80_000


@pytest.mark.parametrize(
    "options, word",
    [
        ({"maxsize": -1}, "maxsize"),
        ({"maxsize": "many"}, "maxsize"),
        ({"maxsize": True}, "maxsize"),
        ({"ttl": -1}, "ttl"),
        ({"ttl": float("nan")}, "ttl"),
        ({"ttl": "soon"}, "ttl"),
        ({"policy": "lruu"}, "lru"),
        ({"policy": 5}, "policy"),
        ({"typed": 1}, "typed"),
        ({"sizeof": 3}, "sizeof"),
        ({"maxsiez": 3}, "maxsize"),
        ({"max_bytes": 5}, "max_bytes"),
        ({"name": ""}, "name"),
        ({"cache_if": 1}, "cache_if"),
        ({"cache_exceptions": int}, "cache_exceptions"),
        ({"policy": "ttl"}, "ttl"),
        ({"ignore": 5}, "ignore"),
        ({"cache_exceptions": 3}, "cache_exceptions"),
        ({"copy": 3}, "copy"),
    ],
)
def test_wrong_options_are_told_at_decoration_time(options, word):
    with pytest.raises(ConfigurationError, match=word):
        tc.mcache(**options)(lambda x: x)


def test_what_can_be_read_once_is_refused():
    def generate():
        yield 1

    with pytest.raises(ConfigurationError, match="generator"):
        tc.mcache(generate)
    with pytest.raises(CacheValueError, match="generator"):
        tc.mcache(lambda: generate())()
    with pytest.raises(ConfigurationError, match="function"):
        tc.mcache(maxsize=1)(5)


@pytest.mark.parametrize("options, word", [({"sizeof": len}, "sizeof"), ({"copy": list}, "copy")])
def test_what_tinylfu_cannot_do_is_told_at_decoration_time(options, word):
    with pytest.raises(ConfigurationError, match=f"{word}.*tinylfu"):
        tc.mcache(maxsize=10, policy="tinylfu", **options)(lambda x: x)


def test_tinylfu_tells_types_apart_and_gives_every_caller_a_copy(ran):
    f = tc.mcache(maxsize=10, policy="tinylfu", typed=True, copy=True)(lambda x: ran([type(x)]))
    assert f(1) == [int] and f(1.0) == [float] and f(True) == [bool] and ran.n == 3
    f(1).append(5)
    assert f(1) == [int]


def test_tinylfu_goes_through_bytes(ran):
    f = tc.mcache(maxsize=100, policy="tinylfu")(lambda x: ran([x]))
    assert f(1) == f(1) == [1] and ran.n == 1


@pytest.mark.parametrize(
    "decorate", [tc.mcache, tc.mcache(ttl=60, typed=True), tc.mcache(cache_exceptions=ValueError), tc.bcache]
)
def test_parameters_may_have_any_name(decorate):
    scope = {"decorate": decorate}
    names = "_tc_table _tc_k _tc1_rare _tc_make _tcu0u KeyError TypeError IndexError hash BaseException this".split()
    for name in names:
        exec(
            f"@decorate\ndef f({name}, *, _tc_value=1, **_tc_log): return [{name}, _tc_value, sorted(_tc_log.items())]\n"
            f"@decorate\ndef g(self, *{name}): return [self, {name}]\n",
            scope,
        )
        f, g = scope["f"], scope["g"]
        for _ in range(2):
            assert f(**{name: 3}, _tc_value=5, _tc_append=6) == [3, 5, [("_tc_append", 6)]]
            assert f(3) == [3, 1, []] and g(1, 2) == [1, (2,)] and f([4]) == [[4], 1, []]
        assert f.cache_info().hits == 3 and g.cache_info().hits == 1
        assert f.invalidate(**{name: 3}) and f.cache_key(**{name: 3}) == f.cache_key(3)


def test_receivers_are_positional_only(folder):
    from twat_cache import keys
    from twat_cache.cachetools import cachedmethod
    from twat_cache.decorators import make_key

    assert keys.methodkey(object(), self=1, this=2) == keys.hashkey(self=1, this=2)
    assert make_key(None, serializer=1) == '[[], {"serializer": 1}]'

    class Shop:
        def __init__(self):
            self.kept = {}

        @cachedmethod(lambda shop: shop.kept)
        def price(this, **kwargs):
            return kwargs

    assert Shop().price(self=1) == {"self": 1}
    for decorate in (tc.mcache, tc.bcache(folder_name=folder)):
        f = decorate(lambda self=0, **more: [self, more])
        assert f(self=1, args=2, key=3) == [1, {"args": 2, "key": 3}]
        assert f.invalidate(self=1, args=2, key=3) and f.cache_key(self=1) == f.cache_key(1)
