"""A core library that is missing, of another platform, of another version, or not a library: one clear error each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from twat_cache._ffi.lib import EXPECTED, FILE_NAME, library_path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "twat_cache"
USE = "import twat_cache\ntwat_cache.mcache(lambda x: x)(1)"


def fails(tmp_path, code=USE, *, path=None, **env):
    """The last line of a failing program's error, and how many frames are above it."""
    merged = {**os.environ, "PYTHONPATH": str(path or PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1", **env}
    merged = {name: value for name, value in merged.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=merged, capture_output=True, text=True)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    return done.stderr.strip().splitlines()[-1], done.stderr.count('  File "')


def copy_of_the_package(tmp_path):
    place = tmp_path / "installed"
    shutil.copytree(PACKAGE, place / "twat_cache", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return place


def test_a_missing_library_is_named_with_where_it_was_expected(tmp_path):
    text, frames = fails(tmp_path, path=copy_of_the_package(tmp_path), TWAT_CACHE_LIBRARY=None)
    assert FILE_NAME in text and "expected it in" in text and "wheel" in text, text
    assert frames <= 3, frames


def test_a_package_inside_of_an_archive_says_what_to_do(tmp_path):
    place, archive = copy_of_the_package(tmp_path), tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in (place / "twat_cache").rglob("*"):
            zipped.write(file, file.relative_to(place))
        zipped.write(library_path(), f"twat_cache/_ffi/{FILE_NAME}")
    text, frames = fails(tmp_path, path=archive, TWAT_CACHE_LIBRARY=None)
    assert "inside of the archive" in text and str(archive) in text and "sys.path" in text, text
    assert frames <= 3, frames


@pytest.mark.parametrize("content", [b"", b"no library at all", b"\x7fELF\x01\x01\x01" + bytes(100)])
def test_a_file_that_is_no_library_of_this_platform_is_named(tmp_path, content):
    wrong = tmp_path / "wrong.so"
    wrong.write_bytes(content)
    text, frames = fails(tmp_path, TWAT_CACHE_LIBRARY=str(wrong))
    assert "cannot be loaded" in text and str(wrong) in text, text
    assert frames <= 3, frames


def compiled(tmp_path, source):
    library = tmp_path / "other.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=source.encode(), check=True)
    return str(library)


def test_another_library_is_not_taken_for_the_core(tmp_path):
    text, _ = fails(tmp_path, TWAT_CACHE_LIBRARY=compiled(tmp_path, "int x;"))
    assert "another library" in text, text


@pytest.mark.parametrize("found", [f"{EXPECTED[0] + 1}.0.0", "0.0.9" if EXPECTED[0] == 0 else "0.1.0"])
def test_mixed_versions_are_named_both(tmp_path, found):
    library = compiled(tmp_path, f'const char *twat_version_string(void) {{ return "{found}"; }}')
    text, frames = fails(tmp_path, TWAT_CACHE_LIBRARY=library)
    assert found in text and ".".join(map(str, EXPECTED)) in text and "mixed" in text, text
    assert frames <= 3, frames


def test_the_expected_version_is_the_cores():
    manifest = (PACKAGE.parents[3] / "Cargo.toml").read_text()
    assert re.search(r'^version = "(\d+)\.(\d+)\.', manifest, re.M).groups() == tuple(map(str, EXPECTED))
