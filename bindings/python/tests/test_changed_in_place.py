"""Captured objects that change in place: large ones, and objects that reach others."""

from __future__ import annotations

import argparse
import collections
import configparser
import contextvars
import io
import types

import numpy as np
import pytest

import twat_cache as tc


class Box:
    def __init__(self, **own):
        self.__dict__.update(own)


class Slots:
    __slots__ = ("n",)

    def __init__(self, n):
        self.n = n


class Reader:
    def __init__(self):
        self.n, self.inner = 1, Box(n=1)

    def deep(self):
        return self.inner.n

    def hand_on(self, more):
        return _plus(more, self)

    def hand_first(self, more):
        return _plus_of(self, more)

    def through_a_closure(self):
        return (lambda: self.n)()

    def __getitem__(self, _):
        return self.n

    __add__, __len__ = __getitem__, lambda self: self.n


def _plus(more, reader):
    return reader.n + more


def _plus_of(reader, more):
    return reader.n + more


class Items(list):
    pass


def _handed_on(box):
    def read(it):
        return it.n

    return lambda x: read(box)


def _parser():
    parser = configparser.ConfigParser()
    parser.read_dict({"s": {"k": "1"}})
    return parser


# Each: what is captured, a function of it, and a change in place that keeps the length.
LARGE = {
    "list": (lambda: list(range(20_000)), lambda v: lambda x: v[x], lambda v: v.__setitem__(3, 99)),
    "equal item": (lambda: list(range(20_000)), lambda v: lambda x: v[1] is True, lambda v: v.__setitem__(1, True)),
    "dict": (lambda: dict.fromkeys(range(20_000), 0), lambda v: lambda x: v[x], lambda v: v.__setitem__(3, 99)),
    "set": (lambda: set(range(20_000)), lambda v: lambda x: 3 in v, lambda v: (v.discard(3), v.add(-1))),
    "deque": (lambda: collections.deque(range(20_000)), lambda v: lambda x: v[x], lambda v: v.__setitem__(3, 99)),
    "bytearray": (lambda: bytearray(50_000), lambda v: lambda x: v[x], lambda v: v.__setitem__(3, 99)),
    "nested": (lambda: [[n] for n in range(9_000)], lambda v: lambda x: v[x][0], lambda v: v[3].__setitem__(0, 99)),
    "array": (lambda: np.zeros(1 << 18), lambda v: lambda x: float(v[x]), lambda v: v.__setitem__(3, 99)),
    "attribute": (
        lambda: Box(t=list(range(20_000))), lambda v: lambda x: v.t[x], lambda v: v.t.__setitem__(3, 99)
    ),
}  # fmt: skip

REACHED = {
    "object of an object": (lambda: Box(inner=Box(n=1)), lambda v: lambda x: v.inner.n, lambda v: setattr(v.inner, "n", 5)),
    "object in a list": (lambda: [Box(n=1)], lambda v: lambda x: v[0].n, lambda v: setattr(v[0], "n", 5)),
    "object in a dict": (lambda: {"a": Box(n=1)}, lambda v: lambda x: v["a"].n, lambda v: setattr(v["a"], "n", 5)),
    "object in an attribute": (
        lambda: Box(d={"a": Box(n=1)}), lambda v: lambda x: v.d["a"].n, lambda v: setattr(v.d["a"], "n", 5)
    ),
    "slots": (lambda: [Slots(1)], lambda v: lambda x: v[0].n, lambda v: setattr(v[0], "n", 5)),
    "getattr": (lambda: Box(n=1), lambda v: lambda x: getattr(v, "n"), lambda v: setattr(v, "n", 5)),  # noqa: B009
    "vars": (lambda: Box(n=1), lambda v: lambda x: vars(v)["n"], lambda v: setattr(v, "n", 5)),
    "handed on": (lambda: Box(n=1), _handed_on, lambda v: setattr(v, "n", 5)),
    "method": (Reader, lambda v: lambda x: v.deep(), lambda v: setattr(v.inner, "n", 5)),
    "bound method": (lambda: Reader().deep, lambda v: lambda x: v(), lambda v: setattr(v.__self__.inner, "n", 5)),
    "method that hands on": (Reader, lambda v: lambda x: v.hand_on(x), lambda v: setattr(v, "n", 5)),
    "method that hands on first": (Reader, lambda v: lambda x: v.hand_first(x), lambda v: setattr(v, "n", 5)),
    "method with a closure": (Reader, lambda v: lambda x: v.through_a_closure(), lambda v: setattr(v, "n", 5)),
    "item": (Reader, lambda v: lambda x: v[x], lambda v: setattr(v, "n", 5)),
    "operator": (Reader, lambda v: lambda x: v + x, lambda v: setattr(v, "n", 5)),
    "length": (Reader, lambda v: lambda x: len(v), lambda v: setattr(v, "n", 5)),
    "subclass of list": (lambda: Items([Box(n=1)]), lambda v: lambda x: v[0].n, lambda v: setattr(v[0], "n", 5)),
    "items of a subclass": (lambda: Items([Box(n=1)]), lambda v: lambda x: len(v), lambda v: v.append(1)),
    "ChainMap": (lambda: collections.ChainMap({"a": 1}), lambda v: lambda x: v["a"], lambda v: v.__setitem__("a", 5)),
    "UserDict": (lambda: collections.UserDict(a=1), lambda v: lambda x: v["a"], lambda v: v.__setitem__("a", 5)),
    "parser": (_parser, lambda v: lambda x: v["s"]["k"], lambda v: v["s"].__setitem__("k", "5")),
    "text": (lambda: io.StringIO("1"), lambda v: lambda x: v.getvalue(), lambda v: v.write("5")),
    "variable": (lambda: contextvars.ContextVar("n", default=1), lambda v: lambda x: v.get(1), lambda v: v.set(5)),
    "arguments": (lambda: argparse.Namespace(n=1), _handed_on, lambda v: setattr(v, "n", 5)),
    "class": (lambda: type("K", (), {"n": 1}), lambda v: lambda x: v.n, lambda v: setattr(v, "n", 5)),
    "module": (lambda: types.ModuleType("m"), lambda v: lambda x: getattr(v, "__doc__", 0) or v.__doc__,
               lambda v: setattr(v, "__doc__", "n")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", LARGE | REACHED)
def test_a_change_in_place_is_seen_at_the_next_call(kind, folder):
    make, function_of, change = (LARGE | REACHED)[kind]
    value = make()
    f = tc.bcache(folder_name=folder)(function_of(value))
    f(3)
    before = f(3)
    assert f.cache_info().hits == 1, "unchanged, it is found"
    change(value)
    after = f(3)
    assert after == f.__wrapped__(3) and type(after) is type(f.__wrapped__(3)) and after != before
    assert f(3) == after and f.cache_info().hits == 2


@pytest.mark.parametrize(
    "make", [lambda: np.zeros(1 << 22), lambda: [{"n": n} for n in range(100_000)]], ids=["array", "rows"]
)
def test_results_are_not_kept_where_changes_cannot_be_seen(make, folder):
    def memoized(value, **options):
        def read(x):
            return repr(value[x])

        read.__qualname__ += type(value).__name__  # a warning is shown once for each name
        return tc.bcache(folder_name=folder, **options)(read)

    huge = make()
    with pytest.warns(UserWarning, match=r"'value' would take too long .* not kept; .* frozen=True"):
        f = memoized(huge)
    f(3)
    huge[3] = 99
    assert f(3) == f.__wrapped__(3) and f.cache_info().hits == 0 and f.cache_info().currsize == 0
    g = memoized(huge, frozen=True)
    assert g(3) == g(3) == f(3) and g.cache_info().hits == 1


def test_objects_of_libraries_are_not_looked_into(folder):
    """A connection that counts its requests goes on being one connection."""
    import fractions

    number = type("Client", (fractions.Fraction,), {"__module__": "fractions"})(1)
    number.requests = 0
    with pytest.warns(UserWarning, match="'number'"):
        f = tc.bcache(folder_name=folder)(lambda x: len([number]))
    f(1)
    number.requests += 1
    assert f(1) == 1 and f.cache_info().hits == 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_objects_that_reach_themselves_or_very_many_end(folder):
    ring = Box(n=1)
    ring.itself = [ring]
    f = tc.bcache(folder_name=folder)(lambda x: ring.itself[0].n)
    assert f(1) == f(1) == 1 and f.cache_info().hits == 1
    chain = Box(n=1)
    for _ in range(5_000):
        chain = Box(n=1, next=chain)
    for held in (chain, [Box(n=n) for n in range(5_000)]):
        g = _reads(held, folder)
        assert g(1) == g(1) == 1 and g.cache_info().hits == 0


def _reads(held, folder):
    return tc.bcache(folder_name=folder)(lambda x: 1 if held else 0)
