"""bcache, fcache and what they share: folders, names, values, fallbacks, safety."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

import twat_cache as tc
from twat_cache import _codec, _keys, _names, _secret
from twat_cache.exceptions import CacheKeyError, ConfigurationError, EngineError, SerializationError


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


@dataclasses.dataclass(frozen=True)
class Fixed:
    x: int


Pair = collections.namedtuple("Pair", "a b")


class Colour(enum.Enum):
    RED = 1


class Custom:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is Custom and other.x == self.x


VALUES = [
    None, False, True, 0, -(2**70), 1.5, "text", b"bytes", [1, (2, {3})], {"a": {1: None}}, frozenset([1]),
    Decimal("1.50"), dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 12), dt.timedelta(1, 2, 3), Path("/a"), 1 + 2j,
    Point(1, 2.5), Fixed(3), Pair(1, [2]), Colour.RED, Custom(4), collections.OrderedDict(a=1), range(3),
    {"nested": [Point(1), Custom(2)]}, bytearray(b"x"), ValueError, b"x" * 100_000, "y" * 200_000,
]  # fmt: skip


@pytest.mark.parametrize("deco", [tc.bcache, tc.fcache])
@pytest.mark.parametrize("compress", [False, True])
def test_every_kind_of_value_comes_back_equal_and_of_its_type(deco, compress, folder, ran):
    f = deco(folder_name=folder, compress=compress)(lambda i: ran(VALUES[i]))
    for i, value in enumerate(VALUES):
        first, second = f(i), f(i)
        assert first is value and second == value and type(second) is type(value), value
    assert ran.n == len(VALUES) and f.cache_info().hits == len(VALUES)


def test_arrays_are_views_of_the_file_and_frames_come_back(folder, ran):
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    make = {
        "plain": lambda: np.arange(10_000.0).reshape(100, 100),
        "fortran": lambda: np.asfortranarray(np.arange(6).reshape(2, 3)),
        "empty": lambda: np.zeros((0, 3)),
        "scalar": lambda: np.array(5),
        "text": lambda: np.array(["a", "bc"]),
        "objects": lambda: np.array([{"a": 1}, None], dtype=object),
        "records": lambda: np.zeros(3, dtype=[("a", "<i4"), ("b", "<f8")]),
        "frame": lambda: pd.DataFrame({"a": range(1000), "b": np.arange(1000.0), "c": ["x"] * 1000}),
        "series": lambda: pd.Series([1.5, 2.5], name="s"),
    }
    f = tc.fcache(folder_name=folder)(lambda kind: ran(make[kind]()))
    for kind in make:
        first, second = f(kind), f(kind)
        if kind in ("frame", "series"):
            assert first.equals(second) and type(first) is type(second)
        else:
            assert first.dtype == second.dtype and first.shape == second.shape and (first == second).all(), kind
    assert ran.n == len(make)
    view = f("plain")
    assert not view.flags.writeable and view.ctypes.data % 64 == 0
    own = tc.fcache(folder_name=folder + "2", mmap=False)(lambda: np.arange(10))
    own(), own()[:].sort()
    assert own().flags.writeable


def test_a_mapped_array_outlives_its_entry_and_its_store(folder):
    np = pytest.importorskip("numpy")
    f = tc.fcache(folder_name=folder)(lambda n: np.arange(n))
    f(100_000)
    view = f(100_000)
    f.cache_clear()
    f.cache.store.close()
    assert view[-1] == 99_999 and view.sum() == 99_999 * 50_000


def test_results_survive_the_process_and_the_folder_is_private(folder):
    code = f"""if True:
        import twat_cache as tc
        f = tc.bcache(folder_name={folder!r}, name="report")(lambda x: print("ran") or {{"x": (x,)}})
        print(f(1), f(x=1))
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    out = [subprocess.check_output([sys.executable, "-c", code], env=env, text=True) for _ in range(2)]
    assert out[0].startswith("ran\n") and out[1] == out[0].removeprefix("ran\n")
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in Path(folder).rglob("*"))


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

    assert _names.function_name(len) == "builtins.len"
    assert _names.function_name(inner).startswith(f"{__name__}.test_names_of_functions.<locals>.inner@")
    a, b = (lambda x: 1), (lambda x: 2)
    assert _names.function_name(a) != _names.function_name(b)
    scope = {"__name__": "__main__"}
    exec("def f(x): return 1", scope)
    first = _names.function_name(scope["f"])
    exec("def f(x): return 2", scope)
    assert first != _names.function_name(scope["f"]) and first.startswith("__main__.f#")


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
    assert _names.function_name(one) == _names.function_name(make(1, abs))


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


@pytest.mark.parametrize("serializer", ["auto", "msgpack", "json", "pickle", pickle])
def test_serializers(serializer, folder, ran):
    f = tc.bcache(folder_name=folder, serializer=serializer)(lambda x: ran({"a": [x]}))
    assert f(1) == f(1) == {"a": [1]} and ran.n == 1


def test_a_serializer_of_arguments(folder, ran):
    f = tc.bcache(folder_name=folder, serializer=lambda value: str(value))(lambda x: ran(1))
    f(1), f("1"), f(Custom)
    assert ran.n == 2


def test_what_cannot_be_serialised_is_told_by_its_type(folder):
    f = tc.bcache(folder_name=folder)(lambda: threading.Lock())
    with pytest.raises(SerializationError, match="lock"):
        f()
    with pytest.raises(SerializationError, match="Custom"):
        tc.bcache(folder_name=folder, serializer="msgpack", name="m")(lambda: Custom(1))()
    with pytest.raises(ConfigurationError, match="serializer"):
        tc.bcache(folder_name=folder, serializer="yaml")(lambda: 1)


def test_a_planted_pickle_is_never_loaded(folder, tmp_path, ran):
    mark = tmp_path / "mark"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    f = tc.bcache(folder_name=folder, name="victim")(lambda x: ran(Custom(x)))
    f(1)
    key, body = f.cache_key(1), pickle.dumps(Evil())
    foreign = _codec.Codec("pickle", "victim")
    for planted in (
        b"\x10" + bytes(32) + body,
        b"\x11" + bytes(32) + _codec._HEAD_17.pack(0, len(body)) + body,
        b"\x10" + _codec.Codec("pickle", "another")._sign(key, body) + body,
        b"\x10" + foreign._sign(b"another key", body) + body,
        b"\x10", b"\x11", b"\x10" + bytes(31), b"\x11" + bytes(40),
    ):  # fmt: skip
        f.cache.store.set(key, planted)
        before = ran.n
        assert f(1) == Custom(1) and ran.n == before + 1
    assert not mark.exists()
    with tc.Cache("disk", path=folder, namespace="victim") as direct:
        f.cache.store.set(key, b"\x10" + bytes(32) + body)
        assert direct.get(key) is None and not mark.exists()


def test_a_named_type_is_never_imported(folder, tmp_path, ran):
    (tmp_path / "leaves_a_mark.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nclass P: pass\n")
    sys.path.insert(0, str(tmp_path))
    try:
        f = tc.bcache(folder_name=folder)(lambda: ran(1))
        out = bytearray(b"\x01")
        from twat_cache import _msgpack as mp

        mp.write_named(_codec._ENCODER, out, "leaves_a_mark.P", {"x": 1})
        f()
        f.cache.store.set(f.cache_key(), bytes(out))
        assert f() == 1 and ran.n == 2 and not (tmp_path / "mark").exists()
    finally:
        sys.path.remove(str(tmp_path))


def test_the_secret_is_private_and_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("TWAT_CACHE_SECRET", raising=False)
    secret = _secret.secret()
    path = tmp_path / "twat_cache" / "secret"
    assert path.read_bytes() == secret and len(secret) == 32 and stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setenv("TWAT_CACHE_SECRET", "00" * 32)
    assert _secret.secret() == bytes(32)
    monkeypatch.setenv("TWAT_CACHE_SECRET", "any text")
    assert len(_secret.secret()) == 32 and _secret.secret() != secret


def test_a_damaged_value_is_computed_anew(folder, ran):
    f = tc.bcache(folder_name=folder)(lambda x: ran([x]))
    f(1)
    for damaged in (b"", b"\x01", b"\x63new format", b"\x01\xc1", b"\x03garbage"):
        f.cache.store.set(f.cache_key(1), damaged)
        assert f(1) == [1] and f(1) == [1]
    assert ran.n == 6


def test_a_direct_get_names_the_format_it_cannot_read(folder):
    with tc.Cache("disk", path=folder) as cache:
        cache._store.set(b"k", b"\x63x")
        with pytest.raises(tc.CacheOperationError, match="format 99"):
            cache.get("k")


def test_threads_compute_once_and_share_the_exception(folder, ran):
    gate = threading.Barrier(8)

    @tc.bcache(folder_name=folder)
    def slow(x):
        time.sleep(0.05)
        ran()
        if x < 0:
            raise ValueError("shared")
        return x

    results = []

    def work(x):
        gate.wait()
        try:
            results.append(slow(x))
        except ValueError as error:
            results.append(str(error))

    for x, expected in ((1, 1), (-1, "shared")):
        results.clear()
        threads = [threading.Thread(target=work, args=(x,)) for _ in range(8)]
        [t.start() for t in threads]
        [t.join(10) for t in threads]
        assert results == [expected] * 8
    assert ran.n == 2
    with pytest.raises(ValueError):
        slow(-1)
    assert ran.n == 3


def test_a_thread_put_off_after_its_look_up_finds_what_landed_meanwhile(folder, ran):
    @tc.bcache(folder_name=folder)
    def f(x):
        return ran(x)

    memo, key = f.cache, f.cache_key(1)
    assert f(1) == 1
    # What the wrapper does after a look-up that came before the other thread's result.
    assert memo.miss(key, (1,), {}) == 1
    assert ran.n == 1 and f.cache_info()[:2] == (1, 1)


def test_a_serializer_that_fails_is_a_miss_or_names_the_type(folder, ran):
    class Broken:
        def dumps(self, value):
            if value is None:
                raise ValueError("no")
            return b"text"

        def loads(self, data):
            raise ValueError("never")

    f = tc.bcache(folder_name=folder, serializer=Broken())(lambda x: ran(x))
    assert f(1) == 1 and f(1) == 1 and ran.n == 2
    with pytest.raises(SerializationError, match="NoneType"):
        f(None)


def test_no_place_for_the_secret_costs_the_store_and_never_the_result(folder, ran, monkeypatch, caplog, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    f = tc.bcache(folder_name=folder)(lambda x: ran(range(x)))
    assert f(3) == f(3) == range(3) and ran.n == 2
    assert "secret" in caplog.text


def test_a_kept_exception_is_no_value_for_the_callback(folder):
    seen = []
    for deco in (
        tc.bcache(folder, cache_exceptions=ValueError, callback=lambda *a: seen.append(a)),
        tc.hybrid_cache(cache_exceptions=ValueError, callback=lambda *a: seen.append(a)),
    ):

        @deco
        def f(x):
            raise ValueError(x)

        for _ in range(2):
            with pytest.raises(ValueError):
                f(1)
    assert seen == []


def test_recursive_calls_and_crossed_ones_never_wait_for_each_other(folder):
    @tc.bcache(folder_name=folder, name="fact")
    def fact(n):
        return n * fact(n - 1) if n else 1

    assert fact(30) == fact(30)
    start = threading.Barrier(2)

    @tc.bcache(folder_name=folder, name="ping")
    def ping(depth):
        if depth == 2:
            start.wait(5)
        return pong(depth - 1) if depth else 0

    @tc.bcache(folder_name=folder, name="pong")
    def pong(depth):
        if depth == 2:
            start.wait(5)
        return ping(depth - 1) if depth else 0

    @tc.bcache(folder_name=folder, name="a")
    def a(n):
        if n:
            start.wait(5)
            time.sleep(0.02)
        return b(0) if n else 1

    @tc.bcache(folder_name=folder, name="b")
    def b(n):
        if n:
            start.wait(5)
            time.sleep(0.02)
        return a(0) if n else 2

    threads = [threading.Thread(target=f, args=(2,), daemon=True) for f in (ping, pong)]
    threads_ab = [threading.Thread(target=f, args=(1,), daemon=True) for f in (a, b)]
    for group in (threads, threads_ab):
        start.reset()
        [t.start() for t in group]
        [t.join(10) for t in group]
        assert not any(t.is_alive() for t in group)


def test_same_key_asked_for_by_its_own_computation_is_computed_again(folder):
    depth = []

    @tc.bcache(folder_name=folder)
    def f(x):
        depth.append(x)
        return f(x) if len(depth) < 3 else "end"

    assert f(1) == "end"


def test_unknown_engine_is_an_error_as_an_order_and_a_warning_as_a_wish(caplog):
    with pytest.raises(EngineError, match="no_such"):
        tc.bcache(engine="no_such")(lambda: 1)
    with pytest.raises(EngineError):
        tc.ucache(engine="no_such")(lambda: 1)
    with caplog.at_level(logging.WARNING, "twat_cache"):
        assert tc.ucache(preferred_engine="no_such_wish")(lambda: 1)() == 1
    assert "no_such_wish" in caplog.text


@pytest.mark.parametrize("alias", ["diskcache", "klepto", "disk", "joblib", "file", "cachebox", "functools", "memory"])
def test_names_of_other_libraries_mean_the_engine_that_does_their_job(alias, folder, ran):
    f = tc.ucache(folder_name=folder, preferred_engine=alias)(lambda x: ran(x))
    assert f(1) == f(1) == 1 and ran.n == 1
    expected = {"diskcache": "disk", "klepto": "disk", "disk": "disk", "joblib": "file", "file": "file"}.get(alias)
    assert f.cache_parameters().get("engine") == expected


def test_a_folder_that_cannot_be_made_lets_memory_stand_in(tmp_path, caplog, ran):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "twat_cache"):
        f = tc.bcache(folder_name=str(tmp_path / "file" / "store"))(lambda x: ran(x))
    assert f(1) == f(1) == 1 and ran.n == 1 and f.cache_parameters()["engine"] == "memory"
    assert "memory stands in" in caplog.text
    with pytest.raises(tc.ResourceError):
        tc.bcache(folder_name=str(tmp_path / "file" / "store"), engine="disk")(lambda x: x)


def test_bounds_that_contradict_an_open_store_name_both_values(folder):
    keep = tc.bcache(folder_name=folder, maxsize=1_000_000)(lambda x: x)
    with pytest.raises(ConfigurationError, match=r"1000000.*2000000|2000000.*1000000"):
        tc.bcache(folder_name=folder, maxsize=2_000_000)(lambda x: x)
    assert tc.bcache(folder_name=folder)(lambda x: x)(1) == 1 == keep(1)


def test_bytes_bound_a_store(folder):
    f = tc.bcache(folder_name=folder, maxsize=200_000)(lambda x: bytes(10_000))
    for x in range(60):
        f(x)
    assert f.cache.store.stats()["bytes"] <= 200_000 and f.cache.store.stats()["evictions"] > 0


def test_nothing_is_kept_where_the_options_say_so(folder, ran):
    for options in ({"maxsize": 0}, {"ttl": 0}):
        f = tc.bcache(folder_name=folder, **options)(lambda x: ran(x))
        f(1), f(1)
    assert ran.n == 4 and not os.path.exists(folder)


@pytest.mark.parametrize(
    "options, word",
    [
        ({"maxsize": -1}, "maxsize"),
        ({"maxsize": 5}, "max_bytes"),
        ({"ttl": -0.1}, "ttl"),
        ({"policy": "sieve"}, "policy"),
        ({"policy": "lruu"}, "policy"),
        ({"compress": "yes"}, "compress"),
        ({"folder_name": "a/b"}, "folder_name"),
        ({"no_such": 1}, "no_such"),
        ({"single_flight": 1}, "single_flight"),
        ({"secure": 2}, "secure"),
        ({"max_entries": 1.5}, "max_entries"),
        ({"namespace": 3}, "namespace"),
        ({"folder_name": 3}, "folder_name"),
        ({"version": object()}, "version"),
    ],
)
def test_wrong_options_are_told_at_decoration_time_and_make_nothing(options, word, folder):
    with pytest.raises(ConfigurationError, match=word):
        tc.bcache(**{"folder_name": folder, **options})(lambda x: x)
    assert not os.path.exists(folder)


def test_kept_exceptions_on_disk(folder, ran):
    @tc.bcache(folder_name=folder, cache_exceptions=ValueError)
    def f(x):
        ran()
        raise ValueError("text", x)

    for _ in range(3):
        with pytest.raises(ValueError, match="text"):
            f(1)
    assert ran.n == 1


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


def test_a_store_that_is_closed_costs_the_store_never_the_result(folder, ran):
    f = tc.bcache(folder_name=folder)(lambda x: ran(x))
    f(1)
    f.cache.store.close()
    assert f(1) == 1 and ran.n == 2


def test_hit_does_not_depend_on_the_order_of_a_set_or_dict(folder, ran):
    f = tc.bcache(folder_name=folder)(lambda x: ran(1))
    f({"a": 1, "b": 2}), f({"b": 2, "a": 1}), f({"x", "y", "z"}), f({"z", "y", "x"})
    assert ran.n == 2


def test_namespace_of_a_long_name():
    assert _keys.namespace_of("short") == "short"
    long = _keys.namespace_of("é" * 300)
    assert len(long.encode()) <= 200 and long != _keys.namespace_of("é" * 301)


def test_a_server_that_is_down_is_a_wish_that_is_not_granted(folder, caplog, ran):
    from twat_cache.engines import RedisEngine

    if not RedisEngine.is_available():
        return
    nowhere = tc.CacheConfig(redis_port=1)
    with caplog.at_level(logging.WARNING, "twat_cache"):
        f = tc.ucache(folder_name=folder, preferred_engine="redis", config=nowhere)(lambda x: ran(x))
    assert f(1) == f(1) == 1 and ran.n == 1 and f.cache_parameters()["engine"] == "disk"
    assert "disk stands in" in caplog.text
    ordered = tc.ucache(engine="redis", config=nowhere)(lambda x: ran(x))
    assert ordered(1) == ordered(1) == 1 and ran.n == 3


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
