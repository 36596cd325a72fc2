"""``python -m twat_cache`` and the counts it shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import twat_cache

PROGRAM = """
import sys, os, twat_cache as tc
@tc.bcache(folder_name="reports", max_entries=50, name="report")
def report(x): return {"x": x}
@tc.fcache(folder_name=sys.argv[1], name="blob")
def blob(n): return bytes(n)
for i in range(4):
    report(i); report(i); report(i)
blob(100_000)
"""


@pytest.fixture
def program(tmp_path):
    env = {**os.environ, "TWAT_CACHE_DIR": str(tmp_path / "home"), "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def as_json(program):
    return json.loads(program("-m", "twat_cache", "--json"))


def test_an_empty_cache_directory(program, tmp_path):
    found = as_json(program)
    assert found["version"] == twat_cache.__version__
    assert found["stores"] == [] and found["cache_dir"] == str(tmp_path / "home" / "twat_cache")
    assert found["engines"]["memory"] and found["engines"]["disk"] and Path(found["library"]).is_file()
    assert "no stores" in program("-m", "twat_cache")
    assert not (tmp_path / "home").exists()  # looking makes nothing


def test_the_engine_that_auto_is_and_why(program):
    assert as_json(program)["auto"]["engine"] == "memory"
    assert "auto       memory (auto: neither url nor path is given)" in program("-m", "twat_cache")
    url = "redis://:hunter2@127.0.0.1:1/0"
    shown = program(
        "-c", f"import os, twat_cache.__main__ as m; os.environ['TWAT_CACHE_REDIS_URL'] = {url!r}; m.main([])"
    )
    assert "redis (auto: url is given); 127.0.0.1:1" in shown and "hunter2" not in shown


def test_stores_with_size_entries_and_hit_ratio_over_programs(program, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    program("-c", PROGRAM, elsewhere)
    program("-c", PROGRAM, elsewhere)
    stores = {store["name"]: store for store in as_json(program)["stores"]}
    assert set(stores) == {"reports", "elsewhere"}
    reports, blobs = stores["reports"], stores["elsewhere"]
    assert (reports["entries"], reports["hits"], reports["misses"]) == (4, 8 + 12, 4)
    assert reports["hit_ratio"] == round(20 / 24, 4) and reports["max_entries"] == 50 and reports["size"] > 0
    assert reports["functions"]["report"]["entries"] == 4 and reports["functions"]["report"]["hits"] == 20
    assert blobs["entries"] == 1 and blobs["size"] > 100_000 and blobs["hit_ratio"] == 0.5
    text = program("-m", "twat_cache")
    assert "83.3%" in text and "reports" in text and str(elsewhere) in text


def test_looking_changes_nothing(program, tmp_path):
    program("-c", PROGRAM, tmp_path / "elsewhere")
    data = tmp_path / "home" / "twat_cache" / "reports" / "data.mdb"
    before = data.read_bytes()
    as_json(program)
    assert data.read_bytes() == before


def test_a_damaged_or_foreign_registry_is_begun_anew(program, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    program("-c", PROGRAM, elsewhere)
    registry = tmp_path / "home" / "twat_cache" / "registry.json"
    assert oct(registry.stat().st_mode & 0o777) == "0o600"
    for text in ("{", "[]", json.dumps({str(elsewhere): {"blob": ["x", 2]}, "/nowhere": {"f": [1, 2]}})):
        registry.write_text(text)
        assert all(store["hits"] == 0 for store in as_json(program)["stores"])
        program("-c", PROGRAM, elsewhere)
        assert json.loads(registry.read_text())[str(elsewhere)] == {"blob": [1, 0]}


def test_programs_that_end_at_once_lose_no_counts(tmp_path, program):
    env = {**os.environ, "TWAT_CACHE_DIR": str(tmp_path / "home"), "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "elsewhere")], env=env) for _ in range(5)
    ]
    assert [process.wait(60) for process in running] == [0] * 5
    [reports] = [store for store in as_json(program)["stores"] if store["name"] == "reports"]
    assert reports["hits"] + reports["misses"] == 5 * 12


def test_a_forked_child_does_not_count_its_parents_calls_again(program, tmp_path):
    program("-c", PROGRAM + "\nif os.fork() == 0: sys.exit(0)\nos.wait()", tmp_path / "elsewhere")
    [reports] = [store for store in as_json(program)["stores"] if store["name"] == "reports"]
    assert reports["hits"] + reports["misses"] == 12


def test_a_store_that_cannot_be_read_is_shown_with_the_reason(program, tmp_path):
    program("-c", PROGRAM, tmp_path / "elsewhere")
    (tmp_path / "home" / "twat_cache" / "reports" / "data.mdb").write_bytes(b"\xff" * 8192)
    stores = {store["name"]: store for store in as_json(program)["stores"]}
    assert stores["elsewhere"]["entries"] == 1
    assert "error" in stores["reports"] or stores["reports"]["entries"] == 0
