"""Redis reached by configuration alone, with a real server."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import time

import pytest

import twat_cache as tc
from frameworks import redis_server


@pytest.fixture(scope="module")
def url():
    assert shutil.which("redis-server"), "redis-server is missing: apt-get install redis-server"
    with redis_server() as url:
        yield url


def say(url, command):
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(url.removeprefix("unix://"))
        server.sendall(f"{command}\r\n".encode())
        assert server.recv(5) == b"+OK\r\n"


def test_a_function_on_a_server_is_found_by_another_program(url, ran, monkeypatch):
    def make():
        return tc.ucache(preferred_engine="redis", config=tc.CacheConfig(redis_url=url), name="shared")(
            lambda x: ran(x)
        )

    first = make()
    assert first(1) == first(1) == 1 and ran.n == 1
    assert first.cache_parameters()["engine"] == "redis"
    second = make()
    assert second(1) == 1 and ran.n == 1
    monkeypatch.setenv("TWAT_CACHE_REDIS_URL", url)
    third = tc.ucache(preferred_engine="redis", name="shared")(lambda x: ran(x))
    assert third(1) == 1 and ran.n == 1
    first.cache_clear()
    assert second(1) == 1 and ran.n == 2


def test_contexts_of_two_namespaces_are_apart(url):
    config = tc.CacheConfig(redis_url=url)
    with (
        tc.CacheContext(config, engine_name="redis", namespace="one") as one,
        tc.CacheContext(config, engine_name="redis", namespace="two") as two,
    ):
        one.set("key", [1, {"a": None}])
        two.set("key", "other")
        two.clear()
        assert one.get("key") == [1, {"a": None}] and two.get("key", None) is None


def test_a_server_that_hangs_does_not_block_the_loop_and_costs_no_result(url, caplog):
    async def twice(x):
        return 2 * x

    f = tc.ucache(engine="redis", config=tc.CacheConfig(redis_url=url), name="slow")(twice)

    async def run():
        assert await f(1) == 2
        say(url, "CLIENT PAUSE 600 ALL")
        longest, last, waiting = 0.0, time.monotonic(), asyncio.gather(*(f(x) for x in range(2, 10)))
        while not waiting.done():
            await asyncio.sleep(0.005)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        assert await waiting == [2 * x for x in range(2, 10)]
        return longest

    with caplog.at_level(logging.WARNING, "twat_cache"):
        longest = asyncio.run(run())
    assert [record.levelname for record in caplog.records] == ["WARNING"], caplog.text
    # The time-out of a call is 250 ms: a loop that waited would stand for that long at the least.
    assert longest < 0.2, f"the loop stood for {longest} s"
