"""``memory=``: objects above a store, never older than what the store has."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

import twat_cache as tc
from twat_cache.exceptions import ConfigurationError


def rows(n):
    return [{"id": i, "name": f"n{i}"} for i in range(n)]


@pytest.mark.parametrize("size", [3, 30_000])
def test_a_hit_gives_the_object_of_the_last_hit(size, folder, ran):
    f = tc.bcache(folder_name=folder, memory=2)(lambda n: (ran(), rows(n))[1])
    first = f(size)
    assert f(size) is f(size) is not first and f(size) == first and ran.n == 1
    assert f.cache_info().hits == 3 and f.cache_info().currsize == 1
    plain = tc.bcache(folder_name=folder)(f.__wrapped__)
    assert plain(size) == first and plain(size) is not plain(size)


def test_no_object_is_older_than_the_store(folder, tmp_path):
    (tmp_path / "other.py").write_text(
        "import sys, twat_cache as tc\n"
        f"f = tc.bcache(folder_name={folder!r}, name='shared')(lambda x: [sys.argv[1]])\n"
        "f.invalidate(1); f(1)\n"
    )
    answer = ["mine"]
    f = tc.bcache(folder_name=folder, name="shared", memory=10)(lambda x: list(answer))
    assert f(1) == f(1) == f(1) == ["mine"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for n in range(3):
        subprocess.run([sys.executable, str(tmp_path / "other.py"), f"theirs{n}"], env=env, check=True)
        assert f(1) == [f"theirs{n}"] and f(1) is f(1)
    answer[0] = "new"
    assert f.invalidate(1) and f(1) == ["new"] == f(1)
    f.cache_clear()
    answer[0] = "newer"
    assert f(1) == f(1) == ["newer"]


def test_time_and_bounds_hold(folder, ran):
    f = tc.bcache(folder_name=folder, memory=2, ttl=0.2)(lambda x: ran([x]))
    assert f(1) == f(1) and ran.n == 1
    time.sleep(0.25)
    assert f(1) == [1] and ran.n == 2
    for x in range(10):
        f(x), f(x)
    assert len(f.cache.read) == 2


def test_values_are_what_the_serializer_makes_of_them(folder):
    f = tc.bcache(folder_name=folder, memory=5, serializer="json")(lambda x: (x, {1: 2}))
    assert f(1) == (1, {1: 2}) and f(1) == [1, {"1": 2}] and f(1) is f(1)


def test_kept_exceptions_and_coroutines(folder, ran):
    @tc.bcache(folder_name=folder, memory=5, cache_exceptions=ValueError)
    def fails(x):
        ran()
        raise ValueError("text")

    for _ in range(3):
        with pytest.raises(ValueError, match="text"):
            fails(1)
    assert ran.n == 1

    @tc.bcache(folder_name=folder, memory=5)
    async def later(x):
        return [x]

    async def main():
        assert await later(1) == [1]
        assert await later(1) is await later(1)

    asyncio.run(main())


@pytest.mark.parametrize("memory", [-1, "x", True, 1.5])
def test_wrong_numbers_are_told(memory, folder):
    with pytest.raises(ConfigurationError, match="memory"):
        tc.bcache(folder_name=folder, memory=memory)(lambda: 1)


def test_files_are_mapped_and_take_none(folder):
    with pytest.raises(ConfigurationError, match="memory.*mapped"):
        tc.fcache(folder_name=folder, memory=5)(lambda: 1)
    assert tc.bcache(folder_name=folder, memory=0)(lambda: [1])() == [1]
