"""A process that lacks something: no decorator raises for it and no call fails for it; it is said once."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import twat_cache as tc
from twat_cache import paths
from twat_cache.exceptions import ConfigurationError

# Every decorator, results of every kind, an exception that is kept; ``before`` and
# ``between`` take things away.
PROGRAM = """
    import asyncio, os, resource, sys, warnings, datetime, decimal, dataclasses
    shown = []
    warnings.showwarning = lambda *a, **k: shown.append(str(a[0]))
    import numpy as np
    loop = asyncio.new_event_loop()
    {before}
    from twat_cache import mcache, bcache, fcache, ucache, hybrid_cache, smart_cache, acache, cache
    class Odd:
        def __init__(self, x): self.x = x
        def __eq__(self, other): return self.x == other.x
    makers = dict(
        bytes=bytes, text=str, row=lambda n: [{{"a": n}}], odd=Odd, array=np.zeros, when=lambda n: datetime.datetime(2026, 1, 2),
        number=decimal.Decimal, large=lambda n: bytes(n * 1000),
    )
    functions = []
    def result(kind, n):
        if kind == "error": raise KeyError(n)
        return makers[kind](n)
    for i, deco in enumerate([
        mcache(cache_exceptions=KeyError), bcache(cache_exceptions=KeyError), fcache(cache_exceptions=KeyError),
        ucache(folder_name="place"), hybrid_cache(), smart_cache(), cache(cache_type="disk"), bcache(engine="memory"),
    ]):
        def f(kind, n): return result(kind, n)
        f.__qualname__ = f.__name__ = "f%d" % i
        functions.append(deco(f))
    @acache
    async def later(n): return [n]
    @bcache
    async def stored(n): return [n]
    def rounds(n):
        for f in functions:
            for kind in makers:
                for _ in range(2):
                    got = f(kind, n)
                    assert np.all(got == makers[kind](n)), (kind, got)
            for _ in range(2):
                try: f("error", n)
                except KeyError as error: assert error.args == (n,)
                else: raise AssertionError("no error")
    async def coroutines(n):
        assert await later(n) == await later(n) == await stored(n) == await stored(n) == [n]
    {between}
    rounds(100); rounds(101)
    loop.run_until_complete(coroutines(1))
    sys.stdout.write("whole %d" % len(shown))
    sys.stdout.flush()
    {after}
"""
# What is loaded before the lack: nobody can load this package itself without descriptors.
LOADED = """
import importlib, pkgutil, twat_cache
apart = ("__main__", "_pyinstaller", "django", "ext", "flask_caching", "joblib_store", "trio_flight")
todo = [(twat_cache.__path__, "twat_cache")]
for path, package in todo:
    for module in pkgutil.iter_modules(path):
        if module.name not in apart:
            loaded = importlib.import_module(f"{package}.{module.name}")
            todo += [(loaded.__path__, loaded.__name__)] if module.ispkg else []
"""
NO_DESCRIPTORS = """
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80)); held = []
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError: pass
"""
GIVE_BACK = "[os.close(fd) for fd in held]"
ROOT = os.getuid() == 0

CASES = {
    "nothing": {},
    "no place for data": {"env": {"XDG_DATA_HOME": "/proc/none"}},
    "no place for stores": {"env": {"TWAT_CACHE_DIR": "/proc/none"}},
    "no home": {"env": {"HOME": "/proc/none", "XDG_DATA_HOME": "", "XDG_CACHE_HOME": "", "TWAT_CACHE_DIR": ""}},
    "home is no user's": {
        "before": LOADED + "os.environ.pop('HOME', None); os.setuid(54321)", "root": True,
        "env": {"XDG_DATA_HOME": "", "XDG_CACHE_HOME": "", "TWAT_CACHE_DIR": ""},
    },
    "no working directory": {"before": "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"},
    "a relative place and no working directory": {
        "before": "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", "env": {"TWAT_CACHE_DIR": "here"},
    },
    "all descriptors in use": {"between": NO_DESCRIPTORS, "after": GIVE_BACK},
    "all descriptors in use when decorating": {"before": LOADED + NO_DESCRIPTORS, "after": GIVE_BACK},
    "another root directory": {"between": "os.mkdir('empty'); os.chroot('empty'); os.chdir('/')", "root": True},
    "another user": {"between": "os.setgid(54321); os.setuid(54321)", "root": True},
    "1 GB of address space": {"before": "resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))"},
    "8 GB of address space": {"before": "resource.setrlimit(resource.RLIMIT_AS, (8 * 10**9, 8 * 10**9))"},
    "no files of any size": {"before": "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"},
    "a directory that is not UTF-8": {"env": {"TWAT_CACHE_DIR": b"/tmp/twat-\xff\xfe-tests"}},
    "a data directory that is not UTF-8": {"env": {"XDG_DATA_HOME": b"/tmp/twat-\xff\xfe-tests/data"}},
    "an old locale": {"env": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
        "TWAT_CACHE_DIR": "/tmp/twat-\u00e9-tests".encode()}},
    "warnings are errors": {"env": {"XDG_DATA_HOME": "/proc/none", "TWAT_CACHE_DIR": "/proc/none"}, "args": ["-W", "error"]},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_the_environment_lacks_costs_the_cache_and_never_the_result(name, tmp_path):
    case = CASES[name]
    if case.get("root") and not ROOT:
        pytest.skip("needs root")
    code = textwrap.dedent(PROGRAM).format(
        **{part: textwrap.dedent(case.get(part, "")).strip() or "pass" for part in ("before", "between", "after")}
    )
    (tmp_path / "program.py").write_text(code)
    env = {
        **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TWAT_CACHE_DIR": str(tmp_path / "caches"),
        "XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path),
        **{k: v if isinstance(v, str) else os.fsdecode(v) for k, v in case.get("env", {}).items()},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *case.get("args", []), "program.py"], cwd=tmp_path, env=env, capture_output=True, timeout=120
    )
    out = done.stdout.decode()
    assert out.startswith("whole ") and done.returncode == 0, done.stderr.decode("utf-8", "replace")[-3000:]
    assert not list(tmp_path.glob("~*")), "no directory that bears the name of the home directory"
    if name == "nothing":
        assert out == "whole 0" and not done.stderr
    else:
        assert int(out.split()[1]) <= 4, "one warning for each thing that is missing"


def test_a_broken_secret_is_said_and_replaced_for_the_process(tmp_path):
    code = """if True:
        import warnings
        from twat_cache import bcache
        class Odd: pass
        ran = []
        @bcache
        def f(): ran.append(1); return Odd()
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            f(), f()
        print(len(ran), len(shown), "remove it" in str(shown[0].message))
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(code.removeprefix("if True:")))
    (tmp_path / "twat_cache").mkdir()
    (tmp_path / "twat_cache" / "secret").write_bytes(b"half")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_DATA_HOME": str(tmp_path)}
    assert subprocess.check_output([sys.executable, "program.py"], text=True, env=env, cwd=tmp_path).split() == [
        "1",
        "1",
        "True",
    ]


# Paths


def test_a_relative_path_is_one_store_whatever_the_working_directory_becomes(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    cache = tc.Cache("disk", "store")
    tiered = tc.Cache("tiered", tiers=["memory", {"engine": "disk", "path": "tier"}])
    cache["a"] = tiered["a"] = 1
    tiered.flush()
    monkeypatch.chdir("elsewhere")
    again, again_tiered = pickle.loads(pickle.dumps((cache, tiered)))
    assert again["a"] == again_tiered["a"] == 1
    pid = os.fork()
    if pid == 0:
        os._exit(0 if cache["a"] == tiered["a"] == 1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.listdir(".") == [] and sorted(os.listdir("..")) == ["elsewhere", "store", "tier"]


@pytest.mark.parametrize("kind", [str, os.fsencode, Path], ids=["text", "bytes", "Path"])
def test_a_path_may_be_text_bytes_or_a_path(kind, tmp_path, ran):
    place = kind(str(tmp_path / "store"))
    with tc.Cache("disk", place) as cache:
        cache["a"] = 1
    with tc.Cache("tiered", tiers=["memory", {"engine": "disk", "path": place}]) as cache:
        assert cache["a"] == 1
        exported = kind(str(tmp_path / "export"))
        assert cache.export(exported) == 1 and cache.import_(exported) == 1
    f = tc.bcache(folder_name=kind(str(tmp_path / "folder")))(lambda: ran([1]))
    g = tc.cache(folder_name="named", cache_dir=kind(str(tmp_path / "root")), cache_type="disk")(lambda: ran([1]))
    assert f() == f() == g() == g() == [1] and ran.n == 2
    assert paths.get_cache_path("named", cache_dir=kind(str(tmp_path / "root"))) == tmp_path / "root" / "named"
    assert paths.validate_cache_path(place) == tmp_path / "store"
    paths.clear_cache(cache_dir=kind(str(tmp_path / "root")))
    assert sorted(os.listdir(tmp_path)) == ["export", "folder", "root", "store"] and os.listdir(tmp_path / "root") == []


@pytest.mark.parametrize("path", [3, 1.5, object(), ["a"]])
def test_what_is_no_path_is_refused_as_such(path):
    with pytest.raises(ConfigurationError, match="path: expected a path"):
        tc.Cache("disk", path)
    with pytest.raises(ConfigurationError, match="folder_name: expected a path"):
        tc.bcache(folder_name=path)(lambda: 1)


# Maps


def maps():
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        return sum("blobs" in line for line in file)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="counts maps in /proc")
def test_results_that_are_held_do_not_use_up_the_maps_of_the_process(tmp_path, monkeypatch):
    import numpy as np
    import pandas as pd

    from twat_cache._ffi import values

    small = tc.fcache(folder_name=str(tmp_path / "small"))(lambda n: np.arange(n))
    small(1000)
    held = [small(1000) for _ in range(70_000)]
    assert maps() < 100 and (held[0] == held[-1]).all() and not held[0].flags.writeable and held[0].flags.aligned

    monkeypatch.setattr(values, "_MOST_MAPS", len(values._views) + 20)
    large = tc.fcache(folder_name=str(tmp_path / "large"))(lambda n: np.arange(n * 1.0))
    frames = tc.fcache(folder_name=str(tmp_path / "frames"))(lambda n: pd.DataFrame({"a": np.arange(n * 1.0)}))
    expected, frame = large(30_000), frames(30_000)
    before = maps()
    held = [large(30_000) for _ in range(60)]
    tables = [frames(30_000) for _ in range(20)]
    assert 10 <= maps() - before <= 20
    assert all((one == expected).all() and not one.flags.writeable for one in held)
    assert all(one.equals(frame) for one in tables)
    del held, tables
    again = [large(30_000) for _ in range(5)]
    assert maps() - before >= 5 and len(again) == 5, "maps are given back with what looked at them"
