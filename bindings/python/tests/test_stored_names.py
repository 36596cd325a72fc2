"""Names and keys in stores: never another function's result, and the same key in every run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import twat_cache as tc
from twat_cache._identity import call_keys, function_names
from twat_cache.exceptions import CacheKeyError, ConfigurationError


class Custom:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is Custom and other.x == self.x


def test_functions_of_one_folder_never_mix(folder):
    def make(n):
        def inner(x):
            return n

        return inner

    one, two = tc.bcache(folder_name=folder)(lambda x: 1), tc.bcache(folder_name=folder)(lambda x: 2)
    three = tc.bcache(folder_name=folder, name="three")(make(3))
    four = tc.bcache(folder_name=folder)(len)
    assert [f("a") for f in (one, two, three, four)] == [1, 2, 3, 1]
    one.cache_clear()
    assert two("a") == 2 and two.cache_info().hits == 1


def test_names_of_functions():
    def inner():
        pass

    assert function_names.function_name(len) == "builtins.len"
    assert function_names.function_name(inner).startswith(
        f"twat-cache:{__name__}.test_names_of_functions.<locals>.inner@"
    )
    a, b = (lambda x: 1), (lambda x: 2)
    assert function_names.function_name(a) != function_names.function_name(b)
    scope = {"__name__": "__main__"}
    exec("def f(x): return 1", scope)
    first = function_names.function_name(scope["f"])
    exec("def f(x): return 2", scope)
    assert first != function_names.function_name(scope["f"]) and first.startswith("__main__.f#")


def test_functions_of_one_def_are_told_apart_by_what_they_captured(folder, ran):
    def make(n, op):
        calls = 0

        def scaled(x):
            nonlocal calls
            calls += 1
            return op(ran(x)) * n

        return scaled

    one, two, minus = make(1, abs), make(2, abs), make(1, lambda x: -x)
    kept = [tc.bcache(folder_name=folder)(f) for f in (one, two, minus)]
    assert [f(3) for f in kept] == [3, 6, -3] and ran.n == 3
    again = tc.bcache(folder_name=folder)(two)
    assert again(3) == 6 and ran.n == 3, "a variable that the function rebinds is no part of its name"
    assert function_names.function_name(one) == function_names.function_name(make(1, abs))


@pytest.mark.parametrize("kind", ["script", "stdin"])
def test_scripts_and_prompts_in_one_folder_never_share_by_accident(kind, folder, tmp_path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(result, where):
        text = f"import twat_cache as tc\n@tc.bcache(folder_name={folder!r})\ndef f(x):\n    return {result}\nprint(f(1))\n"
        if kind == "stdin":
            return subprocess.check_output([sys.executable, "-"], input=text, env=env, text=True).strip()
        path = tmp_path / where
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return subprocess.check_output([sys.executable, str(path)], env=env, text=True).strip()

    assert run(1, "a/main.py") == "1" and run(2, "b/main.py") == "2"


def test_arguments_without_a_canonical_form_name_themselves_and_the_ways_out(folder):
    f = tc.bcache(folder_name=folder)(lambda first, second=1: 1)
    with pytest.raises(CacheKeyError, match=r"'second'.*Custom.*key=.*ignore="):
        f(1, Custom(1))
    assert tc.bcache(folder_name=folder, ignore=("second",), name="a")(lambda first, second: 1)(1, Custom(1)) == 1
    assert tc.bcache(folder_name=folder, key=lambda c: c.x, name="b")(lambda c: c.x)(Custom(5)) == 5

    class Named:
        def __cache_key__(self):
            return "stands for it"

    assert f(Named()) == 1 and f(Named()) == 1 and f.cache_info().hits == 1
    loop = []
    loop.append(loop)
    with pytest.raises(CacheKeyError, match="'first'"):
        f(loop)


def test_version_and_code_hash_tell_old_results_from_new(folder, ran):
    def f(x):
        return ran(x)

    for version in (1, 2, 1):
        tc.bcache(folder_name=folder, name="f", version=version)(f)(1)
    assert ran.n == 2
    a, b = (lambda x: ran(x)), (lambda x: ran(x) and x)
    for g in (a, b, a):
        tc.bcache(folder_name=folder, name="g", code_hash=True)(g)(1)
    assert ran.n == 4


def test_a_method_on_disk_wants_to_know_what_its_instance_is(folder):
    class Shop:
        def __init__(self, n):
            self.n = n

        @tc.bcache(folder_name=folder, name="price")
        def price(self, x):
            return self.n * x

    with pytest.raises(CacheKeyError, match="self"):
        Shop(1).price(2)

    class Known(Shop):
        def __cache_key__(self):
            return self.n

    assert Known(2).price(3) == 6 and Known(3).price(3) == 9


def test_hit_does_not_depend_on_the_order_of_a_set_or_dict(folder, ran):
    f = tc.bcache(folder_name=folder)(lambda x: ran(1))
    f({"a": 1, "b": 2}), f({"b": 2, "a": 1}), f({"x", "y", "z"}), f({"z", "y", "x"})
    assert ran.n == 2


def test_namespace_of_a_long_name():
    assert call_keys.namespace_of("short") == "short"
    long = call_keys.namespace_of("é" * 300)
    assert len(long.encode()) <= 200 and long != call_keys.namespace_of("é" * 301)


def test_callables_that_are_no_functions(folder, ran):
    import functools

    class Adder:
        def __init__(self, n):
            self.n = n

        def add(self, x):
            return self.n + x

        def __call__(self, x):
            return self.n * x

    assert tc.mcache(Adder)(3).n == 3 and tc.mcache(functools.partial(pow, 2))(3) == 8 and tc.mcache(Adder(2))(4) == 8
    for odd in (functools.partial(pow, 2), Adder(2), Adder(2).add):
        with pytest.raises(ConfigurationError, match="name"):
            tc.bcache(folder_name=folder)(odd)
        assert tc.bcache(folder_name=folder, name=f"n{ran.n}")(odd)(3) == odd(3)
        ran()
