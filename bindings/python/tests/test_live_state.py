"""Functions that live side by side, and what they captured: read when they are called, not when they were decorated."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

import twat_cache as tc
from twat_cache._config import opening


@pytest.fixture(autouse=True)
def _told_anew(monkeypatch):
    monkeypatch.setattr(opening, "_warned", set())


@pytest.fixture
def script(tmp_path):
    env = {
        **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TWAT_CACHE_DIR": str(tmp_path / "cache"),
        "XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONWARNINGS": "ignore",
    }  # fmt: skip

    def run(text, name="a.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


# Two definitions of one name

HANDLERS = """
    from twat_cache import bcache
    R = {}
    def on(name):
        return lambda f: R.setdefault(name, f)
    def by(n):
        def decorate(f):
            import functools
            @functools.wraps(f)
            def inner(x): return n, f(x)
            return inner
        return decorate
"""


def test_two_handlers_of_one_name_are_two_functions_in_every_run(script):
    a = '@on("a")\n    @bcache\n    def _(x): return "a", x\n'
    b = '@on("b")\n    @bcache\n    def _(x): return "b", x\n'
    end = "    print([R[n](1) for n in sorted(R)], [R[n].cache_info().hits for n in sorted(R)])\n"
    head = HANDLERS + "    "
    assert script(head + a + "    " + b + end) == "[('a', 1), ('b', 1)] [0, 0]"
    assert script(head + b + "    " + a + end) == "[('a', 1), ('b', 1)] [1, 1]"
    # The first definition is taken away: the other one does not inherit its name.
    assert script(head + b + end).startswith("[('b', 1)]")


@pytest.mark.parametrize(
    "body",
    [
        "@on('a')\n@bcache\n@by(1)\ndef h(x): return x\n@on('b')\n@bcache\n@by(2)\ndef h(x): return x\n",
        "class A:\n    @staticmethod\n    @on('a')\n    @bcache\n    def h(x): return 1, x\n"
        "class A:\n    @staticmethod\n    @on('b')\n    @bcache\n    def h(x): return 2, x\n",
        "def make():\n    @on('a')\n    @bcache\n    def h(x): return 1, x\n    @on('b')\n    @bcache\n    def h(x): return 2, x\nmake()\n",
        "for text in ('1', '2'):\n    exec(f'@on({text!r})\\n@bcache\\ndef h(x): return {text}, x')\n",
        "T = '@on({0!r})\\n@bcache\\ndef h(x): return {0}, x'\n"
        "for n in (1, 2):\n    exec(compile(T.format(n), __file__, 'exec'), globals())\n",
        "def h(x): return 1, x\nR['a'] = h\ndef h(x): return 2, x\nR['b'] = h\nR = {n: bcache(f) for n, f in R.items()}\n",
        "for n in (1, 2):\n    class A:\n        K = n\n        @classmethod\n        def f(cls, x): return cls.K, x\n"
        "    R[n] = bcache(A.f)\n",
        "def make(k):\n    class A:\n        K = k\n        @bcache(ignore='self')\n        def f(self, x): return __class__.K, x\n"
        "    return A().f\nR[1], R[2] = make(1), make(2)\n",
    ],
)
def test_functions_of_one_name_that_live_side_by_side(body, script):
    text = textwrap.dedent(HANDLERS) + body + "print([f(5) for f in R.values()], [f(5) for f in R.values()])\n"
    for _ in range(2):
        assert script(text) == "[(1, 5), (2, 5)] [(1, 5), (2, 5)]"


def test_a_stub_of_an_overload_does_not_take_the_name(script):
    text = "import typing\nfrom twat_cache import bcache\n@typing.overload\ndef f(x: int) -> int: ...\n"
    text += "@bcache\ndef f(x): return x\nprint(f.cache.name)\n"
    assert script(text).endswith("a.py:__main__.f")


# Captured: rebound, changed in place, defaults


def test_a_variable_that_is_bound_anew(folder, ran):
    def late(n):
        scale = 1

        @tc.bcache(folder_name=folder)
        def f(x):
            return ran(x) * scale

        def rebind(value):
            nonlocal scale
            scale = value

        scale = n
        return f, rebind

    f, rebind = late(10)
    g, _ = late(100)
    assert (f(1), g(1), f(1)) == (10, 100, 10) and ran.n == 2
    rebind(100)
    assert f(1) == 100 and ran.n == 2, "the function is now what the other one is"
    rebind("a")
    assert f(2) == "aa"


class Box:
    def __init__(self, n):
        self.n = n

    def times(self, x):
        return self.n * x


class Slots:
    __slots__ = ("__weakref__", "n")

    def __init__(self, n):
        self.n = n


def _set(name):
    return lambda thing: setattr(thing, name, 7)


def _of_helper(change):
    def make(folder):
        def helper(x, k=1, *, w=1):
            return x * k * w * getattr(helper, "rate", 1)

        return tc.bcache(folder_name=folder)(lambda x: helper(x)), lambda: change(helper)

    return make


def _of(thing, change, read):
    def make(folder):
        mine = thing()
        return tc.bcache(folder_name=folder)(lambda x: read(mine, x)), lambda: change(mine)

    return make


def _direct(thing, change):
    def make(folder):
        mine = thing()
        return tc.bcache(folder_name=folder)(lambda x: mine.n * x), lambda: change(mine)

    return make


def _by_method(folder):
    mine = Box(2)
    return tc.bcache(folder_name=folder)(lambda x: mine.times(x)), lambda: setattr(mine, "n", 7)


def _bound_method(folder):
    mine = Box(2)
    times = mine.times
    return tc.bcache(folder_name=folder)(lambda x: times(x)), lambda: setattr(mine, "n", 7)


def _helper_of_helper(folder):
    rates = {"a": 1}

    def inner(x):
        return rates["a"] * x

    def outer(x):
        return inner(x)

    return tc.bcache(folder_name=folder)(lambda x: outer(x)), lambda: rates.update(a=7)


def _opaque_helper(folder):
    box = Box(1)

    def helper(x):
        return box.n * x

    def rebind():
        nonlocal box
        box = Box(7)

    return tc.bcache(folder_name=folder)(lambda x: helper(x)), rebind


def _array(change):
    def make(folder):
        np = pytest.importorskip("numpy")
        mine = np.ones(4)
        return tc.bcache(folder_name=folder)(lambda x: float(mine.sum()) * x), lambda: change(mine)

    return make


CHANGED = {
    "dict": _of(lambda: {"a": 1}, lambda d: d.update(a=7), lambda d, x: d["a"] * x),
    "nested list": _of(lambda: [[1]], lambda d: d[0].append(7), lambda d, x: sum(d[0]) * x),
    "set": _of(set, lambda d: d.add(7), lambda d, x: sum(d) * x),
    "attribute": _direct(lambda: Box(1), _set("n")),
    "slot": _direct(lambda: Slots(1), _set("n")),
    "attribute that a method reads": _by_method,
    "attribute behind a bound method": _bound_method,
    "objects in a list": _of(lambda: [Box(1)], lambda d: d.append(Box(7)), lambda d, x: sum(b.n for b in d) * x),
    "default": _of_helper(lambda f: setattr(f, "__defaults__", (7,))),
    "keyword default": _of_helper(lambda f: f.__kwdefaults__.update(w=7)),
    "keyword defaults": _of_helper(lambda f: setattr(f, "__kwdefaults__", {"w": 7})),
    "attribute of a function": _of_helper(_set("rate")),
    "code": _of_helper(lambda f: setattr(f, "__code__", _with_helper().__code__)),
    "what a helper's helper captured": _helper_of_helper,
    "what a helper captured without a form": _opaque_helper,
    "array": _array(lambda a: a.fill(7)),
}


def _with_helper():
    helper = None

    def other(x, k=1, *, w=1):
        return x * 7 if helper is not None else 0

    return other


@pytest.mark.parametrize("kind", CHANGED)
def test_what_a_function_captured_and_somebody_changed(kind, folder):
    f, change = CHANGED[kind](folder)
    before = f(1)
    assert f(1) == before and f.cache_info().hits == 1, "unchanged, it is found"
    change()
    after = f(1)
    assert after != before and after == f.__wrapped__(1)
    assert f(1) == after and f.cache_info().hits == 2


def test_what_a_function_only_writes_to_is_no_part_of_its_name(folder, recwarn):
    def make():
        calls, seen, count = [], {}, {"n": 0}

        @tc.bcache(folder_name=folder)
        def f(x):
            calls.append(x)
            seen[x] = True
            count["n"] += 1
            return x

        return f, calls

    f, calls = make()
    assert [f(1), f(1), f(2), f(1)] == [1, 1, 2, 1] and calls == [1, 2]
    g, more = make()
    assert g(1) == 1 and more == [] and not recwarn.list


def test_an_inner_variable_of_the_same_name_is_not_what_was_captured(folder):
    def make(n):
        @tc.bcache(folder_name=folder)
        def f(x):
            def inner():
                n = 5

                def innermost():
                    nonlocal n
                    n += 1
                    return n

                return innermost()

            return inner() + g(x)

        def g(x):
            return x * n

        g_of = [g]
        return tc.bcache(folder_name=folder)(lambda x: g_of[0](x) + n), f

    with pytest.warns(UserWarning, match="'g'"):
        (one, _), (two, _) = make(2), make(3)
    assert (one(1), two(1)) == (4, 6)


def test_large_objects_stay_in_the_process_unless_they_are_frozen(folder, recwarn):
    def make(**options):
        large = list(range(20_000))
        return tc.bcache(folder_name=folder, **options)(lambda x: large[x]), large

    with pytest.warns(UserWarning, match=r"'large' would take too long.*frozen=True"):
        f, large = make()
    assert f(3) == 3 and f(3) == 3 and f.cache_info().hits == 1
    g, _ = make()
    assert g(3) == 3 and g.cache_info().hits == 0
    large.append(1)
    f(3)
    assert f.cache_info().hits == 1, "another length is seen"
    recwarn.clear()
    h, i = make(frozen=True)[0], make(frozen=True)[0]
    assert h(3) == i(3) == 3 and i.cache_info().hits == 1 and not recwarn.list


def test_a_fork_does_not_share_what_stands_for_a_live_object(folder):
    box = Box(1)
    with pytest.warns(UserWarning, match="'box'"):
        f = tc.bcache(folder_name=folder)(lambda x: box.__dict__["n"] * x)
    assert f(1) == 1
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        box.n = 5
        os.write(writer, str(f(1)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 9) == b"5" and f(1) == 1
    os.close(reader), os.close(writer)


def test_contexts_and_caches_read_what_was_captured_too(folder):
    rates = {"a": 1}
    with tc.Cache("disk", path=folder) as cache, tc.CacheContext() as engine:
        f, g = cache.memoize()(lambda x: rates["a"] * x), engine.cache(lambda x: rates["a"] * x)
        assert (f(1), g(1)) == (1, 1)
        rates["a"] = 2
        assert (f(1), g(1)) == (2, 2)
        f.cache_clear()
        rates["a"] = 1
        assert f(1) == 1 and f.cache_info() == (0, 1, None, 1)


# Code without a file

NOTEBOOK = """
import sys
from twat_cache import bcache
def cell(text, number=[0]):
    number[0] += 1
    exec(compile(text, f"/tmp/ipykernel_77/{number[0]}.py", "exec"), sys.modules["__main__"].__dict__)
cell(CONSTANTS)
cell('''
import math as m
def helper(x): return x * RATE
class Kind:
    factor = 1
    def of(self, x): return x * self.factor * RATE
@bcache
def f(x):
    print("ran", end=" ")
    log.append(x)
    return helper(x) + Kind().of(x) + TABLE["a"] + m.floor(1.5)
''')
print(f(1), f(1))
"""


def test_cells_of_one_text_in_two_notebooks_that_read_other_globals(tmp_path):
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TWAT_CACHE_DIR": str(tmp_path),
        "PYTHONWARNINGS": "error::UserWarning",
    }

    def run(constants, more=""):
        text = NOTEBOOK.replace("CONSTANTS", repr("log = []\n" + constants)) + more
        done = subprocess.run([sys.executable, "-"], input=text, capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    one, two, three = "RATE = 1\nTABLE = {'a': 0}\n", "RATE = 10\nTABLE = {'a': 0}\n", "RATE = 1\nTABLE = {'a': 5}\n"
    assert [run(each) for each in (one, two, three)] == ["ran 3 3", "ran 21 21", "ran 8 8"]
    assert [run(each) for each in (one, two, three)] == ["3 3", "21 21", "8 8"]
    assert (
        run(one, "RATE = 10\nprint(f(1))\nRATE = 1\nprint(f(1))\nKind.factor = 3\nprint(f(1))\n")
        == "3 3\nran 21\n3\nran 5"
    )
    changed = "cell('def helper(x): return -x')\nprint(f(1))\n"
    assert run(one, changed) == "3 3\nran 1"


def test_a_notebook_that_its_front_end_names(tmp_path, monkeypatch):
    from twat_cache._identity import function_names

    scope = sys.modules["__main__"].__dict__
    monkeypatch.setitem(scope, "__vsc_ipynb_file__", str(tmp_path / "a.ipynb"))
    monkeypatch.setitem(scope, "__spec__", None)  # as IPython makes the module
    monkeypatch.delitem(scope, "__file__", raising=False)
    exec(compile("def of_a_cell(x): return 1", "<cell>", "exec"), scope)
    assert function_names.function_name(scope.pop("of_a_cell")).startswith(f"{tmp_path}/a.ipynb:__main__.of_a_cell#")


def test_what_a_cell_reads_and_has_no_form_stays_in_the_process(folder):
    scope = {"__name__": "__main__", "box": Box(2)}
    exec("def f(x): return box.n * x", scope)
    with pytest.warns(UserWarning, match="'box'"):
        f = tc.bcache(folder_name=folder)(scope["f"])
    assert f(1) == 2
    scope["box"] = Box(3)
    assert f(1) == 3
    scope["box"].n = 4
    assert f(1) == 4
