"""``cache_exceptions``: what is kept is the exception, and the caller's own is left alone."""

from __future__ import annotations

import gc
import sys
import threading
import traceback
import weakref

import pytest

import twat_cache as tc


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__("x")
        self.a, self.b = a, b


class Formatted(Exception):
    def __init__(self, name):
        super().__init__(f"no such thing: {name}")


class KeywordOnly(Exception):
    def __init__(self, *, code):
        self.code = code


class Slotted(Exception):
    __slots__ = ("code",)

    def __init__(self, code):
        self.code = code


class OwnNew(Exception):
    def __new__(cls, a, b):
        return super().__new__(cls, a)

    def __init__(self, a, b):
        self.b = b


class OwnOS(OSError):
    def __init__(self, what):
        super().__init__(2, "no", "file")
        self.what = what


class CopiesItself(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b

    def __reduce__(self):
        return CopiesItself, (self.args[0], self.b)


def raises(which):
    try:
        raise LookupError("reason")
    except LookupError as reason:
        if which == "decode":
            b"\xff".decode()
        if which == "open":
            open("/nonexistent/file")
        if which == "note":
            error = ValueError("noted")
            error.__notes__ = ["a note"]
            raise error
        if which == "group":
            raise ExceptionGroup("several", [TwoArguments(1, 2), KeywordOnly(code=3)])  # noqa: F821
        made = {
            "two": lambda: TwoArguments(1, 2), "formatted": lambda: Formatted("q"), "keyword": lambda: KeywordOnly(code=7),
            "slots": lambda: Slotted(5), "new": lambda: OwnNew(1, 2), "os": lambda: OwnOS("x"),
            "itself": lambda: CopiesItself(1, 2),
        }  # fmt: skip
        raise made[which]() from reason


def looks(error):
    fields = {name: getattr(error, name, None) for name in ("a", "b", "code", "what", "errno", "filename", "start")}
    inner = [looks(one) for one in getattr(error, "exceptions", ())]
    return type(error), str(error), repr(error.args), fields, getattr(error, "__notes__", None), inner


KINDS = ["two", "formatted", "keyword", "slots", "new", "os", "itself", "decode", "open", "note"]
KINDS += ["group"] if sys.version_info >= (3, 11) else []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("deco", [tc.mcache, tc.bcache, tc.hybrid_cache], ids=lambda deco: deco.__name__)
def test_an_exception_is_kept_whatever_its_class_takes(deco, kind, ran):
    @deco(cache_exceptions=Exception, name=f"{deco.__name__} {kind}")
    def f():
        ran()
        raises(kind)

    seen = []
    for _ in range(3):
        with pytest.raises(Exception) as caught:
            f()
        seen.append(caught.value)
    assert ran.n == 1 and len({id(error) for error in seen}) == 3
    assert looks(seen[0]) == looks(seen[1]) == looks(seen[2])
    assert repr(seen[1].__cause__) == repr(seen[0].__cause__) and repr(seen[1].__context__) == "LookupError('reason')"
    assert "raises" in [frame.name for frame in traceback.extract_tb(seen[0].__traceback__)], (
        "the caller's own is whole"
    )
    assert "raises" not in [frame.name for frame in traceback.extract_tb(seen[1].__traceback__)]


def test_an_exception_that_cannot_be_copied_is_the_callers_and_no_more(ran):
    class Unique(Exception):
        def __copy__(self):
            return self

    @tc.mcache(cache_exceptions=Exception)
    def f():
        ran()
        raise Unique

    for n in (1, 2):
        with pytest.raises(Unique) as caught:
            f()
        assert ran.n == n and traceback.extract_tb(caught.value.__traceback__)[-1].name == "f"


def test_causes_that_cannot_be_pickled_are_left_out_and_the_exception_is_kept(folder, ran):
    class Holds(Exception):
        pass

    @tc.bcache(folder_name=folder, cache_exceptions=ValueError)
    def f():
        ran()
        cause = Holds("a lock")
        cause.lock = threading.Lock()
        raise ValueError("text") from cause

    for _ in range(2):
        with pytest.raises(ValueError, match="text"):
            f()
    assert ran.n == 1


@pytest.mark.parametrize("deco", [tc.mcache, tc.bcache, tc.hybrid_cache], ids=lambda deco: deco.__name__)
def test_the_most_specific_type_decides_whatever_the_order(deco, ran):
    @deco(cache_exceptions={LookupError: None, KeyError: 0, Exception: 0}, name=f"specific {deco.__name__}")
    def f(kind):
        ran()
        raise kind("k")

    for kind, times in ((KeyError, 2), (IndexError, 1), (ValueError, 2)):
        ran.n = 0
        for _ in range(2):
            with pytest.raises(kind):
                f(kind)
        assert ran.n == times


def test_a_kept_exception_holds_no_frames_and_no_locals():
    class Local:
        pass

    refs = []

    @tc.mcache(cache_exceptions=Exception)
    def f():
        local = Local()
        refs.append(weakref.ref(local))
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise TwoArguments(1, 2) from error

    with pytest.raises(TwoArguments):
        f()
    gc.collect()
    assert refs[0]() is None


def test_a_weigher_of_results_is_not_asked_about_exceptions(ran):
    @tc.mcache(max_bytes=2_000_000, sizeof=len, cache_exceptions=ValueError)
    def f():
        ran()
        raise ValueError("text")

    for _ in range(2):
        with pytest.raises(ValueError):
            f()
    assert ran.n == 1


@pytest.mark.parametrize("where", ["bcache", "mcache"])
def test_recursion_goes_about_as_deep_as_with_functools(where, folder):
    import functools

    def depth(deco):
        deepest = 0

        @deco
        def f(n):
            nonlocal deepest
            deepest = max(deepest, n)
            return f(n + 1)

        with pytest.raises(RecursionError):
            f(0)
        return deepest

    ours = depth(tc.bcache(folder_name=folder, name="deep") if where == "bcache" else tc.mcache)
    assert ours > 0.85 * depth(lambda f: functools.wraps(f)(lambda n: f(n)))
