"""An exception from outside at any moment: the next call restores the bound, and the store goes on."""

from __future__ import annotations

import concurrent.futures
import functools
import random
import signal
import sys
import time

import pytest

import twat_cache as tc
from twat_cache._ffi import policy as _policy
from twat_cache._memoize import live, live_table, native_results, pure_results
from twat_cache._speedups import speed


class Late(Exception):
    pass


OURS = {one.__file__ for one in (live_table, native_results, live, _policy, pure_results)}


class Interrupter:
    """Raises at the n-th instruction of our own code."""

    def __init__(self, at):
        self.left = at

    def __call__(self, frame, event, arg):
        if frame.f_code.co_filename not in OURS:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                raise Late
        return self


def in_a_thread(test):
    """Runs a test in a thread of its own: raising in the midst of an ``except`` leaves that thread's state behind."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(test, *args, **kwargs).result()

    return run


def interrupted_calls(f, calls, at):
    before = sys.gettrace()
    interrupter = Interrupter(at)
    sys.settrace(interrupter)
    try:
        for call in calls:
            f(call)
    except Late:
        pass
    finally:
        sys.settrace(before)
    return interrupter.left <= 0


def consistent(store):
    """Dictionary, places and core agree."""
    assert not store.inside
    slots = {live_table._slot(entry) for entry in store.table.values()}
    assert slots == set(store.place) and len(store.table) == len(slots)
    if store.policy is not None:
        assert store.policy.stats()["entries"] == len(slots)
    if store.needs == live_table._MARK:
        marked = [id(entry) for entry in store.marked]
        assert all(id(entry) in marked for entry in store.table.values() if entry[live_table.MARKED])
    if store.ttl is not None:
        assert {slot for _, slot in store._deadlines} >= slots


def bounded(memo):
    """Both forms: what is stored and what the core counts."""
    results = memo.results
    if speed is None and results.instances is None:
        consistent(results.store)
    rows = results.content()
    slots = {slot for _, _, slot in rows}
    figures = memo.figures()
    assert figures is None or (figures["entries"] == len(rows) == len(slots))
    assert memo.info().currsize == len(rows)


KINDS = {
    "lru": {"maxsize": 8}, "lfu": {"maxsize": 8, "policy": "lfu"}, "sieve": {"maxsize": 8, "policy": "sieve"},
    "s3fifo": {"maxsize": 8, "policy": "s3fifo"}, "mru": {"maxsize": 8, "policy": "mru"}, "ttl": {"maxsize": 8, "ttl": 60},
    "only ttl": {"ttl": 60},
}  # fmt: skip


def interruptible(x):
    # In the native part an interrupt can only come in Python code, so there is some.
    return [Key.of(x)]


class Key(int):
    """A key whose comparison is Python code."""

    of = classmethod(lambda cls, x: x)

    def __eq__(self, other):
        return int(self) == int(other)

    def __hash__(self):
        return int(self) % 5


OURS.add(__file__)


@pytest.mark.parametrize("kind", KINDS)
@in_a_thread
def test_an_interrupt_at_any_instruction_leaves_the_bound_to_the_next_call(kind):
    rng = random.Random(5)
    inner = (lambda x: [x]) if speed is None else interruptible
    f = tc.mcache(**KINDS[kind])(inner)
    n = hit = 0
    for round_ in range(300):
        calls = [n + i if rng.random() < 0.7 else max(0, n - rng.randrange(6)) for i in range(3)]
        calls = [*map(Key, calls)] if speed is not None else calls
        hit += interrupted_calls(f, calls, rng.randrange(1, 400 if speed is None else 100))
        n += 3
        if round_ % 7 == 0:
            interrupted_calls(f.invalidate, calls, rng.randrange(1, 120))
        if round_ % 31 == 0:
            interrupted_calls(lambda _: f.cache_clear(), [0], rng.randrange(1, 120))
        n += 1
        f(n)
        bounded(f.cache)
        assert kind == "only ttl" or f.cache_info().currsize <= 8
        assert f(n) == [n]
    assert hit > 60


@in_a_thread
def test_an_interrupt_leaves_no_weight_behind():
    rng = random.Random(7)
    store = live_table.ObjectStore(max_bytes=100_000, sizeof=lambda cost: cost)
    for n in range(400):
        weights = [rng.choice((500, 1000, 20_000, 90_000, 100_001)) for _ in range(4)]
        interrupted_calls(lambda weight: store.put((n, weight), weight), weights, rng.randrange(1, 900))
        for i in range(rng.randrange(150)):
            store.put((n, "small", i), 600)
        store.put(n, 700)
        consistent(store)
        assert sum(entry[0] for entry in store.table.values()) <= 100_000 and n in store.table
        assert store.policy.stats()["bytes"] == sum(entry[0] for entry in store.table.values())


@in_a_thread
def test_methods_keep_their_bound_too():
    rng = random.Random(9)

    class Shop:
        @tc.mcache(maxsize=8)
        def price(self, x):
            return [x]

    shops = [Shop() for _ in range(3)]
    memo = Shop.price.cache
    for n in range(200):
        interrupted_calls(shops[n % 3].price, [n, n + 1], rng.randrange(1, 300))
        shops[0].price(-n - 1)
        bounded(memo)
        assert memo.info().currsize <= 8
        if speed is None:
            results = memo.results
            tables = sum(len(table) for table in results.instances.tables.values())
            assert not results.store.inside and tables == len(results.store.place)


def test_what_runs_in_the_midst_of_a_change_is_still_put_off():
    class Calls:
        def __eq__(self, other):
            f(-1)
            return self is other

        def __hash__(self):
            return 1

    f = tc.mcache(maxsize=4)(lambda x: x)
    keys = [Calls() for _ in range(10)]
    for key in keys:
        assert f(key) is key
    bounded(f.cache)
    assert f.cache_info().currsize <= 4


def test_a_key_whose_comparison_fails_leaves_no_trace():
    class Bad:
        def __eq__(self, other):
            raise ValueError("no comparison")

        def __hash__(self):
            return 1

    f = tc.mcache(maxsize=4)(lambda x: 1)
    f(Bad())
    for _ in range(20):
        with pytest.raises(ValueError):
            f(Bad())
    for n in range(10):
        f(n + 2)
    assert f.cache_info().currsize <= 4


def test_an_interrupted_call_does_not_keep_a_store_from_closing(folder):
    cache = tc.Cache("disk", folder)
    cache["a"] = 1
    rng = random.Random(3)

    def handler(*_):
        raise Late

    before = signal.signal(signal.SIGALRM, handler)
    end = time.monotonic() + 1
    try:
        while time.monotonic() < end:
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(20e-6, 200e-6))
                while True:
                    cache.get("a"), "a" in cache, cache.touch("a")
            except Late:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not cache._store._busy
    cache.close()
