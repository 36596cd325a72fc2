"""The store inside joblib.Memory: joblib's own tests of Memory, and what is ours."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest

import twat_cache.joblib_store  # noqa: F401
from frameworks import redis_server
from twat_cache.exceptions import ConfigurationError

# joblib's tests that cannot apply, and why.
LOOKS_AT_FILES = "looks at the files of joblib's own store"
CANNOT_APPLY = {
    "test_parallel_call_cached_function_defined_in_jupyter": LOOKS_AT_FILES,
    "test_func_dir": LOOKS_AT_FILES,
    "test_persistence": LOOKS_AT_FILES,
    "test__get_items": LOOKS_AT_FILES,
    "test_memory_clear": LOOKS_AT_FILES,
    "test_call_and_shelve_lazily_load_stored_result": LOOKS_AT_FILES,
    "test_memory_recomputes_after_an_error_while_loading_results": LOOKS_AT_FILES,
    "TestAutoGitignore": LOOKS_AT_FILES,
    "test_memory_numpy_check_mmap_mode": "expects the class numpy.memmap and mode r+; ours are read-only views",
    "test_memorized_result_forwards_mmap_mode": "expects the class numpy.memmap; ours are read-only views",
    "test_memory_pickle_dump_load": "compares every attribute, and passes an unknown option, which we refuse",
}


def environment():
    here = Path(__file__).parent
    paths = [str(here), str(here.parent / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def test_joblibs_own_tests_of_memory_pass(tmp_path):
    cannot = " or ".join(CANNOT_APPLY)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "joblib_as_local", "-p", "no:cacheprovider", "--pyargs",
         "joblib.test.test_memory", "-W", "ignore", "-k", f"not ({cannot})", f"--rootdir={tmp_path}"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    summary = run.stdout.splitlines()[-1]
    assert int(summary.split(" passed")[0].split()[-1]) >= 50 and "failed" not in summary, summary


@pytest.fixture
def memory(tmp_path):
    return joblib.Memory(tmp_path, backend="twat_cache", verbose=0)


def test_a_result_is_computed_once_and_found_by_the_next_program(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        "import joblib, twat_cache.joblib_store\n"
        "memory = joblib.Memory('store', backend='twat_cache', verbose=0)\n"
        "@memory.cache\n"
        "def f(x):\n"
        "    print('computed')\n"
        "    return {'x': (x, [x])}\n"
        "print(f(2), f(2))\n"
    )
    outputs = [
        subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=environment(), check=True,
                       capture_output=True, text=True).stdout
        for _ in range(2)
    ]  # fmt: skip
    result = "{'x': (2, [2])} {'x': (2, [2])}\n"
    assert outputs == [f"computed\n{result}", result]


def test_arrays_are_views_of_the_file_with_mmap_mode_and_copies_without(tmp_path):
    ran = []

    def table(n):
        ran.append(n)
        return np.arange(n * 1.0)

    mapped = joblib.Memory(tmp_path, backend="twat_cache", mmap_mode="r", verbose=0).cache(table)
    assert (mapped(100_000) == mapped(100_000)).all() and ran == [100_000]
    assert not mapped(100_000).flags.writeable
    copied = joblib.Memory(tmp_path, backend="twat_cache", verbose=0).cache(table)
    found = copied(100_000)
    found[0] = 5
    assert ran == [100_000] and copied(100_000)[0] == 0


def test_machines_share_results_on_a_server():
    with redis_server() as url:
        options = {"engine": "redis", "url": url}
        ran = []
        first, second, other = (
            joblib.Memory(name, backend="twat_cache", verbose=0, backend_options=options).cache(ran.append)
            for name in ("one", "one", "two")
        )
        first(1), second(1)
        assert ran == [1]
        other(1)
        assert ran == [1, 1]
    assert not os.path.exists("one")


def test_workers_of_parallel_share_results(memory):
    def square(x):
        return x * x

    cached = memory.cache(square)
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(cached)(i) for i in range(6)) == [i * i for i in range(6)]
    assert all(cached.check_call_in_cache(i) for i in range(6))


def test_shelving_checking_clearing_and_pickling(memory):
    cached = memory.cache(lambda x: [x])
    shelved = cached.call_and_shelve(3)
    assert shelved.get() == [3] and pickle.loads(pickle.dumps(shelved)).get() == [3]
    assert pickle.loads(pickle.dumps(memory)).store_backend.location == memory.store_backend.location
    shelved.clear()
    with pytest.raises(KeyError):
        shelved.get()
    cached(4)
    cached.clear(warn=False)
    assert not cached.check_call_in_cache(4)
    cached(5)
    memory.clear(warn=False)
    assert not cached.check_call_in_cache(5)


def test_clearing_one_function_leaves_one_whose_name_begins_alike(memory):
    def one(x):
        return x

    def one_more(x):
        return x

    first, second = memory.cache(one), memory.cache(one_more)
    first(1), second(1)
    first.clear(warn=False)
    assert not first.check_call_in_cache(1) and second.check_call_in_cache(1)


def test_reduce_size_removes_what_was_stored_first(memory):
    cached = memory.cache(lambda n: bytes(1000))
    for n in range(4):
        cached(n)
    memory.reduce_size(bytes_limit=2500)
    assert [cached.check_call_in_cache(n) for n in range(4)] == [False, False, True, True]
    memory.reduce_size(items_limit=1)
    assert [cached.check_call_in_cache(n) for n in range(4)] == [False, False, False, True]


def test_a_planted_pickle_is_computed_anew_and_not_loaded(memory, tmp_path):
    mark = tmp_path / "mark"

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(mark),))

    cached = memory.cache(lambda x: x)
    cached(1)
    cache = memory.store_backend._cache
    [name] = [key for key in cache if key.endswith("/output")]
    cache._store.set(name.encode(), b"\x10" + bytes(32) + pickle.dumps(Bomb()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cached(1) == 1
    assert not mark.exists() and cached(1) == 1


def test_a_result_that_cannot_be_stored_costs_a_warning_and_not_the_result(memory):
    cached = memory.cache(lambda: (i for i in ()))
    with pytest.warns(Warning, match="Unable to cache"):
        assert list(cached()) == []


def test_wrong_options_say_what_was_expected(tmp_path):
    with pytest.raises(ConfigurationError, match="mmap_mode: expected None, 'r' or 'c'"):
        joblib.Memory(tmp_path, backend="twat_cache", mmap_mode="r+")
    with pytest.raises(ConfigurationError, match="unknown option"):
        joblib.Memory(tmp_path, backend="twat_cache", backend_options={"max_entrys": 3})
