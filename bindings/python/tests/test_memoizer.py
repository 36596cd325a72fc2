"""The memoizer, in either form: keys that misbehave, collected cycles, no leaks, threads, pickling."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import threading
import weakref

import pytest

import twat_cache as tc
from twat_cache._speedups import speed


class Hostile:
    """A key whose comparison does something: ``act`` is called with the memoized function."""

    f = None

    def __init__(self, act, same=False):
        self.act, self.same = act, same

    def __hash__(self):
        return 7

    def __eq__(self, other):
        self.act(type(self).f)
        return self is other or self.same


@pytest.fixture(autouse=True)
def nobody():
    yield
    Hostile.f = None


def fail(_):
    raise ZeroDivisionError


ACTS = {
    "clears": lambda f: f.cache_clear(),
    "calls": lambda f: f(-1),
    "adds": lambda f: [f(object()) for _ in range(20)],
    "collects": lambda _: gc.collect(),
    "removes": lambda f: f.invalidate(-1),
}
OPTIONS = [{}, {"maxsize": 4}, {"maxsize": 4, "policy": "sieve"}, {"maxsize": 4, "ttl": 60}, {"max_bytes": 100_000}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("act", ACTS)
def test_a_comparison_that_changes_the_cache_gives_right_results(act, options):
    f = Hostile.f = tc.mcache(**options)(lambda x: [x])
    keys = [Hostile(ACTS[act]) for _ in range(12)]
    for _ in range(3):
        for key in keys:
            assert f(key)[0] is key
    g = tc.mcache(**options)(lambda x, y=1, **more: [x, y, more])
    for key in keys:
        assert g(key, y=2, z=key) == [key, 2, {"z": key}]
    assert f.cache_info().currsize == len(f.cache.content())
    assert "maxsize" not in options or f.cache_info().currsize <= 4


def test_a_comparison_that_raises_is_the_callers_error():
    f = tc.mcache(maxsize=4)(lambda x: x)
    f(Hostile(fail))
    with pytest.raises(ZeroDivisionError):
        f(Hostile(fail))
    assert f(1) == f(1) == 1


def test_a_function_that_clears_or_calls_itself_keeps_one_result():
    @tc.mcache(maxsize=4)
    def f(x):
        if x == "clear":
            f.cache_clear()
        if x == "call":
            return f("inner") and [x]
        return [x]

    assert f("clear") is f("clear") and f("call") is f("call")


def test_a_cycle_through_the_function_is_collected():
    class Thing:
        pass

    def make():
        thing = Thing()

        @tc.mcache(maxsize=10)
        def f(x):
            return f, thing

        f(1), f([1])
        f.attribute = f
        f.cache_info()
        return weakref.ref(thing), weakref.ref(f)

    thing, f = make()
    gc.collect()
    assert thing() is None and f() is None


@pytest.mark.skipif(speed is None, reason="the closures of the pure form are a cycle, as lru_cache's in Python are")
def test_a_function_without_cycles_ends_without_the_collector():
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    f = tc.mcache(maxsize=10)(lambda x, y=thing: None)
    f(1)
    gc.disable()
    try:
        del f, thing
        assert gone() is None
    finally:
        gc.enable()


def test_a_wrapper_has_attributes_copies_and_a_pickle_like_a_function():
    def f(x):
        """Text."""

    f.mark = 1
    g = tc.mcache(f)
    g.other = 2
    assert (g.mark, g.other, g.__doc__, g.__name__) == (1, 2, "Text.", "f")
    assert {"cache", "cache_info", "invalidate", "__wrapped__"} <= set(vars(g)) and "cache_clear" in dir(g)
    assert copy.copy(g) is g is copy.deepcopy(g) and weakref.ref(g)() is g
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(g)
    with pytest.raises(AttributeError):
        g.nothing  # noqa: B018


def test_a_default_that_is_set_later_is_not_served_for_the_old_one():
    def f(x, y=1):
        return x, y

    g = tc.mcache(f)
    f.__defaults__ = (2,)
    assert g(1) == (1, 1) == g(1, 1)


def test_a_class_that_changes_while_the_function_runs():
    class A:
        pass

    def f(x):
        x.__class__ = type("B", (), {})
        return type(x).__name__

    g = tc.mcache(maxsize=3, typed=True)(f)
    thing = A()
    del A
    assert g(thing) == "B"
    for _ in range(5):
        g(thing)
        gc.collect()


def test_threads_that_hit_miss_clear_and_drop_instances():
    class Shop:
        @tc.mcache(maxsize=50)
        def price(self, x):
            return id(self), x

    @tc.mcache(maxsize=8, ttl=60)
    def f(x, **more):
        return x, more

    wrong = []

    def work(seed):
        for n in range(500):
            shop = Shop()
            if shop.price(n % 3) != (id(shop), n % 3) or f(n * seed % 13, a=seed) != (n * seed % 13, {"a": seed}):
                wrong.append(n)
            if n % 100 == 0:
                f.cache_clear()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 5)]
        [t.start() for t in threads]
        [t.join() for t in threads]
    finally:
        sys.setswitchinterval(interval)
    gc.collect()
    assert not wrong and Shop.price.cache_info().currsize == 0 and f.cache_info().currsize <= 8


LEAKS = """
import gc, sys, twat_cache as tc
class Thing:
    def __init__(self, n): self.n = n
    @tc.mcache(maxsize=20)
    def method(self, x): return [x]
    @tc.mcache(typed=True, ttl=50)
    def other(this, x=1, *a, **k): return [x]
f = tc.mcache(maxsize=16)(lambda x, y=1, *a, **k: [x])
g = tc.mcache(maxsize=16, cache_exceptions=ValueError, typed=True, policy="sieve")(lambda x: 1 // 0 if x == 1 else int("x"))
h = tc.mcache(maxsize=16, ttl=0.00001, callback=lambda *a: None)(lambda x: [x])
def once(n):
    f(n % 40, y=n % 3); f(7); f(7, y=2, z=3); f([n % 5]); h(n % 30)
    for x in (1, 2, n % 7):
        try: g(x)
        except (ValueError, ZeroDivisionError): pass
    try: f()
    except TypeError: pass
    thing = Thing(n)
    thing.method(1); thing.method(x=2); Thing.other(thing, n % 3, k=1); f.invalidate(n % 40, y=n % 3)
    tc.mcache(maxsize=3)(lambda x: x)(1)
def blocks():
    gc.collect(); return sys.getallocatedblocks()
for n in range(3000): once(n)
before = blocks()
for n in range(3000): once(n)
print(blocks() - before)
"""


def test_no_block_is_lost_over_hits_misses_errors_and_instances():
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", LEAKS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500
