"""Functions of one ``def``: never another one's result, and their own again wherever that can be known."""

from __future__ import annotations

import dataclasses
import functools
import gc
import math
import os
import re
import subprocess
import sys
import warnings
from operator import add

import pytest

import twat_cache as tc
from twat_cache._config import opening
from twat_cache._identity import function_names


class Scale:
    def __init__(self, n):
        self.n = n

    def times(self, x):
        return x * self.n


class Slotted(Scale):
    __slots__ = ()


class Canonical(Scale):
    def __cache_key__(self):
        return ("scale", self.n)


@dataclasses.dataclass
class Data:
    n: int


def twice(x):
    return 2 * x


@tc.mcache
def remembered(x):
    return 3 * x


@functools.lru_cache
def also_remembered(x):
    return 4 * x


def retried(times):
    """A decorator with something of its own inside, as retry libraries have it."""
    state = Scale(times)

    def decorate(func):
        @functools.wraps(func)
        def wrapper(*args):
            return state.times(func(*args))

        return wrapper

    return decorate


@retried(2)
def fetched(x):
    return x


@pytest.fixture(autouse=True)
def _told_anew(monkeypatch):
    monkeypatch.setattr(opening, "_warned", set())


def make(thing):
    return lambda x: (thing, x)


SETTLED = [
    (1, 2), (1, True), ("a", b"a"), ([1, 2], [1, 3]), ([1], (1,)), ({"a": [1]}, {"a": [2]}), ({1, 2}, {1, 3}),
    (Data(1), Data(2)), (Canonical(1), Canonical(2)), (abs, len), (twice, Scale), (remembered, also_remembered),
    (math, os), (functools.partial(add, 1), functools.partial(add, 2)), (re.compile("a"), re.compile("a", re.I)),
    (Canonical(1).times, Canonical(2).times), (make(1), make(2)), ([twice, abs], [abs, twice]), (fetched, twice),
]  # fmt: skip


@pytest.mark.parametrize("one, two", SETTLED, ids=repr)
def test_what_has_a_form_tells_apart_and_finds_its_own_again(one, two, folder, recwarn):
    first, second = tc.bcache(folder_name=folder)(make(one)), tc.bcache(folder_name=folder)(make(two))
    again = tc.bcache(folder_name=folder)(make(one))
    assert len({f.cache.name for f in (first, second)}) == 2 and again.cache.name == first.cache.name
    assert not recwarn.list
    assert "~" in first.cache.name


def test_what_has_a_form_is_found_by_the_next_run(folder, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import functools, re, twat_cache as tc\n"
        "def helper(x): return x\n"
        "def make(*things):\n"
        f"    @tc.bcache(folder_name={folder!r})\n"
        "    def f(x):\n"
        "        print('ran')\n"
        "        return len(things) + x\n"
        "    return f\n"
        "make([1, {'a': (2, {3, 4})}], helper, functools.partial(helper, 1), re.compile('a'), re, len, make)(1)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    runs = [subprocess.check_output([sys.executable, "-c", "import mine"], env=env, text=True) for _ in range(2)]
    assert runs == ["ran\n", ""]


@pytest.mark.parametrize("kind", [Scale, Slotted, lambda n: [Scale(n)], lambda n: Scale(n).times, lambda n: iter([n])])
def test_other_objects_are_never_taken_for_one_another(kind, folder):
    def make(thing):
        def scaled(x):
            return repr(thing), x

        return scaled

    one, two = kind(1), kind(2)
    with pytest.warns(UserWarning, match="'thing'.*this process only.*name=") as told:
        kept = [tc.bcache(folder_name=folder)(make(thing)) for thing in (one, two)]
    assert len(told) == 1 and told[0].filename == __file__, "one def is told of once, where it is decorated"
    assert kept[0](1) != kept[1](1)
    assert [f.cache_info().hits for f in kept] == [0, 0]


def test_one_object_is_known_again_while_it_lives_and_no_longer(folder, ran):
    def make(thing):
        return tc.bcache(folder_name=folder)(lambda x: (ran(x), thing.n)[1])

    with pytest.warns(UserWarning):
        one = Scale(1)
        assert [make(one)(5), make(one)(5)] == [1, 1] and ran.n == 1
        names = set()
        for n in range(50):  # addresses are used again
            del one
            gc.collect()
            one = Scale(n)
            assert make(one)(5) == n
            names.add(make(one).cache.name)
        assert len(names) == 50


def test_what_is_of_one_process_is_not_served_in_the_next(folder, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import sys, twat_cache as tc\n"
        "class Client:\n"
        "    def __init__(self, host): self.host = host\n"
        "def make(client):\n"
        f"    @tc.bcache(folder_name={folder!r})\n"
        "    def f(x): return client.host\n"
        "    return f\n"
        "print(make(Client(sys.argv[1]))(1))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    call = [sys.executable, "-W", "ignore", str(tmp_path / "mine.py")]
    assert [subprocess.check_output([*call, host], env=env, text=True).strip() for host in "ab"] == ["a", "b"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_children_of_a_fork_never_share_an_objects_name(folder):
    def make(thing):
        return tc.bcache(folder_name=folder)(lambda x: thing.n)

    with pytest.warns(UserWarning):
        make(Scale(0))
        reads = []
        for n in (1, 2):
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.write(writer, str(make(Scale(n))(1)).encode())
                os._exit(0)
            os.waitpid(pid, 0)
            reads.append(os.read(reader, 10).decode())
            os.close(reader), os.close(writer)
    assert reads == ["1", "2"]


def test_a_folder_of_its_own_has_the_same_name_in_every_run():
    with pytest.warns(UserWarning):
        f, g = tc.bcache(make(Scale(1))), tc.bcache(make(Scale(2)))
    assert f.cache_parameters()["folder"] == g.cache_parameters()["folder"]
    assert f.cache.name != g.cache.name


@pytest.mark.parametrize(
    "decorate",
    [lambda f: tc.bcache(engine="memory")(f), tc.mcache, lambda f: tc.bcache(name="mine")(f), tc.Cache().memoize()],
)
def test_nobody_is_warned_who_shares_nothing_or_has_given_a_name(decorate, recwarn):
    assert decorate(make(Scale(3)))(1)[1] == 1
    assert not recwarn.list


def test_functions_of_one_engine_or_cache_are_told_apart_too(folder):
    for open_one in (lambda: tc.Cache("disk", path=folder), lambda: tc.Cache("memory")):
        with open_one() as cache, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one, two = (cache.memoize()((lambda s: lambda x: s.n)(Scale(n))) for n in (1, 2))
            assert (one(1), two(1)) == (1, 2)
    with tc.CacheContext() as engine:
        one, two = (engine.cache((lambda s: lambda x: s.n)(Scale(n))) for n in (1, 2))
        assert (one(1), two(1)) == (1, 2)


# Decorators between


def test_a_function_under_another_decorator_keeps_its_plain_name(recwarn):
    # Under @ nothing has the name yet: what the decorator keeps inside is of no matter.
    scope = {"tc": tc, "retried": retried, "__name__": __name__}
    exec(compile("@tc.bcache\n@retried(2)\ndef later_on(x): return x\n", __file__, "exec"), scope)
    # The globals are not the module's, so the file says where the code is from.
    assert scope["later_on"].cache.name.endswith("tests/test_closures.py:__main__.later_on")
    assert scope["later_on"](4) == 8
    assert not recwarn.list


def test_two_wrappers_of_one_function_are_two_functions(folder, recwarn):
    def negated(func):
        @functools.wraps(func)
        def other(x):
            return -func(x)

        return other

    plain, minus = tc.bcache(folder_name=folder)(twice), tc.bcache(folder_name=folder)(negated(twice))
    assert (plain(1), minus(1)) == (2, -2) and not recwarn.list
    with pytest.warns(UserWarning, match="'state'"):
        by = [tc.bcache(folder_name=folder)(retried(n)(twice)) for n in (2, 3)]
    assert [f(1) for f in by] == [4, 6]
    local = [tc.bcache(folder_name=folder)(retried(n)(lambda x: x)) for n in (2, 3)]
    assert [f(1) for f in local] == [2, 3]


def test_a_memoized_function_may_be_kept_on_disk_too(folder, recwarn):
    kept = [tc.bcache(folder_name=folder)(f) for f in (remembered, also_remembered, tc.mcache(make(1)))]
    assert [f(1) for f in kept] == [3, 4, (1, 1)] and not recwarn.list
    assert kept[0].cache.name == f"twat-cache:{__name__}.remembered"


def test_recursion_and_classes_have_their_own_name_only(folder, recwarn):
    def outer():
        @tc.bcache(folder_name=folder)
        def down(n):
            return n and down(n - 1)

        return down

    class Base:
        @tc.bcache(folder_name=folder, ignore="self")
        def f(self, x):
            return __class__.__name__ + x

    assert outer()(3) == 0 and Base().f("x") == "Basex" and not recwarn.list
    assert outer().cache.name == outer().cache.name


def test_what_is_bound_later_cannot_be_told(folder):
    def make(n):
        @tc.bcache(folder_name=folder)
        def f(x):
            return g(x)

        def g(x):
            return x * n

        return f

    with pytest.warns(UserWarning, match="'g'"):
        assert [make(2)(1), make(3)(1)] == [2, 3]


def test_local_classes_are_not_what_their_name_says(folder):
    def make(n):
        class Local:
            value = n

        return tc.bcache(folder_name=folder)(lambda x: Local.value)

    with pytest.warns(UserWarning, match="'Local'"):
        assert [make(1)(0), make(2)(0)] == [1, 2]


def test_what_is_captured_and_holds_itself_does_not_hang(folder):
    loop = []
    loop.append(loop)
    with pytest.warns(UserWarning, match="'thing'"):
        tc.bcache(folder_name=folder)(make(loop))

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert tc.bcache(folder_name=folder)(even)(4) is True
    assert function_names.function_name(even) == function_names.function_name(even)
