"""What a call is bound to: the outermost callable; and what stands for an argument that is omitted."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
from unittest import mock

import pytest

import twat_cache as tc
from twat_cache.exceptions import CacheKeyError, ConfigurationError

MISSING = object()


@pytest.fixture(params=["mcache", "bcache", "engine"])
def deco(request, folder):
    if request.param == "mcache":
        yield tc.mcache
    elif request.param == "bcache":
        yield tc.bcache(folder_name=folder, name="f")
    else:
        with tc.engine_context() as engine:
            yield engine.cache


def wraps(inner, outer):
    return functools.wraps(inner)(outer)


def test_a_wrapper_that_fills_in_an_argument_is_called_as_itself(deco):
    def inner(session, x):
        return [session, x]

    f = deco(wraps(inner, lambda *args, **kwargs: inner("S", *args, **kwargs)))
    assert f(1) == f(1) == ["S", 1] and f(x=2) == ["S", 2]


def test_the_defaults_of_a_wrapper_are_its_own(deco):
    def inner(x, n=1):
        return (x, n)

    f = deco(wraps(inner, lambda x, n=100: inner(x, n)))
    assert f(1) == f(1) == (1, 100) and f(1, 1) == (1, 1) and f(1, n=100) == (1, 100)


def test_parameters_that_a_wrapper_adds_are_part_of_the_key(deco):
    def inner(x):
        return x

    f = deco(wraps(inner, lambda x, times: inner(x) * times))
    assert f(2, times=3) == 6 and f(2, times=4) == 8 and f(2, 3) == 6


def test_a_signature_that_lies_is_not_believed(deco):
    def f(*args, **kwargs):
        return (args, kwargs)

    f.__signature__ = inspect.Signature([inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=5)])
    g = deco(f)
    assert g() == ((), {}) and g(1) == ((1,), {}) and g(x=1) == ((), {"x": 1}) and g(1, 2, z=3) == ((1, 2), {"z": 3})


def test_patched_functions_are_called_as_they_are(deco):
    @mock.patch("os.getcwd", return_value="/patched")
    def f(x, getcwd):
        return (x, getcwd())

    g = deco(f)
    assert g(1) == (1, "/patched") and g(2) == (2, "/patched")


def test_callables_that_are_not_written_in_python(deco):
    assert (
        deco(len)([1, 2]) == 2
        and deco(str)(b"x", "utf-8") == "x"
        and deco(int)("7") == 7
        and deco(int)("11", base=2) == 3
    )


def test_callables_of_other_kinds_are_bound_by_what_is_called(deco):
    def power(x, n=2, *, plus=0):
        return x**n + plus

    class Adder:
        def __init__(self, n):
            self.n = n

        def add(self, x, y=1):
            return self.n + x + y

        def __call__(self, x, y=1):
            return self.n * x * y

    class Counted(type):
        def __call__(cls, *args):
            return ("made", *args)

    partial = deco(functools.partial(power, n=3))
    assert partial(2) == 8 and partial(2, n=4) == 16 and partial(2, plus=1) == 9
    if deco is tc.mcache:
        assert deco(Adder(3))(2) == 6 and deco(Adder(3).add)(2, y=2) == 7
        assert deco(Counted("K", (), {}))(1, 2) == ("made", 1, 2) and deco(Adder)(4).n == 4
        assert deco(mock.Mock(return_value=1))(5) == 1


@pytest.mark.parametrize(
    "default",
    [MISSING, len, logging.getLogger("x"), threading.Lock(), type("Local", (), {}), [MISSING], {1: threading.Lock()}],
    ids=str,
)
def test_a_default_without_a_form_is_no_error_where_it_is_omitted(default, deco, ran):
    def f(x, d=default):
        return ran((x, d is default))

    g = deco(f)
    assert g(1) == g(1) == g(1, default) == (1, True) and ran.n == 1
    assert g(1, None) == (1, False) and g(2) == (2, True) and ran.n == 3


def test_a_default_with_a_form_is_the_argument_that_equals_it(deco, ran):
    g = deco(lambda x, d=..., r=range(3): ran((x, d is ..., list(r))))
    assert g(1) == g(1, ...) == g(1, ..., range(3)) == (1, True, [0, 1, 2]) and ran.n == 1
    assert g(1, None)[1] is False and g(1, ..., range(4))[2] == [0, 1, 2, 3]


def test_an_object_like_the_default_is_not_the_default(folder):
    f = tc.bcache(folder_name=folder, name="f")(lambda x=MISSING: 1)
    f()
    with pytest.raises(CacheKeyError, match="'x'"):
        f(object())
    two = tc.bcache(folder_name=folder, name="f")(lambda y=MISSING: 1)
    assert f.cache_key() != two.cache_key()


def test_numpy_functions_take_what_they_take(deco):
    np = pytest.importorskip("numpy")
    total = deco(np.sum)
    assert total(np.arange(4)) == total(np.arange(4)) == 6 and total(np.arange(4).reshape(2, 2), axis=0).tolist() == [
        2,
        4,
    ]


def test_names_to_ignore_are_found_where_a_callable_says_them(folder):
    assert tc.mcache(ignore=["end"])(functools.partial(lambda x, end: x, end=1))(3) == 3
    with pytest.raises(ConfigurationError, match="nothing"):
        tc.mcache(ignore=["nothing"])(lambda x: x)


def test_coroutine_functions_of_wrappers_too():
    def inner(session, x):
        return [session, x]

    async def outer(*args):
        return inner("S", *args)

    f = tc.acache(wraps(inner, outer))
    assert asyncio.run(f(1)) == ["S", 1]


def test_a_version_is_no_argument(folder, ran):
    f = tc.bcache(folder_name=folder, name="f")(lambda *args: ran(args))
    g = tc.bcache(folder_name=folder, name="f", version=2)(lambda *args: ran(args))
    assert f(1, ("version", 2)) == (1, ("version", 2)) and g(1) == (1,) and ran.n == 2


def test_a_property_is_refused_at_once():
    for found in (property(lambda self: 1), functools.cached_property(lambda self: 1)):
        for deco in (tc.mcache, tc.bcache, tc.fcache, tc.ucache):
            with pytest.raises(ConfigurationError, match="function to decorate"):
                deco(found)
            with pytest.raises(ConfigurationError, match="function to decorate"):
                deco()(found)
