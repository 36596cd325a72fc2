"""A notebook's cell that runs again, and a module that is loaded again: what they say now holds."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import twat_cache as tc
from twat_cache.exceptions import ConfigurationError

CELLS = """
import sys, twat_cache as tc
ran = []
def cell(text, number=[0]):
    number[0] += 1
    exec(compile(text, f"<ipython-input-{{number[0]}}>", "exec"), sys.modules["__main__"].__dict__)
first = '''
@tc.bcache({folder}maxsize={size})
def f(x):
    ran.append(x)
    return [x]
'''
cell(first.format(folder={folder!r}, size=1_000_000))
old = f
assert f(1) == f(1) == [1] and ran == [1]
cell(first.format(folder={folder!r}, size=2_000_000))
assert f is not old and f.cache.store.stats()["max_bytes"] == 2_000_000
assert f(1) == [1] == old(1) and ran == [1], "the code is the same, so are the results"
cell(first.format(folder={folder!r}, size=3_000_000).replace("[x]", "(x, x)"))
assert f.cache.store.stats()["max_bytes"] == (3_000_000) and f(1) == (1, 1) and old(1) == [1]
cell("g = tc.bcache(folder_name='lambdas', maxsize=1_000_000)(lambda x: [x])")
assert g(1) == [1]
cell("g = tc.bcache(folder_name='lambdas', maxsize=2_000_000)(lambda x: [x])")
assert g(1) == [1] and g.cache_info().hits == 1 and g.cache.store.stats()["max_bytes"] == 2_000_000
try:
    cell("h = tc.bcache(folder_name='lambdas', maxsize=3_000_000)(lambda x: (x, 2))")
except tc.ConfigurationError as error:
    assert "2000000" in str(error) and "3000000" in str(error)
else:
    raise AssertionError("another function's store")
assert g(1) == [1] and g.cache_info().hits == 2
print("done")
"""


@pytest.mark.parametrize("named", [False, True])
def test_a_cell_that_runs_again_with_other_options(named, tmp_path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TWAT_CACHE_DIR": str(tmp_path)}
    text = (
        CELLS.replace("{folder!r}", repr("folder_name='mine', " if named else "")).replace("{{", "{").replace("}}", "}")
    )
    out = subprocess.run([sys.executable, "-"], input=text, env=env, text=True, capture_output=True, check=False)
    assert out.stdout.strip() == "done", out.stderr


def test_a_module_that_is_loaded_again(tmp_path, monkeypatch, folder):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = "import twat_cache as tc\nclass C:\n    @staticmethod\n    @tc.bcache(folder_name={!r}, maxsize={})\n    def f(x): return {}\n"
    path = tmp_path / "loaded_again.py"
    path.write_text(text.format(folder, 1_000_000, "x"))
    module = importlib.import_module("loaded_again")
    old = module.C.f
    assert old(1) == 1
    path.write_text(text.format(folder, 2_000_000, "x + 1"))
    importlib.invalidate_caches()
    module = importlib.reload(module)
    assert module.C.f.cache.store.stats()["max_bytes"] == 2_000_000
    assert module.C.f(2) == 3 and old(3) == 3
    del sys.modules["loaded_again"]


def twice(x):
    return 2 * x


def test_two_functions_that_live_are_no_forms_of_one(folder):
    one = tc.bcache(folder_name=folder, maxsize=1_000_000)(twice)
    for other in (twice, one, lambda x: x):
        with pytest.raises(ConfigurationError, match=r"1000000.*2000000|2000000.*1000000"):
            tc.bcache(folder_name=folder, maxsize=2_000_000)(other)
    assert one(1) == 2 and one.cache_info().hits == 0 and one(1) == 2 and one.cache_info().hits == 1
