from __future__ import annotations

import os
import tempfile

# Before the package is imported: no test touches the user's own caches.
_home = tempfile.mkdtemp(prefix="twat-cache-tests-")
os.environ["TWAT_CACHE_DIR"] = _home
os.environ["XDG_DATA_HOME"] = os.path.join(_home, "data")
os.environ["XDG_CACHE_HOME"] = os.path.join(_home, "cache")

import atexit  # noqa: E402
import shutil  # noqa: E402

import pytest  # noqa: E402

# At exit, after what the package itself writes there then.
atexit.register(shutil.rmtree, _home, ignore_errors=True)


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "store")


class Calls:
    """Counts how often a memoized body ran."""

    def __init__(self):
        self.n = 0

    def __call__(self, value=None):
        self.n += 1
        return value


@pytest.fixture
def ran():
    return Calls()
