"""Methods in memory, whatever their first parameter is called: apart by instance, and no instance kept alive."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import weakref

import pytest

import twat_cache as tc


class Equal:
    """All alike, as far as ``==`` goes."""

    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return isinstance(other, Equal)

    def __hash__(self):
        return 1


@dataclasses.dataclass
class Unhashable:
    n: int = 0

    @tc.mcache
    def one(this):
        return this.n

    @tc.mcache
    def two(this, x):
        return this.n, x

    @tc.mcache(typed=True)
    def three(this, x=0):
        return this.n, x


class Named(Equal):
    @tc.mcache
    def one(this):
        return this.n

    @tc.mcache(maxsize=1000, policy="sieve")
    def two(this, x):
        return this.n, x

    @tc.mcache(typed=True, ttl=1000)
    def three(this, x=0):
        return this.n, x

    @tc.mcache
    def stars(*args):
        return args[0].n, args[1:]

    @tc.mcache
    def all_stars(*args, **more):
        return args[0].n, args[1:], more

    @property
    @tc.mcache
    def shown(this):
        return this.n

    @tc.mcache(cache_exceptions=ValueError)
    def fails(this):
        raise ValueError(this.n)

    @tc.acache
    async def later(this, x):
        await asyncio.sleep(0.001)
        return this.n, x


def results(one):
    return [one.one(), one.two(1), one.two([1]), one.three(), one.three(x=2)]


def more_results(one):
    failed = []
    for _ in range(2):
        with pytest.raises(ValueError) as caught:
            one.fails()
        failed.append(caught.value.args[0])
    return [one.stars(1), one.all_stars(1, a=2), one.shown, failed, asyncio.run(one.later(1))]


def expected(n):
    return [n, (n, 1), (n, [1]), (n, 0), (n, 2)]


@pytest.mark.parametrize("kind", [Named, Unhashable])
def test_an_instance_never_gets_another_ones_results(kind):
    a, b = kind(1), kind(2)
    for _ in range(3):
        assert results(a) == expected(1) and results(b) == expected(2)
    if kind is Named:
        for _ in range(2):
            assert [more_results(x) for x in (a, b)] == [
                [(n, (1,)), (n, (1,), {"a": 2}), n, [n, n], (n, 1)] for n in (1, 2)
            ]
    for name in ("one", "two", "three"):
        info = vars(kind)[name].cache_info()
        assert info.hits >= 2 * info.misses, (name, info)


def test_equal_instances_that_ask_at_once_wait_for_their_own():
    async def main():
        return await asyncio.gather(*(Named(n).later(5) for n in range(5)))

    assert asyncio.run(main()) == [(n, 5) for n in range(5)]


@pytest.mark.parametrize("kind", [Named, Unhashable])
def test_no_instance_is_kept_alive_and_its_results_leave(kind):
    kept = []
    for n in range(500):
        one = kind(n)
        results(one)
        if kind is Named:
            more_results(one)
        kept.append(weakref.ref(one))
    del one
    gc.collect()
    assert not any(ref() for ref in kept)
    kind(1).two(1)
    assert vars(kind)["two"].cache_info().currsize <= 500


@pytest.mark.parametrize("deco", [tc.mcache, tc.hybrid_cache], ids=lambda deco: deco.__name__)
def test_a_kept_exception_keeps_no_frames_but_its_causes(deco):
    class Local:
        pass

    gone = []

    @deco(cache_exceptions=ValueError, name="kept")
    def fails(x):
        mine = Local()
        gone.append(weakref.ref(mine))
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error

    def call():
        mine = Local()
        gone.append(weakref.ref(mine))
        with pytest.raises(ValueError, match="outer") as caught:
            fails(1)
        assert repr(caught.value.__cause__) == "KeyError('inner')" and caught.value.__traceback__ is not None

    for _ in range(3):
        call()
    gc.collect()
    assert len(gone) == 4 and not any(ref() for ref in gone)


def test_class_methods_and_static_ones():
    class Shop(Equal):
        @classmethod
        @tc.mcache
        def kind(klass):
            return klass.__name__

        @staticmethod
        @tc.mcache(maxsize=10)
        def plain(x, y=1):
            return x, y

        @staticmethod
        @tc.mcache
        def same(shop):
            return shop.n

    class Other(Shop):
        pass

    for _ in range(3):
        assert (Shop.kind(), Other.kind()) == ("Shop", "Other")
        assert Shop.plain(1000 + int("1")) == (1001, 1) and Shop.plain("a") == ("a", 1)
    assert Shop.plain.cache_info() == (4, 2, 10, 2)
    assert Shop.same(Shop(1)) == Shop.same(Shop(2)) == 1, "an argument like any other goes by =="
    gone = weakref.ref(Other)
    del Other
    gc.collect()
    assert gone() is None


def test_methods_of_a_metaclass():
    class Meta(type):
        @tc.mcache
        def title(cls):
            return cls.__name__

        def __eq__(cls, other):
            return True

        def __hash__(cls):
            return 5

    class A(metaclass=Meta):
        pass

    class B(metaclass=Meta):
        pass

    assert [A.title(), B.title(), A.title()] == ["A", "B", "A"] and Meta.title.cache_info().hits == 1


def test_invalidate_and_key_of_such_a_method():
    a, b = Named(7), Named(8)
    assert a.two(5) and b.two(5)
    assert Named.two.invalidate(a, 5) and not Named.two.invalidate(a, 5) and Named.two.invalidate(b, 5)


def test_slots_without_weak_references():
    class Slim:
        __slots__ = ("n",)

        def __init__(self, n):
            self.n = n

        @tc.mcache
        def get(this):
            return this.n

    assert [Slim(i).get() for i in range(20)] == list(range(20))
